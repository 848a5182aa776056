/** One call after the other for each key; different keys do not wait for each other. */
import { Effect, Semaphore } from "effect"

/** Runs effects one after the other by key. Holds a key only while somebody uses it or waits for it. */
export const makeSerialByKey = () => {
  const locks = new Map<string, { readonly lock: Semaphore.Semaphore; users: number }>()
  return <A, E, R>(key: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        const entry = locks.get(key) ?? { lock: Semaphore.makeUnsafe(1), users: 0 }
        entry.users++
        locks.set(key, entry)
        return entry
      }),
      (entry) => entry.lock.withPermits(1)(effect),
      (entry) =>
        Effect.sync(() => {
          if (--entry.users === 0) locks.delete(key)
        })
    )
}
