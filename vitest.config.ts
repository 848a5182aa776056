import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

// Workspace packages are read as source, here and in every worker thread or process a test starts.
const conditions = ["@holdfast/source", "module", "node", "development|production"]

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ["packages/*/test/**/*.test.ts", "examples/*/test/**/*.test.ts", "scripts/test/**/*.test.ts"],
    pool: "forks",
    execArgv: ["--conditions=@holdfast/source"],
    // Where adapters find the agents that `npm run agents` installs, unless the system has one of its own.
    env: { HOLDFAST_AGENTS: fileURLToPath(new URL("agents", import.meta.url)) },
    // Two: the suite starts real terminals and real child processes, and their timings should hold on a two-core machine.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    globalSetup: ["./scripts/no-process-left.ts"]
  }
})
