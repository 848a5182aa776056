/** How many look at each session through this owner: one that is watched is not put to rest as soon. */
import type { SessionId } from "@holdfast/core"
import type { HoldfastService } from "@holdfast/runtime"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

/** Counts them: as many sessions as streams are open at once. */
export interface Watchers {
  /** A stream that somebody looks at a session by, as long as it runs. */
  readonly watching: <A, E, R>(
    holdfast: Pick<HoldfastService, "signal">,
    sessionId: SessionId,
    stream: Stream.Stream<A, E, R>
  ) => Stream.Stream<A, E, R>
}

/** Makes the count, with nobody there. */
export const makeWatchers = (): Watchers => {
  const counts = new Map<SessionId, number>()
  return {
    watching: (holdfast, sessionId, stream) => {
      const change = (by: 1 | -1) =>
        Effect.suspend(() => {
          const people = (counts.get(sessionId) ?? 0) + by
          if (people > 0) counts.set(sessionId, people)
          else counts.delete(sessionId)
          return holdfast.signal(sessionId, { type: "watched", people })
        })
      return Stream.unwrap(
        Effect.as(
          Effect.acquireRelease(change(1), () => change(-1)),
          stream
        )
      )
    }
  }
}
