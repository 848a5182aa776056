/** Reading a log backwards, for who scrolls back. */
import {
  defaultPageEvents,
  type EventLogService,
  type EventRecord,
  type LogUnavailable,
  type Page,
  type SessionId,
  type SessionNotFound,
  weigh
} from "@holdfast/core"
import { Effect } from "effect"

/** Bytes of events that one answer holds, about; the newest that fit, and one in any case. 1 MiB. */
const maxBytes = 1024 * 1024

/**
 * The events with the `limit` seqs before `before`, oldest first. Compacted ones are missing, and the answer is then `snapshot`,
 * but without the snapshots that stand for output: nobody scrolls a terminal back by its events. Where they do not fit, the
 * oldest are left out, and the first event's seq says where to go on.
 */
export const readBefore = Effect.fnUntraced(function* (
  log: EventLogService,
  sessionId: SessionId,
  before: number,
  limit: number = defaultPageEvents
): Effect.fn.Return<Page, SessionNotFound | LogUnavailable> {
  const head = yield* log.head(sessionId)
  const last = Math.min(before - 1, head)
  let cursor = Math.max(0, last - limit)
  let events: Array<EventRecord> = []
  let weight = 0
  let wholeAt = 0
  while (cursor < last) {
    const page = yield* log.read(sessionId, cursor, { limit: last - cursor })
    if (page.answer === "snapshot") wholeAt = Math.max(wholeAt, page.wholeAt)
    if (page.answer !== "gap") {
      for (const event of page.events) {
        if (event.seq > last) break
        events.push(event)
        weight += weigh(event)
      }
      let left = 0
      while (weight > maxBytes && left < events.length - 1) weight -= weigh(events[left++]!)
      if (left > 0) events = events.slice(left)
    }
    if (page.cursor <= cursor) break
    cursor = page.cursor
  }
  const rest = { events, cursor: last, head }
  return wholeAt === 0 ? { answer: "exact", ...rest } : { answer: "snapshot", wholeAt, covering: [], ...rest }
})
