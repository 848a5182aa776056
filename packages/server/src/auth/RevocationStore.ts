/** Tokens that are refused although they have not expired. */
import { Effect, Schema } from "effect"

/**
 * Revocations that are remembered at once: 100,000, about 20 MB. Expired ones make room; where there is none, a revocation
 * is refused, and never an older one forgotten.
 */
export const maxRevocations = 100_000

/** A revocation could not be made durable: the token is still good. */
export class RevocationFailed extends Schema.TaggedError<RevocationFailed>("@holdfast/server/RevocationFailed")(
  "RevocationFailed",
  { detail: Schema.String, cause: Schema.optionalKey(Schema.Defect()) }
) {
  override get message() {
    return `The token could not be revoked: ${this.detail}`
  }
}

/** Remembers revocations until the tokens would have expired anyway. */
export interface RevocationStore {
  /** Whether it is revoked: asked for each request. */
  readonly has: (tokenId: string) => boolean
  /** Revokes it until `until` (milliseconds since 1970). Completes once a crash cannot take it back. */
  readonly revoke: (tokenId: string, until: number) => Effect.Effect<void, RevocationFailed>
}

/** Revocations by token id: the part that every store has. */
export class RevokedTokens {
  readonly #until = new Map<string, number>()

  get size(): number {
    return this.#until.size
  }

  has(tokenId: string): boolean {
    return this.#until.has(tokenId)
  }

  /** Whether there is room for one more, after expired ones have gone. */
  hasRoom(now: number): boolean {
    if (this.#until.size >= maxRevocations) this.prune(now)
    return this.#until.size < maxRevocations
  }

  add(tokenId: string, until: number): void {
    this.#until.set(tokenId, Math.max(until, this.#until.get(tokenId) ?? 0))
  }

  prune(now: number): void {
    for (const [tokenId, until] of this.#until) if (until <= now) this.#until.delete(tokenId)
  }

  entries(): Iterable<readonly [tokenId: string, until: number]> {
    return this.#until
  }
}

/** There is no room for another revocation. */
export const revocationsFull = () =>
  new RevocationFailed({ detail: `${maxRevocations} tokens are revoked already: give the server another secret` })

/** Revocations that end with the process: for servers whose own secret does so too, and for tests. */
export const memoryRevocations = (): RevocationStore => {
  const revoked = new RevokedTokens()
  return {
    has: (tokenId) => revoked.has(tokenId),
    revoke: (tokenId, until) =>
      Effect.clockWith((clock) => {
        if (!revoked.hasRoom(clock.currentTimeMillisUnsafe())) return Effect.fail(revocationsFull())
        return Effect.sync(() => revoked.add(tokenId, until))
      })
  }
}
