/**
 * What has become of pull requests that sessions have opened: asked of the forge while somebody looks, no oftener than it likes. It
 * is not their log that is asked to what they were: whoever calls compares, and stores what differs.
 */
import type { Artifact, ArtifactId, ArtifactRefresh, SessionId, SessionState } from "@holdfast/core"
import { type Forge, ForgeError, pullRequestArtifact, type PullRequestRefresh } from "@holdfast/git"
import { Clock, Effect, Semaphore } from "effect"

/** Of a session the newest pull requests are asked for, at most so many. */
const maxAsked = 8

/** Sessions of which is known what was asked last: for the others the next answer is a whole one. The oldest gives way. */
const maxRemembered = 1_000

/** A session's forge is asked no oftener than this, in milliseconds, however many look and push. */
const leastMs = 10_000

/** After failures the wait doubles up to this, in milliseconds: 15 minutes. What cannot help by itself waits so long at once. */
const longestMs = 15 * 60_000

/** A forge that says when to come again is believed up to this, in milliseconds: GitHub's limits are by the hour. */
const longestLimitMs = 60 * 60_000

/** How long an opened pull request may take to be in the log before the next answer is looked at, in milliseconds. */
const storeTimeoutMs = 5_000

const idPrefix = "pull-request-"

/** By what a pull request is an artifact of its session. */
export const pullRequestArtifactId = (number: number): ArtifactId => `${idPrefix}${number}` as ArtifactId

interface Seen {
  readonly artifact: Artifact
  /** What to ask with the next time. */
  readonly version: string | undefined
}

/** What is known of one session's. */
interface Memory {
  /** One after the other, and none while one is being opened: an older answer never comes after a newer one. */
  readonly lock: Semaphore.Semaphore
  readonly seen: Map<number, Seen>
  /** The forge is not asked before. */
  notBefore: number
  /** In a row. */
  failures: number
}

/** What has become of them. */
export interface PullRequestRefresher {
  /** See `Backend.refresh`. */
  readonly refresh: (state: SessionState, forge: Forge, isRepeat: boolean) => Effect.Effect<ArtifactRefresh>
  /**
   * Does something with the session's pull requests, and tells of it; completes when `stored` does. Nothing is asked meanwhile.
   */
  readonly changing: <A, E>(
    sessionId: SessionId,
    change: Effect.Effect<A, E>,
    stored: Effect.Effect<void>
  ) => Effect.Effect<A, E>
}

/** Makes one. `pollMs` is how often an open pull request is asked for while somebody looks. */
export const makePullRequestRefresher = (pollMs: number): PullRequestRefresher => {
  const memories = new Map<SessionId, Memory>()
  const pauseMs = Math.min(leastMs, pollMs)

  const memoryOf = (sessionId: SessionId): Memory => {
    const memory = memories.get(sessionId) ?? {
      lock: Semaphore.makeUnsafe(1),
      seen: new Map<number, Seen>(),
      notBefore: 0,
      failures: 0
    }
    memories.delete(sessionId)
    memories.set(sessionId, memory)
    if (memories.size > maxRemembered) memories.delete(memories.keys().next().value!)
    return memory
  }

  /** How long a forge that failed is left alone. */
  const restMs = (error: unknown, failures: number, now: number): number => {
    const isForge = error instanceof ForgeError
    if (isForge && error.retryAt !== undefined) {
      return Math.min(Math.max(error.retryAt - now, pauseMs), longestLimitMs)
    }
    const isWorthIt = (error as { readonly retryable?: unknown }).retryable === true
    return isWorthIt ? Math.min(pollMs * 2 ** failures, longestMs) : longestMs
  }

  const answerOf = (known: Seen | undefined, { pullRequest, version }: PullRequestRefresh): Seen | undefined =>
    pullRequest === null
      ? known === undefined
        ? undefined
        : { ...known, version }
      : { artifact: pullRequestArtifact(pullRequest), version }

  const ask = Effect.fnUntraced(function* (
    memory: Memory,
    forge: Forge,
    wanted: ReadonlyArray<readonly [number, Artifact]>
  ) {
    const changed: Array<{ readonly artifactId: ArtifactId; readonly artifact: Artifact }> = []
    for (const [number, logged] of wanted) {
      const known = memory.seen.get(number)
      const answer = answerOf(known, yield* forge.refreshPullRequest(number, known?.version))
      if (answer === undefined) continue
      memory.seen.set(number, answer)
      if (!isSame(answer.artifact, logged)) {
        changed.push({ artifactId: pullRequestArtifactId(number), artifact: answer.artifact })
      }
    }
    return changed
  })

  const refresh: PullRequestRefresher["refresh"] = Effect.fnUntraced(function* (state, forge, isRepeat) {
    const all = pullRequestsOf(state)
    // One that is merged stays so. One that was closed may be opened again, and who comes to look sees it.
    const wanted = all
      .filter(([, artifact]) => (isRepeat ? isGoingOn(artifact) : artifact.state !== "merged"))
      .slice(0, maxAsked)
    if (wanted.length === 0) return { artifacts: [] }
    const memory = memoryOf(state.sessionId)
    return yield* memory.lock.withPermits(1)(
      Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        if (now < memory.notBefore) return { artifacts: [], againMs: memory.notBefore - now }
        const artifacts = yield* ask(memory, forge, wanted).pipe(
          Effect.tap(() => Effect.sync(() => (memory.failures = 0))),
          Effect.catch((error) => {
            memory.failures += 1
            const rest = restMs(error, memory.failures, now)
            memory.notBefore = now + rest
            const words = `${error.message}; asked again in ${Math.ceil(rest / 1_000)} s at the earliest`
            const warned =
              memory.failures === 1
                ? Effect.logWarning("pull requests could not be looked after", words)
                : Effect.logDebug("pull requests could not be looked after", words)
            return Effect.as(warned, undefined)
          })
        )
        const after = yield* Clock.currentTimeMillis
        if (artifacts === undefined) {
          const goesOn = wanted.some(([, artifact]) => isGoingOn(artifact))
          return { artifacts: [], ...(goesOn ? { againMs: Math.max(1, memory.notBefore - after) } : {}) }
        }
        memory.notBefore = after + pauseMs
        const goesOn = wanted.some(([number]) => isGoingOn(memory.seen.get(number)?.artifact))
        return { artifacts, ...(goesOn ? { againMs: pollMs } : {}) }
      })
    )
  })

  return {
    refresh,
    changing: (sessionId, change, stored) =>
      memoryOf(sessionId).lock.withPermits(1)(Effect.tap(change, () => Effect.timeoutOption(stored, storeTimeoutMs)))
  }
}

const isGoingOn = (artifact: Artifact | undefined): boolean => artifact?.state === "open" || artifact?.state === "draft"

const isSame = (one: Artifact, other: Artifact): boolean =>
  one.state === other.state && one.title === other.title && one.url === other.url

/** Those that this backend opened, the newest first. */
const pullRequestsOf = ({ artifacts }: SessionState): ReadonlyArray<readonly [number, Artifact]> =>
  Object.entries(artifacts)
    .flatMap(([id, artifact]) => {
      const number = id.startsWith(idPrefix) ? Number(id.slice(idPrefix.length)) : Number.NaN
      return artifact.kind === "pull_request" && Number.isSafeInteger(number) ? [[number, artifact] as const] : []
    })
    .toSorted(([one], [other]) => other - one)
