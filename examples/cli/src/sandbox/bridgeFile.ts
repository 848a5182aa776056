/** The program that runs in sandboxes: built with its package, and in a checkout whenever its sources have changed since. */
import { execFile } from "node:child_process"
import { existsSync, globSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { pathToFileURL } from "node:url"
import { promisify } from "node:util"

const execute = promisify(execFile)

const folder = dirname(createRequire(import.meta.url).resolve("@holdfast/bridge/package.json"))

/** Where it is. */
export const bridgeFile: string = join(folder, "dist", "holdfast-bridge.mjs")

/** What it is made from, in a checkout. */
const builder = join(folder, "build.ts")
const sources =
  "{bridge/{build.ts,package.json},{adapter-codex,adapter-opencode,adapter-pty,bridge,core,git,process}/src/**/*.ts}"

const isUpToDate = (): boolean => {
  if (!existsSync(bridgeFile)) return false
  const { mtimeMs } = statSync(bridgeFile)
  const packages = dirname(folder)
  return globSync(sources, { cwd: packages }).every((file) => statSync(join(packages, file)).mtimeMs <= mtimeMs)
}

/**
 * Sees to it that it is there. `onBuild` is called where it has to be built first, which takes some seconds. Several processes may
 * ask at once. Rejects where it cannot be built, with what the builder says.
 */
export const ensureBridge = async (onBuild: () => void = () => {}): Promise<void> => {
  // Installed from a registry it has no sources, and is as it was published.
  if (!existsSync(builder) || isUpToDate()) return
  onBuild()
  // Whole or not at all: it gets its name when it is complete.
  const draft = `${bridgeFile}.${process.pid}`
  const call = `const { buildBridge } = await import(${JSON.stringify(pathToFileURL(builder).href)}); await buildBridge(${JSON.stringify(draft)})`
  mkdirSync(dirname(bridgeFile), { recursive: true })
  try {
    await execute(process.execPath, ["--input-type=module", "--eval", call], { cwd: folder })
    renameSync(draft, bridgeFile)
  } finally {
    rmSync(draft, { force: true })
  }
}
