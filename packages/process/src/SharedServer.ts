/** A server that many share: started on first use, started again when it is needed after its death, ended once. */
import { Clock, Deferred, Effect, Exit, Fiber, Scope } from "effect"

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
  /** The longest wait. Default 5,000: whoever waits for it is a person, whose session tries a few times. */
  readonly maxRetryDelayMs?: number
  /** A server that lived this long does not count as having died young. Default 60,000. */
  readonly stableAfterMs?: number
}

/** A server that many share. */
export interface SharedServer<A, E> {
  /**
   * The server that runs. Where none does it is started, once for all who ask meanwhile; they share its failure, too. The one
   * before has ended by then, with all that it left behind.
   */
  readonly get: Effect.Effect<A, E>
  /** Ends it, and completes when it has ended. Whoever asks afterwards, or still waits for its start, starts another. */
  readonly release: Effect.Effect<void>
}

/** Why nobody gets the server that was being started. */
const released = Symbol("released")

type Ready<A, E> = Deferred.Deferred<A, E | typeof released>

/** Prepares a server; nothing is started yet. It never starts itself again: the next {@link SharedServer.get} does. */
export const makeSharedServer = <A, E>(options: SharedServerOptions<A, E>): SharedServer<A, E> => {
  const { retryDelayMs = 500, maxRetryDelayMs = 5_000, stableAfterMs = 60_000 } = options
  let house = Scope.makeUnsafe()
  let current: Ready<A, E> | undefined
  /** Completes when nothing is left of the last server that was started. */
  let cleared: Effect.Effect<unknown> = Effect.void
  let youngDeaths = 0
  let lastEnd = 0

  const wait = Effect.gen(function* () {
    if (youngDeaths === 0) return
    const delay = Math.min(maxRetryDelayMs, retryDelayMs * 2 ** (youngDeaths - 1))
    yield* Effect.sleep(Math.max(0, lastEnd + delay - (yield* Clock.currentTimeMillis)))
  })

  const forget = (ready: Ready<A, E>) => {
    if (current === ready) current = undefined
  }

  const live = (ready: Ready<A, E>, before: Effect.Effect<unknown>) =>
    Effect.gen(function* () {
      yield* before
      yield* wait
      const startedAt = yield* Clock.currentTimeMillis
      const exit = yield* Effect.exit(
        Effect.scoped(
          Effect.gen(function* () {
            const { died, server } = yield* options.start
            yield* Deferred.succeed(ready, server)
            yield* died
            // Nobody gets the dead one while it is being cleared away.
            forget(ready)
          })
        )
      )
      lastEnd = yield* Clock.currentTimeMillis
      youngDeaths = Exit.isSuccess(exit) && lastEnd - startedAt >= stableAfterMs ? 0 : youngDeaths + 1
      return yield* exit
    }).pipe(
      Effect.onExit((exit) =>
        Effect.suspend(() => {
          forget(ready)
          // Without effect where it had been ready.
          return Exit.isSuccess(exit) ? Effect.void : Deferred.failCause(ready, exit.cause)
        })
      )
    )

  const begin = (ready: Ready<A, E>) =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkIn(Effect.interruptible(live(ready, cleared)), house)
      cleared = Fiber.await(fiber)
    }).pipe(Effect.uninterruptible)

  const get: Effect.Effect<A, E> = Effect.suspend(() => {
    const running = current
    // In this very step, so that two who ask at once start one.
    const ready: Ready<A, E> = (current = running ?? Deferred.makeUnsafe())
    const started = running === undefined ? begin(ready) : Effect.void
    return Effect.andThen(started, Deferred.await(ready)).pipe(
      Effect.catch((error) => (error === released ? get : Effect.fail(error as E)))
    )
  })

  return {
    get,
    release: Effect.suspend(() => {
      const [ending, unready, last] = [house, current, cleared]
      house = Scope.makeUnsafe()
      current = undefined
      youngDeaths = 0
      return Effect.gen(function* () {
        // Without effect where it is ready.
        if (unready !== undefined) yield* Deferred.fail(unready, released)
        yield* Scope.close(ending, Exit.void)
        yield* last
      })
    })
  }
}
