/** `holdfast gc`: deletes what is old. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import { parseDuration } from "../output/Duration.ts"
import { settings } from "../Settings.ts"

/** `holdfast gc`. */
export const gc = Command.make(
  "gc",
  {
    archivedOlderThan: Flag.String("archived-older-than").pipe(
      Flag.withMetavar("time"),
      Flag.withDescription("Delete archived sessions that have been quiet for so long, such as 12h or 30d"),
      Flag.withDefault("30d")
    ),
    dryRun: Flag.Boolean("dry-run").pipe(
      Flag.withDescription("Only say what would be deleted"),
      Flag.withDefault(false),
      Flag.withoutNegation
    )
  },
  Effect.fnUntraced(function* ({ archivedOlderThan, dryRun }) {
    const { json, store } = yield* settings
    const archivedOlderThanMs = yield* parseDuration("--archived-older-than", archivedOlderThan)
    const { collectGarbage } = yield* Effect.promise(() => import("../session/CollectGarbage.ts"))
    yield* collectGarbage(store, { json, archivedOlderThanMs, dryRun })
  })
).pipe(
  Command.withDescription("Delete archived sessions that are old, with all their events"),
  Command.withShortDescription("Delete old archived sessions"),
  Command.withExamples([{ command: "holdfast gc --archived-older-than 7d --dry-run", description: "What would go?" }])
)
