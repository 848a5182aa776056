import { Effect } from "effect"

/** A list that grows at its end, and that can be waited on. */
export interface WaitableList<A> {
  readonly items: ReadonlyArray<A>
  readonly add: (item: A) => void
  /** Something about an item has changed: all who wait look again. */
  readonly changed: () => void
  /** Waits until `find` finds something; it is asked anew whenever the list has grown or changed. */
  readonly find: <B>(find: (items: ReadonlyArray<A>) => B | undefined) => Effect.Effect<B>
}

/** Makes an empty list. Of more than `limit` items it drops the oldest. */
export const makeWaitableList = <A>(limit: number = Number.POSITIVE_INFINITY): WaitableList<A> => {
  const items: Array<A> = []
  const waiters = new Set<() => void>()
  const changed = () => {
    for (const waiter of waiters) waiter()
  }
  return {
    items,
    add: (item) => {
      items.push(item)
      if (items.length > limit) items.shift()
      changed()
    },
    changed,
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
