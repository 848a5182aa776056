/** Keeps what apps send within the rate that a server allows: what is too much waits here instead of being punished there. */

/** What commands and keystrokes may use of the server's allowance; the rest is for what the protocol itself needs. */
const share = 0.5

/** The server counts over ten seconds: as much may go at once after a quiet time. */
const burstSeconds = 10

/** An allowance that fills up with time. */
export class SendPace {
  readonly #onReady: () => void
  #perSecond = Number.POSITIVE_INFINITY
  #left = Number.POSITIVE_INFINITY
  #at = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  /** `onReady` is called when there is some again, after there was none. */
  constructor(onReady: () => void) {
    this.#onReady = onReady
  }

  /** A connection begins. */
  start(maxMessagesPerSecond: number): void {
    this.stop()
    this.#perSecond = Math.max(1, maxMessagesPerSecond * share)
    this.#left = this.#perSecond * burstSeconds
    this.#at = performance.now()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** Takes one, where there is one. */
  take(): boolean {
    const now = performance.now()
    this.#left = Math.min(this.#perSecond * burstSeconds, this.#left + ((now - this.#at) / 1_000) * this.#perSecond)
    this.#at = now
    if (this.#left >= 1) {
      this.#left--
      return true
    }
    this.#timer ??= setTimeout(
      () => {
        this.#timer = undefined
        this.#onReady()
      },
      Math.ceil(((1 - this.#left) / this.#perSecond) * 1_000)
    )
    return false
  }
}
