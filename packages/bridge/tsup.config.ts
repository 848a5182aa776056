import { defineConfig } from "tsup"

// Declarations come from `tsc`; dependencies and peer dependencies stay imports. The program itself is made by build.ts.
export default defineConfig({
  entry: ["src/index.ts", "src/bridgeProgram.ts"],
  format: "esm",
  target: "node22",
  dts: false,
  sourcemap: true,
  clean: true,
  skipNodeModulesBundle: true,
  // `node:sqlite` has no name without its protocol.
  removeNodeProtocol: false
})
