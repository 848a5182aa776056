/** What E2B's answers and its SDK's exceptions mean for us. No credential gets into an error, whoever wrote the text. */
import type { ProviderFailure, SandboxProviderError } from "@holdfast/core/cloud"
import type { ErrorFacts, Fail } from "../provider/ProviderErrors.ts"

/** Longest `Retry-After` that is believed, in seconds: a day. */
const maxRetryAfter = 86_400

/** Milliseconds of a `Retry-After` header, seconds or a date. Undefined where there is none that makes sense. */
export const readRetryAfter = (header: string | null, now: number): number | undefined => {
  if (header === null) return undefined
  const date = / GMT\s*$/.test(header) ? Date.parse(header) : Number.NaN
  const seconds = /^\s*\d+\s*$/.test(header) ? Number(header) : (date - now) / 1_000
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), maxRetryAfter) * 1_000 : undefined
}

/** An HTTP status of the API that is no success. */
export const failureOfStatus = (status: number): ProviderFailure => {
  switch (status) {
    case 400:
    case 413:
    case 422:
      return "invalid"
    case 401:
    case 403:
      return "forbidden"
    case 404:
      return "not_found"
    case 402:
    case 507:
      return "exhausted"
    case 408:
    case 504:
      return "timeout"
    case 429:
      return "rate_limited"
    // A sandbox that is being snapshotted, moved or ended: it is soon over.
    case 409:
      return "unavailable"
    default:
      return status >= 500 ? "unavailable" : "unexpected"
  }
}

/** The names of the SDK's exceptions; it says nothing else that a program could read. */
const failureOfName: Readonly<Record<string, ProviderFailure>> = {
  AuthenticationError: "forbidden",
  FileNotFoundError: "not_found",
  InvalidArgumentError: "invalid",
  NotEnoughSpaceError: "exhausted",
  NotFoundError: "not_found",
  RateLimitError: "rate_limited",
  // The edge does not know the sandbox, which a moment before the API did: it ends or is not routed yet.
  SandboxNotFoundError: "unavailable",
  ServiceBusyError: "unavailable",
  TypeError: "unavailable"
}

const failureOfException = (error: Error): ProviderFailure => {
  if (error.name === "TimeoutError") {
    // One class for two things: a deadline, and an edge that cannot reach the sandbox (502).
    return /deadline|timeoutMs' — the total/i.test(error.message) ? "timeout" : "unavailable"
  }
  if (/permission denied|operation not permitted|read-only file system/i.test(error.message)) return "forbidden"
  return (
    failureOfName[error.name] ?? (/^50[0-4]\b|terminated|socket/i.test(error.message) ? "unavailable" : "unexpected")
  )
}

/** Takes credentials out of what people will read. */
export type Scrub = (text: string) => string

/** Scrubs these. Each is opaque and long, so nothing else is ever hit; shorter ones are no credentials. */
export const makeScrub = (secrets: ReadonlyArray<string | undefined>): Scrub => {
  const found = secrets.filter((secret): secret is string => secret !== undefined && secret.length >= 8)
  return (text) => found.reduce((scrubbed, secret) => scrubbed.replaceAll(secret, "[secret]"), text)
}

/** An exception of the SDK. Its own text is kept as the cause, without what it may have beside it. */
export const failedBy = (fail: Fail, scrub: Scrub, thrown: unknown): SandboxProviderError => {
  if (!(thrown instanceof Error)) return fail("unexpected", scrub(String(thrown)))
  const inner = thrown.cause instanceof Error ? `${thrown.message}: ${thrown.cause.message}` : thrown.message
  const cause = new Error(scrub(inner))
  cause.name = thrown.name
  return fail(failureOfException(thrown), cause.message, { cause })
}

/** An answer that is no success. */
export const refusedBy = (
  fail: Fail,
  scrub: Scrub,
  { detail, retryAfter, status }: { readonly status: number; readonly detail: string; readonly retryAfter?: number }
): SandboxProviderError => {
  const facts: ErrorFacts = retryAfter === undefined ? {} : { retryAfterMs: retryAfter }
  return fail(failureOfStatus(status), `E2B answered ${status}: ${scrub(detail)}`, facts)
}
