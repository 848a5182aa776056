/** Where the program's one file is. */
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"

/**
 * The path of `holdfast-bridge.mjs`: one file with everything in it, to be run by Node 22.19 or newer, also where nothing else
 * is. Throws where it was not built, which is only so in the source tree.
 */
export const bridgeProgram = (): string => {
  // Beside this file once built, in `dist` from the sources.
  const built = import.meta.url.endsWith(".ts") ? "../dist/holdfast-bridge.mjs" : "./holdfast-bridge.mjs"
  const path = fileURLToPath(new URL(built, import.meta.url))
  if (existsSync(path)) return path
  throw new Error(`There is no ${path}: build it with "npm run build --workspace @holdfast/bridge"`)
}
