/** `holdfast answer`: answers a question that an agent waits for. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { settings } from "../Settings.ts"
import { sessionArgument } from "../store/FindSession.ts"
import { requestFlag } from "./approve.ts"

/** `holdfast answer`. */
export const answer = Command.make(
  "answer",
  {
    session: sessionArgument,
    request: requestFlag,
    dismiss: Flag.Boolean("dismiss").pipe(
      Flag.withDescription("Give no answer"),
      Flag.withDefault(false),
      Flag.withoutNegation
    ),
    answers: Argument.String("answer").pipe(
      Argument.withDescription("One for each question, in order: an option's text or number, or your own words"),
      Argument.variadic()
    )
  },
  Effect.fnUntraced(function* ({ answers, dismiss, request, session }) {
    const { json, store } = yield* settings
    const { answerQuestion } = yield* Effect.promise(() => import("../session/AnswerRequest.ts"))
    yield* answerQuestion({ store, json }, session, Option.getOrUndefined(request), dismiss ? undefined : answers)
  })
).pipe(
  Command.withDescription("Answer what an agent asks; without an answer, the questions are shown"),
  Command.withShortDescription("Answer a question that an agent waits for"),
  Command.withExamples([
    { command: "holdfast answer 0199a3c4 Blue", description: "Choose an option by its text" },
    { command: "holdfast answer 0199a3c4 2 1,3", description: "Two questions; several options of the second" }
  ])
)
