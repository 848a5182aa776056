/** `holdfast vacuum`: gives freed space back. */
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { json as printJson, line } from "../output/Output.ts"
import { size } from "../output/Text.ts"
import { settings } from "../Settings.ts"

/** `holdfast vacuum`. */
export const vacuum = Command.make(
  "vacuum",
  {},
  Effect.fnUntraced(function* () {
    const { json, store } = yield* settings
    const { withOwner } = yield* Effect.promise(() => import("../session/WithOwner.ts"))
    const { openReader } = yield* Effect.promise(() => import("../store/Reader.ts"))
    yield* Effect.scoped(
      Effect.gen(function* () {
        const log = yield* openReader(store)
        const before = (yield* log.stats).bytes
        yield* withOwner(store, (client) => client.Vacuum())
        const after = (yield* log.stats).bytes
        yield* json
          ? printJson({ bytesBefore: before, bytesAfter: after })
          : line(`The log takes ${size(after)} now, ${size(before)} before`)
      })
    )
  })
).pipe(Command.withDescription("Give space that was freed back to the disk; sessions go on meanwhile"))
