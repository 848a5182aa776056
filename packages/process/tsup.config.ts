import { defineConfig } from "tsup"

// Declarations come from `tsc`; dependencies and peer dependencies stay imports. The keeper is a program of its own.
export default defineConfig({
  entry: { index: "src/index.ts", keeper: "src/keeper.ts" },
  format: "esm",
  target: "node22",
  dts: false,
  sourcemap: true,
  clean: true,
  skipNodeModulesBundle: true,
  // `node:sqlite` has no name without its protocol.
  removeNodeProtocol: false
})
