/** The server's benchmarks: fan-out, keystrokes, opening, memory, reconnecting, commands over HTTP. */
import type { Figure } from "./harness.ts"
import { fanOutBenchmarks } from "./serverFanOut.ts"
import { httpBenchmarks } from "./serverHttp.ts"
import { keystrokeBenchmarks } from "./serverKeystroke.ts"
import { memoryBenchmarks } from "./serverMemory.ts"
import { openingBenchmarks } from "./serverOpening.ts"

const parts = {
  fanout: fanOutBenchmarks,
  keystroke: keystrokeBenchmarks,
  memory: memoryBenchmarks,
  opening: openingBenchmarks,
  http: httpBenchmarks
}

/** All figures of the server, or those of the parts that `HOLDFAST_BENCH_PARTS` names (`fanout,http`). */
export const serverBenchmarks = async (): Promise<ReadonlyArray<Figure>> => {
  const named = process.env["HOLDFAST_BENCH_PARTS"]?.split(",")
  const figures: Array<Figure> = []
  for (const [name, run] of Object.entries(parts)) {
    if (named === undefined || named.includes(name)) figures.push(...(await run()))
  }
  return figures
}
