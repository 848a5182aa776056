/** Every event of a session from a cursor on, as an async iterable over one subscription. */
import type { Followed, SessionId } from "@holdfast/core"
import { ClientError } from "./ClientError.ts"
import type { Subscription } from "./Subscription.ts"
import type { Subscriptions } from "./Subscriptions.ts"

/** Iterates; each iteration is a subscription of its own. What was given is taken when the next is asked for. */
export const followEvents = (
  subscriptions: Subscriptions,
  sessionId: SessionId,
  after: number,
  signal: AbortSignal | undefined
): AsyncIterable<Followed> => ({
  [Symbol.asyncIterator]: () => {
    const subscription = subscriptions.subscribe(sessionId, { after }, "bytes")
    const stop = () => subscription.close()
    if (signal?.aborted === true) stop()
    signal?.addEventListener("abort", stop, { once: true })
    const pages = take(subscription, () => {
      signal?.removeEventListener("abort", stop)
      stop()
    })
    return {
      next: () => pages.next(),
      // A generator that waits hears of its end only when it goes on.
      return: () => {
        stop()
        return pages.return()
      }
    }
  }
})

async function* take(subscription: Subscription, end: () => void): AsyncGenerator<Followed, void, void> {
  try {
    for (;;) {
      const delivery = await subscription.next()
      if (delivery === undefined) return
      const { arrived } = delivery
      if (arrived.kind === "ended") throw new ClientError(arrived.problem)
      if (arrived.kind === "page") {
        const { page } = arrived
        yield page
        if (page.answer === "gap" && page.reason === "removed") return
        // Servers leave the marker out where the page itself says that there is no more.
        if (page.answer !== "caught-up" && page.cursor >= page.head) {
          yield { answer: "caught-up", cursor: page.cursor }
        }
      }
      subscription.taken(delivery)
    }
  } finally {
    end()
  }
}
