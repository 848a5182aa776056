/** Answers a permission or a question that an agent waits for. */
import type { CommandBody } from "@holdfast/core"
import * as Effect from "effect/Effect"
import { usage } from "../ExitCode.ts"
import { json as printJson, line } from "../output/Output.ts"
import { findSession } from "../store/FindSession.ts"
import { openReader } from "../store/Reader.ts"
import { shortId } from "../store/ShortId.ts"
import {
  answering,
  type Approval,
  approval,
  chooseRequest,
  type OpenRequest,
  openRequests,
  titleOf
} from "./OpenRequests.ts"
import { withOwner } from "./WithOwner.ts"

/** Where the log is, and how to say what was done. */
export interface AnswerOptions {
  readonly store: string
  readonly json: boolean
}

/** Answers a permission. */
export const approvePermission = (options: AnswerOptions, asked: string, named: string | undefined, how: Approval) =>
  answerOne(options, asked, "permission", named, (request) => approval(request.data, how))

/** Answers a question with texts, or dismisses it. */
export const answerQuestion = (
  options: AnswerOptions,
  asked: string,
  named: string | undefined,
  given: ReadonlyArray<string> | undefined
) =>
  answerOne(options, asked, "question", named, ({ data }) =>
    given === undefined
      ? Effect.succeed<CommandBody>({
          type: "question.answer",
          data: { requestId: data.requestId, outcome: { outcome: "cancelled" } }
        })
      : data.questions.some(({ secret }) => secret === true) && given.length > 0
        ? usage("what it asks for is secret and would stay in your shell's history: answer it with holdfast attach")
        : answering(data, given)
  )

const answerOne = <K extends OpenRequest["kind"], E>(
  { json, store }: AnswerOptions,
  asked: string,
  kind: K,
  named: string | undefined,
  toCommand: (request: Extract<OpenRequest, { readonly kind: K }>) => Effect.Effect<CommandBody, E>
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const log = yield* openReader(store)
      const { sessionId } = yield* findSession(log, asked)
      const id = yield* shortId(log, sessionId)
      const request = yield* chooseRequest(yield* openRequests(log, sessionId), kind, named, id)
      const command = yield* toCommand(request)
      const { lastSeq } = yield* withOwner(store, (client) => client.Command({ sessionId, command: command as never }))
      const { requestId } = request.data
      yield* json
        ? printJson({
            sessionId,
            requestId,
            outcome: (command.data as { readonly outcome: unknown }).outcome,
            seq: lastSeq
          })
        : line(`Session ${id} has its answer: ${titleOf(request)}`)
    })
  )
