/**
 * What a terminal that shows a session is given: the screen, then every byte after it as the program wrote it, then how the
 * session ended. Read from the log at the viewer's own pace.
 */
import {
  type EventRecord,
  type Followed,
  type Lifecycle,
  type LogUnavailable,
  readEvent,
  type SessionId,
  type SessionNotFound,
  type SessionState
} from "@holdfast/core"
import type { ScreenUnavailable, SessionReader } from "@holdfast/runtime"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Attached, SessionEnd } from "./OwnerApi.ts"

/** Where a session is when it has ended and does nothing by itself any more. */
export const endedLifecycles: ReadonlySet<Lifecycle> = new Set<Lifecycle>(["closed", "failed", "suspended"])

/** Whether a session has ended. */
export const hasEnded = (state: SessionState): boolean => endedLifecycles.has(state.chart.lifecycle)

/** How it ended. */
export const endOf = ({ chart, end }: SessionState): SessionEnd => ({
  reason: end?.reason ?? "ended",
  exitCode: end?.exitCode ?? null,
  signal: end?.signal ?? null,
  ...(chart.lifecycle === "suspended" ? { rests: true } : {})
})

/** How it ended, by the event that says so; undefined for any other. */
export const endBy = (record: EventRecord): SessionEnd | undefined => {
  if (!record.type.startsWith("backend.")) return undefined
  const read = readEvent(record)
  if (read.kind !== "known") return undefined
  switch (read.event.type) {
    case "backend.closed": {
      const { exitCode = null, reason, signal = null } = read.event.data
      return { reason, exitCode, signal }
    }
    case "backend.failed":
      return { reason: read.event.data.message, exitCode: null, signal: null }
    case "backend.suspended":
      return { reason: read.event.data.reason, exitCode: null, signal: null, rests: true }
    default:
      return undefined
  }
}

/** Why a view of a session could not go on. */
export type AttachError = ScreenUnavailable | SessionNotFound | LogUnavailable

/** Begins with the screen as it is. */
export const attachedStream = (reader: SessionReader, sessionId: SessionId): Stream.Stream<Attached, AttachError> =>
  Stream.unwrap(
    Effect.map(reader.screen(sessionId), ({ ansi, cols, pending, rows, seq }) =>
      Stream.concat(
        Stream.succeed<Attached>({ kind: "screen", cols, rows, bytes: Buffer.concat([Buffer.from(ansi), pending]) }),
        outputAfter(reader, sessionId, seq)
      )
    )
  )

/** Begins with the first byte after an event. Where bytes are not to be had any more it goes on from the screen. */
export const outputAfter = (
  reader: SessionReader,
  sessionId: SessionId,
  after: number
): Stream.Stream<Attached, AttachError> =>
  Stream.suspend(() => {
    let cursor = after
    let over: "ended" | "lost" | undefined
    const items = (page: Followed): ReadonlyArray<Attached> => {
      if (page.answer === "caught-up") return []
      const isHole = page.answer === "snapshot" && page.covering.some((one) => Number(one.data["through"]) > cursor)
      cursor = page.cursor
      if (page.answer === "gap" && page.reason === "removed") {
        over = "ended"
        return [{ kind: "ended", end: { reason: page.detail, exitCode: null, signal: null } }]
      }
      if (page.answer === "gap" || isHole) {
        over = "lost"
        return []
      }
      const found: Array<Attached> = []
      for (const record of page.events) {
        if (record.type === "terminal.output" && record.bytes) found.push({ kind: "output", bytes: record.bytes })
        const end = endBy(record)
        if (end === undefined) continue
        over = "ended"
        found.push({ kind: "ended", end })
        break
      }
      return found
    }
    return reader.follow(sessionId, after).pipe(
      Stream.map(items),
      Stream.takeUntil(() => over !== undefined),
      Stream.flatMap(Stream.fromIterable),
      Stream.concat(Stream.suspend(() => (over === "lost" ? attachedStream(reader, sessionId) : Stream.empty)))
    )
  })
