/** What can be done with a log without owning it: list, follow, read, look at screens. */
import {
  type EventLogService,
  type Followed,
  type LogStats,
  type LogUnavailable,
  type Page,
  type FollowOptions,
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
import { attach, type Attached } from "./screen/Attach.ts"
import { screenAt, type ScreenUnavailable, type SessionScreen } from "./screen/SessionScreen.ts"

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
    options?: FollowOptions
  ) => Stream.Stream<Followed, SessionNotFound | LogUnavailable>
  /** The terminal's screen after event `at`, or as it is now. Of a session without a terminal, an empty one. */
  readonly screen: (
    sessionId: SessionId,
    at?: number
  ) => Effect.Effect<SessionScreen, ScreenUnavailable | SessionNotFound | LogUnavailable>
  /** The screen as it is, and the output from exactly the next byte. */
  readonly attach: (
    sessionId: SessionId
  ) => Effect.Effect<Attached, ScreenUnavailable | SessionNotFound | LogUnavailable>
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
  screen: (sessionId, at) => screenAt(log, sessionId, at),
  attach: (sessionId) => attach(log, sessionId),
  stats: log.stats
})
