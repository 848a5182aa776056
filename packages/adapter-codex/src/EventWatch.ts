/** Waits for what a session tells, such as the end of a turn. */
import type { BackendEvent, BackendLost } from "@holdfast/core"
import { Deferred, Effect } from "effect"

/** Finds what is waited for in an event. */
export type FindEvent<A> = (event: BackendEvent) => A | undefined

/** A watch. */
export interface EventWatch {
  /** Has to see everything that the session tells. */
  readonly see: (events: ReadonlyArray<BackendEvent>) => void
  /** Nothing more will be told: whoever waits, or will, fails with this. */
  readonly end: (error: BackendLost) => void
  /** Looks at every event from now on. */
  readonly each: (look: (event: BackendEvent) => void) => void
  /**
   * Runs `body` with what completes once `find` has found something. It looks from the start of `body` on, so that what happens
   * between asking for something and waiting for it is not missed; it stops at the end of `body`. `settle` is another way to find it.
   */
  readonly during: <A, B, E, R>(
    find: FindEvent<A>,
    body: (found: Effect.Effect<A, BackendLost>, settle: (found: A) => void) => Effect.Effect<B, E, R>
  ) => Effect.Effect<B, E, R>
}

/** Makes a watch. */
export const makeEventWatch = (): EventWatch => {
  const watchers = new Set<(event: BackendEvent) => void>()
  const waiting = new Set<(error: BackendLost) => void>()
  let ended: BackendLost | undefined
  return {
    each: (look) => {
      watchers.add(look)
    },
    see: (events) => {
      for (const event of events) for (const look of watchers) look(event)
    },
    end: (error) => {
      ended ??= error
      for (const fail of waiting) fail(error)
    },
    during: <A, B, E, R>(
      find: FindEvent<A>,
      body: (found: Effect.Effect<A, BackendLost>, settle: (found: A) => void) => Effect.Effect<B, E, R>
    ) =>
      Effect.suspend(() => {
        const done = Deferred.makeUnsafe<A, BackendLost>()
        const fail = (error: BackendLost) => Deferred.doneUnsafe(done, Effect.fail(error))
        const settle = (found: A) => Deferred.doneUnsafe(done, Effect.succeed(found))
        const look = (event: BackendEvent) => {
          const found = find(event)
          if (found !== undefined) settle(found)
        }
        if (ended !== undefined) fail(ended)
        watchers.add(look)
        waiting.add(fail)
        return Effect.ensuring(
          body(Deferred.await(done), settle),
          Effect.sync(() => {
            watchers.delete(look)
            waiting.delete(fail)
          })
        )
      })
  }
}
