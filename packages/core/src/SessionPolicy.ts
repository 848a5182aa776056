/** The times and counts by which a session lives. All have defaults; a host overrides what it wants. Milliseconds. */

/** The policy. */
export interface SessionPolicy {
  /** How long a permission or question waits before its default takes the answer's place. Default 10 minutes. */
  readonly requestTimeoutMs: number
  /** How long opening a backend may take. Default 60 s. */
  readonly openTimeoutMs: number
  /** How long a polite close may take before force. Default 5 s. */
  readonly closeGraceMs: number
  /** How long, past its grace, a close may take before the session is closed without the backend's word. Default 10 s. */
  readonly closeTimeoutMs: number
  /** How long suspending may take. Default 60 s. */
  readonly suspendTimeoutMs: number
  /** How long a turn may take to end after an interrupt, before the backend is given up. Default 30 s. */
  readonly interruptTimeoutMs: number
  /** How long after a delivered prompt its turn must have started. Default 60 s. */
  readonly turnStartTimeoutMs: number
  /** Most openings in a row without success, the first included. Default 3. */
  readonly maxAttempts: number
  /** Wait before the second opening; doubles with each, up to 30 s. Default 500 ms. */
  readonly retryDelayMs: number
  /** Most times that a prompt is returned by the backend before it is withdrawn. Default 3. */
  readonly maxPromptReturns: number
}

/** The defaults. */
export const defaultPolicy: SessionPolicy = {
  requestTimeoutMs: 600_000,
  openTimeoutMs: 60_000,
  closeGraceMs: 5_000,
  closeTimeoutMs: 10_000,
  suspendTimeoutMs: 60_000,
  interruptTimeoutMs: 30_000,
  turnStartTimeoutMs: 60_000,
  maxAttempts: 3,
  retryDelayMs: 500,
  maxPromptReturns: 3
}

/** Longest wait between two openings: 30 s. */
export const maxRetryDelayMs = 30_000

/** The wait before opening number `attempt` (2, 3 …). */
export const retryDelay = (policy: SessionPolicy, attempt: number): number =>
  Math.min(maxRetryDelayMs, policy.retryDelayMs * 2 ** Math.max(0, attempt - 2))
