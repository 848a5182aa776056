/** The one live connection of a client: made, kept alive, and made again for as long as the client is open. */
import {
  type ClientMessage,
  CloseCode,
  type ConnectionLimits,
  type Identity,
  protocolVersion,
  type ServerMessage,
  shouldReconnect,
  subprotocol,
  tokenSubprotocol
} from "@holdfast/core"
import { type ClientError, clientError } from "./ClientError.ts"
import type { ConnectionState } from "./ConnectionState.ts"
import { Heartbeat } from "./Heartbeat.ts"
import type { WebSocketConstructor } from "./HoldfastClient.ts"
import type { Live } from "./Live.ts"
import { type LiveValue, makeLive } from "./LiveValue.ts"
import { readServerMessage } from "./ServerMessages.ts"
import { TokenRefresh } from "./TokenRefresh.ts"
import { messageOf, type TokenSource } from "./TokenSource.ts"

/** How long a server may take from the first byte to `welcome`. */
const welcomeMs = 10_000

/** How long a connection must last until the pauses begin with the shortest again. */
const healthyMs = 60_000

/** How long `close` waits for the server's side of it. */
const closingMs = 1_000

/** What browsers have and other platforms may not. */
const platform = globalThis as unknown as {
  readonly addEventListener?: (type: string, listener: () => void) => void
  readonly removeEventListener?: (type: string, listener: () => void) => void
  readonly navigator?: { readonly onLine?: boolean }
}

/** What a connection is made of. */
export interface ConnectionOptions {
  /** Of the live endpoint: `wss://…/api/v1/live`. */
  readonly url: string
  readonly tokens: TokenSource
  readonly WebSocket: WebSocketConstructor
  readonly minMs: number
  readonly maxMs: number
  /** Asks over HTTP why no socket could be opened, which browsers do not tell; undefined where the server knows no reason. */
  readonly whyNot: () => Promise<ClientError | undefined>
  /** It is connected: everything that should be under way is to be sent. */
  readonly onWelcome: (limits: ConnectionLimits) => void
  readonly onMessage: (message: ServerMessage) => void
  /** May throw: then the connection is closed, and another one made. */
  readonly onFrame: (frame: Uint8Array) => void
  /** It was lost, and will be made again. */
  readonly onLost: () => void
  /** It will not be made again by itself: what waits for it need not wait any more. */
  readonly onEnd: (error: ClientError) => void
  readonly onError: (error: unknown) => void
}

