/** One reader of a session's log, which puts together what it is given and says what it has. */
import { encodeRecord, type EventRecord, type SessionId } from "@holdfast/core"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import { openReader } from "../store/Reader.ts"

/** How it reads. */
export interface ReaderPace {
  /** Events that it takes at once. */
  readonly pageEvents?: number
  /** Milliseconds that it takes its time over each page. */
  readonly pauseMs?: number
  readonly onEvent?: (record: EventRecord) => void
}

/** What it has at the end. */
export interface Assembled {
  /** Events without a gap or a repeat, from the first on. */
  readonly events: number
  /** SHA-256 over all of them. */
  readonly digest: string
}

/** Follows a session on a connection of its own until its backend has closed. */
export const follow = (store: string, sessionId: SessionId, { onEvent, pageEvents, pauseMs = 0 }: ReaderPace) =>
  Effect.gen(function* () {
    const log = yield* openReader(store)
    const hash = createHash("sha256")
    let events = 0
    let ended = false
    const take = (record: EventRecord) => {
      if (record.seq !== events + 1) return
      events++
      hash.update(`${encodeRecord(record)}\n`)
      ended ||= record.type === "backend.closed"
      onEvent?.(record)
    }
    yield* log.follow(sessionId, 0, pageEvents === undefined ? {} : { limit: pageEvents }).pipe(
      Stream.tap((page) => {
        if (page.answer === "exact") page.events.forEach(take)
        return pauseMs > 0 ? Effect.sleep(pauseMs) : Effect.void
      }),
      Stream.takeUntil((page) => page.answer === "caught-up" && ended),
      Stream.runDrain
    )
    return { events, digest: hash.digest("hex") } satisfies Assembled
  }).pipe(Effect.scoped)
