/** Whether a connection lives and keeps to its bounds: how much is said on it, when something was last heard, said and taken. */
import { CloseCode } from "@holdfast/core"
import { burstSeconds, type LiveLimits, silentHeartbeats } from "./LiveLimits.ts"
import type { LiveSocket } from "./LiveSocket.ts"

/**
 * Bytes of a connection that may wait for the system to take them before nothing more is read for it: 512 KiB. So a client that
 * stalls costs this and a page, however many subscriptions it has.
 */
export const maxWaitingBytes = 512 * 1024

/** Bytes of messages beside frames that may wait: 1 MiB. Past it the client is taken for stalled. */
const maxWaitingMessageBytes = 1024 * 1024

/** A large frame may take its time: so many bytes a second beyond {@link maxWaitingBytes}. */
const leastBytesPerSecond = 64 * 1024

/** What is to be done for a connection. */
export type PulseCheck = "nothing" | "ping" | { readonly code: number; readonly reason: string }

/** The pulse of one connection. Times are in milliseconds since 1970. */
export class ConnectionPulse {
  readonly #limits: Required<LiveLimits>
  #tokens: number
  #countedAt: number
  #heardAt: number
  #spokeAt: number
  #taken = 0
  #takenAt: number

  constructor(limits: Required<LiveLimits>, now: number) {
    this.#limits = limits
    this.#tokens = limits.maxMessagesPerSecond * burstSeconds
    this.#countedAt = now
    this.#heardAt = now
    this.#spokeAt = now
    this.#takenAt = now
  }

  /** Counts a message; whether it is within what a client may send. */
  heard(now: number): boolean {
    const { maxMessagesPerSecond } = this.#limits
    const more = (Math.max(0, now - this.#countedAt) / 1000) * maxMessagesPerSecond
    this.#tokens = Math.min(maxMessagesPerSecond * burstSeconds, this.#tokens + more)
    this.#countedAt = now
    this.#heardAt = now
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }

  /** The message that was counted last does not count. */
  uncount(): void {
    this.#tokens++
  }

  /** To be asked several times a heartbeat; `underWay` gives the bytes of frames that the client has not taken. */
  check(now: number, socket: LiveSocket, underWay: () => number): PulseCheck {
    const { heartbeatMs, stalledMs } = this.#limits
    const { taken, waiting } = socket
    if (waiting === 0 || taken !== this.#taken) {
      this.#taken = taken
      this.#takenAt = now
    } else {
      const large = (Math.max(0, waiting - maxWaitingBytes) / leastBytesPerSecond) * 1000
      const since = now - this.#takenAt
      if (since >= stalledMs + large) return { code: CloseCode.stalled, reason: `nothing was taken for ${since} ms` }
    }
    if (waiting > maxWaitingMessageBytes && waiting > underWay() + maxWaitingMessageBytes) {
      return { code: CloseCode.stalled, reason: `${waiting} bytes wait to be taken` }
    }
    const silence = now - this.#heardAt
    if (silence > heartbeatMs * silentHeartbeats) {
      return { code: CloseCode.silent, reason: `nothing was heard for ${silence} ms` }
    }
    if (socket.spoke) {
      socket.spoke = false
      this.#spokeAt = now
    } else if (now - this.#spokeAt >= heartbeatMs * 0.75) {
      this.#spokeAt = now
      return "ping"
    }
    return "nothing"
  }
}
