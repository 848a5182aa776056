/** The reading half of the log over a connection: the same for the owner and for a process that only looks. */
import { statSync } from "node:fs"
import {
  clampBound,
  defaultPageBytes,
  defaultPageEvents,
  emptySummary,
  type EventLogService,
  type EventRecord,
  type LogUnavailable,
  type SessionId,
  SessionNotFound
} from "@holdfast/core"
import { Effect, Option } from "effect"
import { foldSummary, type LiveSession } from "./LiveSessions.ts"
import type { SqliteReader } from "./SqliteReader.ts"

/** The part of the log's contract that reads once. */
export type ReadSide = Pick<
  EventLogService,
  "read" | "head" | "find" | "receipt" | "sessions" | "summary" | "loadCheckpoint" | "stats"
>

/** Makes the reading half. `live` gives what the owner has at hand of a session, where it does. */
export const makeReadSide = (
  path: string,
  reader: SqliteReader,
  unavailable: (operation: string, cause: unknown) => LogUnavailable,
  isClosed: () => LogUnavailable | undefined,
  live: (sessionId: SessionId) => LiveSession | undefined
): ReadSide => {
  const attempt = <A>(operation: string, run: () => A): Effect.Effect<A, LogUnavailable> =>
    Effect.suspend(() => {
      const closed = isClosed()
      if (closed !== undefined) return Effect.fail(closed)
      try {
        return Effect.succeed(run())
      } catch (cause) {
        return Effect.fail(unavailable(operation, cause))
      }
    })

  const existing = <A>(
    operation: string,
    sessionId: SessionId,
    run: () => A | undefined
  ): Effect.Effect<A, SessionNotFound | LogUnavailable> =>
    Effect.flatMap(attempt(operation, run), (found): Effect.Effect<A, SessionNotFound> =>
      found === undefined ? Effect.fail(new SessionNotFound({ sessionId })) : Effect.succeed(found)
    )

  const walBytes = () => statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0

  return {
    read: (sessionId, after, options) =>
      existing("read", sessionId, () => {
        const limit = clampBound(options?.limit, defaultPageEvents, 10_000)
        const maxBytes = clampBound(options?.maxBytes, defaultPageBytes, Number.MAX_SAFE_INTEGER)
        const known = live(sessionId)
        // A list that knows of later events than there are means that the last ones are gone.
        const isWhole = known !== undefined && known.saved.seq <= known.head
        const quick = isWhole ? reader.quickPage(sessionId, after, limit, maxBytes, known) : undefined
        return quick ?? reader.page(sessionId, after, limit, maxBytes)
      }),
    head: (sessionId) => existing("read", sessionId, () => reader.head(sessionId)),
    find: Effect.fnUntraced(function* (sessionId, { direction, from: start, type }) {
      const id = yield* existing("search", sessionId, () => reader.idOf(sessionId))
      let from = Math.min(Math.max(0, start), 0xffff_ffff)
      for (;;) {
        const step = yield* attempt("search", () => reader.find(sessionId, id, type, from, direction))
        if ("found" in step) return Option.fromNullishOr<EventRecord | undefined>(step.found)
        from = step.from
        // A long search lets others have their turn.
        yield* Effect.yieldNow
      }
    }),
    receipt: (sessionId, commandId) =>
      attempt("read a receipt", () => Option.fromNullishOr(reader.receipt(sessionId, commandId))),
    sessions: (query = {}) =>
      attempt("list sessions", () => {
        const limit = clampBound(query.limit, 100, 1000)
        const found = reader.list(query, limit + 1)
        const sessions = found.slice(0, limit).map((stored) => live(stored.sessionId)?.summary ?? stored)
        return found.length > limit ? { sessions, next: sessions.at(-1)!.sessionId } : { sessions }
      }),
    summary: (sessionId) =>
      existing("read a summary", sessionId, () => {
        const known = live(sessionId)?.summary
        const stored = known === undefined ? reader.session(sessionId) : undefined
        // Where another version of the fold wrote it, and no owner has brought it up to date yet, it is folded here.
        return stored === undefined
          ? known
          : (stored.summary ?? foldSummary(reader, sessionId, emptySummary(sessionId)))
      }),
    loadCheckpoint: (sessionId, fold, version) =>
      attempt("read a checkpoint", () => Option.fromNullishOr(reader.checkpoint(sessionId, fold, version))),
    stats: attempt("weigh itself", () => reader.stats(walBytes()))
  }
}
