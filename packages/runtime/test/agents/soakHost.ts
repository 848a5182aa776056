/**
 * The process that the soak test weighs: a runtime on a real log with a real agent, whose sessions take one prompt each,
 * again and again. After each round it says on standard output what it weighs, one line of JSON: {@link Weight}.
 */
import { readdirSync } from "node:fs"
import { type EventLogService, makeSessionId } from "@holdfast/core"
import { promises } from "@holdfast/process"
import { Effect } from "effect"
import type { AgentPlace } from "./agentHouse.ts"
import { only, startRuntime } from "./agentRuntime.ts"

/** What the host has after a round, garbage aside. */
export interface Weight {
  readonly rss: number
  readonly heap: number
  readonly files: number
  /** Those of the agent's server. */
  readonly processes: number
}

/** More than the 16 MiB after which the log starts its second thread: what both weigh is there before the first turn. */
const startThreads = Effect.fnUntraced(function* (log: EventLogService) {
  const sessionId = makeSessionId()
  const event = { at: 1, generation: 0, version: 1 }
  yield* log.append(sessionId, 0, [{ ...event, type: "session.created", data: { backend: "none", spec: {} } }])
  const bytes = new Uint8Array(1024 * 1024)
  for (let seq = 1; seq <= 24; seq++) {
    yield* log.append(sessionId, seq, [{ ...event, type: "terminal.output", data: { offset: 0 }, bytes }])
  }
  yield* log.remove(sessionId)
})

const [place, sessions, rounds] = process.argv.slice(2) as [string, string, string]

await Effect.runPromise(
  Effect.scoped(
    Effect.gen(function* () {
      const { events, log, open, say } = yield* startRuntime(JSON.parse(place) as AgentPlace)
      yield* startThreads(log)
      const ids = yield* Effect.all(Array.from({ length: Number(sessions) }, () => open()))
      const { marker } = only(yield* events(ids[0]!), "process.spawned")[0]!.data
      for (let round = 0; round < Number(rounds); round++) {
        // Every tenth turn runs a command.
        const text = (index: number) => `${(round + index) % 10 === 0 ? "run" : "say"} word${round}`
        yield* Effect.forEach(ids, (id, index) => say(id, text(index)), { concurrency: "unbounded" })
        globalThis.gc!()
        const { heapUsed, rss } = process.memoryUsage()
        const processes = yield* Effect.promise(() => promises.tree({ marker }))
        const weight: Weight = {
          rss,
          heap: heapUsed,
          files: readdirSync("/proc/self/fd").length,
          processes: processes.length
        }
        process.stdout.write(`${JSON.stringify(weight)}\n`)
      }
    })
  )
)
