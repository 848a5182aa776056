/** One direction of a connection through a fault proxy: takes from one socket, writes to the other, and does the harm. */
import type { Socket } from "node:net"
import type { FaultReorder } from "./FaultReorder.ts"
import type { FaultEnding, LaneFaults } from "./FaultSchedule.ts"

/**
 * Bytes that a lane holds at most before it stops taking more from its sender, who is then held back by TCP. Two reads of
 * Node; a read that is under way may go over it once.
 */
const maxHeldBytes = 128 * 1024

/** A lane that is slowed down writes what it may write in so many milliseconds at once: 50 pieces a second. */
const slowStepMs = 20

/** One direction. */
export interface FaultLane {
  /** Bytes that were written to the receiver. */
  readonly passed: () => number
  /** Bytes that were taken from the sender and went nowhere. */
  readonly swallowed: () => number
  /** The receiver learns nothing of the sender any more. */
  readonly isSilent: () => boolean
  /** From now on, for those that were set before. A stalled lane goes on; a swallowed one has lost bytes, and does not. */
  readonly setFaults: (faults: LaneFaults) => void
  readonly close: () => void
}

/** What a lane is between. */
export interface LaneEnds {
  readonly from: Socket
  readonly to: Socket
  readonly reorder: FaultReorder | undefined
  /** An ending has come about. `fin` and `rst` are for the connection to carry out. */
  readonly onEnding: (how: FaultEnding, passed: number) => void
  readonly onPassed: () => void
}

interface Held {
  readonly bytes: Buffer
  readonly at: number
}

/** Starts to move bytes. */
export const makeFaultLane = ({ from, onEnding, onPassed, reorder, to }: LaneEnds): FaultLane => {
  /** What waits for its turn, where the proxy reorders, and what may be written. */
  let arrived: Array<Held> = []
  const queue: Array<Held> = []
  let held = 0
  let faults: LaneFaults = {}
  let passed = 0
  let swallowed = 0
  /** Where in `passed` the ending is due. */
  let endAt = Number.POSITIVE_INFINITY
  let ended: "swallow" | "stall" | undefined
  let splitAt = 0
  let delayAt = 0
  let notBefore = 0
  let hasSenderEnded = false
  let isClosed = false
  let isFull = false
  let timer: NodeJS.Timeout | undefined
  let turn: NodeJS.Immediate | undefined

  const waits = () => timer !== undefined || turn !== undefined || isFull

  const finish = (how: FaultEnding) => {
    if (how === "swallow" || how === "stall") ended = how
    if (how === "swallow") {
      swallowed += held
      arrived = []
      queue.length = 0
      held = 0
      from.resume()
    } else if (how === "stall") {
      from.pause()
    }
    onEnding(how, passed)
  }

  /** The next piece's length, and when it may be written. */
  const nextPiece = (head: Held): { readonly length: number; readonly due: number } => {
    const { bytesPerSecond, delayMs = [], split = [] } = faults
    let length = Math.min(head.bytes.byteLength, endAt - passed)
    if (split.length > 0) length = Math.min(length, split[splitAt % split.length]!)
    if (bytesPerSecond !== undefined) length = Math.min(length, Math.ceil((bytesPerSecond * slowStepMs) / 1_000))
    const delay = delayMs.length > 0 ? delayMs[delayAt % delayMs.length]! : 0
    return { length, due: Math.max(notBefore, head.at + delay) }
  }

  const write = (head: Held, length: number) => {
    if (length === head.bytes.byteLength) queue.shift()
    else queue[0] = { bytes: head.bytes.subarray(length), at: head.at }
    held -= length
    passed += length
    splitAt += 1
    delayAt += 1
    if (faults.bytesPerSecond !== undefined) {
      notBefore = performance.now() + (length / faults.bytesPerSecond) * 1_000
    }
    isFull = !to.write(head.bytes.subarray(0, length))
    if (held < maxHeldBytes && !hasSenderEnded) from.resume()
    onPassed()
  }

  const pump = () => {
    for (;;) {
      if (isClosed || ended !== undefined || waits()) return
      if (passed >= endAt) return finish(faults.end!.how)
      const head = queue[0]
      if (head === undefined) {
        if (hasSenderEnded && arrived.length === 0) {
          isClosed = true
          to.end()
        }
        return
      }
      const { due, length } = nextPiece(head)
      const wait = due - performance.now()
      if (wait > 0) {
        timer = setTimeout(() => {
          timer = undefined
          pump()
        }, wait)
        return
      }
      write(head, length)
      // Pieces of one turn of the loop would arrive as one.
      if (faults.split !== undefined && queue.length > 0) {
        turn = setImmediate(() => {
          turn = undefined
          pump()
        })
      }
    }
  }

  const take = () => {
    queue.push(...arrived)
    arrived = []
    pump()
  }

  const onData = (bytes: Buffer) => {
    if (isClosed) return
    if (ended === "swallow") {
      swallowed += bytes.byteLength
      return onPassed()
    }
    held += bytes.byteLength
    arrived.push({ bytes, at: performance.now() })
    if (held >= maxHeldBytes || ended === "stall") from.pause()
    if (reorder === undefined) take()
    else reorder.arrived(take)
  }
  const onEnd = () => {
    hasSenderEnded = true
    pump()
  }
  const onDrain = () => {
    isFull = false
    pump()
  }
  from.on("data", onData)
  from.on("end", onEnd)
  to.on("drain", onDrain)

  return {
    passed: () => passed,
    swallowed: () => swallowed,
    isSilent: () => ended !== undefined,
    setFaults: (next) => {
      faults = next
      splitAt = 0
      delayAt = 0
      notBefore = 0
      endAt = next.end === undefined ? Number.POSITIVE_INFINITY : passed + next.end.after
      clearTimeout(timer)
      timer = undefined
      if (ended === "stall") {
        ended = undefined
        if (!hasSenderEnded) from.resume()
      }
      pump()
    },
    close: () => {
      isClosed = true
      clearTimeout(timer)
      clearImmediate(turn)
      from.off("data", onData)
      from.off("end", onEnd)
      to.off("drain", onDrain)
      arrived = []
      queue.length = 0
    }
  }
}
