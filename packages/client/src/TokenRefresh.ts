/** Gets another token before the one of a connection expires, and hands it to the server. */
import type { TokenSource } from "./TokenSource.ts"

/** How long before its end a token is replaced: a minute, or a fifth of what is left of a shorter life. */
const leadMs = 60_000

/** Shortest pause before the app is asked again, after it had no new token. */
const againMs = 1_000

/** Longest that a timer of the platform can wait. */
const maxTimerMs = 2_147_483_647

/** The refreshing of one connection's token at a time. */
export class TokenRefresh {
  readonly #tokens: TokenSource
  readonly #hand: (token: string) => void
  #timer: ReturnType<typeof setTimeout> | undefined
  #run = 0
  #sent: string | undefined

  constructor(tokens: TokenSource, hand: (token: string) => void) {
    this.#tokens = tokens
    this.#hand = hand
  }

  /** The server takes `token` for so many milliseconds from now; null without end, or where it did not say which. */
  begin(token: string | undefined, remainingMs: number | null): void {
    this.stop()
    this.#sent = token
    this.#until(remainingMs)
  }

  /** The server took the token that was handed to it. */
  taken(remainingMs: number | null): void {
    this.stop()
    this.#until(remainingMs)
  }

  stop(): void {
    this.#run++
    clearTimeout(this.#timer)
  }

  #until(remainingMs: number | null): void {
    if (remainingMs === null || !this.#tokens.renews) return
    const end = performance.now() + remainingMs
    this.#at(end, Math.max(0, remainingMs - Math.min(leadMs, remainingMs / 5)))
  }

  #at(end: number, inMs: number): void {
    const run = this.#run
    this.#timer = setTimeout(
      () => {
        if (inMs > maxTimerMs) this.#at(end, inMs - maxTimerMs)
        else void this.#refresh(run, end)
      },
      Math.min(inMs, maxTimerMs)
    )
  }

  async #refresh(run: number, end: number): Promise<void> {
    let token: string | undefined
    try {
      token = await this.#tokens.fresh()
    } catch {
      // Asked again below. Once the token has expired the server closes the connection, and says why.
    }
    if (run !== this.#run) return
    if (token !== undefined && token !== this.#sent) {
      this.#sent = token
      return this.#hand(token)
    }
    const left = end - performance.now()
    if (left > 0) this.#at(end, Math.max(againMs, left / 4))
  }
}
