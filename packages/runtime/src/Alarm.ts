import { type Clock, Effect, Fiber, FiberSet, type Scope } from "effect"

/** A longer timer would overflow the platform's 31 bits of milliseconds: it rings early, after some 12 days, and is set again. */
const maxSleepMs = 2 ** 30

/** One timer, set anew whenever the next deadline changes. */
export interface Alarm {
  /** Rings at `at` (milliseconds since 1970), and not at any time set before; `undefined` turns it off. */
  readonly set: (at: number | undefined) => void
}

/** Makes an alarm in a scope. `ring` may wait. */
export const makeAlarm = (clock: Clock.Clock, ring: Effect.Effect<unknown>): Effect.Effect<Alarm, never, Scope.Scope> =>
  Effect.map(FiberSet.makeRuntime(), (fork) => {
    let set: { readonly at: number; readonly fiber: Fiber.Fiber<unknown> } | undefined
    return {
      set: (at) => {
        if (at === set?.at) return
        if (set !== undefined) fork(Fiber.interrupt(set.fiber))
        set = undefined
        if (at === undefined) return
        const wait = Math.max(0, Math.min(at - clock.currentTimeMillisUnsafe(), maxSleepMs))
        const rung = Effect.sync(() => {
          set = undefined
        })
        const sleep = wait === 0 ? Effect.void : Effect.sleep(wait)
        set = { at, fiber: fork(sleep.pipe(Effect.andThen(rung), Effect.andThen(ring))) }
      }
    }
  })
