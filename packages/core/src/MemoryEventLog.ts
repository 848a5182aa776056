/**
 * The log in memory: for tests, demos and browsers. It keeps the whole contract but durability, and everything that is
 * ever appended until it is compacted or removed.
 */
import { Effect, Layer, Option, Result } from "effect"
import {
  AppendConflict,
  type Appended,
  type Checkpoint,
  type Compaction,
  defaultPageBytes,
  defaultPageEvents,
  EventLog,
  type EventInvalid,
  type EventLogService,
  type Receipt,
  type Removed,
  SessionNotFound,
  type SessionPage,
  type SessionQuery
} from "./EventLog.ts"
import { type EventRecord, weigh } from "./EventRecord.ts"
import type { CommandId, SessionId } from "./Ids.ts"
import { addHoles, answerPage, type Hole } from "./LogPage.ts"
import { checkNewEvents, recordOf } from "./NewEvents.ts"
import { makeSessionFeed, type SessionFeedOptions } from "./SessionFeed.ts"
import { makeSessionListFeed, matchesQuery, showsChange } from "./SessionListFeed.ts"
import { emptySummary, evolveSummary, type SessionSummary } from "./SessionSummary.ts"

/** One session, whole in memory. */
interface Stored {
  records: Array<EventRecord>
  holes: ReadonlyArray<Hole>
  bytes: number
  summary: SessionSummary
  readonly receipts: Map<CommandId, Receipt>
  readonly checkpoints: Map<string, Checkpoint>
}

/** Index of the first record after a seq. */
const indexAfter = (records: ReadonlyArray<EventRecord>, seq: number): number => {
  let low = 0
  let high = records.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (records[middle]!.seq > seq) high = middle
    else low = middle + 1
  }
  return low
}

const recordAt = (records: ReadonlyArray<EventRecord>, seq: number): EventRecord | undefined => {
  const record = records[indexAfter(records, seq - 1)]
  return record?.seq === seq ? record : undefined
}

/** Reads a bound that a caller gave: within its range, or the default. */
export const clampBound = (value: number | undefined, fallback: number, maximum: number): number =>
  value === undefined || Number.isNaN(value) ? fallback : Math.min(Math.max(1, Math.trunc(value)), maximum)

/** Which records a compaction takes; none where the event that should stand for them does not. */
const taken = ({ holes, records }: Stored, compaction: Compaction): ReadonlyArray<EventRecord> => {
  const by = recordAt(records, compaction.by)
  if (compaction.kind === "item") {
    if (by?.type !== "item.completed" || by.data["itemId"] !== compaction.itemId) return []
    return records
      .slice(indexAfter(records, compaction.from), indexAfter(records, compaction.by - 1))
      .filter((one) => one.type === "item.delta" && one.data["itemId"] === compaction.itemId)
  }
  const through = Number(by?.data["through"])
  if (by?.type !== "terminal.snapshot" || !(through >= compaction.through) || compaction.through >= by.seq) return []
  const cover = holes.findLast((hole) => hole.kind === "terminal")
  const covered = cover === undefined ? 0 : Number(recordAt(records, cover.by)?.data["through"])
  // A snapshot of less than what is already gone cannot stand for it.
  if (covered > through) return []
  return records
    .slice(0, indexAfter(records, by.seq - 1))
    .filter(
      (one) => one.type === "terminal.snapshot" || (one.type === "terminal.output" && one.seq <= compaction.through)
    )
}

const runs = (seqs: ReadonlyArray<number>, kind: Hole["kind"], by: number): ReadonlyArray<Hole> =>
  addHoles(
    [],
    seqs.map((seq) => ({ kind, first: seq, last: seq, by }))
  )

