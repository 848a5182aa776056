/** A client: one connection to a server, and everything that is done over it. */
import type { BackendAnswer, CommandId, ListQuery, SessionId, SessionsAnswer } from "@holdfast/core"
import type { CallOptions } from "./CallOptions.ts"
import type { ClientSession } from "./ClientSession.ts"
import type { ConnectionState } from "./ConnectionState.ts"
import type { Live } from "./Live.ts"
import type { LiveList } from "./LiveList.ts"

/** Makes sockets, as the platform's `WebSocket` does. */
export type WebSocketConstructor = new (url: string, protocols?: string | Array<string>) => WebSocket

/** Where to connect, and as whom. */
export interface ConnectOptions {
  /** The server's address without a path: `http://127.0.0.1:4747`, `https://…`; a path before `/api/v1` is kept. */
  readonly url: string | URL
  /**
   * Who speaks: a JWT. A function is called before each connection and shortly before the token that it gave expires; calls
   * have 30 seconds. Without one, a browser's cookie speaks, or nobody.
   */
  readonly token?: string | (() => string | Promise<string>)
  /** Default: the platform's. */
  readonly fetch?: typeof globalThis.fetch
  /** Default: the platform's. */
  readonly WebSocket?: WebSocketConstructor
  /** Bounds of the pause before another attempt; it doubles, and a random part of it is waited. Default 250 and 15,000. */
  readonly reconnect?: { readonly minMs?: number; readonly maxMs?: number }
  /** How long an HTTP call may take, default 30,000; `exec` has its own time on top, `workspace` has 5 minutes, up- and downloads have 10. */
  readonly timeoutMs?: number
  /** Gets what listeners throw. Default: it is thrown where nobody catches it, which browsers report and which ends Node. */
  readonly onListenerError?: (error: unknown) => void
}

/** A session to make. */
export interface CreateOptions extends CallOptions {
  /** Name of a backend. */
  readonly backend: string
  /** What it is to run, in that backend's terms. */
  readonly spec: unknown
  readonly title?: string
  /** False: the first prompt opens it, or a member who begins to write one. Default true. */
  readonly open?: boolean
  /** Names that begin with `holdfast.` are the server's. */
  readonly labels?: { readonly [name: string]: string }
  /** Made by the caller, so that a repeat makes no second session; new ones unless given. */
  readonly sessionId?: SessionId
  readonly commandId?: CommandId
}

/** A page of the list of sessions. */
export interface ListOptions extends CallOptions, ListQuery {
  /** 1 to 1,000; default 100. */
  readonly limit?: number
  /** The `next` of the page before. */
  readonly cursor?: string
}

/** A client. It connects by itself and stays connected until `close`. */
export interface HoldfastClient {
  readonly connection: Live<ConnectionState>
  /** The sessions that match, live. Close the list when nobody looks any more. */
  readonly sessions: (query?: ListQuery) => LiveList
  /** One page of them, over HTTP. */
  readonly list: (options?: ListOptions) => Promise<SessionsAnswer>
  /** A session by its id. Throws `ClientError` of kind `invalid` for what cannot be one. */
  readonly session: (sessionId: string) => ClientSession
  /** Makes a session and opens it, unless told not to; the view shows it open. */
  readonly create: (options: CreateOptions) => Promise<ClientSession>
  readonly backends: (options?: CallOptions) => Promise<ReadonlyArray<BackendAnswer>>
  /** Does not wait for the next attempt; begins anew where it was refused. */
  readonly reconnectNow: () => void
  /** Ends everything: views stay as they are, iterators end, what waits rejects. Idempotent. */
  readonly close: () => Promise<void>
  readonly [Symbol.asyncDispose]: () => Promise<void>
}
