/**
 * The breaker before a provider, shared by all sessions whose sandboxes it makes: pure, and told the time. After too many
 * failures in a row nobody is let through for a while; then one try decides for all.
 */
import type { SandboxPolicy } from "./LifecycleTypes.ts"

/** The breaker. Times are in milliseconds since 1970. */
export type BreakerState =
  | { readonly status: "closed"; readonly failures: number }
  /** Nobody is let through before `until`; the first after it decides. */
  | { readonly status: "open"; readonly until: number }
  /** One try is under way. Past `until` it counts as none: whoever made it is gone. */
  | { readonly status: "halfOpen"; readonly until: number }

/** What the breaker lives by. */
export type BreakerPolicy = Pick<SandboxPolicy, "breakerFailures" | "breakerCooldownMs" | "spawnTimeoutMs">

/** A breaker before anything failed. */
export const closedBreaker: BreakerState = { status: "closed", failures: 0 }

/** Whether somebody may try now. `probe`: the try decides for all, and whoever makes it says what came of it. */
export const admitSpawn = (
  breaker: BreakerState,
  now: number,
  policy: BreakerPolicy
): { readonly admitted: boolean; readonly probe: boolean; readonly breaker: BreakerState } => {
  if (breaker.status === "closed") return { admitted: true, probe: false, breaker }
  if (now < breaker.until) return { admitted: false, probe: false, breaker }
  return { admitted: true, probe: true, breaker: { status: "halfOpen", until: now + policy.spawnTimeoutMs } }
}

/** The provider made a sandbox: it works. */
export const spawnSucceeded = (breaker: BreakerState): BreakerState =>
  breaker.status === "closed" && breaker.failures === 0 ? breaker : closedBreaker

/** The provider failed in a way that is its own. What fails of what was under way before it opened changes nothing. */
export const spawnBroke = (breaker: BreakerState, probe: boolean, now: number, policy: BreakerPolicy): BreakerState => {
  if (breaker.status !== "closed") {
    return probe ? { status: "open", until: now + policy.breakerCooldownMs } : breaker
  }
  const failures = breaker.failures + 1
  return failures >= policy.breakerFailures
    ? { status: "open", until: now + policy.breakerCooldownMs }
    : { status: "closed", failures }
}

/** The try that was to decide was given up, or says nothing of the provider: the next one decides. */
export const probeGivenUp = (breaker: BreakerState, now: number): BreakerState =>
  breaker.status === "halfOpen" ? { status: "open", until: now } : breaker
