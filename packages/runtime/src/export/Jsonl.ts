/** A session as lines of JSON: every event that the log still has, in full. */
import {
  encodeRecord,
  type EventLogService,
  type LogUnavailable,
  type SessionId,
  type SessionNotFound
} from "@holdfast/core"
import { Stream } from "effect"
import { sessionPages } from "./sessionPages.ts"

/**
 * The events of a session, one JSON object a line, as `encodeRecord` of core writes them and `decodeRecord` reads them.
 * What was compacted is in the snapshots and completed items that stand for it. Events that cannot be read give a line
 * of their own, which is no event: `{"gap":"corrupt","from":5,"to":5}`.
 */
export const jsonlOf = (
  log: EventLogService,
  sessionId: SessionId
): Stream.Stream<string, SessionNotFound | LogUnavailable> =>
  sessionPages(log, sessionId).pipe(
    Stream.map((page) =>
      page.answer === "gap"
        ? `${JSON.stringify({ gap: page.reason, from: page.from, to: page.to })}\n`
        : page.events.map((event) => `${encodeRecord(event)}\n`).join("")
    ),
    Stream.filter((text) => text !== "")
  )
