/** Deletes archived sessions that have been quiet for long, or says which those are. */
import type { SessionSummary } from "@holdfast/core"
import * as Effect from "effect/Effect"
import { json as printJson, line, note } from "../output/Output.ts"
import { age, count, fit, size } from "../output/Text.ts"
import { openReader, type Reader } from "../store/Reader.ts"
import { withOwner } from "./WithOwner.ts"

/** What to delete. */
export interface CollectGarbageOptions {
  readonly json: boolean
  readonly archivedOlderThanMs: number
  readonly dryRun: boolean
}

const oldOnes = Effect.fnUntraced(function* (log: Reader, before: number) {
  const found: Array<SessionSummary> = []
  let cursor: string | undefined
  do {
    const page = yield* log.sessions({ archived: true, limit: 1000, ...(cursor === undefined ? {} : { cursor }) })
    for (const one of page.sessions) if (one.updatedAt <= before) found.push(one)
    cursor = page.next
  } while (cursor !== undefined)
  return found
})

/** Deletes them, or only lists them. */
export const collectGarbage = (store: string, { archivedOlderThanMs, dryRun, json }: CollectGarbageOptions) =>
  Effect.scoped(
    Effect.gen(function* () {
      const log = yield* openReader(store)
      if (!dryRun) {
        const removed = yield* withOwner(store, (client) => client.Gc({ archivedOlderThanMs }))
        if (json) return yield* printJson({ dryRun, ...removed })
        yield* line(
          `Deleted ${count(removed.sessions, "session")} with ${count(removed.events, "event")}, ${size(removed.bytes)}`
        )
        if (removed.sessions > 0) yield* note("The file keeps its size until holdfast vacuum gives the space back.")
        return
      }
      const now = Date.now()
      const old = yield* oldOnes(log, now - archivedOlderThanMs)
      if (json) {
        const events = old.reduce((sum, one) => sum + one.seq, 0)
        const bytes = old.reduce((sum, one) => sum + one.outputBytes, 0)
        const sessionIds = old.map((one) => one.sessionId)
        return yield* printJson({ dryRun, sessions: old.length, events, bytes, sessionIds })
      }
      for (const one of old) {
        yield* line(
          `${one.sessionId}  ${age(now - one.updatedAt).padStart(4)}  ${size(one.outputBytes).padStart(7)}  ${fit(one.title, 60)}`
        )
      }
      yield* note(`${count(old.length, "session")} would be deleted.`)
    })
  )
