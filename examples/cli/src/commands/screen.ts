/** `holdfast screen`: what a session's terminal shows, or showed. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { settings } from "../Settings.ts"
import { sessionArgument } from "../store/FindSession.ts"
import { seqFlag } from "./log.ts"

/** `holdfast screen`. */
export const screen = Command.make(
  "screen",
  {
    session: sessionArgument,
    at: seqFlag("at", "As of this event; default: the last").pipe(Flag.optional),
    ansi: Flag.Boolean("ansi").pipe(
      Flag.withDescription("With colours and cursor, for a terminal of the same size"),
      Flag.withDefault(false),
      Flag.withoutNegation
    )
  },
  Effect.fnUntraced(function* ({ ansi, at, session }) {
    const { json, store } = yield* settings
    const { printScreen } = yield* Effect.promise(() => import("../session/PrintScreen.ts"))
    yield* printScreen(store, session, {
      format: json ? "json" : ansi ? "ansi" : "text",
      at: Option.getOrUndefined(at)
    })
  })
).pipe(
  Command.withDescription(
    "Print what a session's terminal shows, now or as of any event; --json adds cursor and modes"
  ),
  Command.withShortDescription("Print what a session's terminal shows, or showed"),
  Command.withExamples([{ command: "holdfast screen 0199a3c4 --at 120", description: "The screen as of event 120" }])
)
