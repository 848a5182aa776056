import { defineConfig } from "tsup"

// Declarations come from `tsc`; dependencies and peer dependencies stay imports.
export default defineConfig({
  entry: ["src/index.ts", "src/process.ts", "src/docker.ts", "src/e2b.ts"],
  format: "esm",
  target: "node22",
  dts: false,
  sourcemap: true,
  clean: true,
  skipNodeModulesBundle: true,
  // `node:sqlite` has no name without its protocol.
  removeNodeProtocol: false
})
