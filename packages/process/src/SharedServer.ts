/** A server that many share: started on first use, started again when it is needed after its death, ended once. */
import { Clock, Deferred, Effect, Exit, Scope } from "effect"

/** A server that was started. */
export interface Started<A> {
  readonly server: A
  /** Completes when it has died. */
  readonly died: Effect.Effect<unknown>
}

/** How it is started. */
export interface SharedServerOptions<A, E> {
  /** Starts it; the scope ends with it, or ends it. */
  readonly start: Effect.Effect<Started<A>, E, Scope.Scope>
  /** Milliseconds to wait before starting again what failed or died young; doubles each time. Default 500. */
  readonly retryDelayMs?: number
  /** The longest wait. Default 30,000. */
  readonly maxRetryDelayMs?: number
  /** A server that lived this long does not count as having died young. Default 60,000. */
  readonly stableAfterMs?: number
}

/** A server that many share. */
export interface SharedServer<A, E> {
  /** The server that runs. Where none does it is started, once for all who ask meanwhile; they share its failure, too. */
  readonly get: Effect.Effect<A, E>
  /** Ends it, and completes when it has ended. Whoever asks afterwards starts another. */
  readonly release: Effect.Effect<void>
}

/** Prepares a server; nothing is started yet. It never starts itself again: the next {@link SharedServer.get} does. */
export const makeSharedServer = <A, E>(options: SharedServerOptions<A, E>): SharedServer<A, E> => {
  const { retryDelayMs = 500, maxRetryDelayMs = 30_000, stableAfterMs = 60_000 } = options
  let house = Scope.makeUnsafe()
  let current: Deferred.Deferred<A, E> | undefined
  let youngDeaths = 0
  let lastEnd = 0

  const wait = Effect.gen(function* () {
    if (youngDeaths === 0) return
    const delay = Math.min(maxRetryDelayMs, retryDelayMs * 2 ** (youngDeaths - 1))
    yield* Effect.sleep(Math.max(0, lastEnd + delay - (yield* Clock.currentTimeMillis)))
  })

  const live = (ready: Deferred.Deferred<A, E>) =>
    Effect.gen(function* () {
      yield* wait
      const startedAt = yield* Clock.currentTimeMillis
      const exit = yield* Effect.exit(
        Effect.scoped(
          Effect.gen(function* () {
            const { died, server } = yield* options.start
            yield* Deferred.succeed(ready, server)
            yield* died
          })
        )
      )
      lastEnd = yield* Clock.currentTimeMillis
      youngDeaths = Exit.isSuccess(exit) && lastEnd - startedAt >= stableAfterMs ? 0 : youngDeaths + 1
      return yield* exit
    })

  const begin = (ready: Deferred.Deferred<A, E>) =>
    live(ready).pipe(
      Effect.onExit((exit) =>
        Effect.suspend(() => {
          if (current === ready) current = undefined
          // Without effect where it had been ready.
          return Exit.isSuccess(exit) ? Effect.void : Deferred.failCause(ready, exit.cause)
        })
      ),
      Effect.forkIn(house, { startImmediately: true })
    )

  return {
    get: Effect.suspend(() => {
      if (current !== undefined) return Deferred.await(current)
      // In this very step, so that two who ask at once start one.
      const ready = Deferred.makeUnsafe<A, E>()
      current = ready
      return Effect.andThen(begin(ready), Deferred.await(ready))
    }),
    release: Effect.suspend(() => {
      const ending = house
      house = Scope.makeUnsafe()
      current = undefined
      youngDeaths = 0
      return Scope.close(ending, Exit.void)
    })
  }
}
