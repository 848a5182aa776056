/** `holdfast stats`: what the log weighs. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import { settings } from "../Settings.ts"

/** `holdfast stats`. */
export const stats = Command.make(
  "stats",
  {
    top: Flag.Int("top").pipe(
      Flag.withMetavar("n"),
      Flag.withDescription("How many of the largest sessions to show; default 5"),
      Flag.filter(
        (n) => n >= 0,
        (n) => `--top takes a number from 0 on, and not ${n}`
      ),
      Flag.withDefault(5)
    )
  },
  Effect.fnUntraced(function* ({ top }) {
    const { json, store } = yield* settings
    const { printStats } = yield* Effect.promise(() => import("../session/PrintStats.ts"))
    yield* printStats(store, json, top)
  })
).pipe(Command.withDescription("Show what the log holds and weighs, and its largest sessions"))
