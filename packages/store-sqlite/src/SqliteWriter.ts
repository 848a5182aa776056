/**
 * The writer's thread: it commits what is too much for the main thread, shrinks the log, and copies the write-ahead log
 * back into the file. Node runs this file as it is, so it imports nothing but plain SQL beside it.
 */
import { statSync } from "node:fs"
import { DatabaseSync } from "node:sqlite"
import { parentPort, workerData } from "node:worker_threads"
import { type CompactSlice, makeMaintenance } from "./Maintenance.ts"
import { makeSyncOpenFile } from "./syncOpenFile.ts"
import { makeWriter, type WriteBatch } from "./WriteBatch.ts"

/** How a thread is set up. */
export interface WriterSetup {
  readonly path: string
  readonly generation: number
  /** `power` waits for the disk at every commit. */
  readonly durability: "process" | "power"
  readonly busyTimeoutMs: number
  readonly maxPages: number | undefined
}

/**
 * How the write-ahead log is copied into the file: `passive` goes on beside commits and leaves it as it is. The others have none
 * meanwhile, and empty it if no reader is in it: `restart` keeps the length of its file, to be written anew from the beginning,
 * `truncate` cuts it.
 */
export type CheckpointMode = "passive" | "restart" | "truncate"

/** What a thread can be asked. */
export type WriterJob =
  | { readonly kind: "write"; readonly batch: WriteBatch }
  | { readonly kind: "compact"; readonly slices: ReadonlyArray<CompactSlice> }
  | { readonly kind: "remove"; readonly session: number }
  | { readonly kind: "sweep" }
  | { readonly kind: "vacuum" }
  | { readonly kind: "heartbeat"; readonly now: number }
  | { readonly kind: "checkpoint"; readonly mode: CheckpointMode }
  /** Closes the connection and ends the thread. */
  | { readonly kind: "close" }

/** Its first word: it is ready for jobs. */
export interface WriterStarted {
  readonly started: true
}

/** Its answer: a result, or an error taken apart. `walBytes` is how long the write-ahead log is by now. */
export type WriterAnswer =
  | { readonly ok: true; readonly result: unknown; readonly walBytes: number }
  | {
      readonly ok: false
      readonly ownerLost: boolean
      readonly message: string
      readonly errcode: number | undefined
    }

const port = parentPort
if (port === null) throw new Error("This file is the writer's thread of a SQLite log: it is not imported")
const setup = workerData as WriterSetup

const db = new DatabaseSync(setup.path)
db.exec(`PRAGMA busy_timeout = ${setup.busyTimeoutMs}`)
db.exec(`PRAGMA synchronous = ${setup.durability === "power" ? "FULL" : "NORMAL"}`)
// Copying back is asked for, in a thread of its own: it would take milliseconds from whoever commits.
db.exec("PRAGMA wal_autocheckpoint = 0")
if (setup.maxPages !== undefined) db.exec(`PRAGMA max_page_count = ${setup.maxPages}`)
const writer = makeWriter(db, setup.generation)
const maintenance = makeMaintenance(db, writer)
const beat = db.prepare("UPDATE lease SET heartbeat = ?")

/** Passes in which the write-ahead log is copied back beside commits. In the second there is what came during the first. */
const copyPasses = 2

const syncDatabase = makeSyncOpenFile(setup.path)

/** Copies the write-ahead log back. Gives whether it is empty then. */
const checkpoint = (mode: CheckpointMode): boolean => {
  // A reader in the middle of a page is no reason to wait: the next time will do.
  db.exec("PRAGMA busy_timeout = 0")
  try {
    if (mode !== "passive") return db.prepare(`PRAGMA wal_checkpoint(${mode})`).get()?.["busy"] === 0
    for (let pass = 0; pass < copyPasses; pass++) {
      db.exec("PRAGMA wal_checkpoint(PASSIVE)")
      // SQLite syncs the database once everything is copied, which is when commits wait for it.
      syncDatabase()
    }
    return false
  } finally {
    db.exec(`PRAGMA busy_timeout = ${setup.busyTimeoutMs}`)
  }
}

const perform = (job: Exclude<WriterJob, { readonly kind: "close" }>): unknown => {
  switch (job.kind) {
    case "write":
      return writer.write(job.batch)
    case "compact":
      return maintenance.compact(job.slices)
    case "remove":
      return maintenance.remove(job.session)
    case "sweep":
      return maintenance.sweep()
    case "vacuum":
      return maintenance.vacuum()
    case "heartbeat":
      return writer.transact(() => void beat.run(job.now))
    case "checkpoint":
      return checkpoint(job.mode)
  }
}

port.on("message", (job: WriterJob) => {
  if (job.kind === "close") {
    db.close()
    port.close()
    return
  }
  let answer: WriterAnswer
  try {
    const result = perform(job)
    answer = { ok: true, result, walBytes: statSync(`${setup.path}-wal`).size }
  } catch (cause) {
    const { errcode, message, ownerLost } = cause as {
      readonly errcode?: number
      readonly message: string
      readonly ownerLost?: boolean
    }
    answer = { ok: false, ownerLost: ownerLost === true, message, errcode }
  }
  port.postMessage(answer)
})
port.postMessage({ started: true } satisfies WriterStarted)