/** A connection. It begins with {@link Connection.begin}. */
export class Connection {
  readonly state: Live<ConnectionState>
  readonly #options: ConnectionOptions
  readonly #state: LiveValue<ConnectionState>
  readonly #heartbeat = new Heartbeat(
    () => this.send({ type: "ping" }),
    () => this.#lost("nothing was heard from the server")
  )
  readonly #refresh: TokenRefresh
  /** Counts attempts over the client's life: what belongs to an earlier one does not count any more. */
  #run = 0
  #socket: WebSocket | undefined
  #isWelcome = false
  #token: string | undefined
  /** A new token was asked for because the last one was refused. */
  #askedAgain = false
  #attempt = 0
  /** Doubles the pause. */
  #failures = 0
  #comeBackMs: number | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #healthy: ReturnType<typeof setTimeout> | undefined
  #clockAhead = 0

  constructor(options: ConnectionOptions) {
    this.#options = options
    this.#state = makeLive<ConnectionState>(
      { phase: "connecting", attempt: 0, retryAt: null, problem: null, you: null },
      options.onError
    )
    this.state = this.#state.live
    this.#refresh = new TokenRefresh(options.tokens, (token) => {
      this.#token = token
      this.send({ type: "authenticate", token })
    })
  }

  get isConnected(): boolean {
    return this.#isWelcome
  }

  begin(): void {
    platform.addEventListener?.("online", this.#onOnline)
    platform.addEventListener?.("offline", this.#onOffline)
    platform.addEventListener?.("pageshow", this.#onOnline)
    this.#connect()
  }

  /** Sends a message, or the frame of keystrokes. Only while connected: what is lost with a connection is sent anew. */
  send(message: ClientMessage | Uint8Array<ArrayBuffer>): void {
    this.sendText(message instanceof Uint8Array ? message : JSON.stringify(message))
  }

  /** Sends what is encoded already. */
  sendText(message: string | Uint8Array<ArrayBuffer>): void {
    if (!this.#isWelcome || this.#socket?.readyState !== 1) return
    this.#heartbeat.sent()
    this.#socket.send(message)
  }

  /** Does not wait for the next attempt. Does nothing where it is connected, or being connected. */
  reconnectNow(): void {
    const { phase, retryAt } = this.#state.live.current
    if (phase === "closed" || (phase !== "refused" && retryAt === null)) return
    this.#failures = 0
    this.#askedAgain = false
    this.#connect(phase === "refused")
  }

  /** The server broke the protocol: this connection cannot go on. */
  fail(problem: string): void {
    this.#lost(problem, CloseCode.malformed)
  }

  /** For good. */
  async close(): Promise<void> {
    if (this.#state.live.current.phase === "closed") return
    platform.removeEventListener?.("online", this.#onOnline)
    platform.removeEventListener?.("offline", this.#onOffline)
    platform.removeEventListener?.("pageshow", this.#onOnline)
    const socket = this.#socket
    const gone =
      socket === undefined || socket.readyState === 3
        ? undefined
        : new Promise<void>((resolve) => {
            const timer = setTimeout(resolve, closingMs)
            socket.addEventListener("close", () => {
              clearTimeout(timer)
              resolve()
            })
          })
    this.#drop(1000)
    this.#set({ phase: "closed", retryAt: null, problem: null })
    this.#state.end()
    this.#options.onEnd(clientError("unavailable", "this client was closed"))
    await gone
  }

  readonly #onOnline = () => {
    if (this.#isWelcome) this.#heartbeat.doubt()
    else if (this.#state.live.current.phase !== "refused") this.reconnectNow()
  }

  readonly #onOffline = () => {
    if (this.#isWelcome) this.#heartbeat.doubt()
    else if (this.#state.live.current.phase === "reconnecting") this.#set({ phase: "offline" })
  }

  #set(change: Partial<ConnectionState>): void {
    this.#state.set({ ...this.#state.live.current, ...change })
  }

  #connect(anew = false): void {
    clearTimeout(this.#timer)
    const run = ++this.#run
    this.#attempt++
    const first = anew || (this.#attempt === 1 && this.#state.live.current.you === null)
    this.#set({ phase: first ? "connecting" : retrying(), attempt: this.#attempt, retryAt: null })
    this.#dial(run).catch(this.#options.onError)
  }

  async #dial(run: number): Promise<void> {
    let token: string | undefined
    try {
      token = await this.#options.tokens.fresh()
    } catch (error) {
      if (run === this.#run) this.#retry(messageOf(error))
      return
    }
    if (run === this.#run) this.#open(run, token)
  }

  #open(run: number, token: string | undefined): void {
    this.#token = token
    let socket: WebSocket
    try {
      const protocols = token === undefined ? [subprotocol] : [subprotocol, tokenSubprotocol + token]
      socket = new this.#options.WebSocket(this.#options.url, protocols)
    } catch (error) {
      // Its arguments are at fault (an address or token that cannot be one): another attempt would be no better.
      return this.#refuse(clientError("invalid", `no connection can be made: ${messageOf(error)}`, { cause: error }))
    }
    this.#socket = socket
    socket.binaryType = "arraybuffer"
    this.#timer = setTimeout(
      () => this.#lost(`the server did not answer within ${welcomeMs / 1000} seconds`),
      welcomeMs
    )
    socket.addEventListener("message", ({ data }: { readonly data: unknown }) => {
      if (run === this.#run) this.#receive(data)
    })
    // `close` follows with what is known. Some implementations throw where nobody listens.
    socket.addEventListener("error", () => {})
    socket.addEventListener("close", ({ code, reason }) => {
      if (run === this.#run) this.#closed(code, reason)
    })
  }

  #receive(data: unknown): void {
    this.#heartbeat.heard()
    try {
      if (data instanceof ArrayBuffer) {
        if (this.#isWelcome) this.#options.onFrame(new Uint8Array(data))
        return
      }
      const message = readServerMessage(String(data))
      if (message !== undefined) this.#take(message)
    } catch (error) {
      this.fail(messageOf(error))
    }
  }

  #take(message: ServerMessage): void {
    switch (message.type) {
      case "welcome":
        return this.#welcome(message)
      case "ping":
        return this.send({ type: "pong" })
      case "pong":
        return
      case "authenticated":
        this.#set({ you: message.you })
        return this.#refresh.taken(this.#remaining(message.you))
      case "goodbye":
        this.#comeBackMs = Math.max(0, message.retryAfterMs)
        return
      default:
        this.#options.onMessage(message)
    }
  }

  #welcome(message: ServerMessage & { readonly type: "welcome" }): void {
    if (message.protocol !== protocolVersion) {
      const detail = `the server speaks version ${message.protocol} of the protocol and this client ${protocolVersion}`
      return this.#refuse(clientError("unsupported", detail))
    }
    clearTimeout(this.#timer)
    this.#isWelcome = true
    this.#askedAgain = false
    this.#attempt = 0
    this.#comeBackMs = undefined
    this.#clockAhead = message.now - Date.now()
    this.#healthy = setTimeout(() => (this.#failures = 0), healthyMs)
    this.#heartbeat.start(message.heartbeatMs)
    this.#refresh.begin(this.#token, this.#remaining(message.you))
    this.#set({ phase: "connected", attempt: 0, retryAt: null, problem: null, you: message.you })
    this.#options.onWelcome(message.limits)
  }

  /** How long a token is good, by the server's clock. */
  #remaining({ expiresAt }: Identity): number | null {
    return expiresAt === null ? null : Math.max(0, expiresAt - this.#clockAhead - Date.now())
  }

  #closed(code: number, reason: string): void {
    const wasWelcome = this.#isWelcome
    const problem = reason === "" ? "the connection was lost" : reason
    this.#drop()
    if (code === CloseCode.unauthenticated) return this.#unauthenticated(problem)
    if (code === CloseCode.forbidden) return this.#refuse(clientError("forbidden", problem))
    if (!shouldReconnect(code)) return this.#refuse(clientError("unsupported", problem))
    if (wasWelcome) return this.#retry(problem)
    this.#askWhy(problem).catch(this.#options.onError)
  }

  /** A browser does not say why a socket did not open: that is asked in a way that is answered. */
  async #askWhy(problem: string): Promise<void> {
    const run = this.#run
    const error = await this.#options.whyNot()
    if (run !== this.#run) return
    switch (error?.problem.kind) {
      case "unauthenticated":
        return this.#unauthenticated(error.message)
      case "forbidden":
        return this.#refuse(error)
      default:
        this.#retry(error?.message ?? problem, error?.problem.retryAfterMs)
    }
  }

  /** With a function that gives tokens another one is tried, once in a row. */
  #unauthenticated(detail: string): void {
    this.#options.tokens.forget(this.#token)
    if (!this.#options.tokens.renews || this.#askedAgain) return this.#refuse(clientError("unauthenticated", detail))
    this.#askedAgain = true
    this.#retry(detail)
  }

  #lost(problem: string, code?: number): void {
    this.#drop(code)
    this.#retry(problem)
  }

  /** Lets go of the socket, without waiting for the other side: it may not be there. */
  #drop(code?: number): void {
    this.#run++
    const socket = this.#socket
    this.#socket = undefined
    clearTimeout(this.#timer)
    clearTimeout(this.#healthy)
    this.#heartbeat.stop()
    this.#refresh.stop()
    if (socket !== undefined) {
      if (code === undefined) socket.close()
      else socket.close(code)
    }
    if (!this.#isWelcome) return
    this.#isWelcome = false
    this.#options.onLost()
  }

  #retry(problem: string, atLeastMs = 0): void {
    const { maxMs, minMs } = this.#options
    // Full jitter: any part of the pause, so that clients which were lost together do not come back together.
    const jitter = Math.random() * Math.min(maxMs, minMs * 2 ** Math.min(30, this.#failures++))
    const pause = Math.max(atLeastMs, this.#comeBackMs ?? 0) + jitter
    this.#comeBackMs = undefined
    this.#set({ phase: retrying(), problem, retryAt: Date.now() + pause })
    this.#timer = setTimeout(() => this.#connect(), pause)
  }

  #refuse(error: ClientError): void {
    this.#drop()
    this.#set({ phase: "refused", retryAt: null, problem: error.message })
    this.#options.onEnd(error)
  }
}

/** A browser without network says so, and `online` when it has one again; it is tried all the same. */
const retrying = (): "offline" | "reconnecting" => (platform.navigator?.onLine === false ? "offline" : "reconnecting")
