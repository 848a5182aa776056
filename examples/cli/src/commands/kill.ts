/** `holdfast kill`: ends a session. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import { json as printJson, line } from "../output/Output.ts"
import { settings } from "../Settings.ts"
import { sessionArgument } from "../store/FindSession.ts"

/** `holdfast kill`. */
export const kill = Command.make(
  "kill",
  {
    session: sessionArgument,
    force: Flag.Boolean("force").pipe(
      Flag.withAlias("f"),
      Flag.withDescription("At once, without asking the program first"),
      Flag.withDefault(false),
      Flag.withoutNegation
    )
  },
  Effect.fnUntraced(function* ({ force, session }) {
    const { json, store } = yield* settings
    const { withSession } = yield* Effect.promise(() => import("../session/WithOwner.ts"))
    const { endText } = yield* Effect.promise(() => import("../session/SessionEnding.ts"))
    yield* withSession(store, session, (client, { sessionId }, id) =>
      Effect.gen(function* () {
        const end = yield* client.Close({ sessionId, force })
        yield* json ? printJson({ sessionId, ...end }) : line(`Session ${id} has ended: ${endText(end)}`)
      })
    )
  })
).pipe(
  Command.withDescription(
    "End a session and everything that it started: politely, and by force after 5 s. Waits until it has ended"
  ),
  Command.withShortDescription("End a session and everything that it started")
)
