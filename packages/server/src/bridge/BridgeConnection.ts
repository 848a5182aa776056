/** One bridge's WebSocket, as the gateway sees it: frames in order, a pulse, and an end that is told once. */
import type { BridgeListener, BridgeSocket } from "@holdfast/core/cloud"
import { WebSocket } from "ws"
import { closeReason } from "../live/LiveSocket.ts"

/** How often a bridge that says nothing is pinged, in milliseconds. */
const pingMs = 15_000

/** So many pings without a word, and the connection is taken for dead: the bridge dials again. */
const silentPings = 3

/** How long a bridge may take to answer a close, in milliseconds. */
const closeMs = 5_000

/** Bytes that may wait before a bridge's own pings are not answered any more: 64 KiB. */
const maxPongWaiting = 64 * 1024

/** A connection from its upgrade to its end. */
export class BridgeConnection {
  readonly #ws: WebSocket
  readonly #socket: BridgeSocket
  #listener: BridgeListener | undefined
  #paused = false
  /** What it is closed with from this side: nothing that still comes is handed on. */
  #closing: { readonly code: number; readonly reason: string } | undefined
  #silent = 0
  #pulse: NodeJS.Timeout
  #deadline: NodeJS.Timeout | undefined

  /** `failed` is told of what the listener throws, which is a defect; `closed` is called once, at the end. */
  constructor(
    ws: WebSocket,
    connect: (socket: BridgeSocket) => BridgeListener,
    failed: (error: unknown) => void,
    closed: () => void
  ) {
    this.#ws = ws
    const safely = (call: () => void): void => {
      try {
        call()
      } catch (error) {
        failed(error)
        this.close(1011, "a fault in the control plane")
      }
    }
    this.#socket = {
      send: (frame) => {
        if (ws.readyState === WebSocket.OPEN) ws.send(frame)
      },
      bufferedBytes: () => ws.bufferedAmount,
      close: (code, reason) => this.close(code, reason),
      pause: () => this.#hold(true),
      resume: () => this.#hold(false)
    }
    ws.on("message", (data: Buffer, isBinary) => {
      this.#silent = 0
      const listener = this.#listener
      if (this.#closing !== undefined || listener === undefined) return
      safely(() => (isBinary ? listener.onBinary(data) : listener.onText(data.toString("utf8"))))
    })
    ws.on("ping", (data: Buffer) => {
      this.#silent = 0
      if (ws.readyState === WebSocket.OPEN && ws.bufferedAmount <= maxPongWaiting) ws.pong(data)
    })
    ws.on("pong", () => (this.#silent = 0))
    // A frame that is too large or no frame: the library closes with the code that says so.
    ws.on("error", () => undefined)
    ws.on("close", (code, reason) => {
      clearInterval(this.#pulse)
      clearTimeout(this.#deadline)
      const listener = this.#listener
      const end = this.#closing ?? { code, reason: reason.toString("utf8") }
      this.#listener = undefined
      if (listener !== undefined) safely(() => listener.onClose(end.code, end.reason))
      closed()
    })
    this.#pulse = setInterval(() => this.#beat(), pingMs)
    safely(() => (this.#listener = connect(this.#socket)))
  }

  /** Says why, and cuts where the bridge does not answer in time. */
  close(code: number, reason: string): void {
    if (this.#closing !== undefined || this.#ws.readyState !== WebSocket.OPEN) return
    this.#closing = { code, reason }
    // The answer to the close has to be read.
    if (this.#paused) this.#ws.resume()
    this.#ws.close(code, closeReason(reason))
    this.#deadline = setTimeout(() => this.#ws.terminate(), closeMs)
  }

  /** Ends it at once. */
  cut(): void {
    this.#ws.terminate()
  }

  #hold(paused: boolean): void {
    if (this.#closing !== undefined || this.#paused === paused || this.#ws.readyState !== WebSocket.OPEN) return
    this.#paused = paused
    this.#silent = 0
    if (paused) this.#ws.pause()
    else this.#ws.resume()
  }

  #beat(): void {
    // While nothing is read, nothing can be heard.
    if (this.#paused || this.#ws.readyState !== WebSocket.OPEN) return
    if (this.#silent >= silentPings) return this.#ws.terminate()
    this.#silent++
    this.#ws.ping()
  }
}