/** Makes a log in memory. Records that it hands out are shared by all its readers: they are not to be changed. */
export const makeMemory = (options?: SessionFeedOptions): EventLogService => {
  const sessions = new Map<SessionId, Stored>()

  const lookUp = (sessionId: SessionId) => {
    const stored = sessions.get(sessionId)
    return stored === undefined ? Effect.fail(new SessionNotFound({ sessionId })) : Effect.succeed(stored)
  }
  const headOf = (stored: Stored) => stored.records.at(-1)!.seq

  const append: EventLogService["append"] = (sessionId, expectedSeq, events, options) =>
    Effect.suspend((): Effect.Effect<Appended, AppendConflict | EventInvalid> => {
      const checked = checkNewEvents(sessionId, expectedSeq, events, options)
      if (Result.isFailure(checked)) return Effect.fail(checked.failure)
      const before = sessions.get(sessionId)
      const actualSeq = before === undefined ? 0 : headOf(before)
      if (actualSeq !== expectedSeq) return Effect.fail(new AppendConflict({ sessionId, expectedSeq, actualSeq }))
      const stored: Stored = before ?? {
        records: [],
        holes: [],
        bytes: 0,
        summary: emptySummary(sessionId),
        receipts: new Map(),
        checkpoints: new Map()
      }
      const added = checked.success.map((event, index) => recordOf(sessionId, expectedSeq + index + 1, event))
      const shown = stored.summary
      const caused = new Map<CommandId, Receipt>()
      for (const record of added) {
        stored.bytes += weigh(record)
        stored.summary = evolveSummary(stored.summary, record)
        if (record.cause === undefined) continue
        const firstSeq = caused.get(record.cause)?.firstSeq ?? record.seq
        caused.set(record.cause, { sessionId, commandId: record.cause, firstSeq, lastSeq: record.seq })
      }
      for (const [command, receipt] of caused) {
        if (!stored.receipts.has(command)) stored.receipts.set(command, receipt)
      }
      for (const record of added) stored.records.push(record)
      sessions.set(sessionId, stored)
      feed.publish(sessionId, added)
      list.changed(sessionId, before === undefined || showsChange(shown, stored.summary))
      return Effect.succeed({ firstSeq: expectedSeq + 1, lastSeq: expectedSeq + added.length })
    })

  const read: EventLogService["read"] = (sessionId, after, bounds) =>
    Effect.map(lookUp(sessionId), (stored) => {
      const limit = clampBound(bounds?.limit, defaultPageEvents, 10_000)
      const maxBytes = clampBound(bounds?.maxBytes, defaultPageBytes, Number.MAX_SAFE_INTEGER)
      const { holes, records } = stored
      const from = indexAfter(records, after)
      let to = from
      let bytes = 0
      while (to < records.length && to - from < limit) {
        bytes += weigh(records[to]!)
        if (bytes > maxBytes && to > from) break
        to++
      }
      return answerPage({
        after,
        head: headOf(stored),
        rows: records.slice(from, to),
        complete: to === records.length,
        holes: holes.filter((hole) => hole.last > after),
        snapshotAt: (seq) => recordAt(records, seq)
      })
    })

  const compact: EventLogService["compact"] = (sessionId, compaction) =>
    Effect.map(lookUp(sessionId), (stored): Removed => {
      const gone = taken(stored, compaction)
      if (gone.length === 0) return { events: 0, bytes: 0 }
      const seqs = new Set(gone.map((record) => record.seq))
      const bytes = gone.reduce((sum, record) => sum + weigh(record), 0)
      const kept =
        compaction.kind === "item"
          ? stored.holes
          : stored.holes.map((hole) => (hole.kind === "terminal" ? { ...hole, by: compaction.by } : hole))
      stored.holes = addHoles(kept, runs([...seqs], compaction.kind, compaction.by))
      stored.records = stored.records.filter((record) => !seqs.has(record.seq))
      stored.bytes -= bytes
      return { events: gone.length, bytes }
    })

  const listPage = (query: SessionQuery): SessionPage => {
    const limit = clampBound(query.limit, 100, 1000)
    const found: Array<SessionSummary> = []
    for (const sessionId of [...sessions.keys()].toSorted().toReversed()) {
      if (query.cursor !== undefined && sessionId >= query.cursor) continue
      const { summary } = sessions.get(sessionId)!
      if (matchesQuery(summary, query)) found.push(summary)
      if (found.length > limit) break
    }
    const page = found.slice(0, limit)
    return found.length > limit ? { sessions: page, next: page.at(-1)!.sessionId } : { sessions: page }
  }

  const summary: EventLogService["summary"] = (sessionId) => Effect.map(lookUp(sessionId), (stored) => stored.summary)

  const drop = (sessionId: SessionId) => {
    sessions.delete(sessionId)
    feed.remove(sessionId)
    list.changed(sessionId, true)
  }

  const feed = makeSessionFeed(read, options)
  const list = makeSessionListFeed({ sessions: (query) => Effect.sync(() => listPage(query)), summary })

  return EventLog.of({
    append,
    read,
    follow: feed.follow,
    head: (sessionId) => Effect.map(lookUp(sessionId), headOf),
    find: (sessionId, { direction, from, type }) =>
      Effect.map(lookUp(sessionId), ({ records }) =>
        Option.fromNullishOr(
          direction === "forward"
            ? records.find((record) => record.seq >= from && record.type === type)
            : records.findLast((record) => record.seq <= from && record.type === type)
        )
      ),
    receipt: (sessionId, commandId) =>
      Effect.sync(() => Option.fromNullishOr(sessions.get(sessionId)?.receipts.get(commandId))),
    compact,
    sessions: (query = {}) => Effect.sync(() => listPage(query)),
    summary,
    followSessions: list.follow,
    saveCheckpoint: (sessionId, checkpoint) =>
      Effect.sync(() => {
        const state: unknown = JSON.parse(JSON.stringify(checkpoint.state))
        sessions.get(sessionId)?.checkpoints.set(checkpoint.fold, { ...checkpoint, state })
      }),
    loadCheckpoint: (sessionId, fold, version) =>
      Effect.sync(() => {
        const checkpoint = sessions.get(sessionId)?.checkpoints.get(fold)
        return checkpoint?.version === version ? Option.some(checkpoint) : Option.none()
      }),
    remove: (sessionId) => Effect.map(lookUp(sessionId), () => drop(sessionId)),
    gc: ({ archivedOlderThanMs, now }) =>
      Effect.sync(() => {
        const removed = { events: 0, bytes: 0, sessions: 0 }
        if (archivedOlderThanMs === undefined) return removed
        for (const [sessionId, stored] of sessions) {
          if (!stored.summary.archived || stored.summary.updatedAt > now - archivedOlderThanMs) continue
          removed.events += stored.records.length
          removed.bytes += stored.bytes
          removed.sessions++
          drop(sessionId)
        }
        return removed
      }),
    vacuum: Effect.void,
    stats: Effect.sync(() => {
      const all = [...sessions.values()]
      return {
        sessions: all.length,
        events: all.reduce((sum, stored) => sum + stored.records.length, 0),
        bytes: all.reduce((sum, stored) => sum + stored.bytes, 0),
        reclaimable: 0
      }
    })
  })
}

/** A log in memory as a layer. */
export const layerMemory: Layer.Layer<EventLog> = Layer.sync(EventLog, () => makeMemory())
