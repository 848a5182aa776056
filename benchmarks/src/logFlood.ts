/** A terminal that floods the log: how much it takes, and how long it keeps the event loop from everything else. */
import { monitorEventLoopDelay } from "node:perf_hooks"
import { makeSessionId } from "@holdfast/core"
import { Effect, Fiber, Stream } from "effect"
import { atMost, type Figure, median } from "./harness.ts"
import { created, textEvent, withLog } from "./logAppend.ts"

/** As the terminal's adapter hands it over under flood: 64 KiB at a time, a few appends under way. */
const chunkBytes = 64 * 1024
const floodBytes = 200 * 1024 * 1024
const rounds = 3

const flood = (): Promise<{ readonly rate: number; readonly lag: number }> =>
  withLog((log) =>
    Effect.gen(function* () {
      const id = makeSessionId()
      yield* log.append(id, 0, [created])
      const chunks = floodBytes / chunkBytes
      let followed = 0
      const follower = yield* log.follow(id, 1).pipe(
        Stream.takeUntil((page) => page.cursor === chunks + 1),
        Stream.runForEach((page) =>
          Effect.sync(() => {
            if (page.answer === "exact") for (const event of page.events) followed += event.bytes!.byteLength
          })
        ),
        Effect.forkChild
      )
      const lag = monitorEventLoopDelay({ resolution: 1 })
      lag.enable()
      const started = performance.now()
      for (let n = 0; n < chunks; n++) {
        const bytes = Buffer.alloc(chunkBytes, n % 251)
        const output = { ...textEvent(n), type: "terminal.output", data: { offset: n * chunkBytes }, bytes }
        yield* log.append(id, n + 1, [output])
      }
      const rate = floodBytes / 1e6 / ((performance.now() - started) / 1000)
      lag.disable()
      yield* Fiber.join(follower)
      if (followed !== floodBytes) return yield* Effect.die(new Error(`followed ${followed} bytes`))
      return { rate, lag: lag.percentile(99) / 1e6 - 1 }
    })
  )

/** The figures of a flood. */
export const floodBenchmarks = async (): Promise<ReadonlyArray<Figure>> => {
  const runs: Array<{ readonly rate: number; readonly lag: number }> = []
  for (let round = 0; round < rounds; round++) runs.push(await flood())
  return [
    { name: "append, 64 KiB of output a call, one follower", unit: "MB/s", ours: median(runs.map(({ rate }) => rate)) },
    atMost("… event-loop lag meanwhile, p99", "ms", median(runs.map(({ lag }) => lag)), 10)
  ]
}
