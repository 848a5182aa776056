/** A server made of nothing but its side of the protocol, for what a test cannot make a real one do at a given moment. */
import {
  type ClientMessage,
  decodeKeystrokes,
  type Identity,
  type Keystrokes,
  type ServerMessage
} from "@holdfast/core"
import { connect, type ConnectOptions, type HoldfastClient } from "@holdfast/client"

/** Somebody who may do everything. */
export const ada: Identity = {
  participantId: "ada",
  name: "Ada",
  role: "owner",
  organisation: null,
  sessionId: null,
  expiresAt: null
}

const limits = {
  maxMessageBytes: 100_000,
  maxMessagesPerSecond: 1_000,
  maxSubscriptions: 100,
  maxPendingCommands: 256,
  windowBytes: 1_000
}

/** One connection, as the server has it. */
export class FakeSocket extends EventTarget {
  readonly url: string
  readonly protocols: ReadonlyArray<string>
  readyState = 0
  binaryType = "blob"
  closedWith: number | undefined
  /** What the client said and typed, in order. */
  readonly said: Array<ClientMessage> = []
  readonly typed: Array<Keystrokes> = []

  constructor(url: string, protocols: string | Array<string> = []) {
    super()
    this.url = url
    this.protocols = [protocols].flat()
  }

  /** What the client said of one type. */
  heard<T extends ClientMessage["type"]>(type: T): Array<ClientMessage & { readonly type: T }> {
    return this.said.filter((message) => message.type === type) as never
  }

  send(data: string | Uint8Array): void {
    if (typeof data === "string") this.said.push(JSON.parse(data))
    else this.typed.push(decodeKeystrokes(data))
  }

  close(code = 1000): void {
    this.closedWith = code
    if (this.readyState === 3) return
    this.readyState = 3
    queueMicrotask(() => this.dispatchEvent(Object.assign(new Event("close"), { code: 1006, reason: "" })))
  }

  /** The server accepts, and says `welcome`. */
  welcome(
    more: {
      readonly you?: Partial<Identity>
      readonly limits?: Partial<typeof limits>
      readonly heartbeatMs?: number
    } = {}
  ): void {
    this.readyState = 1
    this.dispatchEvent(new Event("open"))
    this.say({
      type: "welcome",
      protocol: 1,
      you: { ...ada, ...more.you },
      limits: { ...limits, ...more.limits },
      heartbeatMs: more.heartbeatMs ?? 10_000,
      now: Date.now()
    })
  }

  say(message: ServerMessage | { readonly type: string }): void {
    this.#give(JSON.stringify(message))
  }

  frame(bytes: Uint8Array): void {
    this.#give(bytes.slice().buffer)
  }

  /** The server closes, or the network does. */
  drop(code = 1006, reason = ""): void {
    this.readyState = 3
    this.dispatchEvent(Object.assign(new Event("close"), { code, reason }))
  }

  #give(data: unknown): void {
    this.dispatchEvent(Object.assign(new Event("message"), { data }))
  }
}

/** A client, and the connections that it makes. */
export interface FakeServer {
  readonly client: HoldfastClient
  readonly sockets: ReadonlyArray<FakeSocket>
  /** The newest connection. */
  readonly socket: () => FakeSocket
  /** What the client's listeners threw. */
  readonly errors: ReadonlyArray<unknown>
}

/** Connects a client to a server that does what the test says. HTTP calls are answered by `fetch`, with 200 and `ada` unless given. */
export const fakeServer = (options: Partial<ConnectOptions> = {}): FakeServer => {
  const sockets: Array<FakeSocket> = []
  const errors: Array<unknown> = []
  class Socket extends FakeSocket {
    constructor(url: string, protocols?: string | Array<string>) {
      super(url, protocols)
      sockets.push(this)
    }
  }
  const client = connect({
    url: "http://holdfast.test",
    WebSocket: Socket as unknown as NonNullable<ConnectOptions["WebSocket"]>,
    fetch: async () => Response.json(ada),
    onListenerError: (error) => errors.push(error),
    ...options
  })
  return { client, sockets, errors, socket: () => sockets.at(-1)! }
}
