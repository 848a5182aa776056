/** Tells others that somebody writes, without telling each key. */

/** While somebody writes it is told again this often: every 3 seconds. */
const againAfterMs = 3_000

/** Who has written nothing for so long does not write any more: 5 seconds. */
const overAfterMs = 5_000

/** One composer's signal. */
export class TypingSignal {
  readonly #tell: (typing: boolean) => void
  #toldAt: number | null = null
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(tell: (typing: boolean) => void) {
    this.#tell = tell
  }

  /** A key was pressed that changed the text. */
  wrote(): void {
    const now = Date.now()
    if (this.#toldAt === null || now - this.#toldAt >= againAfterMs) {
      this.#toldAt = now
      this.#tell(true)
    }
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.stop(), overAfterMs)
  }

  /** The text was sent or given up. */
  stop(): void {
    clearTimeout(this.#timer)
    if (this.#toldAt === null) return
    this.#toldAt = null
    this.#tell(false)
  }
}
