/** What nobody tells of a sandbox: that it has ended while its bridge is away, and that a connection says nothing any more. */
import { BridgeCloseCode } from "@holdfast/core/cloud"
import { Effect, type Fiber } from "effect"
import type { BridgeLink } from "./BridgeLink.ts"
import type { LifecycleInput, SandboxPolicy } from "./lifecycle/LifecycleTypes.ts"

/** A provider is asked whether a sandbox that is away has ended: first after this long, doubling up to a minute. */
const exitCheckMs = 1_000
const maxExitCheckMs = 60_000

/** What is watched. */
export interface SandboxWatchParts {
  readonly policy: Pick<SandboxPolicy, "heartbeatMs" | "staleAfterMs">
  readonly link: () => BridgeLink | undefined
  readonly sandboxId: () => string | null
  /** Asks the provider; undefined where it runs or nobody can say. */
  readonly exited: (sandboxId: string) => Effect.Effect<LifecycleInput | undefined>
  readonly feed: (input: LifecycleInput) => void
  readonly fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void> | undefined
  readonly now: () => number
  /** When its bridge said something last. */
  readonly heardAt: () => number
  /** It is held back, and would say something if it were read: gives whether, and counts it as heard. */
  readonly hearsHeld: () => boolean
}

/** The watch. */
export interface SandboxWatch {
  /** Its bridge is away: asks from now on whether it has ended, in place of what was asked before. */
  readonly exits: () => void
  /** Its bridge is there. */
  readonly isBack: () => void
  /** Closes connections that say nothing, so that the bridge makes another: well before its sandbox counts as stale. */
  readonly silence: Effect.Effect<never>
}

/** Makes it; nothing is asked yet. */
export const makeSandboxWatch = (parts: SandboxWatchParts): SandboxWatch => {
  const { feed, fork, link, now, policy } = parts
  let checking: Fiber.Fiber<void> | undefined

  const check = (delayMs: number): Effect.Effect<void> =>
    Effect.gen(function* () {
      yield* Effect.sleep(delayMs)
      const sandboxId = parts.sandboxId()
      if (sandboxId === null || link()?.isConnected() === true) return
      const exited = yield* parts.exited(sandboxId)
      if (link()?.isConnected() === true) return
      if (exited !== undefined) return feed(exited)
      yield* check(Math.min(delayMs * 2, maxExitCheckMs))
    })

  return {
    exits: () => {
      checking?.interruptUnsafe()
      checking = fork(check(exitCheckMs))
    },
    isBack: () => checking?.interruptUnsafe(),
    silence: Effect.gen(function* () {
      const limit = Math.max(policy.heartbeatMs * 1.5, (policy.staleAfterMs * 2) / 3)
      for (;;) {
        yield* Effect.sleep(policy.heartbeatMs / 2)
        if (parts.hearsHeld()) feed({ type: "heard" })
        else if (link()?.isConnected() === true && now() - parts.heardAt() > limit) {
          link()?.disconnect(BridgeCloseCode.silent, `nothing was heard for ${limit} ms`)
        }
      }
    })
  }
}
