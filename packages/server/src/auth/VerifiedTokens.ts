/** Tokens whose signature was found good a moment ago: looking at it again costs a third of a millisecond, at every request. */
import { Effect } from "effect"
import type { Vouched } from "./OutsideTokens.ts"

/** Tokens that are remembered: 1,000; past it the one that was used longest ago is forgotten. */
const capacity = 1_000

/**
 * How long a token counts as verified, in milliseconds: 30 s, and never past its expiry. So long a key that its issuer has taken
 * back may still be good for a token that was seen before. Revocations are looked at each time, and count at once.
 */
export const verifiedMs = 30_000

interface Verified {
  readonly vouched: Vouched
  readonly at: number
}

/** Remembers what `verify` found good. What it refuses is asked again each time. */
export const rememberVerified = <E>(
  verify: (token: string) => Effect.Effect<Vouched, E>,
  now: () => number
): ((token: string) => Effect.Effect<Vouched, E>) => {
  const known = new Map<string, Verified>()
  return (token) =>
    Effect.suspend(() => {
      const found = known.get(token)
      if (found !== undefined) {
        known.delete(token)
        const { at, vouched } = found
        const time = now()
        // A clock that was set back says nothing of how long ago it was.
        if (time >= at && time < at + verifiedMs && time < vouched.refusedAt) {
          known.set(token, found)
          return Effect.succeed(vouched)
        }
      }
      return Effect.tap(verify(token), (vouched) =>
        Effect.sync(() => {
          known.delete(token)
          known.set(token, { vouched, at: now() })
          if (known.size > capacity) known.delete(known.keys().next().value!)
        })
      )
    })
}
