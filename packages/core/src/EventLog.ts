/**
 * The contract of a log: per session an append-only, gapless sequence of events, and three honest answers to every
 * read. Stores are interchangeable; the testkit's suite says whether one is.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import type { EventRecord, NewEvent } from "./EventRecord.ts"
import { CommandId, SessionId } from "./Ids.ts"
import type { SessionSummary } from "./SessionSummary.ts"

/** Most bytes of one event (JSON and payload) that a log takes: 64 MiB. Stores keep a large one in pieces. */
export const maxEventBytes = 64 * 1024 * 1024

/** Most events of one append: 10,000. */
export const maxAppendEvents = 10_000

/** Events of a page unless the reader says otherwise. */
export const defaultPageEvents = 512

/** A page ends before the event that would take it past this many bytes; one event alone may be larger. */
export const defaultPageBytes = 256 * 1024

/** Somebody else appended first. Read what is new and decide again; if it happens twice, another owner is at work. */
export class AppendConflict extends Schema.TaggedError<AppendConflict>("@holdfast/core/AppendConflict")(
  "AppendConflict",
  { sessionId: SessionId, expectedSeq: Schema.Int, actualSeq: Schema.Int }
) {
  override get message() {
    return `Session ${this.sessionId} is at seq ${this.actualSeq}, not at ${this.expectedSeq}: read the newer events and decide again`
  }
}

/** An event that no log takes. Nothing of its append was stored. */
export class EventInvalid extends Schema.TaggedError<EventInvalid>("@holdfast/core/EventInvalid")("EventInvalid", {
  sessionId: Schema.String,
  /** Path of the bad field: `events[2].data.title`. */
  field: Schema.String,
  expected: Schema.String
}) {
  override get message() {
    return `${this.field} of an event for session ${this.sessionId} is not valid: expected ${this.expected}`
  }
}

/** There is no such session in this log. */
export class SessionNotFound extends Schema.TaggedError<SessionNotFound>("@holdfast/core/SessionNotFound")(
  "SessionNotFound",
  { sessionId: Schema.String }
) {
  override get message() {
    return `There is no session ${this.sessionId}: list the sessions to find the one you mean`
  }
}

/** Why a store cannot do what it was asked. */
export const LogFailure = Schema.Literals([
  /** The store's file is not a database, or is damaged. */
  "damaged",
  "disk-full",
  "read-only",
  /** Another program holds the file locked. */
  "locked",
  /** Another live process owns the log. */
  "owned",
  /** This process was the owner and another one took over: nothing more is written by it. */
  "owner-lost",
  /** Written by a newer version. */
  "newer-schema",
  "closed",
  "io"
])
export type LogFailure = typeof LogFailure.Type

/** The store cannot serve. What was acknowledged stays stored. */
export class LogUnavailable extends Schema.TaggedError<LogUnavailable>("@holdfast/core/LogUnavailable")(
  "LogUnavailable",
  {
    operation: Schema.String,
    reason: LogFailure,
    /** What happened and what to do about it, for people. */
    detail: Schema.String,
    cause: Schema.optionalKey(Schema.Defect())
  }
) {
  override get message() {
    return `The log could not ${this.operation}: ${this.detail}`
  }
}

/** How an append is taken. */
export interface AppendOptions {
  /**
   * Nobody changes the payloads any more: the log may keep and hand out the very bytes. Without it they are copied.
   * Either way they are still there afterwards, to be appended again after a failure.
   */
  readonly frozenPayloads?: boolean
}

/** What was stored. */
export interface Appended {
  /** `seq` of the first event of this append. */
  readonly firstSeq: number
  /** `seq` of the last one: the session's head. */
  readonly lastSeq: number
}

/**
 * What an accepted command led to. Repeating the command gives the same receipt, also after a restart. A keystroke has no
 * events of its own: its `firstSeq` is past its `lastSeq`, and its receipt is remembered only while the session is live.
 */
export const Receipt = Schema.Struct({
  sessionId: SessionId,
  commandId: CommandId,
  firstSeq: Schema.Int,
  lastSeq: Schema.Int
})
export type Receipt = typeof Receipt.Type

