/** A limit of failures by address: who guesses is told to wait. What succeeds is not counted and not limited. */
import { Duration, Effect } from "effect"
import { RateLimiter } from "effect/persistence"
import { createHash, randomBytes } from "node:crypto"
import { isIP } from "node:net"

/** Failures of one address in a minute, before it is told to wait. */
export const maxFailures = 10

/**
 * Counters. Addresses share them by a keyed hash, so that a flood from made-up addresses takes no more memory; who shares
 * one with a guesser is told to wait for their own failures, and for nothing else.
 */
const counters = 4_096

/** Counts failures. */
export interface FailureLimit {
  /** Counts one; gives the milliseconds to wait where there were too many. */
  readonly count: (what: "token" | "start", address: string) => Effect.Effect<number | undefined>
}

/** Makes the limit, over Effect's `RateLimiter`. */
export const makeFailureLimit: Effect.Effect<FailureLimit> = Effect.gen(function* () {
  const limiter = yield* RateLimiter.make
  const salt = randomBytes(16)
  return {
    count: (what: "token" | "start", address: string) => {
      const hash = createHash("sha256").update(salt).update(networkOf(address)).digest()
      const key = `${what}:${hash.readUInt32BE(0) % counters}`
      return limiter.consume({ key, limit: maxFailures, window: "1 minute", onExceeded: "fail" }).pipe(
        Effect.as(undefined),
        Effect.catch(({ reason }) =>
          reason._tag === "RateLimitExceeded"
            ? Effect.succeed(Math.max(1, Math.ceil(Duration.toMillis(reason.retryAfter))))
            : Effect.die(reason)
        )
      )
    }
  }
}).pipe(Effect.provide(RateLimiter.layerStoreMemory))

/** An IPv4 address, or the 64 bits of an IPv6 address that a network gives to one customer. */
export const networkOf = (address: string): string => {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  if (isIP(address) !== 6) return address
  const [head = "", tail] = address.replace(/%.*$/, "").toLowerCase().split("::")
  const groups = head === "" ? [] : head.split(":")
  const rest = tail === undefined || tail === "" ? [] : tail.split(":")
  const filled = tail === undefined ? groups : [...groups, ...Array(8 - groups.length - rest.length).fill("0"), ...rest]
  return filled
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":")
}
