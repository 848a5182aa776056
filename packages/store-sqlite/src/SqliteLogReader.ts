/** The log of a file that another process owns: it lists, reads and follows, and says who the owner is when asked to write. */
import type { DatabaseSync } from "node:sqlite"
import { EventLog, type EventLogService, LogUnavailable, makeSessionFeed, makeSessionListFeed } from "@holdfast/core"
import { Effect, Layer, type Scope, Stream } from "effect"
import { type Lease, readLease } from "./Lease.ts"
import { schemaVersion } from "./Migrations.ts"
import { makeReadSide } from "./ReadSide.ts"
import { checkFile, fileError, openFile, whileBusy } from "./SqliteFile.ts"
import type { SqliteReaderOptions } from "./SqliteOptions.ts"
import { makeReader, type SqliteReader } from "./SqliteReader.ts"

/** Changed sessions that are told one by one; of more, followers get the list again. */
const namedChanges = 1024

/** A log that only reads. */
export interface SqliteLogReader extends EventLogService {
  readonly path: string
  /** Who has the file now, or had it last. */
  readonly owner: Effect.Effect<Lease | undefined, LogUnavailable>
}

const openReading = Effect.fnUntraced(function* (path: string, busyTimeoutMs: number) {
  const db = yield* openFile(path, true)
  const reader = yield* whileBusy(path, busyTimeoutMs, () => {
    const version = checkFile(path, db)
    if (version === schemaVersion) {
      db.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`)
      return makeReader(db)
    }
    const detail = `${path}: it was written by an older version: let its owner open it once with this one`
    throw new LogUnavailable({ operation: "open", reason: "read-only", detail })
  })
  return { db, reader }
})

/** Opens a log's file for reading, for the scope. It has to be there; appends and the like fail with `read-only`. */
export const openReader = Effect.fn("SqliteEventLog.openReader")(function* (
  options: SqliteReaderOptions
): Effect.fn.Return<SqliteLogReader, LogUnavailable, Scope.Scope> {
  const { path, ringBytes } = options
  const busyTimeoutMs = Math.min(Math.max(0, options.busyTimeoutMs ?? 5000), 60_000)
  const pollMs = Math.min(Math.max(1, options.pollMs ?? 10), 10_000)
  const { db, reader } = yield* openReading(path, busyTimeoutMs)
  const unavailable = (operation: string, cause: unknown) => fileError(path, operation, cause)

  let closed: LogUnavailable | undefined
  const readSide = makeReadSide(
    path,
    reader,
    unavailable,
    () => closed,
    () => undefined
  )
  const feed = makeSessionFeed(readSide.read, ringBytes === undefined ? {} : { ringBytes })
  const list = makeSessionListFeed(readSide)
  const look = makeLook(reader, feed, list)

  // Looks go on only while somebody follows.
  let followers = 0
  let timer: ReturnType<typeof setInterval> | undefined
  const poll = () => {
    try {
      look()
    } catch (cause) {
      const error = unavailable("follow", cause)
      feed.fail(error)
      list.fail(error)
    }
  }
  const watching = Effect.acquireRelease(
    Effect.sync(() => {
      if (followers++ === 0) timer = setInterval(poll, pollMs)
    }),
    () =>
      Effect.sync(() => {
        if (--followers === 0) clearInterval(timer)
      })
  )
  const watched = <A, E>(stream: Stream.Stream<A, E>): Stream.Stream<A, E> => Stream.unwrap(Effect.as(watching, stream))

  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      clearInterval(timer)
      closed = new LogUnavailable({
        operation: "serve",
        reason: "closed",
        detail: `${path}: it is closed: open it again`
      })
      feed.fail(closed)
      list.fail(closed)
    })
  )

  const refuse = (operation: string) => Effect.suspend(() => Effect.fail(refusal(path, db, operation)))
  return {
    ...readSide,
    path,
    owner: Effect.try({ try: () => readLease(db), catch: (cause) => unavailable("read its owner", cause) }),
    follow: (sessionId, after, bounds) => watched(feed.follow(sessionId, after, bounds)),
    followSessions: (query) => watched(list.follow(query)),
    append: () => refuse("append"),
    compact: () => refuse("compact"),
    saveCheckpoint: () => refuse("save a checkpoint"),
    remove: () => refuse("delete a session"),
    gc: () => refuse("collect garbage"),
    vacuum: refuse("vacuum")
  }
})

const refusal = (path: string, db: DatabaseSync, operation: string): LogUnavailable => {
  let owner: Lease | undefined
  try {
    owner = readLease(db)
  } catch (cause) {
    return fileError(path, operation, cause)
  }
  const advice =
    owner === undefined || owner.released
      ? "nobody owns it: open it as its owner to write"
      : `process ${owner.pid} owns it: ask that process to write, or end it and open the log as its owner`
  return new LogUnavailable({ operation, reason: "read-only", detail: `${path} is open for reading only; ${advice}` })
}

/** Makes the look at what the owner has committed since the last one. */
const makeLook = (
  reader: SqliteReader,
  feed: ReturnType<typeof makeSessionFeed>,
  list: ReturnType<typeof makeSessionListFeed>
) => {
  let version = reader.dataVersion()
  let mark = reader.newestChange()
  let removals = reader.removals()
  return () => {
    const seen = reader.dataVersion()
    if (seen === version) return
    version = seen
    for (const sessionId of feed.followed()) {
      const head = reader.head(sessionId)
      if (head === undefined) feed.remove(sessionId)
      else feed.advance(sessionId, head)
    }
    const removed = reader.removals()
    const changes = reader.changedAfter(mark)
    if (removed !== removals || changes.length > namedChanges) list.changedAll()
    else for (const { sessionId } of changes) list.changed(sessionId, true)
    removals = removed
    if (changes.length > 0) mark = changes.length > namedChanges ? reader.newestChange() : changes.at(-1)!.changed
  }
}

/** The log of a file that another process owns, as a layer: {@link openReader}. */
export const layerReader = (options: SqliteReaderOptions): Layer.Layer<EventLog, LogUnavailable> =>
  Layer.effect(EventLog, openReader(options))
