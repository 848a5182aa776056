/**
 * Runs benchmarks by name, all of them without one:
 *
 *     npm run bench -w benchmarks -- log
 *
 * Prints a table for people, and the same as one line of JSON, which is all that `--json` prints.
 */
import { letHeapGrow } from "@holdfast/runtime"
import { type Figure, table } from "./harness.ts"

/** Each gives its lines; it is loaded only when it is asked for. */
const benchmarks: { readonly [name: string]: () => Promise<ReadonlyArray<Figure>> } = {
  agents: async () => (await import("./agents.ts")).agentBenchmarks(),
  cloud: async () => (await import("./cloud.ts")).cloudBenchmarks(),
  log: async () => (await import("./log.ts")).logBenchmarks(),
  server: async () => (await import("./server.ts")).serverBenchmarks(),
  screen: async () => (await import("./screen.ts")).screenBenchmarks(),
  terminal: async () => (await import("./terminal.ts")).terminalBenchmarks(),
  web: async () => (await import("./web.ts")).webBenchmarks()
}

// As the examples' hosts do.
letHeapGrow()

const options = process.argv.slice(2)
const names = options.filter((option) => !option.startsWith("--"))
for (const name of names.length === 0 ? Object.keys(benchmarks) : names) {
  const run = benchmarks[name]
  if (run === undefined) {
    console.error(`There is no benchmark ${name}: name some of ${Object.keys(benchmarks).join(", ")}`)
    process.exitCode = 1
    break
  }
  const figures = await run()
  if (!options.includes("--json")) console.log(`\n## ${name}\n\n${table(figures)}\n`)
  console.log(JSON.stringify({ benchmark: name, figures }))
}
