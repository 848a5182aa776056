/** What a log holds and weighs. */
import type { SessionSummary } from "@holdfast/core"
import * as Effect from "effect/Effect"
import { json as printJson, line } from "../output/Output.ts"
import { statusText } from "../output/SessionTable.ts"
import { styleOf } from "../output/Style.ts"
import { count, fit, size } from "../output/Text.ts"
import { openIfThere, type Reader } from "../store/Reader.ts"

/** The largest by their output; keeps only as many as are asked for. */
const largest = Effect.fnUntraced(function* (log: Reader, top: number) {
  let found: ReadonlyArray<SessionSummary> = []
  let cursor: string | undefined
  do {
    const page = yield* log.sessions({ limit: 1000, ...(cursor === undefined ? {} : { cursor }) })
    found = [...found, ...page.sessions].toSorted((a, b) => b.outputBytes - a.outputBytes).slice(0, top)
    cursor = page.next
  } while (cursor !== undefined)
  return found
})

const nothing = { sessions: 0, events: 0, bytes: 0, reclaimable: 0 }

/** Prints it. */
export const printStats = (store: string, json: boolean, top: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const log = yield* openIfThere(store)
      const total = log === undefined ? nothing : yield* log.stats
      const found = log === undefined ? [] : yield* largest(log, top)
      if (json) {
        const tops = found.map(({ outputBytes, seq, sessionId, status, title }) => ({
          sessionId,
          title,
          status,
          events: seq,
          outputBytes
        }))
        return yield* printJson({ store, ...total, top: tops })
      }
      const style = styleOf(process.stdout)
      yield* line(
        `${store}: ${count(total.sessions, "session")}, ${count(total.events, "event")}, ${size(total.bytes)}`
      )
      if (total.reclaimable > 0) yield* line(`holdfast vacuum would give ${size(total.reclaimable)} back`)
      if (found.length > 0) yield* line(style("bold", "Largest sessions"))
      for (const one of found) {
        const events = count(one.seq, "event").padStart(14)
        yield* line(
          `  ${one.sessionId}  ${size(one.outputBytes).padStart(7)}  ${events}  ${statusText(one.status, style, 11)}  ${fit(one.title, 40)}`
        )
      }
    })
  )
