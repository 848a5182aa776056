/** The log's benchmarks: appending, a flood, following, storage. */
import type { Figure } from "./harness.ts"
import { appendBenchmarks } from "./logAppend.ts"
import { floodBenchmarks } from "./logFlood.ts"
import { readBenchmarks } from "./logRead.ts"

/** All figures of the log. */
export const logBenchmarks = async (): Promise<ReadonlyArray<Figure>> => [
  ...(await appendBenchmarks()),
  ...(await floodBenchmarks()),
  ...(await readBenchmarks())
]
