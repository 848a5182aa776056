/**
 * The body of a frame that several connections send. Clients mostly number their subscriptions alike, so the first one's heads are
 * written before the body where it stands, and all who have the same heads send that one piece of memory: nothing is copied or made
 * for them.
 */
import { type FrameBody, type FrameKind, frameHeadBytes, writeFrameHead } from "@holdfast/core"
import { binaryFrame, headerBytes, writeHeader } from "./WebSocketHeader.ts"

/** What a server's frame tells. */
export type SentKind = (typeof FrameKind)["page" | "history" | "screen"]

/** A body, and the frame that it is in already. */
export class SharedBody {
  readonly bytes: FrameBody
  #kind: SentKind | undefined
  #subscription = 0
  #frame: Buffer | undefined

  constructor(bytes: FrameBody) {
    this.bytes = bytes
  }

  /** Bytes of the frame, without its WebSocket's header. */
  get size(): number {
    return frameHeadBytes + this.bytes.byteLength
  }

  /** The whole of a WebSocket's frame; undefined where it was made with other heads before, as they may be under way. */
  frameFor(kind: SentKind, subscription: number): Buffer | undefined {
    if (this.#frame === undefined) {
      const { buffer, byteOffset } = this.bytes
      const before = headerBytes(this.size) + frameHeadBytes
      const frame = Buffer.from(buffer, byteOffset - before, before + this.bytes.byteLength)
      writeFrameHead(frame, writeHeader(frame, 0, binaryFrame, this.size), kind, subscription)
      this.#kind = kind
      this.#subscription = subscription
      this.#frame = frame
    }
    return this.#kind === kind && this.#subscription === subscription ? this.#frame : undefined
  }
}
