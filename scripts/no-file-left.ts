/**
 * Vitest's global setup: the suite must leave no file of its own behind. Its temporary directory is one of its own, in which nothing may
 * be left in the end that has our name; what Node, a browser or a container engine keep there is theirs, and goes with the rest.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** The environment variable that names the folder of what lasts as long as the suite: what its tests build once and share. */
export const sharedName = "HOLDFAST_TEST_SHARED"

export default function setup(): () => void {
  const before = process.env["TMPDIR"]
  const folder = mkdtempSync(join(tmpdir(), "holdfast-"))
  const shared = join(folder, "shared")
  mkdirSync(shared)
  process.env["TMPDIR"] = folder
  process.env[sharedName] = shared
  return () => {
    if (before === undefined) delete process.env["TMPDIR"]
    else process.env["TMPDIR"] = before
    delete process.env[sharedName]
    const left = readdirSync(folder).filter((name) => name.startsWith("holdfast"))
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
    if (left.length > 0)
      throw new Error(`The tests left ${left.length} files or folders behind:\n${left.toSorted().join("\n")}`)
  }
}