/** What a read answers. In each, go on with `read(sessionId, cursor)`; `cursor === head` means caught up. */
export type Page =
  /** Every event after your cursor, as many as fit: their `seq`s have no gap. */
  | {
      readonly answer: "exact"
      readonly events: ReadonlyArray<EventRecord>
      readonly cursor: number
      readonly head: number
    }
  /**
   * Some of what you asked for was compacted. `covering` are the snapshots (terminal.snapshot) that stand for removed
   * terminal output: apply them first. `events` are what remains after your cursor, in order; removed deltas of an item
   * are in its `item.completed`. A fold that applies both is whole again at seq `wholeAt`.
   */
  | {
      readonly answer: "snapshot"
      readonly wholeAt: number
      readonly covering: ReadonlyArray<EventRecord>
      readonly events: ReadonlyArray<EventRecord>
      readonly cursor: number
      readonly head: number
    }
  /** Events `from` to `to` cannot be had, and why. Reading after `cursor` goes on behind them. */
  | {
      readonly answer: "gap"
      readonly reason: GapReason
      readonly from: number
      readonly to: number
      readonly detail: string
      readonly cursor: number
      readonly head: number
    }

/**
 * `ahead`: your cursor is past the head (another log, or one restored from a backup): start again from 0.
 * `corrupt`: a row is damaged. `missing`: rows are gone that no compaction took. `removed`: the session was deleted.
 */
export type GapReason = "ahead" | "corrupt" | "missing" | "removed"

/** What a follower gets: pages, and a marker each time that it has everything. */
export type Followed = Page | { readonly answer: "caught-up"; readonly cursor: number }

/** Bounds of one page. */
export interface ReadOptions {
  /** 1 to 10,000; default {@link defaultPageEvents}. */
  readonly limit?: number
  /** Default {@link defaultPageBytes}. */
  readonly maxBytes?: number
}

/** A page with every event after a cursor. */
export type ExactPage = Page & { readonly answer: "exact" }

/** How a session is followed. */
export interface FollowOptions extends ReadOptions {
  /**
   * The plain way of what is stored while the follower waits for it: each page is offered in the very step that stored it, without a
   * fiber. True where it was taken: then the stream does not bring it, nor `caught-up` after it (its cursor is its head). False, and
   * the stream brings it. It must neither block nor wait; what it throws is a defect of the stream. A log need not offer. What changes
   * the pages of a log on their way has to change what is offered here as well.
   */
  readonly take?: (page: ExactPage) => boolean
}

/**
 * What to remove because something newer holds it. Cursors stay valid: a read across the hole answers `snapshot`.
 *
 * - `item`: the `item.delta`s of one item between its `item.started` (`from`) and its `item.completed` (`by`).
 * - `terminal`: all `terminal.output` with seq ≤ `through`, and earlier snapshots, for the `terminal.snapshot` at `by`.
 */
export type Compaction =
  | { readonly kind: "item"; readonly itemId: string; readonly from: number; readonly by: number }
  | { readonly kind: "terminal"; readonly through: number; readonly by: number }

/** What a compaction or a gc took away. */
export interface Removed {
  readonly events: number
  readonly bytes: number
}

/** Which sessions to list. All given conditions hold together. */
export interface SessionQuery {
  readonly archived?: boolean
  readonly backend?: string
  readonly status?: ReadonlyArray<SessionSummary["status"]>
  /** Part of the title, the working directory or the id; case does not matter. */
  readonly search?: string
  /** By name: the session has this label with exactly this value; with null, it does not have the label. */
  readonly labels?: { readonly [name: string]: string | null }
  /** 1 to 1,000; default 100. */
  readonly limit?: number
  /** The `next` of the page before. */
  readonly cursor?: string
}

/** A page of sessions, newest first. */
export interface SessionPage {
  readonly sessions: ReadonlyArray<SessionSummary>
  /** Undefined on the last page. */
  readonly next?: string
}

/** What a follower of the list gets. Changes of one session are joined: only its newest summary counts. */
export type SessionListItem =
  | { readonly kind: "changed"; readonly sessions: ReadonlyArray<SessionSummary> }
  /** It was deleted, or does not match the query any more. */
  | { readonly kind: "gone"; readonly sessionIds: ReadonlyArray<SessionId> }
  | { readonly kind: "caught-up" }

/** A folded state, kept so that opening a long session reads a bounded tail. Another version of the fold discards it. */
export interface Checkpoint {
  readonly fold: string
  readonly version: number
  readonly seq: number
  readonly state: unknown
}

/** What a store weighs. */
export interface LogStats {
  readonly sessions: number
  readonly events: number
  /** Bytes of the store on its medium, write-ahead log included; for the memory log, an estimate. */
  readonly bytes: number
  /** Bytes that `vacuum` would give back. */
  readonly reclaimable: number
}

