/** `holdfast approve`: answers a permission that an agent waits for. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { usage } from "../ExitCode.ts"
import { settings } from "../Settings.ts"
import { sessionArgument } from "../store/FindSession.ts"

/** Names one of several requests. */
export const requestFlag = Flag.String("request").pipe(
  Flag.withMetavar("id"),
  Flag.withDescription("Which one, where several wait; a beginning of its id is enough"),
  Flag.optional
)

/** `holdfast approve`. */
export const approve = Command.make(
  "approve",
  {
    session: sessionArgument,
    request: requestFlag,
    always: Flag.Boolean("always").pipe(
      Flag.withDescription("This and all like it"),
      Flag.withDefault(false),
      Flag.withoutNegation
    ),
    reject: Flag.Boolean("reject").pipe(Flag.withDescription("No"), Flag.withDefault(false), Flag.withoutNegation),
    option: Flag.String("option").pipe(
      Flag.withMetavar("option"),
      Flag.withDescription("One of what is offered, by its id or number"),
      Flag.optional
    )
  },
  Effect.fnUntraced(function* ({ always, option, reject, request, session }) {
    const { json, store } = yield* settings
    if ([always, reject, Option.isSome(option)].filter(Boolean).length > 1) {
      return yield* usage("--always, --reject and --option exclude each other")
    }
    const { approvePermission } = yield* Effect.promise(() => import("../session/AnswerRequest.ts"))
    yield* approvePermission({ store, json }, session, Option.getOrUndefined(request), {
      always,
      reject,
      option: Option.getOrUndefined(option)
    })
  })
).pipe(
  Command.withDescription("Allow what an agent asks permission for, once; or always, or not at all"),
  Command.withShortDescription("Answer a permission that an agent waits for"),
  Command.withExamples([
    { command: "holdfast approve 0199a3c4", description: "Allow it once" },
    { command: "holdfast approve 0199a3c4 --reject", description: "Do not allow it" }
  ])
)
