/** The log on embedded SQLite: one process owns the file and writes it, any number of others read and follow it. */
import {
  type Append,
  checkNewEvents,
  emptySummary,
  EventLog,
  type EventLogService,
  LogUnavailable,
  makeSessionFeed,
  makeSessionListFeed,
  type Removed,
  type SessionId,
  SessionNotFound
} from "@holdfast/core"
import { Clock, Context, Effect, Layer, Result, Schedule, type Scope } from "effect"
import { makeCompactions } from "./Compactions.ts"
import { makeGroupCommit } from "./GroupCommit.ts"
import { heartbeatMs, type Holder, type Lease, readLease } from "./Lease.ts"
import { foldSummary, makeLiveSessions, sessionRow, summaryLagMs } from "./LiveSessions.ts"
import type { SliceDone } from "./Maintenance.ts"
import { becomeOwner, pageSize } from "./Ownership.ts"
import { makeReadSide } from "./ReadSide.ts"
import { fileError, openFile, whileBusy } from "./SqliteFile.ts"
import type { SqliteOptions } from "./SqliteOptions.ts"
import { makeReader } from "./SqliteReader.ts"
import type { WriterJob, WriterSetup } from "./SqliteWriter.ts"
import { emptyBatch, makeWriter } from "./WriteBatch.ts"
import { defaultWriterUrl, type JobResult, makeWriterThread } from "./WriterThread.ts"

/** Sessions whose summaries are folded anew in one transaction when a log is opened. */
const foldSessions = 64

/** Milliseconds between tries to empty the write-ahead log at the end of a vacuum, and how many: half a second in all. */
const vacuumRetryMs = 10
const vacuumRetries = 50

/** The owner's log. */
export interface SqliteLog extends EventLogService {
  readonly path: string
  /** This process's hold on the file. */
  readonly owner: Holder
  /** Who had it before, and whether it closed in order; undefined for a new file. */
  readonly previousOwner: Lease | undefined
}

/** Who owns the file and who did before: what a runtime's sweep at start asks for. */
export class SqliteOwnership extends Context.Service<SqliteOwnership, Pick<SqliteLog, "owner" | "previousOwner">>()(
  "@holdfast/store-sqlite/SqliteOwnership"
) {}

/**
 * Opens a log's file as its owner, for the scope. Fails with `owned` while another live process has it. Closing the scope
 * stores what was accepted, gives the file up and ends its threads.
 */
