/** Says something often enough, and notices when nothing is heard: a dead connection looks like a quiet one. */

/** Silence, in heartbeats, after which a connection is dead. */
const deadAfter = 2.5

/** How long an answer may take where there is reason to doubt the connection. */
const proofMs = 5_000

/** The heartbeat of one connection at a time. */
export class Heartbeat {
  readonly #ping: () => void
  readonly #dead: () => void
  #ms = 0
  #heardAt = 0
  #sentAt = 0
  #timer: ReturnType<typeof setInterval> | undefined
  #proof: ReturnType<typeof setTimeout> | undefined

  constructor(ping: () => void, dead: () => void) {
    this.#ping = ping
    this.#dead = dead
  }

  /** Begins, with the server's interval. */
  start(heartbeatMs: number): void {
    this.stop()
    this.#ms = heartbeatMs
    this.#heardAt = this.#sentAt = performance.now()
    // Twice in each interval, so that a ping is never later than the interval itself.
    this.#timer = setInterval(() => this.#look(), heartbeatMs / 2)
  }

  stop(): void {
    clearInterval(this.#timer)
    clearTimeout(this.#proof)
    this.#timer = this.#proof = undefined
  }

  heard(): void {
    this.#heardAt = performance.now()
    if (this.#proof !== undefined) {
      clearTimeout(this.#proof)
      this.#proof = undefined
    }
  }

  sent(): void {
    this.#sentAt = performance.now()
  }

  /** There is reason to doubt it (the network changed, the page was asleep): it must answer soon. */
  doubt(): void {
    if (this.#timer === undefined || this.#proof !== undefined) return
    this.#ping()
    this.#proof = setTimeout(this.#dead, Math.min(proofMs, deadAfter * this.#ms))
  }

  #look(): void {
    const now = performance.now()
    if (now - this.#heardAt >= deadAfter * this.#ms) this.#dead()
    else if (now - this.#sentAt >= this.#ms / 2) this.#ping()
  }
}
