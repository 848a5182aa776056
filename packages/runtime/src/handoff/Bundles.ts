/** The folders that sessions are packed into on their way from one backend to another. */
import { bundleManifest, type PackedSession, type SessionId } from "@holdfast/core"
import { Effect, type Scope } from "effect"
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"

/** The bundles of a runtime. */
export interface Bundles {
  /** An empty one, removed with the scope. */
  readonly make: (sessionId: SessionId) => Effect.Effect<string, Error, Scope.Scope>
  /** Notes what is in it. */
  readonly seal: (folder: string, packed: PackedSession) => Effect.Effect<void, Error>
  /** Removes those that a runtime left which died on the way; gives the sessions that they were of. */
  readonly sweep: Effect.Effect<ReadonlySet<SessionId>>
}

/** Keeps them below a folder, which is made when it is needed. */
export const makeBundles = (root: string): Bundles => {
  const remove = (folder: string) =>
    attempt(() => rm(folder, { recursive: true, force: true })).pipe(
      Effect.catch((error) => Effect.logWarning("a bundle could not be removed", error))
    )
  return {
    make: (sessionId) =>
      Effect.acquireRelease(
        attempt(async () => {
          await mkdir(root, { recursive: true, mode: 0o700 })
          return mkdtemp(join(root, `${sessionId}.`))
        }),
        remove
      ),
    seal: (folder, packed) =>
      attempt(() => writeFile(join(folder, bundleManifest), JSON.stringify(packed), { mode: 0o600 })),
    sweep: Effect.gen(function* () {
      const names = yield* Effect.orElseSucceed(
        attempt(() => readdir(root)),
        (): ReadonlyArray<string> => []
      )
      yield* Effect.forEach(names, (name) => remove(join(root, name)), { discard: true })
      return new Set(names.map((name) => name.slice(0, name.indexOf(".")) as SessionId))
    })
  }
}

const attempt = <A>(run: () => Promise<A>): Effect.Effect<A, Error> =>
  Effect.tryPromise({ try: run, catch: (error) => (error instanceof Error ? error : new Error(String(error))) })
