/** Finds the bridge, which is run and never imported. */
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"

/** The words of a program, or why there is none. */
export type FoundProgram =
  | {
      readonly words: ReadonlyArray<string>
      /** Node and a file that `--version` only loads: what is compiled of it can be kept. */
      readonly isNode?: boolean
    }
  | { readonly problem: string }

/** The one file of `@holdfast/bridge`, run by the Node that this runs on. */
export const findBridgeProgram = (): FoundProgram => {
  let file: string
  try {
    const manifest = createRequire(import.meta.url).resolve("@holdfast/bridge/package.json")
    file = join(dirname(manifest), "dist", "holdfast-bridge.mjs")
  } catch {
    return { problem: "the package @holdfast/bridge is not installed: install it, or name a program" }
  }
  return existsSync(file)
    ? { words: [process.execPath, file], isNode: true }
    : { problem: `${file} does not exist: build @holdfast/bridge, or name a program` }
}
