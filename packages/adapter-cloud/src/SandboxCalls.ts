/** What is asked of a provider for one session, and its answers as the lifecycle takes them. Nothing fails, nothing is retried. */
import type { SessionId } from "@holdfast/core"
import { type SandboxInfo, type SandboxProvider, SandboxProviderError, type SandboxRequest } from "@holdfast/core/cloud"
import { Cause, Effect, Schedule } from "effect"
import type { LifecycleInput } from "./lifecycle/LifecycleTypes.ts"

/** What could not be destroyed is tried again this long after each try, and given up after five minutes, in milliseconds. */
const insistEveryMs = 2_000
const insistForMs = 300_000

/** Why a call failed. */
interface Failed {
  readonly reason: string
  readonly retryable: boolean
  readonly failure: SandboxProviderError["failure"] | "defect"
  readonly retryAfterMs?: number
}

const failedBy = (cause: Cause.Cause<SandboxProviderError>): Failed => {
  const error = Cause.squash(cause)
  if (!(error instanceof SandboxProviderError)) {
    return { reason: error instanceof Error ? error.message : String(error), retryable: false, failure: "defect" }
  }
  const { detail, failure, provider, retryAfterMs, retryable } = error
  const reason = `${provider}: ${detail}`
  return { reason, retryable, failure, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
}

type Spawned = Extract<LifecycleInput, { readonly type: "spawned" | "spawnFailed" }>
type SpawnFailed = Extract<Spawned, { readonly type: "spawnFailed" }>

/**
 * Failures of a restore that may be the snapshot's. What is refused to everybody (`forbidden`), asked too often or not offered
 * at all is not, nor a full disk.
 */
const bySnapshot: ReadonlySet<Failed["failure"]> = new Set([
  "invalid",
  "unexpected",
  "unavailable",
  "timeout",
  "defect"
] as const)

/** Only a provider that answers otherwise leaves the snapshot to be blamed; one that does not have it any more says so. */
const blame = (failed: SpawnFailed, has: boolean | undefined): SpawnFailed => ({
  ...failed,
  damaged: has === true,
  missing: has === false
})

/** An answer, or why there is none; an interruption stays one. */
const answered = <A, I extends LifecycleInput, F extends LifecycleInput>(
  call: Effect.Effect<A, SandboxProviderError>,
  onSuccess: (value: A) => I,
  onFailure: (failed: Failed) => F
): Effect.Effect<I | F> =>
  call.pipe(
    Effect.map(onSuccess),
    Effect.catchCause((cause) =>
      Cause.hasInterruptsOnly(cause) ? Effect.interrupt : Effect.succeed(onFailure(failedBy(cause)))
    )
  )

const newest = <A extends { readonly createdAt: number }>(all: ReadonlyArray<A>): A | undefined =>
  all.toSorted((one, other) => other.createdAt - one.createdAt)[0]

/** Calls for a session of an owner. `onInfo` is told of each sandbox that turns up. */
export const makeSandboxCalls = (
  provider: SandboxProvider,
  owner: string,
  sessionId: SessionId,
  onInfo: (info: SandboxInfo) => void
) => {
  const mine = Effect.map(provider.list(owner), (all) => all.filter((each) => each.sessionId === sessionId))

  const newestSnapshot = provider.capabilities.snapshot
    ? Effect.map(
        provider.snapshots(owner),
        (all) => newest(all.filter((each) => each.sessionId === sessionId))?.snapshotId
      )
    : Effect.succeed(undefined)

  /** Whether the provider lists a snapshot; undefined where it does not answer. */
  const stillHas = (snapshotId: string): Effect.Effect<boolean | undefined> =>
    provider.snapshots(owner).pipe(
      Effect.map((all): boolean | undefined => all.some((each) => each.snapshotId === snapshotId)),
      Effect.catch(() => Effect.undefined)
    )

  return {
    /** What became of a sandbox, or of the session's newest where the log knows no name. */
    look: (sandboxId: string | null) =>
      answered(
        Effect.gen(function* () {
          const all = yield* mine
          const found = sandboxId === null ? newest(all) : all.find((each) => each.sandboxId === sandboxId)
          if (found !== undefined) onInfo(found)
          const snapshotId = yield* newestSnapshot
          return { found, snapshotId }
        }),
        ({ found, snapshotId }) => ({
          type: "looked",
          condition: found?.condition ?? "gone",
          ...(found === undefined ? {} : { sandboxId: found.sandboxId }),
          ...(snapshotId === undefined ? {} : { snapshotId })
        }),
        ({ reason, retryable }) => ({ type: "lookFailed", reason, retryable })
      ),
    /** Makes one, from a snapshot where one is named. */
    spawn: (snapshotId: string | undefined, request: Effect.Effect<SandboxRequest, SandboxProviderError>) =>
      Effect.suspend(() => {
        let isAsked = false
        return answered(
          Effect.flatMap(request, (wanted) => {
            isAsked = true
            return snapshotId === undefined ? provider.create(wanted) : provider.restore(snapshotId, wanted)
          }),
          (info): Spawned => {
            onInfo(info)
            return { type: "spawned", sandboxId: info.sandboxId }
          },
          ({ failure, reason, retryAfterMs, retryable }): Spawned => ({
            type: "spawnFailed",
            reason,
            retryable,
            ...(snapshotId !== undefined && failure === "not_found" ? { missing: true } : {}),
            ...(snapshotId !== undefined && isAsked && bySnapshot.has(failure) ? { damaged: true } : {}),
            ...(retryAfterMs === undefined ? {} : { retryAfterMs })
          })
        )
      }).pipe(
        Effect.flatMap((came) =>
          came.type === "spawnFailed" && came.damaged === true
            ? Effect.map(stillHas(snapshotId!), (has) => blame(came, has))
            : Effect.succeed(came)
        )
      ),
    snapshot: (sandboxId: string) =>
      answered(
        provider.snapshot(sandboxId),
        ({ snapshotId }) => ({ type: "snapshotTaken", snapshotId }),
        ({ failure, reason, retryable }) => ({
          type: "snapshotFailed",
          reason,
          retryable,
          ...(failure === "unsupported" ? { unsupported: true } : {})
        })
      ),
    /** Destroys it, or all that the session has. */
    destroy: (sandboxId: string | null) =>
      answered(
        sandboxId !== null
          ? provider.destroy(sandboxId)
          : Effect.flatMap(mine, (all) =>
              Effect.forEach(all, (each) => provider.destroy(each.sandboxId), { concurrency: 4, discard: true })
            ),
        () => ({ type: "destroyed", sandboxId }),
        ({ reason }) => ({ type: "destroyFailed", sandboxId, reason })
      ),
    /** Goes on to destroy what could not be destroyed in time. What is left even then is the sweep's. */
    insist: (sandboxId: string): Effect.Effect<void> =>
      provider.destroy(sandboxId).pipe(
        Effect.retry(Schedule.spaced(insistEveryMs)),
        Effect.timeoutOrElse({
          duration: insistForMs,
          orElse: () => Effect.logWarning(`the sandbox ${sandboxId} could not be destroyed within ${insistForMs} ms`)
        }),
        Effect.catchCause((cause) =>
          Cause.hasInterruptsOnly(cause)
            ? Effect.void
            : Effect.logWarning(`the sandbox ${sandboxId} could not be destroyed: ${failedBy(cause).reason}`)
        )
      ),
    /** Whether it has ended by itself; undefined where it runs or nobody can say. */
    exited: (sandboxId: string) =>
      provider.status(sandboxId).pipe(
        Effect.map((condition) =>
          condition === "stopped" || condition === "gone"
            ? ({ type: "exited", sandboxId, reason: `the provider says that it is ${condition}` } as const)
            : undefined
        ),
        Effect.catch(() => Effect.succeed(undefined))
      ),
    /** What cannot be removed now the sweep removes later. */
    removeSnapshot: (snapshotId: string) =>
      Effect.catchCause(provider.removeSnapshot(snapshotId), (cause) =>
        Cause.hasInterruptsOnly(cause)
          ? Effect.void
          : Effect.logWarning(`a snapshot could not be removed: ${failedBy(cause).reason}`)
      )
  }
}