export const open = Effect.fn("SqliteEventLog.open")(function* (
  options: SqliteOptions
): Effect.fn.Return<SqliteLog, LogUnavailable, Scope.Scope> {
  const { durability = "process", maxBytes, path, ringBytes, writerUrl = defaultWriterUrl } = options
  const busyTimeoutMs = Math.min(Math.max(0, options.busyTimeoutMs ?? 5000), 60_000)
  const clock = yield* Clock.Clock
  const now = () => clock.currentTimeMillisUnsafe()

  const db = yield* openFile(path, false)
  const { owner, previousOwner } = yield* becomeOwner(path, db, busyTimeoutMs)
  const maxPages = maxBytes === undefined ? undefined : Math.max(1, Math.floor(maxBytes / pageSize))
  const { direct, reader } = yield* whileBusy(path, busyTimeoutMs, () => {
    db.exec("PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0")
    if (maxPages !== undefined) db.exec(`PRAGMA max_page_count = ${maxPages}`)
    return { reader: makeReader(db), direct: makeWriter(db, owner.generation) }
  })
  const unavailable = (operation: string, cause: unknown) => fileError(path, operation, cause)

  // What a crash left behind in the list.
  const stale = yield* whileBusy(path, busyTimeoutMs, () => reader.stale(previousOwner?.released !== true))
  let changed = yield* whileBusy(path, busyTimeoutMs, () => reader.newestChange())
  for (let at = 0; at < stale.length; at += foldSessions) {
    const batch = emptyBatch()
    yield* whileBusy(path, busyTimeoutMs, () => {
      batch.sessions.length = 0
      for (const sessionId of stale.slice(at, at + foldSessions)) {
        const stored = reader.session(sessionId)
        if (stored === undefined) continue
        const summary = foldSummary(reader, sessionId, stored.summary ?? emptySummary(sessionId))
        batch.sessions.push(sessionRow(stored.id, summary, ++changed))
      }
      direct.write(batch)
    })
    yield* Effect.yieldNow
  }

  const setup: WriterSetup = { path, generation: owner.generation, durability, busyTimeoutMs, maxPages }
  const live = makeLiveSessions(reader, (yield* whileBusy(path, busyTimeoutMs, () => reader.lastId())) + 1)
  let closed: LogUnavailable | undefined
  const readSide = makeReadSide(path, reader, unavailable, () => closed, live.get)
  const feed = makeSessionFeed(readSide.read, ringBytes === undefined ? {} : { ringBytes })
  const list = makeSessionListFeed(readSide)
  const thread = makeWriterThread(writerUrl, setup)
  const checkpointer = makeWriterThread(writerUrl, setup)
  const group = makeGroupCommit({
    path,
    direct: durability === "power" ? undefined : direct,
    thread,
    checkpointer,
    live,
    feed,
    list,
    now,
    changed,
    unavailable,
    headOf: (sessionId) => (closed === undefined ? reader.head(sessionId) : undefined),
    lost: () =>
      new LogUnavailable({
        operation: "append",
        reason: "owner-lost",
        detail: `${path}: process ${readLease(db)?.pid ?? "unknown"} took the log over: open it again, or end this program`
      }),
    crashed: (message) =>
      new LogUnavailable({
        operation: "append",
        reason: "io",
        detail: `${path}: the writer's thread died (${message}); whether the events are stored is unknown: read the session's head, then go on`
      })
  })

  const compactions = makeCompactions(group.job, Math.min(Math.max(0, options.compactAfterMs ?? 100), 10_000))

  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      const error = new LogUnavailable({
        operation: "serve",
        reason: "closed",
        detail: `${path}: it is closed: open it again`
      })
      compactions.flush()
      if (live.behind.size > 0) yield* Effect.callback<void>((resume) => group.saveSummaries(() => resume(Effect.void)))
      group.stop(error)
      const idle = Effect.callback<void>((resume) => group.whenIdle(() => resume(Effect.void)))
      yield* idle
      yield* Effect.promise(() => checkpointer.close())
      yield* idle
      yield* Effect.promise(() => thread.close())
      closed = error
    })
  )

  const answered = (operation: string, ask: (answer: (result: JobResult | LogUnavailable) => void) => void) =>
    Effect.callback<unknown, LogUnavailable>((resume) =>
      ask((result) => {
        if (result instanceof LogUnavailable) resume(Effect.fail(result))
        else if (result.ok) resume(Effect.succeed(result.result))
        else resume(Effect.fail(unavailable(operation, result)))
      })
    )
  const job = (operation: string, wanted: WriterJob) => answered(operation, (answer) => group.job(wanted, answer))

  yield* Effect.forkScoped(
    Effect.forever(
      Effect.andThen(
        Effect.sleep(heartbeatMs),
        Effect.suspend(() => job("show a sign of life", { kind: "heartbeat", now: now() }))
      )
    ).pipe(
      // The next commit says the same to somebody who can do something about it.
      Effect.ignore
    )
  )
  yield* Effect.forkScoped(
    Effect.forever(
      Effect.andThen(
        Effect.sleep(summaryLagMs),
        Effect.suspend(() =>
          live.behind.size === 0
            ? Effect.void
            : Effect.callback<void>((resume) => group.saveSummaries(() => resume(Effect.void)))
        )
      )
    )
  )

  /** Runs slices until there is nothing left. */
  const slices = Effect.fnUntraced(function* (
    operation: string,
    first: WriterJob,
    next: (cursor: number) => WriterJob
  ) {
    const removed = { events: 0, bytes: 0 }
    let wanted: WriterJob | undefined = first
    while (wanted !== undefined) {
      const done = (yield* job(operation, wanted)) as SliceDone
      removed.events += done.events
      removed.bytes += done.bytes
      wanted = done.cursor === undefined ? undefined : next(done.cursor)
    }
    return removed satisfies Removed
  })
  const sweep = slices("delete a session", { kind: "sweep" }, () => ({ kind: "sweep" }))

  const idOf = (operation: string, sessionId: SessionId) =>
    Effect.suspend((): Effect.Effect<number, SessionNotFound | LogUnavailable> => {
      if (closed !== undefined) return Effect.fail(closed)
      try {
        const id = live.get(sessionId)?.id ?? reader.idOf(sessionId)
        return id === undefined ? Effect.fail(new SessionNotFound({ sessionId })) : Effect.succeed(id)
      } catch (cause) {
        return Effect.fail(unavailable(operation, cause))
      }
    })

  const unlist = Effect.fnUntraced(function* (sessionId: SessionId) {
    const session = yield* idOf("delete a session", sessionId)
    yield* job("delete a session", { kind: "remove", session })
    live.forget(sessionId)
    feed.remove(sessionId)
    list.changed(sessionId, true)
  })

  const appendPlain: NonNullable<Append["plain"]> = (sessionId, expectedSeq, events, options, done) => {
    const checked = checkNewEvents(sessionId, expectedSeq, events, options)
    if (Result.isFailure(checked)) done(checked.failure)
    else group.append(sessionId, expectedSeq, checked.success, done)
  }
  const append: Append = Object.assign(
    (...[sessionId, expectedSeq, events, options]: Parameters<Append>): ReturnType<Append> =>
      Effect.callback((resume) =>
        appendPlain(sessionId, expectedSeq, events, options, (outcome) =>
          resume("firstSeq" in outcome ? Effect.succeed(outcome) : Effect.fail(outcome))
        )
      ),
    {
      plain: (...[sessionId, expectedSeq, events, options, done]: Parameters<typeof appendPlain>) =>
        appendPlain(sessionId, expectedSeq, events, options, (outcome) => {
          try {
            done(outcome)
          } catch (error) {
            // Others are told in the same step, and their commit goes on.
            queueMicrotask(() => {
              throw error
            })
          }
        })
    }
  )

  return {
    ...readSide,
    path,
    owner,
    previousOwner,
    append,
    follow: feed.follow,
    followSessions: list.follow,
    compact: Effect.fn("SqliteEventLog.compact")(function* (sessionId, compaction) {
      const session = yield* idOf("compact", sessionId)
      const removed = { events: 0, bytes: 0 }
      let cursor: number | undefined = compaction.kind === "item" ? compaction.from : 0
      // Nobody waits for an item's. A terminal's takes longer, and so does what is more than one slice.
      let hurried = compaction.kind === "terminal"
      while (cursor !== undefined) {
        const slice = { ...compaction, session, cursor }
        const done = (yield* answered("compact", (answer) => compactions.add(slice, answer, hurried))) as SliceDone
        removed.events += done.events
        removed.bytes += done.bytes
        cursor = done.cursor
        hurried = true
      }
      return removed satisfies Removed
    }),
    saveCheckpoint: Effect.fnUntraced(function* (sessionId, { fold, seq, state, version }) {
      const id = yield* Effect.catchTag(idOf("save a checkpoint", sessionId), "SessionNotFound", () => Effect.undefined)
      if (id === undefined) return
      const row = [id, fold, version, seq, JSON.stringify(state)] as const
      yield* Effect.callback<void, LogUnavailable>((resume) =>
        group.saveCheckpoint(row, (error) => resume(error === undefined ? Effect.void : Effect.fail(error)))
      )
    }),
    remove: Effect.fn("SqliteEventLog.remove")(function* (sessionId) {
      yield* unlist(sessionId)
      yield* sweep
    }),
    gc: Effect.fn("SqliteEventLog.gc")(function* ({ archivedOlderThanMs, now }) {
      if (archivedOlderThanMs === undefined) return { ...(yield* sweep), sessions: 0 }
      let sessions = 0
      for (;;) {
        const found = yield* Effect.try({
          try: () => reader.archivedBefore(now - archivedOlderThanMs),
          catch: (cause) => unavailable("collect garbage", cause)
        })
        if (found.length === 0) break
        for (const sessionId of found) {
          yield* Effect.catchTag(unlist(sessionId), "SessionNotFound", () => Effect.void)
          sessions++
        }
      }
      return { ...(yield* sweep), sessions }
    }),
    vacuum: Effect.gen(function* () {
      compactions.flush()
      yield* sweep
      yield* slices("vacuum", { kind: "vacuum" }, () => ({ kind: "vacuum" }))
      // A reader in the middle of a page, or copying back under way, holds the write-ahead log for some milliseconds.
      yield* Effect.repeat(job("vacuum", { kind: "checkpoint", mode: "truncate" }), {
        until: (isEmpty) => isEmpty === true,
        schedule: Schedule.spaced(vacuumRetryMs),
        times: vacuumRetries
      })
    })
  }
})

/** The log of a file as a layer: {@link open}, with who owned it. */
export const layer = (options: SqliteOptions): Layer.Layer<EventLog | SqliteOwnership, LogUnavailable> =>
  Layer.effectContext(
    Effect.map(open(options), (log) =>
      Context.make(EventLog, log).pipe(
        Context.add(SqliteOwnership, { owner: log.owner, previousOwner: log.previousOwner })
      )
    )
  )

export { layerReader, openReader, type SqliteLogReader } from "./SqliteLogReader.ts"
