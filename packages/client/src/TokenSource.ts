/** Where tokens come from: one that is given, or a function that is asked again. */
import { ClientError, clientError } from "./ClientError.ts"

/** How long the app's function may take. */
const tokenTimeoutMs = 30_000

/** Tokens of one client. Calls at the same time share one question to the app. */
export class TokenSource {
  readonly #given: string | (() => string | Promise<string>) | undefined
  #known: string | undefined
  #asking: Promise<string> | undefined

  constructor(given: string | (() => string | Promise<string>) | undefined) {
    this.#given = given
    if (typeof given === "string") this.#known = given
  }

  /** Whether another token can be had. */
  get renews(): boolean {
    return typeof this.#given === "function"
  }

  /** The newest token that is known, or a new one; undefined where there is none to be had. */
  current(): Promise<string | undefined> {
    return this.#known === undefined ? this.fresh() : Promise.resolve(this.#known)
  }

  /** Asks the app for a token. Rejects with a {@link ClientError} where it has none. */
  fresh(): Promise<string | undefined> {
    const given = this.#given
    if (typeof given !== "function") return Promise.resolve(this.#known)
    this.#asking ??= this.#ask(given).finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  /** The server does not take it (any more). */
  forget(token: string | undefined): void {
    if (this.renews && token === this.#known) this.#known = undefined
  }

  async #ask(give: () => string | Promise<string>): Promise<string> {
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(
        () => reject(clientError("unauthenticated", `no token was given within ${tokenTimeoutMs / 1000} seconds`)),
        tokenTimeoutMs
      )
    })
    try {
      const token = await Promise.race([give(), late])
      if (typeof token !== "string" || token === "") throw new Error("it is not a text")
      this.#known = token
      return token
    } catch (error) {
      if (error instanceof ClientError) throw error
      throw clientError("unauthenticated", `no token could be had: ${messageOf(error)}`, { cause: error })
    } finally {
      clearTimeout(timer)
    }
  }
}

/** What a thrown value says. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
