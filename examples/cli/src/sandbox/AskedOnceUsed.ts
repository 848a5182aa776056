/** Who makes sandboxes, and is left alone until the first one is wanted: whoever never uses containers needs no engine. */
import { type SandboxProvider, SandboxProviderError } from "@holdfast/core/cloud"
import * as Effect from "effect/Effect"
import { existsSync, mkdirSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"

/**
 * The same provider, which has nothing and is not asked for it before something was to be made. `mark` is the file that remembers
 * that, written before the first one is made.
 */
export const askedOnceUsed = (provider: SandboxProvider, mark: string): SandboxProvider => {
  const remember = (operation: string) =>
    Effect.try({
      try: () => {
        mkdirSync(dirname(mark), { recursive: true, mode: 0o700 })
        writeFileSync(mark, "")
      },
      catch: (cause) =>
        new SandboxProviderError({
          provider: provider.name,
          operation,
          failure: "forbidden",
          detail: `${mark} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`,
          retryable: false,
          cause
        })
    })
  const unlessUnused = <A, E>(ask: Effect.Effect<ReadonlyArray<A>, E>): Effect.Effect<ReadonlyArray<A>, E> =>
    Effect.suspend(() => (existsSync(mark) ? ask : Effect.succeed([])))
  return {
    ...provider,
    create: (request) => Effect.andThen(remember("create"), provider.create(request)),
    restore: (snapshotId, request) => Effect.andThen(remember("restore"), provider.restore(snapshotId, request)),
    list: (owner) => unlessUnused(provider.list(owner)),
    snapshots: (owner) => unlessUnused(provider.snapshots(owner))
  }
}
