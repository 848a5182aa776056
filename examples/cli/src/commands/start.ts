/** `holdfast start`: what `npm run tour` runs. A recorded shell where somebody sits at a terminal, a tour elsewhere. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import { settings } from "../Settings.ts"
import { isInteractive } from "../terminal/LocalTerminal.ts"

/** `holdfast start`. */
export const start = Command.make(
  "start",
  {
    tour: Flag.Boolean("tour").pipe(
      Flag.withDescription("The tour, also on a terminal"),
      Flag.withDefault(false),
      Flag.withoutNegation
    )
  },
  Effect.fnUntraced(function* ({ tour }) {
    const { store } = yield* settings
    if (tour || !isInteractive() || process.env["CI"]) {
      const { takeTour } = yield* Effect.promise(() => import("../tour/Tour.ts"))
      return yield* takeTour
    }
    const { recordShell } = yield* Effect.promise(() => import("../session/RecordShell.ts"))
    yield* recordShell(store)
  })
).pipe(
  Command.withDescription("Open a recorded shell; without a terminal, show in a few seconds what holdfast does"),
  Command.withShortDescription("Open a recorded shell, or take the tour")
)
