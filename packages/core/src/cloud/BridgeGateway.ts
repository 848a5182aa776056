/**
 * Between the endpoint that takes bridges' connections (a server's) and the backend that their sessions belong to. The
 * endpoint knows sockets and no sessions, the gateway sessions and no sockets.
 */
import * as Schema from "effect/Schema"
import type * as Effect from "effect/Effect"
import type { SessionId } from "../Ids.ts"

/** Why a bridge is not let in. */
export class BridgeRefused extends Schema.TaggedError<BridgeRefused>("@holdfast/core/BridgeRefused")("BridgeRefused", {
  /**
   * - `unknown` (HTTP 401): no such token. Dial again, with backoff.
   * - `gone` (410): the session or this generation of its sandbox is over. Stop for good.
   * - `not_ready` (503): the session is not taken up yet. Dial again.
   */
  why: Schema.Literals(["unknown", "gone", "not_ready"]),
  detail: Schema.String
}) {
  override get message() {
    return `The bridge is not let in: ${this.detail}`
  }
}

/** One connection of a bridge, as the endpoint hands it over. All callbacks come in order, and none after `onClose`. */
export interface BridgeSocket {
  /** Sends a frame: text or binary. Never waits; see {@link bufferedBytes}. Does nothing once it is closed. */
  readonly send: (frame: string | Uint8Array) => void
  /** Bytes that were sent and are not given to the system yet. */
  readonly bufferedBytes: () => number
  readonly close: (code: number, reason: string) => void
  /** Stops and starts reading: how the control plane holds a bridge back. */
  readonly pause: () => void
  readonly resume: () => void
}

/** Who takes what comes from a bridge. */
export interface BridgeListener {
  readonly onText: (text: string) => void
  /** The bytes are the listener's own from then on. */
  readonly onBinary: (frame: Uint8Array) => void
  /** The last call. */
  readonly onClose: (code: number, reason: string) => void
}

/** A bridge whose token is good. */
export interface BridgeAdmission {
  readonly sessionId: SessionId
  readonly generation: number
  /** Hands the connection over once it is upgraded. */
  readonly connect: (socket: BridgeSocket) => BridgeListener
}

/** The gateway. */
export interface BridgeGateway {
  /** Looks at a token before the upgrade. Bounded by 5 s. */
  readonly admit: (token: string) => Effect.Effect<BridgeAdmission, BridgeRefused>
}
