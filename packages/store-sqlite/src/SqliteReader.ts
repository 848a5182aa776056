/**
 * Everything that is read from a log's file, on one connection, in bounded steps: the owner's and that of any other process
 * that looks at the file. Plain functions; they throw what SQLite throws.
 */
import type { DatabaseSync } from "node:sqlite"
import {
  answerPage,
  type Checkpoint,
  type CommandId,
  type CorruptRow,
  type EventRecord,
  type Hole,
  type LogStats,
  type Page,
  type Receipt,
  type SessionId,
  type SessionQuery,
  SessionSummary,
  summaryVersion
} from "@holdfast/core"
import { Schema } from "effect"
import { readRow, type StoredRow, storedColumns } from "./Rows.ts"

/** Rows that `find` looks at in one step: 5,000, a few milliseconds. */
const findRows = 5000

/** Holes that a page goes over: a page of 10,000 events cannot have more between them. */
const pageHoles = 10_001

/** A session as the file has it. `summary` is undefined where it was folded by another version of the fold. */
export interface StoredSession {
  readonly id: number
  readonly seq: number
  readonly summary: SessionSummary | undefined
}

/** One step of a search. */
export type FindStep = { readonly found: EventRecord | undefined } | { readonly from: number }

const isSummary = Schema.is(SessionSummary)

/**
 * Prepares a connection for reading. Parameters have a name or are taken in their order: Node 22 binds none to a numbered one.
 */
