/** `holdfast interrupt`: stops the turn that runs. */
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { json as printJson, line } from "../output/Output.ts"
import { settings } from "../Settings.ts"
import { sessionArgument } from "../store/FindSession.ts"

/** `holdfast interrupt`. */
export const interrupt = Command.make(
  "interrupt",
  { session: sessionArgument },
  Effect.fnUntraced(function* ({ session }) {
    const { json, store } = yield* settings
    const { withSession } = yield* Effect.promise(() => import("../session/WithOwner.ts"))
    yield* withSession(store, session, (client, { sessionId }, id) =>
      Effect.gen(function* () {
        const command = { type: "turn.interrupt", data: {} }
        const { lastSeq } = yield* client.Command({ sessionId, command })
        yield* json ? printJson({ sessionId, seq: lastSeq }) : line(`Session ${id} stops its turn`)
      })
    )
  })
).pipe(Command.withDescription("Stop the turn of an agent that runs; the session goes on"))
