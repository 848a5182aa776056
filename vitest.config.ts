import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

// Workspace packages are read as source, here and in every worker thread or process a test starts.
const conditions = ["@holdfast/source", "module", "node", "development|production"]

const resolving = { resolve: { conditions }, ssr: { resolve: { conditions } } }

const common = {
  pool: "forks" as const,
  execArgv: ["--conditions=@holdfast/source"],
  // Where adapters find the agents that `npm run agents` installs, unless the system has one of its own.
  env: { HOLDFAST_AGENTS: fileURLToPath(new URL("agents", import.meta.url)) },
  // Two: the suite starts real terminals and real child processes, and their timings should hold on a two-core machine.
  maxWorkers: 2,
  // Tests wait for events; this is when they give up. A machine with other guests can take three times as long as an idle one.
  testTimeout: 120_000,
  hookTimeout: 120_000
}

/**
 * Tests that leave their process as they found it: the files of these folders share two processes, which load Effect and the
 * sources once and not a hundred times. That was two thirds of what most of them cost.
 */
const sharing = [
  "packages/{adapter-codex,adapter-pty,bridge,client,core,git,process,server,store-sqlite,terminal-face}/test",
  "packages/adapter-cloud/test/{e2b,lifecycle,process}",
  "packages/runtime/test/{export,screen}",
  "packages/testkit/test/{faults,model}",
  "examples/web/test/timeline",
  "scripts/test"
].map((folder) => `${folder}/**/*.test.ts`)

export default defineConfig({
  ...resolving,
  test: {
    ...common,
    // The last one is torn down first: files are looked for once the processes have ended.
    globalSetup: ["./scripts/no-file-left.ts", "./scripts/no-process-left.ts"],
    projects: [
      {
        ...resolving,
        test: {
          ...common,
          name: "alone",
          include: ["packages/*/test/**/*.test.ts", "examples/*/test/**/*.test.ts", "scripts/test/**/*.test.ts"],
          exclude: sharing
        }
      },
      { ...resolving, test: { ...common, name: "sharing", include: sharing, isolate: false } }
    ]
  }
})
