/** The bridge's one file, built once for a test file's process. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { buildBridge } from "../../../bridge/build.ts"

let built: Promise<string> | undefined

/** Where it is. It goes with the process. */
export const bridgeFile = (): Promise<string> => (built ??= build())

const build = async () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-bridge-"))
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, "holdfast-bridge.mjs")
  await buildBridge(file)
  return file
}
