/** Waits for a session's sandbox and says meanwhile how far it is: what commands do before they show such a session. */
import type { EventRecord, SessionId } from "@holdfast/core"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { EndWith, exitCodes, Refused } from "../ExitCode.ts"
import { makeLiveLine } from "../output/LiveLine.ts"
import { note } from "../output/Output.ts"
import { endBy } from "../owner/AttachedStream.ts"
import type { OwnerClient } from "../owner/OwnerClient.ts"
import { hint, keepsRunning } from "../session/SessionEnding.ts"
import { takeInterrupts } from "../Signals.ts"
import { sandboxText } from "./sandboxText.ts"

/** How long ending a session that has not started may take, in milliseconds: its sandbox is removed first. */
const endMs = 30_000

/** Which session. */
export interface Awaited {
  readonly sessionId: SessionId
  /** Its short form, for messages. */
  readonly id: string
  /** The last event before the opening that is waited for. */
  readonly after: number
  /** What Ctrl-C does meanwhile: it ends a session that was just made, and leaves one that had been there. */
  readonly onInterrupt: "end" | "leave"
}

type Outcome = { readonly opened: true } | { readonly opened: false; readonly reason: string }

const outcomeOf = (record: EventRecord): Outcome | undefined => {
  if (record.type === "backend.opened" || record.type === "backend.resumed") return { opened: true }
  const end = endBy(record)
  return end === undefined ? undefined : { opened: false, reason: end.reason }
}

/** Completes when it is open; fails with the reason where it cannot be. */
export const awaitSandbox = (client: OwnerClient, { after, id, onInterrupt, sessionId }: Awaited) =>
  Effect.gen(function* () {
    const interrupted = yield* Deferred.make<void>()
    const outcome = yield* Effect.scoped(
      Effect.gen(function* () {
        yield* takeInterrupts(() => Deferred.doneUnsafe(interrupted, Effect.void))
        const say = yield* makeLiveLine
        let outcome: Outcome | undefined
        const follow = client.Events({ sessionId, after }).pipe(
          Stream.tap((item) => {
            if (item.kind !== "events") return Effect.void
            outcome = item.events.map(outcomeOf).find((one) => one !== undefined)
            // Also of what is open by now: what a log of this says must not hang on how fast it went.
            const texts = item.events.map(sandboxText).filter((one) => one !== undefined)
            return Effect.forEach(texts, say, { discard: true })
          }),
          Stream.takeUntil(() => outcome !== undefined),
          Stream.runDrain,
          Effect.map((): Outcome => outcome ?? { opened: false, reason: "its log can be read no more" })
        )
        return yield* Effect.raceFirst(follow, Effect.as(Deferred.await(interrupted), undefined))
      })
    ).pipe(Effect.onInterrupt(() => hint(keepsRunning(id))))
    if (outcome === undefined) return yield* onInterrupt === "end" ? endUnstarted(client, sessionId, id) : leave(id)
    if (outcome.opened) return
    return yield* new Refused({
      code: exitCodes.unavailable,
      detail: `session ${id} could not be opened: ${outcome.reason}`
    })
  })

const leave = (id: string) =>
  Effect.andThen(note(`holdfast: ${keepsRunning(id)}`), Effect.fail(new EndWith({ code: exitCodes.interrupted })))

/** Ends it with its sandbox, or says that this takes too long. */
const endUnstarted = Effect.fnUntraced(function* (client: OwnerClient, sessionId: SessionId, id: string) {
  yield* note("holdfast: stopping; the sandbox is removed")
  const ended = yield* client.Close({ sessionId, force: true }).pipe(
    // It has ended by itself meanwhile.
    Effect.catchTag("CommandRejected", () => Effect.void),
    Effect.timeoutOption(endMs)
  )
  if (ended._tag === "None") yield* note(`holdfast: session ${id} is still being ended; holdfast ls shows it`)
  return yield* new EndWith({ code: exitCodes.interrupted })
})
