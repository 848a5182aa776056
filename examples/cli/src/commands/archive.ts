/** `holdfast archive`: takes a session out of the list. */
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { json as printJson, line } from "../output/Output.ts"
import { settings } from "../Settings.ts"
import { sessionArgument } from "../store/FindSession.ts"

/** `holdfast archive`. */
export const archive = Command.make(
  "archive",
  { session: sessionArgument },
  Effect.fnUntraced(function* ({ session }) {
    const { json, store } = yield* settings
    const { withSession } = yield* Effect.promise(() => import("../session/WithOwner.ts"))
    yield* withSession(store, session, (client, { sessionId }, id) =>
      Effect.gen(function* () {
        const { lastSeq } = yield* client.Command({
          sessionId,
          command: { type: "session.archive", data: {} }
        })
        yield* json
          ? printJson({ sessionId, archived: true, seq: lastSeq })
          : line(`Session ${id} is archived: holdfast ls --all shows it, holdfast gc deletes it after its time`)
      })
    )
  })
).pipe(
  Command.withDescription("Take a session out of the list; it stays in the log until gc deletes it"),
  Command.withShortDescription("Take a session out of the list")
)
