/** How adapters read what agents say: what nothing can go on without is required, and nothing else breaks anything. */
import { Effect, Option, Schema } from "effect"

const absent = Effect.succeed(Option.some(undefined))

/**
 * A field of a struct that counts as absent where it is missing, null or of another shape, so that another version's enums
 * and types break nothing.
 */
export const lenient = <A>(schema: Schema.Codec<A, unknown>) =>
  Schema.optionalKey(Schema.UndefinedOr(schema).pipe(Schema.catchDecoding(() => absent)))
