import { defineConfig } from "tsup"

// Declarations come from `tsc`; dependencies and peer dependencies stay imports. A worker thread loads its own file, so the
// one that makes snapshots is an entry beside the package's root.
export default defineConfig({
  entry: { index: "src/index.ts", ScreenWorker: "src/screen/ScreenWorker.ts" },
  format: "esm",
  target: "node22",
  dts: false,
  sourcemap: true,
  clean: true,
  skipNodeModulesBundle: true,
  // `node:sqlite` has no name without its protocol.
  removeNodeProtocol: false
})
