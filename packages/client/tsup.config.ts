import { defineConfig } from "tsup"

// Declarations come from `tsc`; dependencies and peer dependencies stay imports.
export default defineConfig({
  entry: { index: "src/index.ts", effect: "src/effect.ts" },
  format: "esm",
  target: "es2023",
  platform: "neutral",
  dts: false,
  sourcemap: true,
  clean: true,
  skipNodeModulesBundle: true
})
