import { Effect } from "effect"

/**
 * What waits for a session's owner. A plain queue: whoever puts something in wakes the owner at once, in the same tick,
 * which is what an echo waits for. Its bound is kept by those who put in: commands are refused when it is full, and a
 * backend has one batch in it at a time beside the outcomes of the commands that it performs.
 */
export class Mailbox<Message> {
  #waiting: Array<Message> = []
  #wake: (() => void) | undefined
  #isClosed = false
  #isHeld = false
  readonly #capacity: number

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get size(): number {
    return this.#waiting.length
  }

  /** Whether another command is one too many. */
  get isFull(): boolean {
    return this.#waiting.length >= this.#capacity
  }

  /** Whether the owner has stopped. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Whether somebody does the owner's work: see {@link Mailbox.hold}. */
  get isHeld(): boolean {
    return this.#isHeld
  }

  /**
   * Keeps the owner asleep while somebody else does its work; what is put in meanwhile wakes it when that is over. False where it
   * is awake, and where something waits for it.
   */
  hold(): boolean {
    if (this.#wake === undefined || this.#waiting.length > 0 || this.#isHeld) return false
    this.#isHeld = true
    return true
  }

  /** Ends a hold. */
  release(): void {
    this.#isHeld = false
    if (this.#waiting.length > 0) this.#rouse()
  }

  #rouse(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }

  /** Puts something in; false when the owner has stopped. */
  put(message: Message): boolean {
    if (this.#isClosed) return false
    this.#waiting.push(message)
    if (!this.#isHeld) this.#rouse()
    return true
  }

  /** Takes all that is there. */
  drain(): ReadonlyArray<Message> {
    const taken = this.#waiting
    this.#waiting = []
    return taken
  }

  /** Takes what is left; nothing can be put in any more. */
  close(): ReadonlyArray<Message> {
    this.#isClosed = true
    return this.drain()
  }

  /** Waits until something is there. It is taken afterwards, so that an interrupted wait loses nothing. */
  readonly filled: Effect.Effect<void> = Effect.callback<void>((resume) => {
    if (this.#waiting.length > 0) return resume(Effect.void)
    this.#wake = () => resume(Effect.void)
    return Effect.sync(() => {
      this.#wake = undefined
    })
  })
}
