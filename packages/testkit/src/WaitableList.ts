import { Effect } from "effect"

/** A list that only grows, and that can be waited on. */
export interface WaitableList<A> {
  readonly items: ReadonlyArray<A>
  readonly add: (item: A) => void
  /** Waits until `find` finds something; it is asked anew whenever the list has grown. */
  readonly find: <B>(find: (items: ReadonlyArray<A>) => B | undefined) => Effect.Effect<B>
}

/** Makes an empty list. */
export const makeWaitableList = <A>(): WaitableList<A> => {
  const items: Array<A> = []
  const waiters = new Set<() => void>()
  return {
    items,
    add: (item) => {
      items.push(item)
      for (const waiter of waiters) waiter()
    },
    find: <B>(find: (items: ReadonlyArray<A>) => B | undefined) =>
      Effect.callback<B>((resume) => {
        const look = () => {
          const found = find(items)
          if (found === undefined) return
          waiters.delete(look)
          resume(Effect.succeed(found))
        }
        waiters.add(look)
        look()
        return Effect.sync(() => waiters.delete(look))
      })
  }
}
