/** Cloud sessions that move: out of their sandbox between turns, and what is checked before they may come into one. */
import {
  BackendLost,
  BackendRefused,
  type PackedSession,
  type PackRequest,
  type UnpackedSession,
  type UnpackRequest
} from "@holdfast/core"
import { Effect } from "effect"
import type { CloudGeneration } from "../CloudGeneration.ts"
import type { RecordedSpec } from "../CloudSpec.ts"
import type { SandboxOwner } from "../SandboxOwner.ts"
import type { BundleCarrier } from "./BundleCarrier.ts"

/** Has the bridge pack what runs in its sandbox, and fetches it. The sandbox does not count as idle meanwhile. */
export const packSandbox = (
  owner: SandboxOwner,
  { name, spec }: CloudGeneration,
  carrier: BundleCarrier,
  { folder, restart }: PackRequest
): Effect.Effect<PackedSession, BackendRefused | BackendLost> => {
  const refuse = (reason: string, retryable: boolean) =>
    new BackendRefused({ backend: name, command: "handoff", reason, retryable })
  return Effect.gen(function* () {
    const link = owner.link()
    const sandboxId = owner.sandboxId()
    if (link === undefined || sandboxId === null) return yield* refuse("its sandbox is gone", true)
    owner.stir(true)
    const answer = yield* link
      .ask({ do: "pack", restart })
      .pipe(
        Effect.mapError(({ kind, reason, retryable }) =>
          kind === "lost" ? new BackendLost({ backend: name, reason, retryable }) : refuse(reason, retryable)
        )
      )
    if (answer.bundle === undefined || answer.folder === undefined) {
      return yield* refuse("its bridge is of a version that does not pack", false)
    }
    const packed = yield* carrier
      .fetch(sandboxId, answer.folder, answer.bundle, folder)
      .pipe(Effect.mapError(({ reason, retryable }) => refuse(reason, retryable)))
    // Whose history it is says the spec, and not the sandbox.
    return packed.kind === undefined || packed.kind === spec.inner.backend
      ? packed
      : yield* refuse(`its sandbox packed a history of ${packed.kind}`, false)
  }).pipe(Effect.ensuring(Effect.sync(() => owner.stir(false))))
}

/**
 * Checks what is to come into a sandbox. It is taken up once there is one, from the bundle: see `OpenRequest.bundle`. A session
 * that brings its workspace works in that, and not in a clone; the repository of its spec is where it is pushed to.
 */
export const acceptBundle = (
  name: string,
  spec: RecordedSpec,
  { packed }: UnpackRequest
): Effect.Effect<UnpackedSession, BackendRefused> => {
  if (packed.kind !== undefined && packed.kind !== spec.inner.backend) {
    const reason = `${spec.inner.backend} takes up no history of ${packed.kind}`
    return Effect.fail(new BackendRefused({ backend: name, command: "handoff", reason, retryable: false }))
  }
  return Effect.succeed(packed.nativeId === undefined ? {} : { nativeId: packed.nativeId })
}
