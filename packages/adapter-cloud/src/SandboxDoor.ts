/** How the bridge of a sandbox is let in: by the token of the newest one, while somebody looks after it, and no other. */
import type { SessionId } from "@holdfast/core"
import { type BridgeAdmission, BridgeCloseCode, BridgeRefused } from "@holdfast/core/cloud"
import { Effect, type Fiber } from "effect"
import type { BridgeLink } from "./BridgeLink.ts"
import { dialBridge } from "./DialIn.ts"
import { hashToken, makeDialKey, makeSandboxToken, sameHash, type SandboxToken } from "./SandboxTokens.ts"

/** Tokens that are remembered as revoked: whoever comes with one stops for good. */
const maxRevoked = 16

/** A sandbox's token, and the link that it opens. */
export interface Door {
  /** The generation for which the sandbox was made. */
  readonly generation: number
  readonly hash: string
  /** Only of one that was made here: the log has the hash alone. */
  readonly token: string | undefined
  readonly link: BridgeLink
}

/** What doors are made of. */
export interface SandboxDoorParts {
  readonly sessionId: SessionId
  readonly dialSecret: string | undefined
  /** Makes the link of a sandbox; `isOurs` says whether its door is still the one that counts. */
  readonly link: (generation: number, isOurs: () => boolean) => BridgeLink
  readonly fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void> | undefined
}

/** The one door of a session, and those before it. */
export interface SandboxDoor {
  readonly current: () => Door | undefined
  /** For a sandbox that is to be made: closes the door of the one before. */
  readonly make: (generation: number) => Door
  /** For a sandbox that the log knows. */
  readonly reopen: (generation: number, hash: string) => void
  /** Its bridge is turned away from now on: for good, unless the code says otherwise. */
  readonly close: (reason: string, code?: BridgeCloseCode) => void
  /** The sandbox listens there: it is dialled, where the host does so. */
  readonly found: (endpoint: string | undefined) => void
  /** What the bridge of the current door proves itself with, and whom it lets in. */
  readonly variables: () => Readonly<Record<string, string>>
  readonly admit: (token: SandboxToken, isOver: boolean) => Effect.Effect<BridgeAdmission, BridgeRefused>
}

/** Makes one that is closed. */
export const makeSandboxDoor = ({ dialSecret, fork, link, sessionId }: SandboxDoorParts): SandboxDoor => {
  const revoked: Array<string> = []
  let door: Door | undefined
  let endpoint: string | undefined
  let dialing: Fiber.Fiber<void> | undefined

  const open = (generation: number, hash: string, token: string | undefined): Door => {
    close("another sandbox has taken its place")
    const made: Door = { generation, hash, token, link: link(generation, () => door === made) }
    door = made
    return made
  }

  const close = (reason: string, code: BridgeCloseCode = BridgeCloseCode.gone) => {
    dialing?.interruptUnsafe()
    dialing = undefined
    endpoint = undefined
    const closed = door
    door = undefined
    if (closed === undefined) return
    if (code === BridgeCloseCode.gone) revoked.push(closed.hash)
    if (revoked.length > maxRevoked) revoked.shift()
    closed.link.end(code, reason)
  }

  const keyOf = (hash: string): string | undefined =>
    dialSecret === undefined ? undefined : makeDialKey(dialSecret, sessionId, hash)

  return {
    current: () => door,
    make: (generation) => {
      const token = makeSandboxToken(sessionId, generation)
      return open(generation, hashToken(token), token)
    },
    reopen: (generation, hash) => void open(generation, hash, undefined),
    close,
    found: (at) => {
      const key = door === undefined ? undefined : keyOf(door.hash)
      if (at === undefined || key === undefined || (at === endpoint && dialing !== undefined)) return
      dialing?.interruptUnsafe()
      endpoint = at
      dialing = fork(dialBridge({ endpoint: at, key, tokenHash: door!.hash, link: door!.link }))
    },
    variables: () => {
      const key = keyOf(door?.hash ?? "")
      return {
        HOLDFAST_BRIDGE_TOKEN: door?.token ?? "",
        ...(key === undefined ? {} : { HOLDFAST_BRIDGE_DIAL_KEY: key })
      }
    },
    admit: (token, isOver) =>
      Effect.suspend(() => {
        const refuse = (why: BridgeRefused["why"], detail: string) => Effect.fail(new BridgeRefused({ why, detail }))
        if (door !== undefined && door.generation === token.generation && sameHash(door.hash, token.hash)) {
          const { generation, link: opened } = door
          return Effect.succeed({ sessionId, generation, connect: opened.connect })
        }
        if (isOver || revoked.some((hash) => sameHash(hash, token.hash))) {
          return refuse("gone", "its sandbox was given up")
        }
        if (door === undefined) return refuse("not_ready", "the session is not taken up yet")
        return door.generation === token.generation
          ? refuse("unknown", "there is no such token")
          : refuse("gone", `generation ${token.generation} of the sandbox is over`)
      })
  }
}
