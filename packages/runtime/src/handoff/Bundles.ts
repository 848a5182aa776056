/** The folders that sessions are packed into on their way from one backend to another. */
import {
  bundleManifest,
  type EventLogService,
  type LogUnavailable,
  PackedSession,
  type SessionId
} from "@holdfast/core"
import { Effect, Schema, type Scope } from "effect"
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { loadState } from "../loadState.ts"

const decodeManifest = Schema.decodeUnknownEffect(Schema.fromJsonString(PackedSession))

/** The bundles of a runtime. */
export interface Bundles {
  /** An empty one, removed with the scope unless it is to be kept. */
  readonly make: (
    sessionId: SessionId
  ) => Effect.Effect<{ readonly folder: string; readonly keep: () => void }, Error, Scope.Scope>
  /** Notes what is in it. */
  readonly seal: (folder: string, packed: PackedSession) => Effect.Effect<void, Error>
  /** What is in one that was sealed. */
  readonly read: (folder: string) => Effect.Effect<PackedSession, Error>
  readonly remove: (folder: string) => Effect.Effect<void>
  /** Removes those that no session is waiting for: left by a runtime that died on the way. */
  readonly sweep: (log: EventLogService) => Effect.Effect<void, LogUnavailable>
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
          const made = { folder: await mkdtemp(join(root, `${sessionId}.`)), isKept: false }
          return { ...made, keep: () => void (made.isKept = true), isKept: () => made.isKept }
        }),
        ({ folder, isKept }) => (isKept() ? Effect.void : remove(folder))
      ),
    seal: (folder, packed) =>
      attempt(() => writeFile(join(folder, bundleManifest), JSON.stringify(packed), { mode: 0o600 })),
    read: (folder) =>
      Effect.flatMap(
        attempt(() => readFile(join(folder, bundleManifest), "utf8")),
        (text) => Effect.mapError(decodeManifest(text), (error) => new Error(`${bundleManifest}: ${error.message}`))
      ),
    remove,
    sweep: Effect.fnUntraced(function* (log) {
      const names = yield* Effect.orElseSucceed(
        attempt(() => readdir(root)),
        (): ReadonlyArray<string> => []
      )
      for (const name of names) {
        const sessionId = name.slice(0, name.indexOf(".")) as SessionId
        const waiting = yield* loadState(log, sessionId).pipe(
          Effect.map(({ bundle }) => bundle),
          Effect.catchTag("SessionNotFound", () => Effect.succeed(null))
        )
        const folder = join(root, name)
        if (waiting !== folder) yield* remove(folder)
      }
    })
  }
}

const attempt = <A>(run: () => Promise<A>): Effect.Effect<A, Error> =>
  Effect.tryPromise({ try: run, catch: (error) => (error instanceof Error ? error : new Error(String(error))) })
