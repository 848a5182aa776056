/** The bridge's file: one SQLite database, held by one bridge, that outlives it. */
import { randomBytes } from "node:crypto"
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { DatabaseSync } from "node:sqlite"

/** There is no room on the disk: what was to be stored is not, none of it. */
export class DiskFull extends Error {
  override readonly name = "DiskFull"
  constructor(cause: unknown) {
    super("the disk of the sandbox is full", { cause })
  }
}

/** The file cannot be used, and waiting does not help. */
export class DataUnusable extends Error {
  override readonly name = "DataUnusable"
}

/** Primary result codes (sqlite.org/rescode.html). */
const busy = 5
const ioError = 10
const corrupt = 11
const full = 13
const cannotOpen = 14
const notADatabase = 26

const codeOf = (error: unknown): number => ((error as { readonly errcode?: number }).errcode ?? 0) & 0xff

/**
 * SQLite reports some writes for which there was no room as failed ones: of a short write it cannot tell the difference. A disk
 * that is broken for good ends the sandbox soon enough.
 */
const isFull = (error: unknown): boolean => {
  const code = codeOf(error)
  return code === full || code === ioError || (error as NodeJS.ErrnoException).code === "ENOSPC"
}

/**
 * Bytes that a file beside the database keeps occupied: 2 MiB. On a full disk it is given up, since also to delete what the host
 * has takes a little room. The journal, all of which has to fit in there, is half as large.
 */
const ballastBytes = 2 * 1024 * 1024

/** Pages of 4 KiB that are given back to the disk in one step. */
const vacuumPages = 32

/** Milliseconds between two tries to occupy them again. */
const ballastMs = 1_000

/** The open file. */
export interface BridgeDatabase {
  readonly db: DatabaseSync
  /** A file that could not be read was put aside, and this is a new one. */
  readonly isReplaced: boolean
  /** Runs it in one transaction. Throws {@link DiskFull}: then nothing of it is stored. */
  readonly transact: <A>(run: () => A) => A
  /** The same for what deletes: it may use the room that is kept for it. */
  readonly release: (run: () => void) => void
  /** After a full disk: gives back what is free inside of the file and of its journal. */
  readonly squeeze: () => void
  /** Everything is in the file and on the disk. Throws {@link DiskFull}. */
  readonly settle: () => void
  readonly close: () => void
}

const schema = `
  CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY, generation INTEGER NOT NULL, json TEXT NOT NULL, bytes BLOB, weight INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS commands (id INTEGER PRIMARY KEY, answer TEXT) STRICT;
  CREATE TABLE IF NOT EXISTS taken (at INTEGER PRIMARY KEY AUTOINCREMENT, seq INTEGER NOT NULL UNIQUE) STRICT;
  CREATE TABLE IF NOT EXISTS processes (
    marker TEXT NOT NULL, pid INTEGER NOT NULL, start_time TEXT NOT NULL, host TEXT NOT NULL, PRIMARY KEY (marker, pid)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
`

/**
 * Opens the file and makes it where there is none. A damaged one is put aside as `<file>.damaged` (the last one only), so that
 * a session is not stuck for it. Throws {@link DataUnusable}.
 *
 * Commits are not forced to the disk: they are there after any death of the bridge, which is what they are for. The death of
 * the whole machine is the sandbox's own, and its file is restored from a snapshot, made after {@link BridgeDatabase.settle}.
 */
export const openBridgeDatabase = (path: string): BridgeDatabase => {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    return makeDatabase(path, openChecked(path), false)
  } catch (error) {
    const code = codeOf(error)
    if (code === corrupt || code === notADatabase) {
      putAside(path)
      return makeDatabase(path, openChecked(path), true)
    }
    if (code === busy) throw new DataUnusable(`${path} is in use by another bridge`)
    const because = code === cannotOpen ? "it cannot be opened or written" : (error as Error).message
    throw new DataUnusable(`${path} cannot be used: ${because}`)
  }
}

const putAside = (path: string) => {
  for (const suffix of ["-wal", "-shm"]) rmSync(path + suffix, { force: true })
  renameSync(path, `${path}.damaged`)
}

const openChecked = (path: string): DatabaseSync => {
  const db = new DatabaseSync(path)
  try {
    // Held from the first statement on: a second bridge on the same folder would perform commands twice.
    db.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL")
    // The cache is small because what is stored is mostly read never.
    db.exec("PRAGMA synchronous = OFF; PRAGMA cache_size = -512")
    // What is not in the database yet takes room twice: not more than the ballast.
    db.exec("PRAGMA wal_autocheckpoint = 200; PRAGMA journal_size_limit = 1048576")
    const [problem] = db.prepare("PRAGMA quick_check(1)").all()
    if (problem?.["quick_check"] !== "ok") {
      throw Object.assign(new Error(`it is damaged: ${String(problem?.["quick_check"])}`), { errcode: corrupt })
    }
    db.exec(schema)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

const makeDatabase = (path: string, db: DatabaseSync, isReplaced: boolean): BridgeDatabase => {
  const ballast = makeBallast(`${path}.ballast`)
  ballast.take()
  let wasFull = false
  const guard = <A>(run: () => A): A => {
    try {
      return run()
    } catch (error) {
      if (db.isTransaction) db.exec("ROLLBACK")
      if (!isFull(error)) throw error
      wasFull = true
      throw new DiskFull(error)
    }
  }
  const transact = <A>(run: () => A): A =>
    guard(() => {
      db.exec("BEGIN IMMEDIATE")
      const value = run()
      db.exec("COMMIT")
      return value
    })
  /** Brings what is in the journal into the database, so that the journal's room can be used anew. */
  const emptyJournal = () => {
    ballast.drop()
    guard(() => db.exec("PRAGMA wal_checkpoint(RESTART)"))
  }
  const squeeze = () => {
    try {
      if (!wasFull) return
      // A little at a time, and into the journal's old room: it must not grow.
      for (let pages = Number.POSITIVE_INFINITY; ;) {
        emptyJournal()
        const { freelist_count: left } = db.prepare("PRAGMA freelist_count").get() as { freelist_count: number }
        if (left === 0 || left >= pages) break
        pages = left
        guard(() => db.exec(`PRAGMA incremental_vacuum(${vacuumPages})`))
      }
      guard(() => db.exec("PRAGMA wal_checkpoint(TRUNCATE)"))
      wasFull = false
    } finally {
      ballast.take()
    }
  }
  return {
    db,
    isReplaced,
    transact,
    release: (run) => {
      if (wasFull) emptyJournal()
      transact(run)
      squeeze()
    },
    squeeze,
    settle: () =>
      guard(() => {
        db.exec("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE)")
        for (const each of [path, dirname(path)]) {
          const fd = openSync(each, "r")
          try {
            fsyncSync(fd)
          } finally {
            closeSync(fd)
          }
        }
      }),
    close: () => db.close()
  }
}

const makeBallast = (path: string) => {
  let isThere = false
  let notBefore = 0
  return {
    take: () => {
      if (isThere || performance.now() < notBefore) return
      try {
        // Not zeros: some file systems store none.
        writeFileSync(path, randomBytes(ballastBytes))
        isThere = true
      } catch {
        rmSync(path, { force: true })
        notBefore = performance.now() + ballastMs
      }
    },
    drop: () => {
      rmSync(path, { force: true })
      isThere = false
    }
  }
}
