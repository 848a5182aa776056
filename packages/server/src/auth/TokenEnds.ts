/** Who wants to know when a token ends: live connections, which it then closes. */
import { Clock, Effect, type Fiber, FiberSet, type Scope } from "effect"

/** Why a token is not good any more. */
export type TokenEnd = "expired" | "revoked"

/**
 * How often a token's time is looked at: every minute. A machine's timers stand still while it sleeps, its clock does not, and so an
 * expiry is noticed at most this long after it has woken.
 */
const lookMs = 60_000

/** Watches tokens. It has as many entries as there are watchers, which the limit of connections bounds. */
export interface TokenEnds {
  /**
   * Calls `ended` once, at `expiresAt` (milliseconds since 1970) or at its revocation, and never before this returns; the
   * result ends that.
   */
  readonly watch: (tokenId: string | null, expiresAt: number | null, ended: (why: TokenEnd) => void) => () => void
  /** Tells those who watch it that a token is revoked. */
  readonly revoked: (tokenId: string) => void
}

/** Makes the watch, whose timers end with the scope. */
export const makeTokenEnds = Effect.fnUntraced(function* (
  isRevoked: (tokenId: string) => boolean
): Effect.fn.Return<TokenEnds, never, Scope.Scope> {
  const clock = yield* Clock.Clock
  const fork = yield* FiberSet.makeRuntime()
  const watchers = new Map<string, Set<() => void>>()

  const until = (at: number): Effect.Effect<void> =>
    Effect.suspend(() => {
      const left = at - clock.currentTimeMillisUnsafe()
      return left <= 0 ? Effect.void : Effect.andThen(Effect.sleep(Math.min(left, lookMs)), until(at))
    })

  return {
    watch: (tokenId, expiresAt, ended) => {
      let isOver = false
      let timer: Fiber.Fiber<void> | undefined
      const stop = () => {
        if (isOver) return false
        isOver = true
        timer?.interruptUnsafe()
        if (tokenId === null) return true
        const others = watchers.get(tokenId)
        others?.delete(onRevoked)
        if (others?.size === 0) watchers.delete(tokenId)
        return true
      }
      const end = (why: TokenEnd) => {
        if (stop()) ended(why)
      }
      const onRevoked = () => end("revoked")
      if (tokenId !== null) {
        const others = watchers.get(tokenId)
        if (others === undefined) watchers.set(tokenId, new Set([onRevoked]))
        else others.add(onRevoked)
      }
      const ends =
        tokenId !== null && isRevoked(tokenId)
          ? Effect.sync(onRevoked)
          : expiresAt === null
            ? undefined
            : Effect.andThen(
                until(expiresAt),
                Effect.sync(() => end("expired"))
              )
      if (ends !== undefined) timer = fork(Effect.andThen(Effect.yieldNow, ends))
      return () => void stop()
    },
    revoked: (tokenId) => {
      for (const onRevoked of watchers.get(tokenId) ?? []) onRevoked()
    }
  }
})
