/** Sandboxes that nobody owns any more: what a provider lists for this host's log and the log does not know is destroyed. */
import type { SessionLookup, SessionState } from "@holdfast/core"
import type { SandboxInfo, SandboxProvider, SnapshotInfo } from "@holdfast/core/cloud"
import { Effect } from "effect"

/** Sandboxes that are destroyed at once. */
const concurrency = 4

/** What a sweep needs. */
export interface OrphanSweepParts {
  readonly provider: SandboxProvider
  readonly owner: string
  readonly sessions: SessionLookup
  /** Whether this process looks after the session's sandbox just now. */
  readonly isOwned: (sessionId: SandboxInfo["sessionId"]) => boolean
}

/** Sweeps once; gives how many sandboxes were destroyed. What cannot be done now is left to the next sweep. */
export const sweepOrphans = ({ isOwned, owner, provider, sessions }: OrphanSweepParts): Effect.Effect<number> =>
  Effect.gen(function* () {
    let destroyed = 0
    const each = <A extends SandboxInfo | SnapshotInfo>(
      all: ReadonlyArray<A>,
      sweep: (one: A, state: SessionState | undefined) => Effect.Effect<void, unknown>
    ) =>
      Effect.forEach(
        all.filter((one) => one.owner === owner && !isOwned(one.sessionId)),
        (one) =>
          Effect.flatMap(sessions.state(one.sessionId), (state) =>
            // It may have been taken up while the log was read.
            isOwned(one.sessionId) ? Effect.void : sweep(one, state)
          ).pipe(Effect.catch((error) => Effect.logWarning("an orphaned sandbox could not be ended", error))),
        { concurrency, discard: true }
      )

    yield* each(yield* provider.list(owner), (info, state) => {
      const fate = fateOf(info, state)
      if (fate === "keep") return Effect.void
      const stored =
        fate === "store" && provider.capabilities.snapshot
          ? Effect.asVoid(provider.snapshot(info.sandboxId))
          : Effect.void
      return stored.pipe(
        Effect.andThen(provider.destroy(info.sandboxId)),
        Effect.andThen(
          Effect.sync(() => {
            destroyed += 1
          })
        )
      )
    })
    if (provider.capabilities.snapshot) {
      const snapshots = yield* provider.snapshots(owner)
      yield* each(snapshots, (one, state) =>
        isWanted(one, snapshots, state) ? Effect.void : provider.removeSnapshot(one.snapshotId)
      )
    }
    return destroyed
  }).pipe(
    Effect.catch((error) => Effect.as(Effect.logWarning("the sandboxes of this host cannot be listed", error), 0))
  )

/**
 * What becomes of a sandbox that nobody looks after: kept where its session will ask for it, stored first where a person may open
 * the session once more, else destroyed.
 */
const fateOf = (info: SandboxInfo, state: SessionState | undefined): "keep" | "store" | "destroy" => {
  const known = state?.sandbox
  if (known === null || known === undefined) return "destroy"
  // The host died between making it and putting its name down.
  const isNamed =
    known.sandboxId === null
      ? known.tokenHash !== null && known.generation === info.generation
      : known.sandboxId === info.sandboxId
  if (!isNamed) return "destroy"
  switch (state!.chart.lifecycle) {
    case "closed":
    case "suspended":
      return "destroy"
    case "failed":
      return "store"
    default:
      return "keep"
  }
}

/** The one that the log names is wanted, and the newest, of sessions that may go on. */
const isWanted = (one: SnapshotInfo, all: ReadonlyArray<SnapshotInfo>, state: SessionState | undefined): boolean => {
  if (state === undefined || state.chart.lifecycle === "closed") return false
  if (state.sandbox?.snapshotId === one.snapshotId) return true
  return !all.some((other) => other.sessionId === one.sessionId && other.createdAt > one.createdAt)
}
