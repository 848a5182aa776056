/** Makes a provider's errors, and gives its calls their deadlines. */
import { type ProviderFailure, retryableFailures, SandboxProviderError } from "@holdfast/core/cloud"
import { Effect } from "effect"

/** What an error says beside its kind. */
export interface ErrorFacts {
  readonly cause?: unknown
  readonly retryAfterMs?: number
}

/** Makes the errors of one provider's operation. */
export type Fail = (failure: ProviderFailure, detail: string, facts?: ErrorFacts) => SandboxProviderError

/** Longest detail of an error, in UTF-16 units: programs and engines write pages at times. */
const maxDetail = 1_000

/** The errors of `provider` in `operation`. */
export const failing =
  (provider: string, operation: string): Fail =>
  (failure, detail, { cause, retryAfterMs } = {}) =>
    new SandboxProviderError({
      provider,
      operation,
      failure,
      detail: detail.length > maxDetail ? `${detail.slice(0, maxDetail)}…` : detail,
      retryable: retryableFailures.has(failure),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...(cause === undefined ? {} : { cause })
    })

/** Deadlines of providers' calls, in milliseconds. */
export const providerDeadlines = {
  /** Questions that are answered from memory or a few files. */
  ask: 30_000,
  /** Making a sandbox from what is there. */
  create: 120_000,
  /** Copying a file system. */
  copy: 300_000,
  /** Writing or reading one file of at most 64 MiB. */
  file: 120_000,
  destroy: 30_000,
  /** Runs are given this much more than their own deadline, to end what was started. */
  execExtra: 30_000
} as const

/** Gives a call its deadline. */
export const within =
  (fail: Fail, ms: number) =>
  <A, E, R>(call: Effect.Effect<A, E, R>): Effect.Effect<A, E | SandboxProviderError, R> =>
    Effect.timeoutOrElse(call, {
      duration: ms,
      orElse: () => Effect.fail(fail("timeout", `it did not end within ${ms / 1_000} s`))
    })

/** The error of a system call on files. */
export const fileFailure = (fail: Fail, cause: unknown, what: string): SandboxProviderError => {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code
  if (code === "ENOSPC" || code === "EDQUOT") return fail("exhausted", `${what}: the disk is full`, { cause })
  if (code === "EACCES" || code === "EPERM") return fail("forbidden", `${what}: not allowed (${code})`, { cause })
  return fail("unexpected", `${what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
}
