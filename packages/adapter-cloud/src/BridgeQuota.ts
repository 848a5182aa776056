/** How much a sandbox may send. It is not trusted: what passes a quota ends its session with the reason. */

/** Bounds of what comes from one sandbox. A rate is averaged over 10 seconds. */
export interface BridgeQuotas {
  /** Default 64 MiB: several times what a flooding terminal brings through the log. */
  readonly bytesPerSecond: number
  /** Events and other messages. Default 100,000. */
  readonly eventsPerSecond: number
  /** Of one frame. Default and most 4 MiB, the protocol's own. */
  readonly frameBytes: number
  /** Of all that one sandbox sends to one process of the host. Default 64 GiB. */
  readonly totalBytes: number
}

/** The defaults. */
export const defaultBridgeQuotas: BridgeQuotas = {
  bytesPerSecond: 64 * 1024 * 1024,
  eventsPerSecond: 100_000,
  frameBytes: 4 * 1024 * 1024,
  totalBytes: 64 * 1024 * 1024 * 1024
}

/** Seconds over which rates are averaged: a burst after a reconnect is not a flood. */
const window = 10

/** Counts what comes from one sandbox, over all its connections. */
export interface BridgeMeter {
  /** Counts a frame; what quota it passed, for people, or undefined where all is well. */
  readonly count: (frameBytes: number, events: number) => string | undefined
}

/** Makes a meter. `now` is in milliseconds. */
export const makeBridgeMeter = (quotas: BridgeQuotas, now: () => number): BridgeMeter => {
  const bytes = makeBucket(quotas.bytesPerSecond, now)
  const events = makeBucket(quotas.eventsPerSecond, now)
  let total = 0
  return {
    count: (frameBytes, count) => {
      total += frameBytes
      if (frameBytes > quotas.frameBytes) return `a frame of ${frameBytes} bytes, of at most ${quotas.frameBytes}`
      if (total > quotas.totalBytes) return `more than ${quotas.totalBytes} bytes in all`
      if (!bytes(frameBytes)) return `more than ${quotas.bytesPerSecond} bytes a second`
      if (!events(count)) return `more than ${quotas.eventsPerSecond} events a second`
      return undefined
    }
  }
}

/** A token bucket that holds {@link window} seconds' worth. A clock that was set back adds nothing. */
const makeBucket = (perSecond: number, now: () => number) => {
  const capacity = perSecond * window
  let left = capacity
  let at = now()
  return (amount: number): boolean => {
    const time = now()
    left = Math.min(capacity, left + (Math.max(0, time - at) / 1_000) * perSecond)
    at = time
    left -= amount
    return left >= 0
  }
}
