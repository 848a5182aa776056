/** The owners of this process: one for each session that is in use, started on demand and let go when idle. */
import {
  type Backend,
  BackendLost,
  emptyState,
  type EventLogService,
  LogUnavailable,
  noCapabilities,
  type SessionId,
  type SessionNotFound,
  type SessionPolicy,
  type SessionState,
  SpecInvalid
} from "@holdfast/core"
import { Clock, Deferred, Effect, Exit, Metric, Scope } from "effect"
import { loadState } from "./loadState.ts"
import { type Place, type SessionOwner, startOwner } from "./SessionOwner.ts"
import { liveSessions } from "./Telemetry.ts"

/** An owner that nobody used for this long, in milliseconds, and for which nothing waits, is let go. */
const idleAfterMs = 30_000

/** Most owners at once unless the host says otherwise. An idle one costs some 10 KB. */
export const defaultMaxLive = 10_000

/** What owners are made from. */
export interface LiveSessionsParts {
  readonly log: EventLogService
  readonly backends: ReadonlyArray<Backend>
  readonly policy: SessionPolicy
  readonly maxLive: number
  readonly onStored: (events: number, before: SessionState, after: SessionState) => void
  /** Told when the owner of a session is let go. */
  readonly onDropped: (sessionId: SessionId) => void
  /** How many people look on a session. */
  readonly people: (sessionId: SessionId) => number
}

/** The owners. */
export interface LiveSessions {
  /** The owner of a stored session. */
  readonly get: (sessionId: SessionId) => Effect.Effect<SessionOwner, SessionNotFound | LogUnavailable>
  /** The owner that a session has now, if it has one. */
  readonly peek: (sessionId: SessionId) => SessionOwner | undefined
  /** The owner of a session that is about to be made. */
  readonly make: (
    sessionId: SessionId,
    backend: string,
    secrets: unknown
  ) => Effect.Effect<SessionOwner, LogUnavailable>
  /** Those that run now. */
  readonly all: () => ReadonlyArray<SessionOwner>
  /** Stops an owner by force and forgets it. */
  readonly drop: (sessionId: SessionId) => Effect.Effect<void>
}

interface Entry {
  readonly ready: Deferred.Deferred<SessionOwner, SessionNotFound | LogUnavailable>
  readonly scope: Scope.Closeable
  owner: SessionOwner | undefined
  usedAt: number
}

/** Makes the set of owners. Closing the scope stops all of them. */
export const makeLiveSessions = (parts: LiveSessionsParts): Effect.Effect<LiveSessions, never, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    // A scope of its own: what the host adds to its scope later must not outlive the owners, but end before them.
    const scope = yield* Effect.acquireRelease(Scope.make(), (own) => Scope.close(own, Exit.void))
    const entries = new Map<SessionId, Entry>()
    const byName = new Map(parts.backends.map((backend) => [backend.name, backend]))
    const place = (name: string): Place => {
      const backend = byName.get(name) ?? unknownBackend(name)
      const openTimeoutMs = backend.openTimeoutMs ?? parts.policy.openTimeoutMs
      return { backend, policy: { ...parts.policy, openTimeoutMs } }
    }

    const drop = (sessionId: SessionId, entry: Entry): Effect.Effect<void> =>
      Effect.suspend(() => {
        if (entries.get(sessionId) === entry) {
          entries.delete(sessionId)
          parts.onDropped(sessionId)
        }
        return Effect.andThen(Metric.update(liveSessions, entries.size), Scope.close(entry.scope, Exit.void))
      })

    const open = (
      sessionId: SessionId,
      load: Effect.Effect<SessionState, SessionNotFound | LogUnavailable>,
      backend: string | undefined,
      secrets: unknown
    ): Effect.Effect<SessionOwner, SessionNotFound | LogUnavailable> =>
      Effect.suspend(() => {
        const known = entries.get(sessionId)
        if (known !== undefined) {
          known.usedAt = clock.currentTimeMillisUnsafe()
          return Deferred.await(known.ready)
        }
        if (entries.size >= parts.maxLive) return Effect.fail(tooMany(parts.maxLive))
        const entry: Entry = {
          ready: Deferred.makeUnsafe(),
          scope: Scope.forkUnsafe(scope),
          owner: undefined,
          usedAt: clock.currentTimeMillisUnsafe()
        }
        entries.set(sessionId, entry)
        // In the set's own scope: a caller that goes away must not stop what others wait for.
        const start = Effect.gen(function* () {
          const state = yield* load
          const owner = yield* startOwner({
            log: parts.log,
            place,
            backend: backend ?? state.backend,
            people: () => parts.people(sessionId),
            state,
            onStored: parts.onStored,
            secrets
          })
          entry.owner = owner
          yield* Effect.forkScoped(Effect.andThen(owner.stopped, Effect.forkIn(drop(sessionId, entry), scope)))
          yield* Metric.update(liveSessions, entries.size)
          return owner
        }).pipe(
          Scope.provide(entry.scope),
          Effect.onExit((exit) =>
            Effect.andThen(
              Exit.isFailure(exit) ? drop(sessionId, entry) : Effect.void,
              Deferred.done(entry.ready, exit)
            )
          )
        )
        return Effect.andThen(Effect.forkIn(start, scope), Deferred.await(entry.ready))
      })

    const letGo = Effect.suspend(() => {
      const before = clock.currentTimeMillisUnsafe() - idleAfterMs
      const idle = [...entries].filter(([, { owner, usedAt }]) => usedAt <= before && owner?.isIdle() === true)
      return Effect.forEach(idle, ([sessionId, entry]) => drop(sessionId, entry), { discard: true })
    })
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(idleAfterMs), letGo)))

    return {
      get: (sessionId) => open(sessionId, loadState(parts.log, sessionId), undefined, undefined),
      make: (sessionId, backend, secrets) =>
        open(
          sessionId,
          Effect.catchTag(loadState(parts.log, sessionId), "SessionNotFound", () =>
            Effect.succeed(emptyState(sessionId))
          ),
          backend,
          secrets
        ).pipe(Effect.catchTag("SessionNotFound", Effect.die)),
      peek: (sessionId) => {
        const entry = entries.get(sessionId)
        if (entry?.owner !== undefined) entry.usedAt = clock.currentTimeMillisUnsafe()
        return entry?.owner
      },
      all: () => [...entries.values()].flatMap(({ owner }) => (owner === undefined ? [] : [owner])),
      drop: (sessionId) =>
        Effect.suspend(() => {
          const entry = entries.get(sessionId)
          return entry === undefined ? Effect.void : drop(sessionId, entry)
        })
    }
  })

const tooMany = (limit: number) =>
  new LogUnavailable({
    operation: "open the session",
    reason: "io",
    detail: `${limit} sessions are in use at once, which is this runtime's limit: close some, or raise maxLive`
  })

/** Stands for a backend that this runtime was not given: its sessions can be read, and say why they cannot be opened. */
const unknownBackend = (name: string): Backend => ({
  name,
  capabilities: noCapabilities,
  check: () =>
    Effect.fail(
      new SpecInvalid({ backend: name, field: "backend", expected: "a backend that this runtime was given" })
    ),
  open: () =>
    Effect.fail(
      new BackendLost({ backend: name, reason: "this runtime was not given such a backend", retryable: false })
    )
})
