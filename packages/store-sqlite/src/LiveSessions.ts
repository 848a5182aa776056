/** What the owner keeps of the sessions that it appends to: head and summary, so that an append reads nothing. */
import {
  type CheckedEvent,
  emptySummary,
  evolveSummary,
  recordOf,
  searchText,
  type SessionId,
  type SessionSummary,
  showsChange,
  summaryVersion
} from "@holdfast/core"
import type { SqliteReader } from "./SqliteReader.ts"
import type { SessionRow } from "./WriteBatch.ts"

/** Sessions that are kept though nothing is appended to them: 1,024, about 2 KB each. */
const liveLimit = 1024

/**
 * Milliseconds for which a stored summary may be behind in its counters of mere activity. What a list shows as a change is
 * stored with the events that make it.
 */
export const summaryLagMs = 1000

/** Events that a summary is folded from at a time. */
const foldEvents = 1000

/** A session as of the last commit. */
export interface LiveSession {
  readonly id: number
  readonly sessionId: SessionId
  head: number
  summary: SessionSummary
  /** The summary that is stored. */
  saved: SessionSummary
  savedAt: number
}

/** A session as of a commit that is being put together. */
export interface Draft {
  readonly live: LiveSession
  readonly isNew: boolean
  /** Whether records are needed after the commit: somebody follows. Otherwise payloads are given away. */
  readonly followed: boolean
  head: number
  summary: SessionSummary
  readonly added: Array<CheckedEvent>
  /** Whether nothing was added but output of a terminal, which changes nothing that a list shows. */
  isOutput: boolean
  /** Whether a list shows the difference; it is stored at once then. */
  shown: boolean
  saves: boolean
}

/** The row of a summary in the list. */
export const sessionRow = (id: number, summary: SessionSummary, changed: number): SessionRow => [
  id,
  summary.sessionId,
  summary.seq,
  summaryVersion,
  Number(summary.archived),
  summary.backend,
  summary.status,
  searchText(summary),
  summary.updatedAt,
  changed,
  JSON.stringify(summary)
]

/** Folds a summary on to the head of what is stored. Gaps are stepped over: a damaged event shows in no list. */
export const foldSummary = (reader: SqliteReader, sessionId: SessionId, from: SessionSummary): SessionSummary => {
  let summary = from
  let cursor = from.seq
  for (;;) {
    const page = reader.page(sessionId, cursor, foldEvents, Number.MAX_SAFE_INTEGER)
    if (page === undefined) return summary
    if (page.answer === "snapshot") {
      for (const record of page.covering) if (record.seq > page.cursor) summary = evolveSummary(summary, record)
    }
    if (page.answer !== "gap") for (const record of page.events) summary = evolveSummary(summary, record)
    cursor = page.cursor
    if (cursor >= page.head) return { ...summary, seq: page.head }
  }
}

/** Makes the table of live sessions. */
export const makeLiveSessions = (reader: SqliteReader, firstId: number) => {
  const sessions = new Map<SessionId, LiveSession>()
  /** Those whose stored summary is behind. */
  const behind = new Set<LiveSession>()
  /** The one that is last in the table. */
  let newest: LiveSession | undefined
  let nextId = firstId

  const load = (sessionId: SessionId): LiveSession | undefined => {
    const stored = reader.session(sessionId)
    if (stored === undefined) return undefined
    const known = stored.summary ?? emptySummary(sessionId)
    const summary = known.seq < stored.head ? foldSummary(reader, sessionId, known) : known
    return { id: stored.id, sessionId, head: stored.head, summary, saved: known, savedAt: 0 }
  }

  /** Looks a session up for a commit; makes a new one where there is none. */
  const draft = (sessionId: SessionId, followed: boolean): Draft => {
    const known = sessions.get(sessionId) ?? load(sessionId)
    const live = known ?? make(sessionId)
    const { head, summary } = live
    return {
      live,
      isNew: known === undefined,
      followed,
      head,
      summary,
      added: [],
      isOutput: true,
      shown: false,
      saves: false
    }
  }

  const make = (sessionId: SessionId): LiveSession => {
    const summary = emptySummary(sessionId)
    return { id: nextId++, sessionId, head: 0, summary, saved: summary, savedAt: 0 }
  }

  /** Puts an append into a draft. */
  const add = (draft: Draft, events: ReadonlyArray<CheckedEvent>) => {
    const { sessionId } = draft.live
    for (const one of events) {
      draft.head++
      draft.summary = evolveSummary(draft.summary, { ...one.event, sessionId, seq: draft.head })
      draft.added.push(one)
      draft.isOutput &&= one.event.type === "terminal.output"
    }
  }

  /** Decides whether the commit of a draft stores its summary as well. */
  const finish = (draft: Draft, now: number) => {
    const { isNew, live, summary } = draft
    draft.shown = isNew || (!draft.isOutput && showsChange(live.summary, summary))
    draft.saves = draft.shown || now - live.savedAt >= summaryLagMs || now < live.savedAt
  }

  /** Takes over what was committed. */
  const commit = ({ head, live, saves, summary }: Draft, now: number) => {
    live.head = head
    live.summary = summary
    if (live !== newest) {
      sessions.delete(live.sessionId)
      sessions.set(live.sessionId, live)
      newest = live
    }
    if (saves) noteSaved(live, summary, now)
    else behind.add(live)
    if (sessions.size <= liveLimit) return
    for (const quiet of sessions.values()) {
      if (sessions.size <= liveLimit || behind.has(quiet)) break
      drop(quiet)
    }
  }

  const noteSaved = (live: LiveSession, summary: SessionSummary, now: number) => {
    if (live.saved.seq > summary.seq) return
    live.saved = summary
    live.savedAt = now
    if (live.summary === summary) behind.delete(live)
  }

  const forget = (sessionId: SessionId) => {
    const live = sessions.get(sessionId)
    if (live === undefined) return
    behind.delete(live)
    drop(live)
  }

  const drop = (live: LiveSession) => {
    sessions.delete(live.sessionId)
    if (live === newest) newest = undefined
  }

  return {
    get: (sessionId: SessionId) => sessions.get(sessionId),
    behind,
    draft,
    add,
    finish,
    commit,
    noteSaved,
    forget
  }
}

/** What {@link makeLiveSessions} makes. */
export type LiveSessions = ReturnType<typeof makeLiveSessions>

/** The records of what a draft added, for its followers. */
export const recordsOf = ({ added, head, live }: Draft) =>
  added.map((one, index) => recordOf(live.sessionId, head - added.length + index + 1, one))