export const makeReader = (db: DatabaseSync) => {
  const begin = db.prepare("BEGIN")
  const end = db.prepare("COMMIT")
  const session = db.prepare("SELECT id, seq, version, summary FROM sessions WHERE session_id = ?")
  const head = db.prepare(
    `SELECT id & 0xffffffff AS seq FROM events WHERE id >= (? << 32) AND id < ((? + 1) << 32) ORDER BY id DESC LIMIT 1`
  )
  const rows = db.prepare(
    `SELECT ${storedColumns} FROM events WHERE id > ((? << 32) | ?) AND id < ((? + 1) << 32) ORDER BY id LIMIT ?`
  )
  rows.setReturnArrays(true)
  const row = db.prepare(`SELECT ${storedColumns} FROM events WHERE id = (? << 32) | ?`)
  row.setReturnArrays(true)
  const pieces = db.prepare(
    "SELECT content FROM pieces WHERE event = (? << 32) | ? AND piece >= ? AND piece < ? ORDER BY piece"
  )
  const holes = db.prepare(
    `SELECT kind, first, last, by FROM holes
     WHERE session = ? AND first >= coalesce((SELECT max(first) FROM holes WHERE session = ? AND first <= ? + 1), 0)
     ORDER BY first LIMIT ${pageHoles}`
  )
  const step = (order: "ASC" | "DESC", comparison: string, edge: string) =>
    db.prepare(
      `SELECT max(CASE WHEN type = ? THEN seq END) AS last_found, min(CASE WHEN type = ? THEN seq END) AS first_found,
         ${edge}(seq) AS reached, count(*) AS looked
       FROM (SELECT id & 0xffffffff AS seq, type FROM events WHERE id ${comparison} ((? << 32) | ?)
         AND id >= (? << 32) AND id < ((? + 1) << 32) ORDER BY id ${order} LIMIT ${findRows})`
    )
  const backward = step("DESC", "<=", "min")
  const forward = step("ASC", ">=", "max")
  const receipt = db.prepare(
    "SELECT first, last FROM receipts JOIN sessions ON session = id WHERE session_id = ? AND command = ?"
  )
  const checkpoint = db.prepare(
    `SELECT c.seq, c.state FROM checkpoints c JOIN sessions s ON s.id = c.session
     WHERE s.session_id = ? AND c.fold = ? AND c.version = ?`
  )
  // Labels are looked up in the summary: about a microsecond a session that does not match, as the search costs.
  const list = db.prepare(
    `SELECT session_id, summary FROM sessions
     WHERE ($cursor IS NULL OR session_id < $cursor) AND ($archived IS NULL OR archived = $archived) AND ($backend IS NULL OR backend = $backend)
       AND ($status IS NULL OR status IN (SELECT value FROM json_each($status))) AND ($search IS NULL OR instr(search, $search) > 0)
       AND ($labels IS NULL OR NOT EXISTS (SELECT 1 FROM json_each($labels) AS asked WHERE asked.value IS NOT
         (SELECT value FROM json_each(sessions.summary, '$.labels') AS label WHERE label.key = asked.key)))
     ORDER BY session_id DESC LIMIT $limit`
  )
  const archived = db.prepare(
    "SELECT session_id FROM sessions WHERE archived = 1 AND updated_at <= ? ORDER BY session_id LIMIT 1000"
  )
  const stale = db.prepare(
    `SELECT session_id FROM sessions s WHERE version <> ? OR (? AND seq <> (SELECT e.id & 0xffffffff FROM events e
       WHERE e.id >= (s.id << 32) AND e.id < ((s.id + 1) << 32) ORDER BY e.id DESC LIMIT 1))`
  )
  const lastId = db.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'sessions'")
  const changed = db.prepare("SELECT session_id, changed FROM sessions WHERE changed > ? ORDER BY changed LIMIT 1025")
  const newest = db.prepare("SELECT coalesce(max(changed), 0) AS changed FROM sessions")
  const removals = db.prepare("SELECT removals FROM lease")
  const dataVersion = db.prepare("PRAGMA data_version")
  const counts = db.prepare(
    `SELECT (SELECT count(*) FROM sessions) AS sessions,
       (SELECT coalesce(sum((SELECT e.id & 0xffffffff FROM events e WHERE e.id < ((s.id + 1) << 32) AND e.id >= (s.id << 32)
         ORDER BY e.id DESC LIMIT 1)), 0) FROM sessions s)
       - (SELECT coalesce(sum(last - first + 1), 0) FROM holes) AS events`
  )
  const pragma = (name: string) => Number(db.prepare(`PRAGMA ${name}`).get()?.[name])

  /** Reads in one transaction, so that everything is of one moment. */
  const within = <A>(run: () => A): A => {
    begin.run()
    try {
      return run()
    } finally {
      end.run()
    }
  }

  const readPieces = (id: number) => (seq: number, from: number, count: number) =>
    pieces.all(id, seq, from, from + count).map((piece) => piece["content"] as Uint8Array)

  const idOf = (sessionId: SessionId): number | undefined => {
    const found = session.get(sessionId)
    return found === undefined ? undefined : Number(found["id"])
  }

  const headOf = (id: number): number => Number(head.get(id, id)?.["seq"] ?? 0)

  const readAt = (sessionId: SessionId, id: number, seq: number): EventRecord | undefined => {
    const stored = row.get(id, seq) as unknown as StoredRow | undefined
    const read = stored === undefined ? undefined : readRow(sessionId, stored, readPieces(id))
    return read === undefined || "corrupt" in read ? undefined : read
  }

  /**
   * A page of a session whose number and newest event the owner has at hand: one statement instead of five. Undefined where
   * anything is not as it mostly is: a row that is missing or damaged, more than one page.
   */
  const quickPage = (
    sessionId: SessionId,
    after: number,
    limit: number,
    maxBytes: number,
    { head, id }: { readonly id: number; readonly head: number }
  ): Page | undefined => {
    if (head - after > limit) return undefined
    const events: Array<EventRecord> = []
    const read = readPieces(id)
    let bytes = 0
    for (const each of rows.iterate(id, after, id, limit + 1) as unknown as Iterable<StoredRow>) {
      bytes += sizeOf(each)
      if (bytes > maxBytes && events.length > 0) return undefined
      const event = readRow(sessionId, each, read)
      if ("corrupt" in event || event.seq !== after + events.length + 1) return undefined
      events.push(event)
    }
    const cursor = after + events.length
    // What another thread has committed in this very moment is shown once it has said so.
    return cursor === head ? { answer: "exact", events, cursor, head } : undefined
  }

  /** A page; undefined where there is no such session. */
  const page = (sessionId: SessionId, after: number, limit: number, maxBytes: number): Page | undefined =>
    within(() => {
      const listed = session.get(sessionId)
      if (listed === undefined) return undefined
      const id = Number(listed["id"])
      // A list that knows of later events than there are means that the last ones are gone.
      const last = Math.max(headOf(id), Number(listed["seq"]))
      const found: Array<EventRecord | CorruptRow> = []
      let bytes = 0
      let complete = true
      let whole = true
      let expected = after
      const read = readPieces(id)
      if (after < last) {
        for (const each of rows.iterate(id, after, id, limit + 1) as unknown as Iterable<StoredRow>) {
          bytes += sizeOf(each)
          if (found.length === limit || (bytes > maxBytes && found.length > 0)) {
            complete = false
            break
          }
          const event = readRow(sessionId, each, read)
          found.push(event)
          whole &&= event.seq === ++expected
        }
      }
      const reached = found.at(-1)?.seq ?? after
      const accounted = whole && (!complete || reached === last)
      return answerPage({
        after,
        head: last,
        rows: found,
        complete,
        holes: accounted ? [] : (holes.all(id, id, after) as unknown as ReadonlyArray<Hole>),
        snapshotAt: (seq) => readAt(sessionId, id, seq)
      })
    })

  const summaryOf = (text: unknown): SessionSummary | undefined => {
    const summary: unknown = JSON.parse(String(text))
    return isSummary(summary) ? summary : undefined
  }

  return {
    idOf,
    page,
    quickPage,
    head: (sessionId: SessionId): number | undefined => {
      const id = idOf(sessionId)
      return id === undefined ? undefined : headOf(id)
    },
    session: (sessionId: SessionId): (StoredSession & { readonly head: number }) | undefined =>
      within(() => {
        const found = session.get(sessionId)
        if (found === undefined) return undefined
        const id = Number(found["id"])
        const summary = found["version"] === summaryVersion ? summaryOf(found["summary"]) : undefined
        return { id, seq: Number(found["seq"]), summary, head: headOf(id) }
      }),
    find: (sessionId: SessionId, id: number, type: string, from: number, direction: "backward" | "forward"): FindStep =>
      within(() => {
        const looked = (direction === "backward" ? backward : forward).get(type, type, id, from, id, id)
        const seq = looked?.[direction === "backward" ? "last_found" : "first_found"]
        if (typeof seq === "number") return { found: readAt(sessionId, id, seq) }
        if (Number(looked?.["looked"]) < findRows) return { found: undefined }
        return { from: Number(looked?.["reached"]) + (direction === "backward" ? -1 : 1) }
      }),
    receipt: (sessionId: SessionId, commandId: CommandId): Receipt | undefined => {
      const found = receipt.get(sessionId, commandId)
      if (found === undefined) return undefined
      return { sessionId, commandId, firstSeq: Number(found["first"]), lastSeq: Number(found["last"]) }
    },
    checkpoint: (sessionId: SessionId, fold: string, version: number): Checkpoint | undefined => {
      const found = checkpoint.get(sessionId, fold, version)
      if (found === undefined) return undefined
      return { fold, version, seq: Number(found["seq"]), state: JSON.parse(String(found["state"])) as unknown }
    },
    /** The summaries of a query, at most `limit`, by session id from the newest. */
    list: (query: SessionQuery, limit: number): ReadonlyArray<SessionSummary> => {
      const found = list.all({
        cursor: query.cursor ?? null,
        archived: query.archived === undefined ? null : Number(query.archived),
        backend: query.backend ?? null,
        status: query.status === undefined ? null : JSON.stringify(query.status),
        search: query.search?.toLowerCase() ?? null,
        labels: query.labels === undefined ? null : JSON.stringify(query.labels),
        limit
      })
      return found.map((each) => JSON.parse(String(each["summary"])) as SessionSummary)
    },
    archivedBefore: (time: number) => archived.all(time).map((each) => each["session_id"] as SessionId),
    /** Sessions whose stored summary is not what their events fold to; `all` also looks for those that are behind. */
    stale: (all: boolean) => stale.all(summaryVersion, Number(all)).map((each) => each["session_id"] as SessionId),
    /** The highest number that a session ever had. */
    lastId: () => Number(lastId.get()?.["seq"] ?? 0),
    changedAfter: (mark: number) =>
      changed
        .all(mark)
        .map((each) => ({ sessionId: each["session_id"] as SessionId, changed: Number(each["changed"]) })),
    newestChange: () => Number(newest.get()?.["changed"]),
    removals: () => Number(removals.get()?.["removals"]),
    /** Another number than before: another connection has committed. */
    dataVersion: () => Number(dataVersion.get()?.["data_version"]),
    stats: (walBytes: number): LogStats => {
      const counted = counts.get()
      const pageBytes = pragma("page_size")
      return {
        sessions: Number(counted?.["sessions"]),
        events: Number(counted?.["events"]),
        bytes: pragma("page_count") * pageBytes + walBytes,
        reclaimable: pragma("freelist_count") * pageBytes
      }
    }
  }
}

/** What {@link makeReader} makes. */
export type SqliteReader = ReturnType<typeof makeReader>

/** Bytes of a row for the bound of a page, with what it has in pieces. */
const sizeOf = (row: StoredRow): number => {
  const data = row[5]
  const bytes = row[6]
  return (
    160 +
    (typeof data === "string" ? data.length : Number(data) * 256 * 1024) +
    (bytes === null ? 0 : bytes instanceof Uint8Array ? bytes.byteLength : Number(bytes) * 256 * 1024)
  )
}
