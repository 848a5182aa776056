/**
 * One transaction of the owner: what several appends, of any sessions, store together. Plain SQL without imports of ours,
 * because it runs on the main thread and in the writer's thread.
 */
import type { DatabaseSync } from "node:sqlite"

/** session, seq, at, generation, type, version, data, bytes, actor, cause, origin */
export type EventRow = readonly [
  session: number,
  seq: number,
  at: number,
  generation: number,
  type: string,
  version: number,
  data: string | number,
  bytes: Uint8Array | number | null,
  actor: string | null,
  cause: string | null,
  origin: number | null
]

/** id, session id, seq, version, archived, backend, status, search, updated at, changed, summary */
export type SessionRow = readonly [
  id: number,
  sessionId: string,
  seq: number,
  version: number,
  archived: number,
  backend: string,
  status: string,
  search: string,
  updatedAt: number,
  changed: number,
  summary: string
]

/** session, seq, piece, content */
export type PieceRow = readonly [session: number, seq: number, piece: number, content: Uint8Array]

/** session, command, first seq, last seq */
export type ReceiptRow = readonly [session: number, command: string, first: number, last: number]

/** session, fold, version, seq, state */
export type CheckpointRow = readonly [session: number, fold: string, version: number, seq: number, state: string]

/** What one transaction writes. */
export interface WriteBatch {
  readonly events: Array<EventRow>
  readonly sessions: Array<SessionRow>
  readonly pieces: Array<PieceRow>
  readonly receipts: Array<ReceiptRow>
  readonly checkpoints: Array<CheckpointRow>
}

/** A batch of nothing. */
export const emptyBatch = (): WriteBatch => ({ events: [], sessions: [], pieces: [], receipts: [], checkpoints: [] })

/** The lease has another generation: this process is not the owner any more. Nothing was written. */
export class OwnerLost extends Error {
  readonly ownerLost = true

  constructor() {
    super("another process took the log over")
  }
}

/** A connection that writes for one generation of the lease, and for no other. */
export interface Writer {
  /** Runs in one transaction, after making sure that the lease is still ours: all or nothing. */
  readonly transact: <A>(run: () => A) => A
  /** Stores a batch, in its own transaction. */
  readonly write: (batch: WriteBatch) => void
}

/** Prepares a connection for writing. */
export const makeWriter = (db: DatabaseSync, generation: number): Writer => {
  const begin = db.prepare("BEGIN IMMEDIATE")
  const commit = db.prepare("COMMIT")
  const rollback = db.prepare("ROLLBACK")
  const fence = db.prepare("SELECT generation FROM lease")
  const event = db.prepare("INSERT INTO events VALUES ((? << 32) | ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
  // An echo is one event and nothing else: one statement looks after the lease and is its own transaction, which takes two thirds
  // of the time of the four that it would be otherwise.
  const loneEvent = db.prepare(
    "INSERT INTO events SELECT (? << 32) | ?, ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE (SELECT generation FROM lease) = ?"
  )
  const session = db.prepare(
    `INSERT INTO sessions (id, session_id, seq, version, archived, backend, status, search, updated_at, changed, summary)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, version = excluded.version, archived = excluded.archived,
       backend = excluded.backend, status = excluded.status, search = excluded.search, updated_at = excluded.updated_at,
       changed = excluded.changed, summary = excluded.summary`
  )
  const piece = db.prepare("INSERT INTO pieces VALUES ((? << 32) | ?, ?, ?)")
  const receipt = db.prepare("INSERT OR IGNORE INTO receipts VALUES (?, ?, ?, ?)")
  const checkpoint = db.prepare("INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?, ?)")

  const transact: Writer["transact"] = (run) => {
    begin.run()
    try {
      if (fence.get()?.["generation"] !== generation) throw new OwnerLost()
      const result = run()
      commit.run()
      return result
    } catch (cause) {
      // SQLite has rolled back by itself after some errors, a full disk for one.
      if (db.isTransaction) rollback.run()
      throw cause
    }
  }

  return {
    transact,
    write: (batch) => {
      const { checkpoints, events, pieces, receipts, sessions } = batch
      const others = sessions.length + pieces.length + receipts.length + checkpoints.length
      if (events.length === 1 && others === 0) {
        if (loneEvent.run(...events[0]!, generation).changes !== 1) throw new OwnerLost()
        return
      }
      transact(() => {
        for (const row of sessions) session.run(...row)
        for (const row of events) event.run(...row)
        for (const row of pieces) piece.run(...row)
        for (const row of receipts) receipt.run(...row)
        for (const row of checkpoints) checkpoint.run(...row)
      })
    }
  }
}
