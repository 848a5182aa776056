/** `holdfast rename`: another title for a session. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { json as printJson, line } from "../output/Output.ts"
import { settings } from "../Settings.ts"
import { sessionArgument } from "../store/FindSession.ts"

/** `holdfast rename`. */
export const rename = Command.make(
  "rename",
  { session: sessionArgument, title: Argument.String("title").pipe(Argument.withDescription("Its new title")) },
  Effect.fnUntraced(function* ({ session, title }) {
    const { json, store } = yield* settings
    const { withSession } = yield* Effect.promise(() => import("../session/WithOwner.ts"))
    yield* withSession(store, session, (client, { sessionId }, id) =>
      Effect.gen(function* () {
        const { lastSeq } = yield* client.Command({
          sessionId,
          command: { type: "session.rename", data: { title } }
        })
        yield* json ? printJson({ sessionId, title, seq: lastSeq }) : line(`Session ${id} is called ${title}`)
      })
    )
  })
).pipe(Command.withDescription("Give a session another title"))
