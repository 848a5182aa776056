/** How much of a subscription's frames may be under way. Nothing waits behind it: without credit nothing is read. */
import { Effect } from "effect"

/** Bytes that a client has said it can take. */
export class CreditWindow {
  readonly size: number
  #credit: number
  #opened: (() => void) | undefined

  constructor(size: number) {
    this.size = size
    this.#credit = size
  }

  /** Bytes that were sent and not taken yet. */
  get underWay(): number {
    return this.size - this.#credit
  }

  get isOpen(): boolean {
    return this.#credit > 0
  }

  /** A frame was sent. One alone may take more than there is, so that a large one passes. */
  take(bytes: number): void {
    this.#credit -= bytes
  }

  /** The client took so many bytes. It cannot make the window larger than it is. */
  give(bytes: number): void {
    this.#credit = Math.min(this.size, this.#credit + bytes)
    if (!this.isOpen) return
    const opened = this.#opened
    this.#opened = undefined
    opened?.()
  }

  /** Waits until something may be sent. One fiber at a time. */
  readonly open: Effect.Effect<void> = Effect.suspend(() =>
    this.isOpen
      ? Effect.void
      : Effect.callback<void>((resume) => {
          this.#opened = () => resume(Effect.void)
          return Effect.sync(() => (this.#opened = undefined))
        })
  )
}
