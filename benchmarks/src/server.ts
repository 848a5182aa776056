/** The server's benchmarks: fan-out, keystrokes, opening, memory, reconnecting, commands over HTTP. */
import { type Figure, runParts } from "./harness.ts"
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
export const serverBenchmarks = (): Promise<ReadonlyArray<Figure>> => runParts(parts, undefined)
