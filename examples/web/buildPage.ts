/** Builds the page where its sources have changed since, for who serves it. */
import { execFile } from "node:child_process"
import { createHash, randomUUID } from "node:crypto"
import { existsSync, globSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

const execute = promisify(execFile)
const vite = join(dirname(fileURLToPath(import.meta.resolve("vite/package.json"))), "bin/vite.js")

const here = import.meta.dirname
const repository = resolve(here, "../..")

/** All that ends up in the page. */
const sources = [
  "examples/web/{buildPage.ts,index.html,package.json,vite.config.ts}",
  "examples/web/{src,public}/**/*",
  "packages/{client,core,terminal-face}/src/**/*.ts",
  "package-lock.json"
]

/** Builds that are kept, the newest ones: one may still be served by a server that runs. */
const keptBuilds = 3

/** Names a state of the sources by their names, times and sizes. */
const stateOfSources = (): string => {
  const hash = createHash("sha256")
  for (const file of globSync(sources, { cwd: repository }).toSorted()) {
    const { isFile, mtimeMs, size } = factsOf(join(repository, file))
    if (isFile) hash.update(`${file} ${mtimeMs} ${size}\n`)
  }
  return hash.digest("hex").slice(0, 16)
}

const factsOf = (path: string) => {
  const facts = statSync(path)
  return { isFile: facts.isFile(), mtimeMs: facts.mtimeMs, size: facts.size }
}

/**
 * The folder of a build of the page's sources as they are now. `onBuild` is called where it has to be built first, which
 * takes some seconds. Several processes may ask at once.
 */
export const buildPage = async (onBuild: () => void = () => {}): Promise<string> => {
  const builds = join(here, "dist")
  const folder = join(builds, stateOfSources())
  if (existsSync(folder)) return folder
  onBuild()
  // Whole or not at all: it gets its name when it is complete.
  const draft = join(builds, `draft-${randomUUID()}`)
  try {
    // In a process of its own: whatever this one is run as, a test for one, the page is what people get.
    const options = ["build", here, "--config", join(here, "vite.config.ts"), "--logLevel", "warn", "--outDir", draft]
    await execute(process.execPath, [vite, ...options], { env: { ...process.env, NODE_ENV: "production" } })
    mkdirSync(dirname(folder), { recursive: true })
    if (!existsSync(folder)) renameSync(draft, folder)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
  removeOld(builds)
  return folder
}

const removeOld = (builds: string): void => {
  const old = readdirSync(builds)
    .filter((name) => /^[0-9a-f]{16}$/.test(name))
    .map((name) => join(builds, name))
    .toSorted((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)
    .slice(keptBuilds)
  for (const folder of old) rmSync(folder, { recursive: true, force: true })
}
