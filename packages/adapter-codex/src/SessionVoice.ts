/** What a session tells: bounded on its way to the runtime, and watched by whoever waits for something in it. */
import { type BackendEvent, BackendLost, type BackendSession, makeBackendOutbox, type PromptId } from "@holdfast/core"
import { Effect } from "effect"
import { type EventWatch, makeEventWatch } from "./EventWatch.ts"
import type { ServerOutput } from "./ServerOutput.ts"

/**
 * Milliseconds that a full outbox may hold up the server, and with it all sessions on it: 20,000. Past it the session counts as
 * lost, and the others go on.
 */
const maxHoldMs = 20_000

/** A voice. */
export interface SessionVoice {
  readonly events: BackendSession["events"]
  readonly watch: EventWatch
  /** Tells, in order. Nothing more after the end. */
  readonly tell: (events: ReadonlyArray<BackendEvent>) => void
  /** Ends the stream. The first of `end` and `lose` counts. */
  readonly end: () => void
  readonly lose: (error: BackendLost) => void
  readonly isOver: () => boolean
}

/** Makes a voice; `fork` runs what watches over it. */
export const makeSessionVoice = (
  backend: string,
  output: Pick<ServerOutput, "hold" | "letGo">,
  fork: (effect: Effect.Effect<void>) => void
): SessionVoice => {
  const watch = makeEventWatch()
  const holder = {}
  let holds = 0
  let isOver = false
  let begunBy: PromptId | undefined

  /** The start of a prompt's turn tells that it was delivered, and its message tells it once more. */
  const isNews = (event: BackendEvent): boolean => {
    if (event.type === "turn.started") begunBy = event.data.promptId
    return event.type !== "prompt.delivered" || event.data.promptId !== begunBy
  }

  const outbox = makeBackendOutbox({
    onFull: () => {
      holds += 1
      output.hold(holder)
      fork(giveUp(holds))
    },
    onDrain: () => {
      holds += 1
      output.letGo(holder)
    }
  })

  const giveUp = (hold: number) =>
    Effect.andThen(
      Effect.sleep(maxHoldMs),
      Effect.sync(() => {
        if (hold === holds) lose(new BackendLost({ backend, reason: "nobody takes its events", retryable: true }))
      })
    )

  const over = () => {
    isOver = true
    output.letGo(holder)
  }
  const lose = (error: BackendLost) => {
    over()
    outbox.fail(error)
    watch.end(error)
  }

  return {
    events: outbox.stream,
    watch,
    tell: (events) => {
      if (isOver) return
      const news = events.filter(isNews)
      if (news.length > 0) outbox.push(news)
      watch.see(events)
    },
    end: () => {
      over()
      outbox.end()
      watch.end(new BackendLost({ backend, reason: "the session is over", retryable: false }))
    },
    lose,
    isOver: () => isOver
  }
}
