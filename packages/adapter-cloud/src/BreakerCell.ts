/** The breaker before a provider, where all of its sessions find it. */
import { type BreakerState, closedBreaker } from "./lifecycle/SpawnBreaker.ts"

/** The cell. */
export interface BreakerCell {
  readonly get: () => BreakerState
  /** Whoever waits behind the breaker is told where it changes. */
  readonly set: (state: BreakerState) => void
  /** Tells of changes until the function that it gives is called. */
  readonly watch: (onChange: () => void) => () => void
}

/** Makes a closed one. */
export const makeBreakerCell = (): BreakerCell => {
  let state = closedBreaker
  const watchers = new Set<() => void>()
  return {
    get: () => state,
    set: (next) => {
      if (next === state) return
      const changes = next.status !== state.status
      state = next
      if (changes) for (const onChange of watchers) onChange()
    },
    watch: (onChange) => {
      watchers.add(onChange)
      return () => watchers.delete(onChange)
    }
  }
}
