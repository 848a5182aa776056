/** `holdfast log`: the events of a session. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { settings } from "../Settings.ts"
import { sessionArgument } from "../store/FindSession.ts"

/** A flag for a place in a log. */
export const seqFlag = (name: string, description: string) =>
  Flag.Int(name).pipe(
    Flag.withMetavar("seq"),
    Flag.withDescription(description),
    Flag.filter(
      (seq) => seq >= 0,
      (seq) => `--${name} takes the number of an event, and not ${seq}`
    )
  )

/** `holdfast log`. */
export const log = Command.make(
  "log",
  {
    session: sessionArgument,
    after: seqFlag("after", "Begin behind this event; default: at the first").pipe(Flag.withDefault(0)),
    limit: Flag.Int("limit").pipe(
      Flag.withMetavar("n"),
      Flag.withDescription("At most n events"),
      Flag.filter(
        (n) => n >= 1,
        (n) => `--limit takes a number from 1 on, and not ${n}`
      ),
      Flag.optional
    ),
    follow: Flag.Boolean("follow").pipe(
      Flag.withAlias("f"),
      Flag.withDescription("Stay and print what comes, until the session ends"),
      Flag.withDefault(false),
      Flag.withoutNegation
    )
  },
  Effect.fnUntraced(function* ({ after, follow, limit, session }) {
    const { json, store } = yield* settings
    const { printLog } = yield* Effect.promise(() => import("../session/PrintLog.ts"))
    yield* printLog(store, session, {
      json,
      after,
      follow,
      limit: Option.getOrElse(limit, () => Number.POSITIVE_INFINITY)
    })
  })
).pipe(
  Command.withDescription(
    "Print a session's events, one a line; --json prints each as the log has it, bytes as base64"
  ),
  Command.withShortDescription("Print a session's events"),
  Command.withExamples([
    { command: "holdfast log 0199a3c4 --follow --after 120", description: "Go on where a reader stopped" }
  ])
)
