import { Effect } from "effect"

/** A list that grows at its end, and that can be waited on. */
export interface WaitableList<A> {
  readonly items: ReadonlyArray<A>
  readonly add: (item: A) => void
  /** Something about an item has changed: all who wait look again. */
  readonly changed: () => void
  /**
   * Waits until `find` finds something; it is asked anew whenever the list has grown or changed. What it throws is the wait's
   * own defect, and not that of whoever changed the list.
   */
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
        const end = (result: Effect.Effect<B>) => {
          waiters.delete(look)
          resume(result)
        }
        const look = () => {
          try {
            const found = find(items)
            if (found !== undefined) end(Effect.succeed(found))
          } catch (cause) {
            end(Effect.die(cause))
          }
        }
        waiters.add(look)
        look()
        return Effect.sync(() => waiters.delete(look))
      })
  }
}
