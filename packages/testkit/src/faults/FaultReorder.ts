/** Holds what arrives for a moment, and lets the lanes have it in another order than it came in. */
import type { Reordering } from "./FaultSchedule.ts"

/** The stage that all lanes of a proxy go through first. */
export interface FaultReorder {
  /** The lane has something. Calls `take` when it is its turn; a lane that already waits is not put in twice. */
  readonly arrived: (take: () => void) => void
  /** From now on everything goes through at once, what waits too. */
  readonly stop: () => void
  readonly close: () => void
}

/** Makes the stage. Of each lane it holds nothing but that it waits: what has arrived stays with the lane, and its bound. */
export const makeFaultReorder = ({ picks, windowMs }: Reordering): FaultReorder => {
  const waiting = new Set<() => void>()
  let at = 0
  let isStopped = false
  let timer: NodeJS.Timeout | undefined
  let turn: NodeJS.Immediate | undefined

  const next = (lanes: Array<() => void>) => {
    turn = undefined
    const [take] = lanes.splice(picks[at++ % picks.length]! % lanes.length, 1)
    take!()
    // One a turn of the loop, so that the sockets are written to in this order.
    if (lanes.length > 0) turn = setImmediate(next, lanes)
    else if (waiting.size > 0) timer = setTimeout(release, windowMs)
  }

  const release = () => {
    timer = undefined
    const lanes = [...waiting]
    waiting.clear()
    if (lanes.length > 0) next(lanes)
  }

  return {
    arrived: (take) => {
      if (isStopped) return take()
      waiting.add(take)
      if (timer === undefined && turn === undefined) timer = setTimeout(release, windowMs)
    },
    stop: () => {
      isStopped = true
      for (const lane of waiting) lane()
      waiting.clear()
    },
    close: () => {
      clearTimeout(timer)
      clearImmediate(turn)
      waiting.clear()
    }
  }
}
