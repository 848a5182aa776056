/** Errors of the server's parts in core's words for them, whichever face answers. */
import {
  type BackendLost,
  type BackendRefused,
  type CommandRejected,
  describeIssue,
  type EventInvalid,
  type LogUnavailable,
  type Problem,
  problem,
  type SessionNotFound,
  type SpecInvalid
} from "@holdfast/core"
import type { ScreenUnavailable } from "@holdfast/runtime"
import { Predicate } from "effect"
import { HttpServerError, type Multipart } from "effect/http"
import { HttpApiError } from "effect/http-api"
import type { AuthUnavailable, Unauthenticated } from "../auth/JwtRefusal.ts"
import type { RevocationFailed } from "../auth/RevocationStore.ts"
import type { WorkspaceError } from "../workspace/Workspace.ts"
import type { Refused } from "./Problems.ts"

/** What an endpoint may fail with; each has its problem. */
export type ApiError =
  | AuthUnavailable
  | BackendLost
  | BackendRefused
  | CommandRejected
  | EventInvalid
  | LogUnavailable
  | Multipart.MultipartError
  | Refused
  | RevocationFailed
  | ScreenUnavailable
  | SessionNotFound
  | SpecInvalid
  | Unauthenticated
  | WorkspaceError

/** What a stranger may be told of a fault: its details are in the server's log. */
const fault = problem("internal", "something went wrong in the server; its log says what")

/** Of a body past its limit. */
export const tooLarge = problem("too_large", "the body is larger than this server takes")

/** Of a body that is to be JSON. */
export const notJson = problem("invalid", "the body is not JSON")

const slots: { readonly [kind: string]: string } = { Query: "the query", Params: "the path", Headers: "the headers" }

const schemaProblem = (error: HttpApiError.HttpApiSchemaError): Problem => {
  if (error.kind === "Body" || error.kind === "ResponseHeaders") return fault
  const where = slots[error.kind] ?? "the body"
  if (error.cause.message.startsWith("Expected a valid JSON body")) return notJson
  const issue = describeIssue("", error.cause.message)
  const expected = issue.expected.replace("a string representing a finite number", "a number")
  const path = issue.field.replace(/^\./, "")
  return path === ""
    ? problem("invalid", `${where} is not what it must be: expected ${expected}`)
    : problem("invalid", `${path} of ${where} is not valid: expected ${expected}`, { field: path })
}

const formProblem = ({ reason }: Multipart.MultipartError): Problem => {
  if (reason._tag === "InternalError") return fault
  return reason._tag === "Parse" ? problem("invalid", "the body is not the form that it must be") : tooLarge
}

const workspaceProblem = ({ detail, path, reason }: WorkspaceError): Problem => {
  switch (reason) {
    case "invalid":
    case "outside":
    case "not_a_file":
    case "not_a_directory":
      return problem("invalid", detail, { field: "path" })
    case "no_workspace":
    case "not_found":
    case "no_program":
      return problem("not_found", detail)
    case "exists":
    case "changed":
      return { ...problem("illegal_state", detail), status: 412 }
    case "not_empty":
      return problem("illegal_state", detail)
    case "too_large":
      return problem("too_large", detail)
    case "denied":
      return problem("forbidden", detail)
    case "busy":
      return problem("busy", detail, { retryAfterMs: 1_000 })
    case "full":
      return problem("unavailable", detail)
    case "unsupported":
      return problem("unsupported", detail)
    default:
      return problem("internal", path === "" ? detail : `${detail} (${path})`)
  }
}

const byTag: { readonly [T in ApiError["_tag"]]: (error: Extract<ApiError, { readonly _tag: T }>) => Problem } = {
  AuthUnavailable: ({ detail, retryAfterMs }) => problem("unavailable", detail, { retryAfterMs }),
  BackendLost: ({ message }) => problem("unavailable", message, { retryAfterMs: 5_000 }),
  BackendRefused: ({ message, retryable }) =>
    retryable ? problem("busy", message, { retryAfterMs: 1_000 }) : problem("unsupported", message),
  CommandRejected: ({ field, message, reason }) => problem(reason, message, field === undefined ? {} : { field }),
  EventInvalid: ({ field, message }) => problem("invalid", message, { field }),
  LogUnavailable: ({ message, reason }) =>
    problem("unavailable", reason === "io" ? "the log cannot serve now" : message, { retryAfterMs: 5_000 }),
  MultipartError: formProblem,
  Refused: (error) => error.problem,
  RevocationFailed: ({ message }) => problem("unavailable", message),
  ScreenUnavailable: ({ message, reason }) =>
    problem(reason === "out-of-range" ? "invalid" : "not_found", message, { field: "at" }),
  SessionNotFound: ({ message }) => problem("not_found", message),
  SpecInvalid: ({ field, message }) =>
    problem("invalid", message, { field: field === "spec" ? field : `spec.${field}` }),
  Unauthenticated: ({ detail, retryAfterMs }) =>
    retryAfterMs === undefined ? problem("unauthenticated", detail) : problem("busy", detail, { retryAfterMs }),
  WorkspaceError: workspaceProblem
}

/**
 * The problem of an error: `internal` for what none of the parts means to fail with. It says nothing that its reader may
 * not know.
 */
export const problemOf = (error: unknown): Problem => {
  if (HttpApiError.HttpApiSchemaError.is(error)) return schemaProblem(error)
  if (HttpApiError.HttpApiPayloadTooLarge.is(error)) return tooLarge
  if (HttpServerError.isHttpServerError(error)) {
    const { reason } = error
    if (reason._tag === "RouteNotFound") return problem("not_found", "there is nothing under this path")
    if (reason._tag !== "RequestParseError") return fault
    return reason.reason === "BodyTooLarge" ? tooLarge : problem("invalid", "the request could not be read")
  }
  const tag = Predicate.hasProperty(error, "_tag") ? error._tag : undefined
  return typeof tag === "string" && Object.hasOwn(byTag, tag) ? byTag[tag as ApiError["_tag"]](error as never) : fault
}
