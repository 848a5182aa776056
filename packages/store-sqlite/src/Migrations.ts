/**
 * The tables, as numbered steps that only go forward. A new file runs all of them, so that there is one way to every
 * version. Plain SQL: this file also runs in the writer's thread.
 */
import type { DatabaseSync } from "node:sqlite"

/** "HOLD": tells our files from those of other programs. */
export const applicationId = 0x484f4c44

/**
 * One step from a version to the next.
 *
 * Version 1. `events.id` is the session's number shifted by 32 bits, plus the seq: one integer key that keeps a session's
 * events side by side without a second index (measured: 1.7 × the inserts of a key of two columns). `data` is JSON text and
 * `bytes` a blob; either is the number of its `pieces` instead where the event was too large for one row. `trash` are
 * sessions that were deleted and whose rows are still to be removed.
 *
 * Version 2 finds the receipt of a command by its id, also after a compaction took the events.
 *
 * Version 3 says of an event that is a copy which number it has in the log that it was copied from.
 */
export const migrations: ReadonlyArray<string> = [
  `CREATE TABLE sessions (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     session_id TEXT NOT NULL UNIQUE,
     seq INTEGER NOT NULL,
     version INTEGER NOT NULL,
     archived INTEGER NOT NULL,
     backend TEXT NOT NULL,
     status TEXT NOT NULL,
     search TEXT NOT NULL,
     updated_at INTEGER NOT NULL,
     changed INTEGER NOT NULL,
     summary TEXT NOT NULL
   );
   CREATE INDEX sessions_changed ON sessions (changed);
   CREATE TABLE events (
     id INTEGER PRIMARY KEY,
     at INTEGER NOT NULL,
     generation INTEGER NOT NULL,
     type TEXT NOT NULL,
     version INTEGER NOT NULL,
     data ANY NOT NULL,
     bytes ANY,
     actor TEXT,
     cause TEXT
   ) STRICT;
   CREATE TABLE pieces (event INTEGER NOT NULL, piece INTEGER NOT NULL, content BLOB NOT NULL, UNIQUE (event, piece));
   CREATE TABLE holes (
     session INTEGER NOT NULL,
     first INTEGER NOT NULL,
     last INTEGER NOT NULL,
     kind TEXT NOT NULL,
     by INTEGER NOT NULL,
     PRIMARY KEY (session, first)
   ) WITHOUT ROWID;
   CREATE TABLE checkpoints (
     session INTEGER NOT NULL,
     fold TEXT NOT NULL,
     version INTEGER NOT NULL,
     seq INTEGER NOT NULL,
     state TEXT NOT NULL,
     PRIMARY KEY (session, fold)
   ) WITHOUT ROWID;
   CREATE TABLE trash (session INTEGER PRIMARY KEY);
   CREATE TABLE lease (
     one INTEGER PRIMARY KEY CHECK (one = 1),
     generation INTEGER NOT NULL,
     pid INTEGER NOT NULL,
     start_time TEXT NOT NULL,
     host TEXT NOT NULL,
     heartbeat INTEGER NOT NULL,
     released INTEGER NOT NULL,
     removals INTEGER NOT NULL
   );
   INSERT INTO lease VALUES (1, 0, 0, '', '', 0, 1, 0);`,
  `CREATE TABLE receipts (
     session INTEGER NOT NULL,
     command TEXT NOT NULL,
     first INTEGER NOT NULL,
     last INTEGER NOT NULL,
     PRIMARY KEY (session, command)
   ) WITHOUT ROWID;
   INSERT INTO receipts
     SELECT id >> 32, cause, min(id & 0xffffffff), max(id & 0xffffffff) FROM events
     WHERE cause IS NOT NULL GROUP BY id >> 32, cause;`,
  `ALTER TABLE events ADD COLUMN origin INTEGER;`
]

/** The version that this library reads and writes. */
export const schemaVersion = migrations.length

/** What a file turned out to be. */
export type FileKind =
  { readonly kind: "empty" } | { readonly kind: "foreign" } | { readonly kind: "log"; readonly version: number }

const numberOf = (db: DatabaseSync, sql: string): number => Number(Object.values(db.prepare(sql).get() ?? {})[0])

/** Looks at a file without changing it. */
export const inspect = (db: DatabaseSync): FileKind => {
  const version = numberOf(db, "PRAGMA user_version")
  if (numberOf(db, "PRAGMA application_id") === applicationId) return { kind: "log", version }
  return numberOf(db, "SELECT count(*) FROM sqlite_schema") === 0 ? { kind: "empty" } : { kind: "foreign" }
}

/** Brings a file to the newest version, a step a transaction. What fails leaves the step before. */
export const migrate = (db: DatabaseSync, to: number = schemaVersion) => {
  for (let version = -1; version < to;) {
    db.exec("BEGIN IMMEDIATE")
    try {
      // Asked again inside the transaction: another process may have opened the same new file.
      version = numberOf(db, "PRAGMA user_version")
      if (version < to) {
        db.exec(migrations[version++]!)
        db.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${version}`)
      }
      db.exec("COMMIT")
    } catch (cause) {
      if (db.isTransaction) db.exec("ROLLBACK")
      throw cause
    }
  }
}
