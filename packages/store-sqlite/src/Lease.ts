/**
 * Who may write: one row with a generation. Whoever takes it raises the generation, and every commit checks it, so that
 * an owner that was taken for dead by mistake writes nothing more.
 */
import type { DatabaseSync } from "node:sqlite"
import type { ProcessIdentity } from "@holdfast/process"

/** Milliseconds between two signs of life in the lease: 5 s. They only count for owners on other machines. */
export const heartbeatMs = 5_000

/**
 * Milliseconds without a sign of life after which the lease of an owner on another host, boot or pid namespace has run out:
 * 20 s, four heartbeats. An owner on this one is asked about directly and needs no such wait.
 */
export const leaseMs = 20_000

/** One holder of the lease. */
export interface Holder extends ProcessIdentity {
  /** 1 for the first owner that the file ever had, then one more each time. */
  readonly generation: number
}

/** The lease as it is in the file. */
export interface Lease extends Holder {
  readonly heartbeat: number
  /** It closed in order: nothing of it can be left over. */
  readonly released: boolean
}

/** Reads the lease; undefined where the file never had an owner. */
export const readLease = (db: DatabaseSync): Lease | undefined => {
  const row = db.prepare("SELECT generation, pid, start_time, host, heartbeat, released FROM lease").get()
  if (row === undefined || row["generation"] === 0) return undefined
  return {
    generation: Number(row["generation"]),
    pid: Number(row["pid"]),
    startTime: String(row["start_time"]),
    host: String(row["host"]),
    heartbeat: Number(row["heartbeat"]),
    released: row["released"] === 1
  }
}

/** Takes the lease if it still is what the caller saw; returns the holder, or undefined when somebody was faster. */
export const takeLease = (
  db: DatabaseSync,
  seen: Lease | undefined,
  self: ProcessIdentity,
  now: number
): Holder | undefined => {
  const before = seen?.generation ?? 0
  const { changes } = db
    .prepare(
      `UPDATE lease SET generation = ?, pid = ?, start_time = ?, host = ?, heartbeat = ?, released = 0
       WHERE generation = ? AND released = ?`
    )
    .run(before + 1, self.pid, self.startTime, self.host, now, before, seen === undefined || seen.released ? 1 : 0)
  return Number(changes) === 1 ? { ...self, generation: before + 1 } : undefined
}

/** Gives the lease up in order, if it is still ours. */
export const releaseLease = (db: DatabaseSync, { generation }: Holder, now: number) => {
  db.prepare("UPDATE lease SET released = 1, heartbeat = ? WHERE generation = ?").run(now, generation)
}
