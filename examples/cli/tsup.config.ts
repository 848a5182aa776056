import { defineConfig } from "tsup"

// Commands are imported when they are run, so each stays a file of its own.
export default defineConfig({
  entry: ["src/main.ts"],
  format: "esm",
  target: "node22",
  platform: "node",
  splitting: true,
  dts: false,
  sourcemap: true,
  clean: true,
  skipNodeModulesBundle: true
})
