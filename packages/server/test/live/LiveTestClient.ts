/** A client that records what it hears, and waits for what it expects. It speaks the protocol by hand. */
import {
  decodeFrame,
  type EventRecord,
  makeCommandId,
  ServerMessage,
  type ServerFrame,
  type SessionId,
  subprotocol,
  tokenSubprotocol
} from "@holdfast/core"
import { Schema } from "effect"
import { WebSocket } from "ws"

/** How a client connects. */
export interface ClientOptions {
  readonly protocols?: ReadonlyArray<string>
  readonly headers?: Record<string, string>
  /** Gives credit for what it took; on unless said otherwise. */
  readonly credits?: boolean
}

type Message = typeof ServerMessage.Type
type MessageOf<T extends Message["type"]> = Extract<Message, { readonly type: T }>
type FrameOf<K extends ServerFrame["kind"]> = Extract<ServerFrame, { readonly kind: K }>

const decodeMessage = Schema.decodeUnknownSync(ServerMessage)

/** One connection. */
export class LiveTestClient {
  readonly ws: WebSocket
  readonly messages: Array<Message> = []
  readonly frames: Array<ServerFrame> = []
  /** Code and reason once it is closed; with the HTTP status where it was refused. */
  closed: { readonly code: number; readonly reason: string; readonly status?: number } | undefined
  credits: boolean
  readonly #sessions = new Map<number, SessionId>()
  readonly #owed = new Map<number, number>()
  readonly #waiting = new Set<() => void>()
  #status: number | undefined

  constructor(url: string, token: string | undefined, options: ClientOptions = {}) {
    this.credits = options.credits ?? true
    const protocols = [
      ...(options.protocols ?? [subprotocol]),
      ...(token === undefined ? [] : [`${tokenSubprotocol}${token}`])
    ]
    this.ws = new WebSocket(url, protocols, { perMessageDeflate: false, headers: options.headers ?? {} })
    this.ws.on("message", (data: Buffer, isBinary) => {
      if (isBinary) {
        const frame = decodeFrame(data, (subscription) => this.#sessions.get(subscription))
        if (frame !== undefined) this.frames.push(frame)
        if (frame !== undefined && frame.kind !== "typed") this.#taken(frame.subscription, frame.bytes)
      } else {
        const message = decodeMessage(JSON.parse(data.toString()))
        this.messages.push(message)
        if (message.type === "ping") this.send({ type: "pong" })
      }
      this.#wake()
    })
    this.ws.on("unexpected-response", (_request, response) => {
      this.#status = response.statusCode ?? 0
      let body = ""
      response.setEncoding("utf8")
      response.on("data", (text: string) => (body += text))
      response.on("end", () => this.#close(1006, body))
    })
    this.ws.on("error", () => undefined)
    this.ws.on("close", (code, reason) => this.#close(code, reason.toString()))
  }

  #taken(subscription: number, bytes: number): void {
    if (this.credits) this.send({ type: "credit", subscription, bytes })
    else this.#owed.set(subscription, (this.#owed.get(subscription) ?? 0) + bytes)
  }

  /** Gives the credit that was held back, and from now on what is taken. */
  resumeCredits(): void {
    this.credits = true
    for (const [subscription, bytes] of this.#owed) this.#taken(subscription, bytes)
    this.#owed.clear()
  }

  #close(code: number, reason: string): void {
    this.closed ??= { code, reason, ...(this.#status === undefined ? {} : { status: this.#status }) }
    this.#wake()
  }

  #wake(): void {
    for (const look of this.#waiting) look()
  }

  send(message: unknown): void {
    if (this.ws.readyState === WebSocket.OPEN) {
      this.ws.send(typeof message === "string" || Buffer.isBuffer(message) ? message : JSON.stringify(message))
    }
  }

  /** Subscribes, and learns what its frames are about. */
  subscribe(
    subscription: number,
    sessionId: SessionId,
    from: unknown = { after: 0 },
    terminal: "bytes" | "screen" = "bytes"
  ): void {
    this.#sessions.set(subscription, sessionId)
    this.send({ type: "subscribe", subscription, sessionId, from, terminal })
  }

  /** Sends a command, and gives its receipt or the problem with it. */
  async command(sessionId: SessionId, command: unknown, commandId = makeCommandId()) {
    this.send({ type: "command", sessionId, commandId, command })
    return this.until(() =>
      this.messages.find(
        (message) => (message.type === "receipt" || message.type === "rejected") && message.commandId === commandId
      )
    )
  }

  /** Waits for something to be there. Fails after ten seconds with what was heard. */
  until<A>(find: () => A | undefined | false): Promise<A> {
    const { promise, reject, resolve } = Promise.withResolvers<A>()
    const look = () => {
      const found = find()
      if (found === undefined || found === false) return
      this.#waiting.delete(look)
      clearTimeout(timer)
      resolve(found)
    }
    const timer = setTimeout(() => {
      this.#waiting.delete(look)
      const heard = this.messages.map(({ type }) => type).join(", ")
      reject(
        new Error(
          `not heard in time: ${find}; messages ${heard}; frames ${this.frames.length}; closed ${JSON.stringify(this.closed)}`
        )
      )
    }, 10_000)
    this.#waiting.add(look)
    look()
    return promise
  }

  /** The first message of a type that fits. */
  message<T extends Message["type"]>(type: T, fits: (message: MessageOf<T>) => boolean = () => true) {
    return this.until(
      () => this.messages.find((message) => message.type === type && fits(message as MessageOf<T>)) as MessageOf<T>
    )
  }

  /** The first frame of a kind that fits. */
  frame<K extends ServerFrame["kind"]>(kind: K, fits: (frame: FrameOf<K>) => boolean = () => true) {
    return this.until(() => this.frames.find((frame) => frame.kind === kind && fits(frame as FrameOf<K>)) as FrameOf<K>)
  }

  close() {
    return this.until(() => this.closed)
  }

  /** All events of a subscription's pages, in the order in which they came. */
  events(subscription: number): Array<EventRecord> {
    return this.frames.flatMap((frame) =>
      frame.kind === "page" && frame.subscription === subscription && "events" in frame.page
        ? [...frame.page.events]
        : []
    )
  }

  /** All output of a subscription's pages. */
  output(subscription: number): string {
    const parts = this.events(subscription).flatMap(({ bytes, type }) =>
      type === "terminal.output" && bytes !== undefined ? [bytes] : []
    )
    return Buffer.concat(parts).toString()
  }

  end(): void {
    this.ws.terminate()
  }
}
