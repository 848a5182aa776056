/** Waits for what a session tells, such as the end of a turn. */
import type { BackendEvent } from "@holdfast/core"
import { Deferred, Effect } from "effect"

/** Finds what is waited for in an event. */
export type FindEvent<A> = (event: BackendEvent) => A | undefined

/** A watch. */
export interface EventWatch {
  /** Has to see everything that the session tells. */
  readonly see: (events: ReadonlyArray<BackendEvent>) => void
  /** Looks at every event from now on. */
  readonly each: (look: (event: BackendEvent) => void) => void
  /**
   * Runs `body` with what completes once `find` has found something. It looks from the start of `body` on, so that what happens
   * between asking for something and waiting for it is not missed; it stops at the end of `body`.
   */
  readonly during: <A, B, E, R>(
    find: FindEvent<A>,
    body: (found: Effect.Effect<A>) => Effect.Effect<B, E, R>
  ) => Effect.Effect<B, E, R>
}

/** Makes a watch. */
export const makeEventWatch = (): EventWatch => {
  const watchers = new Set<(event: BackendEvent) => void>()
  return {
    each: (look) => {
      watchers.add(look)
    },
    see: (events) => {
      for (const event of events) for (const look of watchers) look(event)
    },
    during: <A, B, E, R>(find: FindEvent<A>, body: (found: Effect.Effect<A>) => Effect.Effect<B, E, R>) =>
      Effect.suspend(() => {
        const done = Deferred.makeUnsafe<A>()
        const look = (event: BackendEvent) => {
          const found = find(event)
          if (found !== undefined) Deferred.doneUnsafe(done, Effect.succeed(found))
        }
        watchers.add(look)
        return Effect.ensuring(
          body(Deferred.await(done)),
          Effect.sync(() => watchers.delete(look))
        )
      })
  }
}
