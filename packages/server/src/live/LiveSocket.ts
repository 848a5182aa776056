/**
 * The sending half of a live connection. Frames go to the network socket as one piece that all connections share, or with a head of
 * their own before the body that is shared, and what a tick brings goes out in one write: two to seven times as many a second as one
 * `send` for each.
 */
import { encodeTyped, type CommandId, frameHeadBytes, type ServerMessage, writeFrameHead } from "@holdfast/core"
import type { Duplex } from "node:stream"
import { WebSocket } from "ws"
import type { SentKind, SharedBody } from "./SharedBody.ts"
import { binaryFrame, headerBytes, textFrame, writeHeader } from "./WebSocketHeader.ts"

/** Bodies up to this many bytes are copied behind a head of their own: one buffer costs less to write than two. */
const copiedBytes = 4 * 1024

/** A close reason has at most 123 bytes (RFC 6455, 5.5). */
const maxReasonBytes = 123

/** Cut to what a close reason may have, between characters. */
export const closeReason = (reason: string): string => {
  let cut = reason
  while (Buffer.byteLength(cut) > maxReasonBytes) cut = Array.from(cut).slice(0, -1).join("")
  return cut
}

/**
 * Milliseconds without a write after which the next one goes out at once, and not with the rest of its tick: what follows sooner is
 * of the same tick, where one write for all is cheaper; what does not is mostly alone, an echo or a page of a burst.
 */
const restMs = 0.1

/**
 * Milliseconds that the answer to keystrokes waits for a frame to go out with: what was typed mostly comes back as output, and two
 * writes cost the first of them twice.
 */
const typedMs = 4

/** What was written in this tick and not yet handed to the system, over all connections. */
let corked: Array<Duplex> = []

const uncork = (): void => {
  const sockets = corked
  corked = []
  for (const socket of sockets) socket.uncork()
}

/** Writes to one client. Once it closes, nothing is written any more. */
export class LiveSocket {
  readonly #ws: WebSocket
  readonly #socket: Duplex
  /** Whether bytes were written since somebody last looked: then the heartbeat need not be. */
  spoke = true
  #written = 0
  #wroteAt = 0
  /** Answers to keystrokes that wait for a frame: 19 bytes for each that came within {@link typedMs}, as the message rate bounds. */
  #typed: Array<Buffer> = []
  #typedTimer: NodeJS.Timeout | undefined

  constructor(ws: WebSocket, socket: Duplex) {
    this.#ws = ws
    this.#socket = socket
  }

  get isOpen(): boolean {
    return this.#ws.readyState === WebSocket.OPEN
  }

  /** Bytes that the system has not taken yet. */
  get waiting(): number {
    return this.#socket.writableLength
  }

  /** Bytes that the system has taken. */
  get taken(): number {
    return this.#written - this.#socket.writableLength
  }

  /** A message of its own. */
  send(message: ServerMessage): void {
    this.sendText(JSON.stringify(message))
  }

  /** A message that is JSON already. */
  sendText(json: string): void {
    const length = Buffer.byteLength(json)
    const header = headerBytes(length)
    const frame = Buffer.allocUnsafe(header + length)
    writeHeader(frame, textFrame, length)
    frame.write(json, header)
    this.#write(frame)
  }

  /** A frame of a subscription. The body is shared and must not change. */
  sendFrame(kind: SentKind, subscription: number, body: SharedBody): void {
    const whole = body.frameFor(kind, subscription)
    if (whole !== undefined) return this.#write(whole)
    const { bytes, size } = body
    const header = headerBytes(size)
    const copied = bytes.byteLength <= copiedBytes
    const frame = Buffer.allocUnsafe(header + (copied ? size : frameHeadBytes))
    writeHeader(frame, binaryFrame, size)
    writeFrameHead(frame, header, kind, subscription)
    if (copied) {
      frame.set(bytes, header + frameHeadBytes)
      this.#write(frame)
    } else this.#write(frame, bytes)
  }

  /** Tells that keystrokes are written: with the next frame, or within {@link typedMs}. */
  sendTyped(commandId: CommandId): void {
    if (!this.isOpen) return
    const typed = encodeTyped(commandId)
    const frame = Buffer.allocUnsafe(2 + typed.byteLength)
    writeHeader(frame, binaryFrame, typed.byteLength)
    frame.set(typed, 2)
    this.#typed.push(frame)
    this.#typedTimer ??= setTimeout(() => {
      this.#typedTimer = undefined
      const answers = this.#takeTyped()
      if (answers !== undefined) this.#write(answers)
    }, typedMs)
  }

  #takeTyped(): Buffer | undefined {
    if (this.#typed.length === 0) return undefined
    const answers = this.#typed.length === 1 ? this.#typed[0]! : Buffer.concat(this.#typed)
    this.#typed = []
    return answers
  }

  /** Says why, and closes. A client that does not answer is cut by {@link cut}. */
  close(code: number, reason: string): void {
    clearTimeout(this.#typedTimer)
    const answers = this.#takeTyped()
    if (answers !== undefined) this.#write(answers)
    if (this.isOpen) this.#ws.close(code, closeReason(reason))
  }

  /** Ends the connection at once. */
  cut(): void {
    this.#ws.terminate()
  }

  #write(frame: Buffer, body?: Uint8Array): void {
    if (!this.isOpen) return
    const answers = this.#takeTyped()
    const first = answers === undefined ? frame : Buffer.concat([answers, frame])
    this.spoke = true
    this.#written += first.byteLength + (body?.byteLength ?? 0)
    const now = performance.now()
    if (this.#socket.writableCorked === 0 && (now - this.#wroteAt < restMs || body !== undefined)) {
      this.#socket.cork()
      if (corked.push(this.#socket) === 1) process.nextTick(uncork)
    }
    this.#wroteAt = now
    this.#socket.write(first)
    if (body !== undefined) this.#socket.write(body)
  }
}
