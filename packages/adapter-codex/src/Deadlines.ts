/**
 * One timer for many waits that mostly end long before their time: setting one costs an entry in a set, where
 * `Effect.timeoutOption` starts two fibers and a timer and takes them back.
 */
import { Clock, Effect, Fiber, FiberSet, type Scope } from "effect"

/** Deadlines. */
export interface Deadlines {
  /** Calls `due` in so many milliseconds, 1 at the least, unless what it gives back was called before. */
  readonly set: (ms: number, due: () => void) => () => void
}

interface Deadline {
  /** On the clock that is never set. */
  readonly at: number
  readonly due: () => void
}

/** Makes deadlines; those that are left at the end of the scope never come. */
export const makeDeadlines: Effect.Effect<Deadlines, never, Scope.Scope> = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  const fork = yield* FiberSet.makeRuntime<never, void, never>()
  const waiting = new Set<Deadline>()
  const now = () => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)
  let sleeping: { readonly until: number; readonly fiber: Fiber.Fiber<void> } | undefined

  const look = () => {
    sleeping = undefined
    const time = now()
    let next = Number.POSITIVE_INFINITY
    for (const deadline of waiting) {
      if (deadline.at > time) next = Math.min(next, deadline.at)
      else if (waiting.delete(deadline)) deadline.due()
    }
    if (waiting.size > 0) sleepUntil(next)
  }

  const sleepUntil = (at: number) => {
    if (sleeping !== undefined && sleeping.until <= at) return
    if (sleeping !== undefined) fork(Fiber.interrupt(sleeping.fiber))
    const fiber = fork(Effect.andThen(Effect.sleep(at - now()), Effect.sync(look)))
    sleeping = { until: at, fiber }
  }

  return {
    set: (ms, due) => {
      const deadline = { at: now() + Math.max(1, ms), due }
      waiting.add(deadline)
      sleepUntil(deadline.at)
      return () => void waiting.delete(deadline)
    }
  }
})
