/** What can be done with a log without owning it: list, follow, read, look at screens. */
import {
  type EventLogService,
  type Followed,
  type LogStats,
  type LogUnavailable,
  type Page,
  type ReadOptions,
  type SessionId,
  type SessionListItem,
  type SessionNotFound,
  type SessionPage,
  type SessionQuery,
  type SessionState,
  type SessionSummary
} from "@holdfast/core"
import type { Effect, Stream } from "effect"
import { loadState } from "./loadState.ts"

/** Reads sessions, also those that another process owns. */
export interface SessionReader {
  readonly list: (query?: SessionQuery) => Effect.Effect<SessionPage, LogUnavailable>
  /** The list and its changes: a sidebar need not poll. */
  readonly followList: (query?: SessionQuery) => Stream.Stream<SessionListItem, LogUnavailable>
  readonly summary: (sessionId: SessionId) => Effect.Effect<SessionSummary, SessionNotFound | LogUnavailable>
  /** The folded state as the log has it. */
  readonly state: (sessionId: SessionId) => Effect.Effect<SessionState, SessionNotFound | LogUnavailable>
  readonly read: (
    sessionId: SessionId,
    after: number,
    options?: ReadOptions
  ) => Effect.Effect<Page, SessionNotFound | LogUnavailable>
  /** Everything after `after`, then what comes. Slow readers read from the store and slow nobody. */
  readonly follow: (
    sessionId: SessionId,
    after: number,
    options?: ReadOptions
  ) => Stream.Stream<Followed, SessionNotFound | LogUnavailable>
  readonly stats: Effect.Effect<LogStats, LogUnavailable>
}

/** Makes a reader of a log. */
export const makeSessionReader = (log: EventLogService): SessionReader => ({
  list: log.sessions,
  followList: log.followSessions,
  summary: log.summary,
  state: (sessionId) => loadState(log, sessionId),
  read: log.read,
  follow: log.follow,
  stats: log.stats
})
