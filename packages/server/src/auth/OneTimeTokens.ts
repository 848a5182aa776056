/** Tokens that are taken once, within a short time, and are nowhere but in memory: start links and tickets. */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto"

/** Tokens with what each stands for. */
export interface OneTimeTokens<A> {
  /** A new token of 256 random bits. Where there are as many as may be, the oldest one ends. */
  readonly issue: (value: A, now: number) => { readonly token: string; readonly expiresAt: number }
  /** What it stands for; afterwards it stands for nothing. */
  readonly take: (token: string, now: number) => A | undefined
}

const digest = (token: string): Buffer => createHash("sha256").update(token).digest()

/**
 * Makes a store of one-time tokens that live `lifetimeMs`. Only digests are kept. They are found by their first bytes, of
 * which a guesser learns nothing about a token, and compared in constant time.
 */
export const makeOneTimeTokens = <A>(options: {
  readonly lifetimeMs: number
  readonly capacity: number
}): OneTimeTokens<A> => {
  const waiting = new Map<string, { readonly digest: Buffer; readonly value: A; readonly expiresAt: number }>()
  const keyOf = (hashed: Buffer) => hashed.toString("hex", 0, 8)

  return {
    issue: (value, now) => {
      for (const [key, { expiresAt }] of waiting) {
        if (expiresAt > now && waiting.size < options.capacity) break
        waiting.delete(key)
      }
      const token = randomBytes(32).toString("base64url")
      const hashed = digest(token)
      const expiresAt = now + options.lifetimeMs
      waiting.set(keyOf(hashed), { digest: hashed, value, expiresAt })
      return { token, expiresAt }
    },
    take: (token, now) => {
      const hashed = digest(token)
      const found = waiting.get(keyOf(hashed))
      if (found === undefined || !timingSafeEqual(found.digest, hashed)) return undefined
      waiting.delete(keyOf(hashed))
      return found.expiresAt > now ? found.value : undefined
    }
  }
}
