/**
 * The sending half of a live connection. Frames go to the network socket as one piece that all connections share, or with a head of
 * their own before the body that is shared, and what a tick brings goes out in one write: two to seven times as many a second as one
 * `send` for each.
 */
import {
  frameHeadBytes,
  keystrokesHeadBytes,
  type ServerMessage,
  typedBytes,
  writeFrameHead,
  writeTyped
} from "@holdfast/core"
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

/**
 * Milliseconds that it may wait while others' answers go out with frames. One timer looks after all that is typed meanwhile: to set one
 * for each keystroke would take a tenth of the time that its echo takes.
 */
const typedAgainMs = 50

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
  /** Heads of keystrokes whose answers wait for a frame: 33 bytes for each that came within {@link typedAgainMs}, as the message rate bounds. */
  #typed: Array<Uint8Array> = []
  #typedTimer: NodeJS.Timeout | undefined
  /** Whether answers went out with a frame since the timer was set. */
  #answered = false

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
    writeHeader(frame, 0, textFrame, length)
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
    writeHeader(frame, 0, binaryFrame, size)
    writeFrameHead(frame, header, kind, subscription)
    if (copied) {
      frame.set(bytes, header + frameHeadBytes)
      this.#write(frame)
    } else this.#write(frame, bytes)
  }

  /** Tells that the keystrokes of a frame are written: with the next frame, or within {@link typedMs} or {@link typedAgainMs}. */
  sendTyped(keystrokes: Uint8Array): void {
    if (!this.isOpen) return
    // A copy: the frame may be as long as a message may be.
    this.#typed.push(new Uint8Array(keystrokes.subarray(0, keystrokesHeadBytes)))
    this.#typedTimer ??= setTimeout(this.#typedDue, typedMs)
  }

  readonly #typedDue = (): void => {
    this.#typedTimer = undefined
    if (this.#typed.length > 0) this.#typedAlone()
    else if (this.#answered && this.isOpen) this.#typedTimer = setTimeout(this.#typedDue, typedAgainMs)
    this.#answered = false
  }

  #typedAlone(): void {
    this.#write(this.#takeTyped())
  }

  #takeTyped(frame?: Buffer): Buffer {
    const size = headerBytes(typedBytes) + typedBytes
    const answers = Buffer.allocUnsafe(this.#typed.length * size + (frame?.byteLength ?? 0))
    let at = 0
    for (const keystrokes of this.#typed) {
      at = writeHeader(answers, at, binaryFrame, typedBytes)
      writeTyped(answers, at, keystrokes)
      at += typedBytes
    }
    if (frame !== undefined) answers.set(frame, at)
    this.#typed = []
    return answers
  }

  /** Says why, and closes. A client that does not answer is cut by {@link cut}. */
  close(code: number, reason: string): void {
    clearTimeout(this.#typedTimer)
    if (this.#typed.length > 0) this.#typedAlone()
    if (this.isOpen) this.#ws.close(code, closeReason(reason))
  }

  /** Ends the connection at once. */
  cut(): void {
    this.#ws.terminate()
  }

  #write(frame: Buffer, body?: Uint8Array): void {
    if (!this.isOpen) return
    let first = frame
    if (this.#typed.length > 0) {
      first = this.#takeTyped(frame)
      this.#answered = true
    }
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
