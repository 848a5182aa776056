/** What git tells of its progress, thinned out for people. */
import { Effect, Queue } from "effect"

/** Milliseconds between two lines: 250. Of what comes in between the last is told. */
const betweenLines = 250

/** Runs something that writes lines, and tells of them until it is done. */
export const withProgress = <A, E>(
  tell: ((line: string) => Effect.Effect<void>) | undefined,
  run: (onLine: (line: string) => void) => Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  tell === undefined
    ? run(() => undefined)
    : Effect.scoped(
        Effect.gen(function* () {
          // One line: an older one that nobody was told of yet gives way.
          const lines = yield* Queue.sliding<string>(1)
          const telling = Queue.take(lines).pipe(Effect.flatMap(tell), Effect.andThen(Effect.sleep(betweenLines)))
          yield* Effect.forkScoped(Effect.forever(telling))
          return yield* run((line) => {
            // `Receiving objects:  42% (420/1000), 1.20 MiB | 2.00 MiB/s`; what the server says of itself is not told.
            if (!line.startsWith("remote:")) Queue.offerUnsafe(lines, line.replaceAll(/\s+/g, " ").slice(0, 200))
          })
        })
      )
