/** The bridge's one file, built once for the whole suite, in a folder of its own with nothing beside it. */
import { existsSync, mkdirSync, mkdtempSync, renameSync } from "node:fs"
import { join } from "node:path"
import { buildBridge } from "../../build.ts"

let built: Promise<string> | undefined

/** Where it is. */
export const bridgeFile = (): Promise<string> => (built ??= build())

const build = async () => {
  const shared = process.env["HOLDFAST_TEST_SHARED"]
  if (shared === undefined) throw new Error("these tests run with the repository's vitest.config.ts")
  const folder = join(shared, "bridge")
  const file = join(folder, "holdfast-bridge.mjs")
  if (existsSync(file)) return file
  mkdirSync(folder, { recursive: true })
  // Another process of the suite may build it too: whichever comes last is the same.
  const draft = join(mkdtempSync(join(shared, "bridge-draft-")), "holdfast-bridge.mjs")
  await buildBridge(draft)
  renameSync(draft, file)
  return file
}
