/** The way to a bridge that listens: the host connects to it, again and again for as long as its sandbox lives. */
import { bridgeBounds, bridgePath, type BridgeListener, bridgeSubprotocol } from "@holdfast/core/cloud"
import { Effect } from "effect"
import { WebSocket } from "ws"
import type { BridgeLink } from "./BridgeLink.ts"
import { hashToken, sameHash } from "./SandboxTokens.ts"

/** Where a bridge shows its token to who has dialled it, so that both know each other. */
const tokenHeader = "holdfast-sandbox-token"

/** Milliseconds that a handshake may take. */
const handshakeMs = 10_000

/** Milliseconds between two tries: from 100, doubling up to 10 s, each less up to a half. */
const firstPauseMs = 100
const maxPauseMs = 10_000

/** Milliseconds that a close handshake may take. */
const closeMs = 1_000

/** What is dialled. */
export interface DialParts {
  /** `ws://…` or `wss://…`, without a path: the protocol's own is added. */
  readonly endpoint: string
  /** What the host proves itself with. */
  readonly key: string
  /** What the bridge has to prove itself with. */
  readonly tokenHash: string
  readonly link: BridgeLink
}

/** Stays connected until it is interrupted. */
export const dialBridge = (parts: DialParts): Effect.Effect<void> => {
  const again = (pauseMs: number): Effect.Effect<void> =>
    Effect.flatMap(connectOnce(parts), (wasUp) => {
      const pause = wasUp ? firstPauseMs : pauseMs
      const wait = Effect.suspend(() => Effect.sleep(pause * (0.5 + Math.random() / 2)))
      return Effect.andThen(wait, again(Math.min(pause * 2, maxPauseMs)))
    })
  return again(firstPauseMs)
}

/** One connection, until it is closed; whether there was one. */
const connectOnce = ({ endpoint, key, link, tokenHash }: DialParts): Effect.Effect<boolean> =>
  Effect.callback<boolean>((resume) => {
    const socket = new WebSocket(new URL(bridgePath, endpoint), [bridgeSubprotocol], {
      headers: { authorization: `Bearer ${key}` },
      handshakeTimeout: handshakeMs,
      maxPayload: bridgeBounds.frameBytes,
      perMessageDeflate: false
    })
    let listener: BridgeListener | undefined
    let isKnown = false
    let closing: NodeJS.Timeout | undefined
    // The close that follows says it.
    socket.on("error", () => {})
    socket.on("upgrade", (response) => {
      const shown = response.headers[tokenHeader]
      isKnown = typeof shown === "string" && sameHash(hashToken(shown), tokenHash)
    })
    socket.on("open", () => {
      if (!isKnown) return socket.close(4400, "another bridge than was made")
      listener = link.connect({
        send: (frame) => {
          if (socket.readyState === WebSocket.OPEN) socket.send(frame)
        },
        bufferedBytes: () => socket.bufferedAmount,
        close: (code, reason) => {
          socket.close(code, reason)
          closing ??= setTimeout(() => socket.terminate(), closeMs).unref()
        },
        pause: () => socket.pause(),
        resume: () => socket.resume()
      })
    })
    socket.on("message", (data, isBinary) => {
      const bytes = data as Buffer
      if (isBinary) listener?.onBinary(bytes)
      else listener?.onText(bytes.toString("utf8"))
    })
    socket.on("close", (code, reason) => {
      clearTimeout(closing)
      listener?.onClose(code, reason.toString("utf8"))
      resume(Effect.succeed(listener !== undefined))
    })
    return Effect.sync(() => {
      clearTimeout(closing)
      socket.removeAllListeners()
      socket.on("error", () => {})
      // What was just said, as a close code, goes out first.
      if (socket.readyState === WebSocket.CLOSING) setTimeout(() => socket.terminate(), closeMs).unref()
      else socket.terminate()
    })
  })
