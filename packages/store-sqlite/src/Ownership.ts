/** How a process becomes the owner of a file. */
import type { DatabaseSync } from "node:sqlite"
import { LogUnavailable } from "@holdfast/core"
import { type ProcessIdentity, promises as processes } from "@holdfast/process"
import { Clock, Effect } from "effect"
import { type Lease, leaseMs, readLease, releaseLease, takeLease } from "./Lease.ts"
import { migrate } from "./Migrations.ts"
import { checkFile, fileError, whileBusy } from "./SqliteFile.ts"

/** Bytes of a page of the file: 4 KiB. Larger ones store the same events slower, as a commit rewrites whole pages. */
export const pageSize = 4096

const identifySelf = Effect.fnUntraced(function* (path: string) {
  const self = yield* Effect.tryPromise({
    try: () => processes.identify(process.pid),
    catch: (cause) => fileError(path, "open", cause)
  })
  if (self !== undefined) return self
  const detail = `${path}: this process cannot be identified: check that /proc or ps is there`
  return yield* new LogUnavailable({ operation: "open", reason: "io", detail })
})

/** Whether the holder of a lease may still write. */
const isHeld = Effect.fnUntraced(function* (lease: Lease | undefined, self: ProcessIdentity) {
  if (lease === undefined || lease.released) return false
  const now = yield* Clock.currentTimeMillis
  // A sign of life from the future is a clock that was set back: no better than one from the past.
  const expired = Math.abs(now - lease.heartbeat) > leaseMs
  if (lease.host !== self.host) return !expired
  return yield* Effect.orElseSucceed(
    Effect.tryPromise(() => processes.isAlive(lease)),
    () => !expired
  )
})

/** Makes the file a log of this version, and this process its owner for the scope. */
export const becomeOwner = Effect.fnUntraced(function* (path: string, db: DatabaseSync, busyTimeoutMs: number) {
  const self = yield* identifySelf(path)
  const version = yield* whileBusy(path, busyTimeoutMs, () => checkFile(path, db))
  if (version === 0) {
    yield* whileBusy(path, busyTimeoutMs, () =>
      db.exec(`PRAGMA page_size = ${pageSize}; PRAGMA auto_vacuum = INCREMENTAL`)
    )
  }
  yield* whileBusy(path, busyTimeoutMs, () => {
    const mode = db.prepare("PRAGMA journal_mode = WAL").get()?.["journal_mode"]
    if (mode === "wal") return
    throw new LogUnavailable({
      operation: "open",
      reason: "io",
      detail: `${path}: its file system has no write-ahead log (journal mode ${String(mode)}): use a local disk`
    })
  })
  if (version === 0) yield* whileBusy(path, busyTimeoutMs, () => migrate(db, 1))
  for (;;) {
    const seen = yield* whileBusy(path, busyTimeoutMs, () => readLease(db))
    if (seen !== undefined && (yield* isHeld(seen, self))) {
      return yield* new LogUnavailable({
        operation: "open",
        reason: "owned",
        detail:
          seen.host === self.host
            ? `${path}: process ${seen.pid} owns it: end that process, or open the log with openReader to look at it`
            : `${path}: process ${seen.pid} on another machine or in another container owns it: end that process, or try again ${leaseMs / 1000} s after its end`
      })
    }
    const now = yield* Clock.currentTimeMillis
    const owner = yield* Effect.acquireRelease(
      whileBusy(path, busyTimeoutMs, () => takeLease(db, seen, self, now)),
      (owner) =>
        owner === undefined
          ? Effect.void
          : Effect.flatMap(Clock.currentTimeMillis, (now) =>
              // Where this fails, the next owner finds that this process is gone.
              Effect.ignore(Effect.try(() => releaseLease(db, owner, now)))
            )
    )
    if (owner === undefined) continue
    // Only the owner changes the tables: nobody writes the old ones meanwhile.
    yield* whileBusy(path, busyTimeoutMs, () => migrate(db))
    return { owner, previousOwner: seen }
  }
})
