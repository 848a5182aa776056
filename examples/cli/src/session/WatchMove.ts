/** Waits for a session's move and says meanwhile how far it is; Ctrl-C calls it off. */
import { type EventRecord, readEvent, type SessionId } from "@holdfast/core"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { makeLiveLine } from "../output/LiveLine.ts"
import { oneLine } from "../output/Text.ts"
import type { OwnerClient } from "../owner/OwnerClient.ts"
import { takeInterrupts } from "../Signals.ts"

/** How long a move that is called off may take to say so, in milliseconds: what it has made is taken back first. */
const calledOffMs = 60_000

/** What is watched. */
export interface WatchedMove {
  readonly sessionId: SessionId
  /** The last event before it. */
  readonly after: number
  /** What happens at first. */
  readonly begun: string
}

/** Moves it. Gives where in the log that was; undefined where it was called off. Fails with the reason where it failed. */
export const watchMove = (
  client: OwnerClient,
  { after, begun, sessionId }: WatchedMove,
  asked: Parameters<OwnerClient["Handoff"]>[0]
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const interrupted = yield* Deferred.make<void>()
      yield* takeInterrupts(() => Deferred.doneUnsafe(interrupted, Effect.void))
      const say = yield* makeLiveLine
      yield* say(begun)
      /** How it went, by the log: where it was moved, or not. */
      const verdict = yield* Deferred.make<number | undefined>()
      let isUnderWay = false
      const look = (record: EventRecord): Effect.Effect<unknown> => {
        if (record.type === "session.moved") return Deferred.succeed(verdict, record.seq)
        const step = stepOf(record)
        if (step?.code === "handoff_failed") return Deferred.succeed(verdict, undefined)
        if (step?.code !== "handoff_step") return Effect.void
        isUnderWay = true
        return say(oneLine(step.message))
      }
      yield* client.Events({ sessionId, after }).pipe(
        Stream.runForEach((item) => (item.kind === "events" ? Effect.forEach(item.events, look) : Effect.void)),
        // The call itself says what is wrong.
        Effect.ignore,
        Effect.forkScoped
      )
      const call = yield* Effect.forkScoped(client.Handoff(asked))
      const receipt = yield* Effect.raceFirst(Fiber.join(call), Effect.as(Deferred.await(interrupted), undefined))
      if (receipt !== undefined) return receipt.lastSeq
      yield* say("calling it off")
      yield* Fiber.interrupt(call)
      // It may have happened in the same moment.
      if (!isUnderWay) return undefined
      return Option.getOrUndefined(yield* Effect.timeoutOption(Deferred.await(verdict), calledOffMs))
    })
  )

const stepOf = (record: EventRecord): { readonly code?: string; readonly message: string } | undefined => {
  const read = record.type === "backend.noted" ? readEvent(record) : undefined
  return read?.kind === "known" && read.event.type === "backend.noted" ? read.event.data : undefined
}
