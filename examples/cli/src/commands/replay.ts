/** `holdfast replay`: plays a session. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { usage } from "../ExitCode.ts"
import { settings } from "../Settings.ts"
import { sessionArgument } from "../store/FindSession.ts"
import { seqFlag } from "./log.ts"

const positive = (name: string) =>
  [(n: number) => n > 0, (n: number) => `--${name} takes a number above 0, and not ${n}`] as const

/** `holdfast replay`. */
export const replay = Command.make(
  "replay",
  {
    session: sessionArgument,
    speed: Flag.Finite("speed").pipe(
      Flag.withMetavar("x"),
      Flag.withDescription("How many times as fast as it was; default 1"),
      Flag.filter(...positive("speed")),
      Flag.withDefault(1)
    ),
    from: seqFlag("from", "Begin with the screen as of this event").pipe(Flag.withDefault(0)),
    idleLimit: Flag.Finite("idle-limit").pipe(
      Flag.withMetavar("seconds"),
      Flag.withDescription("Make pauses no longer than this"),
      Flag.filter(...positive("idle-limit")),
      Flag.optional
    )
  },
  Effect.fnUntraced(function* ({ from, idleLimit, session, speed }) {
    const { json, store } = yield* settings
    if (json)
      return yield* usage("replay plays a terminal and has no JSON; holdfast export --format jsonl has the events")
    const { playSession } = yield* Effect.promise(() => import("../session/PlaySession.ts"))
    const idleLimitMs = Option.getOrElse(idleLimit, () => Number.POSITIVE_INFINITY) * 1000
    yield* playSession(store, session, { speed, from, idleLimitMs })
  })
).pipe(
  Command.withDescription("Play a session as it was, in this terminal; q or Ctrl-C stops"),
  Command.withShortDescription("Play a session as it was"),
  Command.withExamples([{ command: "holdfast replay 0199a3c4 --speed 4 --idle-limit 1", description: "In a hurry" }])
)
