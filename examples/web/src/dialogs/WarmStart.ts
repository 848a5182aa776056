/**
 * Starts the session that a dialog is going to ask for while the rest of it is still being filled in: a sandbox takes seconds, a
 * clone longer. What the dialog asks for after all is that session; what it does not is ended and removed.
 */
import type { ClientSession, HoldfastClient } from "@holdfast/client"
import type { AskedSession } from "./specOf.ts"

/** Milliseconds that a choice has to rest before anything is started for it. */
const restMs = 700

/** Sessions that one dialog starts ahead at most: whoever keeps changing their mind waits at the end instead. */
const maxStarts = 3

/** How long the end of a session that nobody wants is waited for, in milliseconds; past it its log stays in the list. */
const endTimeoutMs = 60_000

/** One dialog's. */
export class WarmStart {
  readonly #client: Pick<HoldfastClient, "create">
  readonly #onProblem: (error: unknown) => void
  #waits: { readonly key: string; readonly timer: ReturnType<typeof setTimeout> } | undefined
  #started: { readonly key: string; readonly session: Promise<ClientSession | undefined> } | undefined
  #starts = 0

  constructor(client: Pick<HoldfastClient, "create">, onProblem: (error: unknown) => void) {
    this.#client = client
    this.#onProblem = onProblem
  }

  /** What would be asked for now; null where that is not worth a sandbox yet. The same again changes nothing. */
  want(asked: AskedSession | null): void {
    const key = asked === null ? undefined : JSON.stringify(asked)
    if (key === this.#waits?.key) return
    this.#stopWaiting()
    if (asked === null || key === undefined || key === this.#started?.key || this.#starts >= maxStarts) return
    this.#waits = { key, timer: setTimeout(() => this.#start(key, asked), restMs) }
  }

  /** Hands over what was started, if it is what is asked for. Undefined: it has to be made. */
  async take(asked: AskedSession): Promise<ClientSession | undefined> {
    this.#stopWaiting()
    if (this.#started?.key !== JSON.stringify(asked)) return undefined
    const { session } = this.#started
    this.#started = undefined
    return session
  }

  /** Ends what nobody has taken: the dialog is gone. */
  leave(): void {
    this.#stopWaiting()
    const left = this.#started?.session
    this.#started = undefined
    if (left === undefined) return
    left.then((session) => (session === undefined ? undefined : endAndRemove(session))).catch(this.#onProblem)
  }

  #start(key: string, asked: AskedSession): void {
    this.leave()
    this.#starts++
    // Whatever is wrong with it is told to who asks for it in earnest.
    this.#started = { key, session: this.#client.create(asked).catch(() => undefined) }
  }

  #stopWaiting(): void {
    clearTimeout(this.#waits?.timer)
    this.#waits = undefined
  }
}

const endAndRemove = async (session: ClientSession): Promise<void> => {
  await session.closeSession({ force: true, reason: "it was not wanted after all" })
  const view = session.view()
  const timer = setTimeout(() => view.close(), endTimeoutMs)
  try {
    for await (const { phase, state } of view) {
      if (phase === "gone") return
      if (state?.chart.lifecycle === "closed") break
    }
  } finally {
    clearTimeout(timer)
    view.close()
  }
  await session.remove()
}
