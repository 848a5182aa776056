import { globSync } from "node:fs"
import { defineConfig } from "tsup"

// Declarations come from `tsc`; dependencies and peer dependencies stay imports. A worker thread loads its own file, so the
// writer is an entry beside the package's root and never part of its bundle.
export default defineConfig({
  entry: ["src/index.ts", ...globSync("src/SqliteWriter.ts")],
  format: "esm",
  target: "node22",
  dts: false,
  sourcemap: true,
  clean: true,
  skipNodeModulesBundle: true,
  // `node:sqlite` has no name without its protocol.
  removeNodeProtocol: false
})
