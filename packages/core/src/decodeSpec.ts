/** What a host wants to run, decoded by a backend's own schema. */
import { Effect, Schema, SchemaIssue } from "effect"
import { SpecInvalid } from "./Backend.ts"

const reword = (message: string): string =>
  message
    .replace(/^Expected no excess property/, "no such field")
    .replace(/^Missing key/, "a value")
    .replace(/^Expected /, "")

const issuesOf = SchemaIssue.makeFormatterStandardSchemaV1()

/**
 * Decodes a spec, unknown fields refused. The error names the field of the first issue, `spec` where it is the whole, and
 * what was expected of it.
 */
export const decodeSpec = <A, I>(
  backend: string,
  schema: Schema.Codec<A, I>
): ((input: unknown) => Effect.Effect<A, SpecInvalid>) => {
  const decoded = Schema.decodeUnknownEffect(schema, { onExcessProperty: "error" })
  return (input) =>
    decoded(input).pipe(
      Effect.mapError((error) => {
        const issue = issuesOf(error.issue).issues[0]
        const path = (issue?.path ?? []).map((key) => String(typeof key === "object" ? key.key : key))
        const field = path.length === 0 ? "spec" : path.join(".")
        return new SpecInvalid({ backend, field, expected: reword(issue?.message ?? error.message) })
      })
    )
}
