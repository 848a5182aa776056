/** Who waits to hear how a session ends, so that an owner that ends does not fall silent before they have heard it. */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"

/** How long the last of them may take, in milliseconds, and how often they are counted meanwhile. */
const patienceMs = 1_000
const countEveryMs = 5

/** Calls that end with the end of a session. */
export interface LastWords {
  readonly forCall: <A, E>(call: Effect.Effect<A, E>) => Effect.Effect<A, E>
  readonly forStream: <A, E>(stream: Stream.Stream<A, E>) => Stream.Stream<A, E>
  /** Completes when all of them have been answered, or have had time enough. */
  readonly told: Effect.Effect<void>
}

/** Counts them. */
export const makeLastWords = (): LastWords => {
  let waiting = 0
  const counted = Effect.acquireRelease(
    Effect.sync(() => void waiting++),
    () => Effect.sync(() => void waiting--)
  )
  return {
    forCall: (call) => Effect.scoped(Effect.andThen(counted, call)),
    forStream: (stream) => Stream.unwrap(Effect.as(counted, stream)),
    told: Effect.suspend(() => (waiting > 0 ? Effect.fail("waiting" as const) : Effect.void)).pipe(
      Effect.retry(Schedule.spaced(countEveryMs)),
      Effect.timeoutOption(patienceMs),
      Effect.ignore
    )
  }
}
