/** Problem details (RFC 9457): how every face of a server says what went wrong. */
import * as Schema from "effect/Schema"

/** The kinds of problems, and the HTTP status of each. */
export const problemStatus = {
  /** A field is not what it must be; `field` names it. */
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  /** The session, prompt or request is in a state in which this makes no sense. */
  illegal_state: 409,
  too_large: 413,
  /** The backend cannot do it. */
  unsupported: 422,
  /** Too many of something: try again, where `retryAfterMs` is given after that time. */
  busy: 429,
  internal: 500,
  /** The log or a backend cannot serve now. */
  unavailable: 503
} as const
export type ProblemKind = keyof typeof problemStatus

const kinds = Object.keys(problemStatus) as ReadonlyArray<ProblemKind>

/** What went wrong. `type` is `urn:holdfast:problem:` and the kind. */
export const Problem = Schema.Struct({
  type: Schema.String,
  kind: Schema.Literals(kinds),
  title: Schema.String,
  status: Schema.Int,
  /** What happened and what to do, for people. */
  detail: Schema.String,
  field: Schema.optionalKey(Schema.String),
  retryAfterMs: Schema.optionalKey(Schema.Int)
})
export type Problem = typeof Problem.Type

const titles: { readonly [K in ProblemKind]: string } = {
  invalid: "A value is not valid",
  unauthenticated: "Who you are is not known",
  forbidden: "You may not do this",
  not_found: "There is no such thing",
  illegal_state: "This makes no sense now",
  too_large: "This is too large",
  unsupported: "The backend cannot do this",
  busy: "Too much at once",
  internal: "A fault in the server",
  unavailable: "Not available now"
}

/** Makes a problem. */
export const problem = (
  kind: ProblemKind,
  detail: string,
  more: { readonly field?: string; readonly retryAfterMs?: number } = {}
): Problem => ({
  type: `urn:holdfast:problem:${kind}`,
  kind,
  title: titles[kind],
  status: problemStatus[kind],
  detail,
  ...more
})
