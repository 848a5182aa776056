/** `holdfast attach`: back to a session that runs. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import { usage } from "../ExitCode.ts"
import { settings } from "../Settings.ts"
import { sessionArgument } from "../store/FindSession.ts"
import { detachKeyFlag } from "./run.ts"

/** `holdfast attach`. */
export const attach = Command.make(
  "attach",
  {
    session: sessionArgument,
    readOnly: Flag.Boolean("read-only").pipe(
      Flag.withDescription("Only look: nothing that is typed reaches the program, and it keeps its size"),
      Flag.withDefault(false),
      Flag.withoutNegation
    ),
    detachKey: detachKeyFlag
  },
  Effect.fnUntraced(function* ({ detachKey, readOnly, session }) {
    const { json, store } = yield* settings
    if (json)
      return yield* usage("attach shows a terminal and has no JSON; holdfast log --follow --json has the events")
    const { attachSession } = yield* Effect.promise(() => import("../session/AttachSession.ts"))
    yield* attachSession({ store, detachKey, readOnly }, session)
  })
).pipe(
  Command.withDescription("Show a session that runs and type into it; Ctrl-\\ leaves it running"),
  Command.withShortDescription("Show a session that runs and type into it")
)
