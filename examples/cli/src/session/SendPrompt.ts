/** Sends a prompt to a session and shows its turn: what `holdfast prompt` does. */
import type { PromptId, SessionId } from "@holdfast/core"
import * as Effect from "effect/Effect"
import { exitCodes, Refused, usage } from "../ExitCode.ts"
import { json as printJson, line } from "../output/Output.ts"
import type { OwnerClient } from "../owner/OwnerClient.ts"
import { promptText } from "./PromptText.ts"
import { showPrompt } from "./ShowPrompt.ts"
import { endAsTurn } from "./WatchPrompt.ts"
import { withSession } from "./WithOwner.ts"

/** How to send it. */
export interface SendOptions {
  readonly store: string
  readonly json: boolean
  /** Only record it. */
  readonly detach: boolean
  readonly steer: boolean
}

/** Sends it. */
export const sendPrompt = ({ detach, json, steer, store }: SendOptions, asked: string, words: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const text = yield* promptText(words)
    if (text === undefined) return yield* usage('there is nothing to say: holdfast prompt <session> "…"')
    yield* withSession(store, asked, (client, { sessionId, turnId }, id) =>
      Effect.gen(function* () {
        if (steer && turnId === null) {
          return yield* new Refused({
            code: exitCodes.refused,
            detail: `no turn runs in session ${id}: send the prompt without --steer`
          })
        }
        const receipt = yield* queuePrompt(client, sessionId, text, steer ? turnId : null)
        if (detach) {
          return yield* json
            ? printJson({ sessionId, promptId: receipt.commandId, seq: receipt.lastSeq })
            : line(receipt.commandId)
        }
        yield* endAsTurn(
          yield* showPrompt(
            client,
            { sessionId, id, json },
            receipt.commandId as string as PromptId,
            receipt.firstSeq - 1
          )
        )
      })
    )
  })

/** Queues it, or steers the turn that is named. */
export const queuePrompt = (client: OwnerClient, sessionId: SessionId, text: string, turnId: string | null) =>
  client.Command({
    sessionId,
    command: {
      type: "prompt.send",
      data: {
        content: [{ type: "text", text }],
        ...(turnId === null ? {} : { delivery: "steer", turnId })
      }
    }
  })
