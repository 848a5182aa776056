/** Shows the turn of one prompt as it happens: as text for people, or each event as the log has it. */
import { encodeRecord, type EventRecord, type PromptId, type SessionId } from "@holdfast/core"
import { makePlainFace } from "@holdfast/terminal-face"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { EndWith, exitCodes } from "../ExitCode.ts"
import { note, write } from "../output/Output.ts"
import type { OwnerClient } from "../owner/OwnerClient.ts"
import { takeInterrupts } from "../Signals.ts"
import { oneLine } from "../output/Text.ts"
import { watchPrompt } from "./WatchPrompt.ts"

/** What to show, and how. */
export interface ShownSession {
  readonly sessionId: SessionId
  /** Its short form, for messages. */
  readonly id: string
  readonly json: boolean
}

/**
 * Shows everything from `after` on until the prompt's turn has ended, and gives its end. Ctrl-C interrupts the turn, a second
 * one leaves it to itself.
 */
export const showPrompt = (
  client: OwnerClient,
  { id, json, sessionId }: ShownSession,
  promptId: PromptId,
  after: number
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const face = makePlainFace({ colour: process.stdout.isTTY === true && process.stdout.hasColors() })
      // Two: what comes after the second has nobody to tell.
      const interrupts = yield* Queue.sliding<void>(2)
      yield* takeInterrupts(() => void Queue.offerUnsafe(interrupts, undefined))

      const show = (events: ReadonlyArray<EventRecord>) => {
        const text = json
          ? events.map((record) => `${encodeRecord(record)}\n`).join("")
          : face.show(events.filter((record) => !isAside(record)))
        return Effect.andThen(
          text === "" ? Effect.void : write(text),
          Effect.forEach(events, (record) => sayAside(record, id), { discard: true })
        )
      }
      const leave = Effect.gen(function* () {
        yield* Queue.take(interrupts)
        yield* note("\nholdfast: interrupting the turn; Ctrl-C again leaves it to itself")
        // Between turns there is nothing to interrupt: then the prompt is taken back, or its turn interrupted once it runs.
        yield* Effect.catchTag(
          client.Command({ sessionId, command: { type: "turn.interrupt", data: {} } }),
          "CommandRejected",
          () =>
            Effect.catchTag(
              client.Command({ sessionId, command: { type: "prompt.withdraw", data: { promptId } } }),
              "CommandRejected",
              ({ message }) => note(`holdfast: ${message}`)
            )
        )
        yield* Queue.take(interrupts)
        yield* note(`holdfast: session ${id} goes on; to go back: holdfast attach ${id}`)
        return yield* new EndWith({ code: exitCodes.interrupted })
      })
      const end = yield* Effect.raceFirst(watchPrompt(client, sessionId, promptId, after, { show }), leave)
      const rest = json ? "" : face.end()
      if (rest !== "") yield* write(rest)
      return end
    })
  )

/** What is no part of the answer: warnings, and errors that the turn's end does not tell. */
const isAside = ({ type }: EventRecord): boolean => type === "backend.noted"

/** Says on stderr what is no part of the answer; and that the session waits for somebody, with what to do. */
const sayAside = ({ data, type }: EventRecord, id: string): Effect.Effect<void> => {
  switch (type) {
    case "backend.noted":
      return data["level"] === "info" ? Effect.void : note(`holdfast: ${oneLine(String(data["message"]))}`)
    case "permission.requested":
      return note(`holdfast: it waits for a permission: holdfast approve ${id}, or holdfast approve ${id} --reject`)
    case "question.asked":
      return note(`holdfast: it waits for an answer: holdfast answer ${id}`)
    default:
      return Effect.void
  }
}
