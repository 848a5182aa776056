/**
 * Keeps artifacts up to date that change outside of their session, such as pull requests, while somebody looks: their backend knows
 * where to ask, and how often. Whether the session is open makes no difference.
 */
import { type Artifact, makeCommandId, type SessionId, type SessionSummary } from "@holdfast/core"
import { Cause, Effect, FiberSet, Option, type Scope } from "effect"
import type { SessionOwner } from "./SessionOwner.ts"

/** A backend is asked again no sooner than this, in milliseconds, whatever it says. */
const leastAgainMs = 50

/** What it needs of the runtime. */
export interface ArtifactWatchParts {
  readonly summary: (sessionId: SessionId) => Effect.Effect<SessionSummary, unknown>
  readonly owner: (sessionId: SessionId) => Effect.Effect<SessionOwner, unknown>
  /** Whether sessions of this backend have such artifacts. */
  readonly canRefresh: (backend: string) => boolean
  readonly people: (sessionId: SessionId) => number
  readonly now: () => number
}

/** One session's: it lives as long as there is something to wait for. */
interface Looking {
  /** Somebody came since it was asked last. */
  isWanted: boolean
  wake: (() => void) | undefined
}

/** The watch. */
export interface ArtifactWatch {
  /** Somebody comes to look, or has done something that may change them. Never waits; it is asked once, however often it is told. */
  readonly look: (sessionId: SessionId) => void
}

/** Makes it; it ends with the scope. At most one look is under way for each session that somebody looks at. */
export const makeArtifactWatch = (parts: ArtifactWatchParts): Effect.Effect<ArtifactWatch, never, Scope.Scope> =>
  Effect.gen(function* () {
    const fork = yield* FiberSet.makeRuntime<never, void, never>()
    const looking = new Map<SessionId, Looking>()

    /** Asks, and stores what is new. How long until it is worth asking again, in milliseconds; undefined: it is not. */
    const refresh = Effect.fnUntraced(function* (
      sessionId: SessionId,
      isRepeat: boolean
    ): Effect.fn.Return<number | undefined, unknown> {
      const { artifacts: known, backend } = yield* parts.summary(sessionId)
      if (known.length === 0 || !parts.canRefresh(backend)) return undefined
      const owner = yield* parts.owner(sessionId)
      const asked = owner.backend().refresh?.(owner.state(), isRepeat)
      if (asked === undefined) return undefined
      const { againMs, artifacts } = yield* asked
      for (const { artifact, artifactId } of artifacts) {
        const before = owner.state().artifacts[artifactId]
        if (before === undefined || isSame(before, artifact)) continue
        const update = { type: "artifact.update", data: { artifactId, artifact }, actor: "runtime" } as const
        yield* owner.submit({ ...update, sessionId, commandId: makeCommandId(), at: parts.now() })
      }
      return againMs
    })

    const waitFor = (one: Looking, ms: number) =>
      Effect.callback<void>((resume) => {
        if (one.isWanted) return resume(Effect.void)
        one.wake = () => resume(Effect.void)
        return Effect.sync(() => {
          one.wake = undefined
        })
      }).pipe(Effect.timeoutOption(ms), Effect.map(Option.isNone))

    const follow = (sessionId: SessionId, one: Looking) =>
      Effect.gen(function* () {
        for (let isRepeat = false; ;) {
          one.isWanted = false
          const againMs: number | undefined = yield* refresh(sessionId, isRepeat).pipe(
            // A log that cannot be read or written is reported by whoever needs it; a defect of a backend ends nothing else.
            Effect.catchCause((cause) =>
              Cause.hasInterruptsOnly(cause)
                ? Effect.interrupt
                : Effect.as(Effect.logWarning("artifacts were not looked after", cause), undefined)
            )
          )
          if (one.isWanted) {
            isRepeat = false
            continue
          }
          if (againMs === undefined || parts.people(sessionId) === 0) break
          isRepeat = yield* waitFor(one, Math.max(againMs, leastAgainMs))
          if (isRepeat && parts.people(sessionId) === 0) break
        }
        // Before anything else can happen: whoever comes now begins anew.
        looking.delete(sessionId)
      }).pipe(Effect.annotateLogs({ sessionId }))

    return {
      look: (sessionId) => {
        const one = looking.get(sessionId)
        if (one !== undefined) {
          one.isWanted = true
          one.wake?.()
          return
        }
        const begun: Looking = { isWanted: false, wake: undefined }
        looking.set(sessionId, begun)
        fork(follow(sessionId, begun))
      }
    }
  })

const isSame = (one: Artifact, other: Artifact): boolean =>
  one.kind === other.kind &&
  one.title === other.title &&
  one.url === other.url &&
  one.path === other.path &&
  one.state === other.state