/** What `gc` removes. Each is off unless given. */
export interface GcOptions {
  /** Delete sessions that are archived and have been quiet for this many milliseconds. */
  readonly archivedOlderThanMs?: number
  /** The time that counts as now, in milliseconds since 1970. */
  readonly now: number
}

/** {@link EventLogService.append}. */
export interface Append {
  (
    sessionId: SessionId,
    expectedSeq: number,
    events: ReadonlyArray<NewEvent>,
    options?: AppendOptions
  ): Effect.Effect<Appended, AppendConflict | EventInvalid | LogUnavailable>
  /**
   * The plain way of it, without a fiber: `done` is told what came of it, once, and maybe before this returns. It must not throw; what
   * it throws is an uncaught exception of the process. A log need not have it, and what wraps `append` has none unless it says so.
   */
  readonly plain?: (
    sessionId: SessionId,
    expectedSeq: number,
    events: ReadonlyArray<NewEvent>,
    options: AppendOptions | undefined,
    done: (outcome: Appended | AppendConflict | EventInvalid | LogUnavailable) => void
  ) => void
}

/** The log. `append` is durable when it succeeds, and nobody sees an event before. */
export interface EventLogService {
  /**
   * Appends after `expectedSeq` (0 makes the session), all or nothing. Concurrent calls share a commit. The first event
   * of a session must be a `session.created`.
   */
  readonly append: Append
  /** One page after `after` (0 reads from the start). */
  readonly read: (
    sessionId: SessionId,
    after: number,
    options?: ReadOptions
  ) => Effect.Effect<Page, SessionNotFound | LogUnavailable>
  /** Pages from `after` to the head, `caught-up`, then what is appended, for ever. Ends after a `removed` gap. */
  readonly follow: (
    sessionId: SessionId,
    after: number,
    options?: FollowOptions
  ) => Stream.Stream<Followed, SessionNotFound | LogUnavailable>
  /** The seq of the last event. */
  readonly head: (sessionId: SessionId) => Effect.Effect<number, SessionNotFound | LogUnavailable>
  /** The nearest event of a type at or before (`backward`), or at or after (`forward`) a seq. */
  readonly find: (
    sessionId: SessionId,
    query: { readonly type: string; readonly from: number; readonly direction: "backward" | "forward" }
  ) => Effect.Effect<Option.Option<EventRecord>, SessionNotFound | LogUnavailable>
  /** What a command led to, if it was accepted. */
  readonly receipt: (
    sessionId: SessionId,
    commandId: CommandId
  ) => Effect.Effect<Option.Option<Receipt>, LogUnavailable>
  readonly compact: (
    sessionId: SessionId,
    compaction: Compaction
  ) => Effect.Effect<Removed, SessionNotFound | LogUnavailable>
  /** Newest session first. */
  readonly sessions: (query?: SessionQuery) => Effect.Effect<SessionPage, LogUnavailable>
  readonly summary: (sessionId: SessionId) => Effect.Effect<SessionSummary, SessionNotFound | LogUnavailable>
  /** The list as it is, `caught-up`, then its changes. `limit` and `cursor` of the query do not count. */
  readonly followSessions: (query?: SessionQuery) => Stream.Stream<SessionListItem, LogUnavailable>
  readonly saveCheckpoint: (sessionId: SessionId, checkpoint: Checkpoint) => Effect.Effect<void, LogUnavailable>
  /** None where there is none of this version. */
  readonly loadCheckpoint: (
    sessionId: SessionId,
    fold: string,
    version: number
  ) => Effect.Effect<Option.Option<Checkpoint>, LogUnavailable>
  /** Deletes a session with its events. Its followers get a `removed` gap. */
  readonly remove: (sessionId: SessionId) => Effect.Effect<void, SessionNotFound | LogUnavailable>
  readonly gc: (options: GcOptions) => Effect.Effect<Removed & { readonly sessions: number }, LogUnavailable>
  /** Gives freed space back to the medium. Reads and appends wait or go on, as the store says. */
  readonly vacuum: Effect.Effect<void, LogUnavailable>
  readonly stats: Effect.Effect<LogStats, LogUnavailable>
}

/** The log that a runtime records in. */
export class EventLog extends Context.Service<EventLog, EventLogService>()("@holdfast/core/EventLog") {}
