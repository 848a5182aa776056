/** The timeline of a session at any of its events, folded from its log a page at a time. */
import {
  emptyTimeline,
  type EventLogService,
  evolveTimelinePage,
  type LogUnavailable,
  type SessionId,
  type SessionNotFound,
  type Timeline,
  type TimelineAnswer,
  timelineEntries,
  type TimelineEntry
} from "@holdfast/core"
import { Effect } from "effect"

/** Parts of entries are cut at this many UTF-16 units: what a person reads of one at once, and more. */
const maxText = 16 * 1024

/** Entries that a fold keeps; what is asked for is the newest of them. */
const maxEntries = 2_000

/** Characters of an answer's entries, about: the newest that fit, and one in any case. */
const maxAnswer = 4 * 1024 * 1024

/** What is read at once. A fold holds one such page beside the timeline, and takes about 2 µs an event. */
const foldPage = { limit: 2_000, maxBytes: 256 * 1024 } as const

/** Folded timelines that are kept to go on from: a slider asks for one event after another. 8, of at most some 10 MB each. */
const maxKept = 8

/** Timelines at any event. */
export interface TimelineReader {
  readonly at: (
    sessionId: SessionId,
    at: number | undefined,
    limit: number
  ) => Effect.Effect<TimelineAnswer, SessionNotFound | LogUnavailable>
}

/** Makes a reader, which keeps the timelines that it folded last. */
export const makeTimelineReader = (log: EventLogService): TimelineReader => {
  const kept: Array<{ readonly sessionId: SessionId; readonly timeline: Timeline }> = []

  /** The newest that is kept of a session, and not newer than `at`. */
  const nearest = (sessionId: SessionId, at: number): Timeline => {
    let best: Timeline | undefined
    for (const one of kept) {
      if (one.sessionId !== sessionId || one.timeline.seq > at) continue
      if (best === undefined || one.timeline.seq > best.seq) best = one.timeline
    }
    return best ?? emptyTimeline({ maxEntries, maxText })
  }

  const keep = (sessionId: SessionId, timeline: Timeline): void => {
    const same = kept.findIndex((one) => one.sessionId === sessionId && one.timeline.seq === timeline.seq)
    if (same !== -1) kept.splice(same, 1)
    kept.push({ sessionId, timeline })
    if (kept.length > maxKept) kept.shift()
  }

  return {
    at: Effect.fn("TimelineReader.at")(function* (sessionId, at, limit) {
      const head = yield* log.head(sessionId)
      const until = Math.min(at ?? head, head)
      let timeline = nearest(sessionId, until)
      while (timeline.seq < until) {
        const page = yield* log.read(sessionId, timeline.seq, foldPage)
        const cursor = Math.min(page.cursor, until)
        const cut =
          page.answer === "gap"
            ? { ...page, cursor }
            : { ...page, cursor, events: page.events.filter(({ seq }) => seq <= until) }
        const next = evolveTimelinePage(timeline, cut)
        if (next.seq <= timeline.seq) break
        timeline = next
      }
      keep(sessionId, timeline)
      const { files, seq, total, usage } = timeline
      return { seq, total, entries: newest(timelineEntries(timeline), limit), usage, files }
    })
  }
}

/** As many of the newest as are asked for and fit into an answer. */
const newest = (entries: ReadonlyArray<TimelineEntry>, limit: number): ReadonlyArray<TimelineEntry> => {
  let room = maxAnswer
  let from = entries.length
  while (from > 0 && entries.length - from < limit) {
    room -= JSON.stringify(entries[from - 1]).length
    if (room < 0 && from < entries.length) break
    from--
  }
  return entries.slice(from)
}
