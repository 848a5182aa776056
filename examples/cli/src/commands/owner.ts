/** Not for people: what the background owner of a store runs. See ../owner/OwnerProcess.ts. */
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { settings } from "../Settings.ts"

/** `holdfast owner`. */
export const owner = Command.make(
  "owner",
  {},
  Effect.fnUntraced(function* () {
    const { store } = yield* settings
    const { ownerProcess } = yield* Effect.promise(() => import("../owner/OwnerProcess.ts"))
    yield* ownerProcess(store)
  })
).pipe(Command.withDescription("Own a store in the background (started by other commands)"), Command.unlisted)
