/** Errors as every endpoint answers them: `application/problem+json` with core's problem details (RFC 9457). */
import { type Problem, type ProblemKind, problemStatus } from "@holdfast/core"
import { Data, Schema } from "effect"
import { HttpApiMiddleware } from "effect/http-api"
import type { ApiError } from "./ProblemOf.ts"

/** A request that is answered with a problem. */
export class Refused extends Data.TaggedError("Refused")<{ readonly problem: Problem }> {
  override get message() {
    return this.problem.detail
  }
}

const about: { readonly [K in ProblemKind]: string } = {
  invalid: "A value is not valid: `field` names it. Also the answer to what is no HTTP or no JSON.",
  unauthenticated: "No token, or one that is wrong, expired or revoked.",
  forbidden: "Your role does not allow it, or this origin or host may not call.",
  not_found: "There is no such thing for you.",
  illegal_state: "It makes no sense in the state in which the session is.",
  too_large: "The body is larger than the server takes.",
  unsupported: "The session's backend cannot do it.",
  busy: "Too many of something: try again later.",
  internal: "A fault in the server; its log has more.",
  unavailable: "The log or a backend cannot serve now."
}

const pascal = (kind: string) => kind.replaceAll(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase())

/** The schema of one kind's problem. */
const problemSchema = (kind: ProblemKind, status: number = problemStatus[kind], description = about[kind]) =>
  Schema.Struct({
    type: Schema.Literal(`urn:holdfast:problem:${kind}`),
    kind: Schema.Literal(kind),
    title: Schema.String,
    status: Schema.Literal(status),
    detail: Schema.String.annotate({ description: "What happened and what to do, for people." }),
    field: Schema.optionalKey(Schema.String.annotate({ description: "Path of the bad value: `command.data.title`." })),
    retryAfterMs: Schema.optionalKey(Schema.Int)
  }).annotate({
    identifier: `${pascal(kind)}Problem${status === problemStatus[kind] ? "" : status}`,
    description,
    httpApiStatus: status,
    "~httpApiEncoding": { _tag: "Json", contentType: "application/problem+json" }
  })

const kinds = Object.keys(problemStatus) as ReadonlyArray<ProblemKind>

/** Of a condition (`If-Match`, `If-None-Match`) that does not hold. */
const preconditionFailed = problemSchema("illegal_state", 412, "The file is not what the condition says (any more).")

/** Of a body that is of another type than the endpoint takes. */
const unsupportedMedia = problemSchema("invalid", 415, "The body is of a type that this endpoint does not take.")

/**
 * Turns every failure of an endpoint into a problem. Endpoints fail with what the parts of the server fail with; the
 * schemas are what the OpenAPI document says of the answer.
 */
export class Problems extends HttpApiMiddleware.Service<Problems>()("@holdfast/server/Problems", {
  error: [...kinds.map((kind) => problemSchema(kind)), preconditionFailed, unsupportedMedia] as unknown as Schema.Codec<
    ApiError,
    Problem
  >
}) {}
