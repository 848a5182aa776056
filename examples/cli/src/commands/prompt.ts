/** `holdfast prompt`: says something to an agent. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import { settings } from "../Settings.ts"
import { sessionArgument } from "../store/FindSession.ts"

/** The words of a prompt. */
export const promptArgument = Argument.String("prompt").pipe(
  Argument.withDescription("What to say; default: what comes through a pipe"),
  Argument.variadic()
)

/** `holdfast prompt`. */
export const prompt = Command.make(
  "prompt",
  {
    session: sessionArgument,
    steer: Flag.Boolean("steer").pipe(
      Flag.withDescription("Into the turn that runs, instead of after it"),
      Flag.withDefault(false),
      Flag.withoutNegation
    ),
    detach: Flag.Boolean("detach").pipe(
      Flag.withAlias("d"),
      Flag.withDescription("Return once the prompt is recorded, and do not wait for its turn"),
      Flag.withDefault(false),
      Flag.withoutNegation
    ),
    prompt: promptArgument
  },
  Effect.fnUntraced(function* ({ detach, prompt, session, steer }) {
    const { json, store } = yield* settings
    const { sendPrompt } = yield* Effect.promise(() => import("../session/SendPrompt.ts"))
    yield* sendPrompt({ store, json, detach, steer }, session, prompt)
  })
).pipe(
  Command.withDescription(
    "Send a prompt to an agent's session, wake it if it rests, and show the turn until it ends. The exit code is 0 where " +
      "the turn completed, 5 where it failed, 130 where it was interrupted; Ctrl-C interrupts it"
  ),
  Command.withShortDescription("Say something to an agent and show what it does"),
  Command.withExamples([
    { command: 'holdfast prompt 0199a3c4 "now run the tests"', description: "Go on with a session" },
    { command: 'holdfast prompt 0199a3c4 --steer "only the unit tests"', description: "Say it into the running turn" }
  ])
)
