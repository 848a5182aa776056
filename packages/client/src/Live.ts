/** A value that changes: its newest is always at hand, and whoever listens is told that there is a newer one. */

/**
 * A live value. `current` is never stale by more than what is being taken up now; `subscribe` fits React's
 * `useSyncExternalStore` as it is. Iterating gives the newest value, then each newer one; what came in between while the
 * loop was busy is left out, so that a slow reader holds one value and no queue.
 */
export interface Live<A> extends AsyncIterable<A> {
  readonly current: A
  /** Calls at each change; the result ends that. A listener that throws does not keep others from being called. */
  readonly subscribe: (listener: () => void) => () => void
}
