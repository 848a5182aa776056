/** Errors of turns in core's words. */
import { boundRaw, type ReportedError } from "@holdfast/core"
import type { TurnError } from "./CodexWire.ts"

/** Most characters of an error's message: a model server's whole page may be in it. */
const maxMessage = 4_096

/**
 * Whether the same prompt can succeed later, by `codexErrorInfo`. Those that carry an HTTP status are judged by it.
 *
 * | code | can a later try help |
 * | --- | --- |
 * | `rateLimitExceeded`, `serverOverloaded`, `internalServerError`, `flexUnavailable`, `policyCapacityUnavailable` | yes |
 * | `httpConnectionFailed`, `responseStreamConnectionFailed`, `responseStreamDisconnected`, `responseTooManyFailedAttempts` | without a status, or with 408, 409, 425, 429 or 5xx |
 * | `contextWindowExceeded`, `sessionBudgetExceeded`, `usageLimitExceeded`, `modelNotFound`, `unauthorized`, `badRequest` | no: something has to change first |
 * | `cyberPolicy`, `misalignmentPolicyViolation`, `inferenceHookDenied`, `tooManyDenials`, `sandboxError`, `threadRollbackFailed`, `activeTurnNotSteerable` | no |
 * | `other` | where the message begins with "stream disconnected": dropped connections have no code of their own |
 * | any other | no |
 */
const retryableCodes: ReadonlySet<string> = new Set([
  "rateLimitExceeded",
  "serverOverloaded",
  "internalServerError",
  "flexUnavailable",
  "policyCapacityUnavailable"
])

/** Codes after which a later try does not help, or not as things are. Only named to be told from codes that are not known. */
const lastingCodes: ReadonlySet<string> = new Set([
  "contextWindowExceeded",
  "sessionBudgetExceeded",
  "usageLimitExceeded",
  "modelNotFound",
  "unauthorized",
  "badRequest",
  "cyberPolicy",
  "misalignmentPolicyViolation",
  "inferenceHookDenied",
  "tooManyDenials",
  "sandboxError",
  "threadRollbackFailed",
  "activeTurnNotSteerable"
])

/** The codes that are judged by themselves, to be compared with those that there are. */
export const judgedCodes: ReadonlyArray<string> = [...retryableCodes, ...lastingCodes]

/** Codes with a status: they say that a connection failed, and the status says whether it was the server's word. */
export const connectionCodes: ReadonlySet<string> = new Set([
  "httpConnectionFailed",
  "responseStreamConnectionFailed",
  "responseStreamDisconnected",
  "responseTooManyFailedAttempts"
])

/** Statuses below 500 after which the same request may succeed. */
const passing: ReadonlySet<number> = new Set([408, 409, 425, 429])

const isRetryable = (code: string | undefined, status: number | undefined, message: string): boolean => {
  if (code === undefined || code === "other") return message.startsWith("stream disconnected")
  if (connectionCodes.has(code)) return status === undefined || status >= 500 || passing.has(status)
  return retryableCodes.has(code)
}

/** A turn's error, as Codex tells it in `error` and in `turn/completed`; `raw` is its own shape. */
export const reportError = (error: TurnError): ReportedError => {
  const { code, status } = readInfo(error.codexErrorInfo)
  const said = error.message ?? error.additionalDetails ?? "Codex gave no reason"
  const details = error.additionalDetails
  const message = details === undefined || details === said ? said : `${said}: ${details}`
  return {
    message: message.length > maxMessage ? `${message.slice(0, maxMessage - 1)}…` : message,
    ...(code === undefined ? {} : { code }),
    retryable: isRetryable(code, status, said),
    raw: boundRaw(error)
  }
}

/** A code is a text, or the one key of an object that holds its details. */
const readInfo = (info: unknown): { readonly code?: string; readonly status?: number } => {
  if (typeof info === "string") return { code: info }
  if (typeof info !== "object" || info === null) return {}
  const [code, details] = Object.entries(info)[0] ?? []
  if (code === undefined) return {}
  const status: unknown =
    typeof details === "object" && details !== null
      ? (details as { httpStatusCode?: unknown }).httpStatusCode
      : undefined
  return { code, ...(typeof status === "number" ? { status } : {}) }
}
