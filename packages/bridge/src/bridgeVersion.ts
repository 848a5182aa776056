/** The bridge's version: the package's, as the build writes it into the program. */
import { readFileSync } from "node:fs"

declare const HOLDFAST_BRIDGE_VERSION: string | undefined

/** As in `package.json`. */
export const bridgeVersion: string =
  typeof HOLDFAST_BRIDGE_VERSION === "string"
    ? HOLDFAST_BRIDGE_VERSION
    : (JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string }).version
