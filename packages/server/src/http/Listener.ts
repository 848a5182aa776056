/** The socket that a server listens on: made of a config, bound, counted and closed. */
import { Deferred, Effect, Schema, type Scope } from "effect"
import { chmodSync } from "node:fs"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { createServer as createTlsServer } from "node:https"
import { lstat, rm } from "node:fs/promises"
import { type AddressInfo, connect } from "node:net"
import type { Duplex } from "node:stream"
import { isMainThread } from "node:worker_threads"
import { type ServerConfig, ServerOptionsInvalid } from "../ServerOptions.ts"
import { isLoopback } from "./Loopback.ts"
import { problem } from "@holdfast/core"

/** The server cannot listen where it was told to. */
export class ListenFailed extends Schema.TaggedError<ListenFailed>("@holdfast/server/ListenFailed")("ListenFailed", {
  host: Schema.String,
  port: Schema.Int,
  /** What the system says: `EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`. */
  code: Schema.String,
  /** The path, where it is a Unix socket; host and port are those that it would have had otherwise. */
  socket: Schema.optionalKey(Schema.String)
}) {
  override get message() {
    if (this.socket !== undefined) {
      return this.code === "EADDRINUSE"
        ? `The server cannot listen on ${this.socket}: another process does. Stop it, or choose another path`
        : `The server cannot listen on ${this.socket} (${this.code}): its folder must exist and be writable`
    }
    const where = `The server cannot listen on ${this.host}, port ${this.port}`
    if (this.code === "EADDRINUSE")
      return `${where}: something else does. Stop it, or choose another port (0 finds one)`
    if (this.code === "EACCES") return `${where}: ports below 1024 need a privilege. Choose a higher one`
    if (this.code === "EADDRNOTAVAIL" || this.code === "ENOTFOUND") {
      return `${where}: this machine has no such address. Use one of its own, or 0.0.0.0 for all`
    }
    return `${where} (${this.code})`
  }
}

/** Where to listen, and within what bounds. */
export interface ListenerConfig extends Pick<ServerConfig, "host" | "port" | "limits" | "tls"> {
  /** Path of a Unix socket to listen on instead of `host` and `port`; for its user alone. */
  readonly socket?: string
}

/** What is done with what arrives. */
export interface Handlers {
  readonly request: (request: IncomingMessage, response: ServerResponse) => void
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
}

/** A socket that is listened on. */
export interface Listener {
  readonly port: number
  /** `http://127.0.0.1:4747`, as somebody on this machine calls it; `unix:` and the path of a socket. */
  readonly url: string
  /** Accepts nothing any more, closes what is idle, and completes when no request is left. */
  readonly drain: Effect.Effect<void>
  /** Cuts every connection. */
  readonly cut: Effect.Effect<void>
}

const make = (config: ListenerConfig): Effect.Effect<Server, ServerOptionsInvalid> => {
  const { limits, tls } = config
  const options = {
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: Math.min(limits.headersTimeoutMs, limits.requestTimeoutMs),
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    // A stalled sender is found at most this much later than its time is up.
    connectionsCheckingInterval: Math.min(limits.headersTimeoutMs, 5_000)
  }
  return Effect.try({
    try: () =>
      tls === undefined ? createServer(options) : createTlsServer({ ...options, ...tls, minVersion: "TLSv1.2" }),
    catch: (error) =>
      new ServerOptionsInvalid({ field: "tls", expected: `a key and its certificate in PEM (${String(error)})` })
  })
}

/** What Node could not read as HTTP is answered like every other error, as far as somebody listens. */
const refuse = (error: NodeJS.ErrnoException, socket: Duplex): void => {
  if (!socket.writable || error.code === "ECONNRESET") return void socket.destroy()
  const tooLarge = error.code === "HPE_HEADER_OVERFLOW"
  const late = error.code === "ERR_HTTP_REQUEST_TIMEOUT"
  const status = tooLarge ? "431 Request Header Fields Too Large" : late ? "408 Request Timeout" : "400 Bad Request"
  const detail = tooLarge
    ? "the headers are larger than this server takes"
    : late
      ? "the request took too long to arrive"
      : "this is no HTTP request"
  const said = { ...problem(tooLarge ? "too_large" : "invalid", detail), status: Number.parseInt(status, 10) }
  const body = JSON.stringify(said)
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
      `Connection: close\r\n\r\n${body}`
  )
}

/** A socket that a process left behind which is no more. One that somebody listens on stays, and then listening fails. */
const removeStale = (path: string): Effect.Effect<void> =>
  Effect.promise(async () => {
    const found = await lstat(path).catch(() => undefined)
    if (found?.isSocket() !== true) return
    const isListenedOn = await new Promise<boolean>((resolve) => {
      const probe = connect(path)
      probe.once("connect", () => {
        probe.destroy()
        resolve(true)
      })
      probe.once("error", ({ code }: NodeJS.ErrnoException) => resolve(code !== "ECONNREFUSED"))
    })
    if (!isListenedOn) await rm(path, { force: true })
  })

/**
 * Binds a Unix socket that nobody but its user may connect to, at no time: binding is synchronous and takes what `umask` says.
 * A worker cannot change that, and sets the mode right after.
 */
const listenPrivately = (server: Server, path: string, listening: () => void): void => {
  if (!isMainThread) {
    server.listen(path, listening)
    if (server.listening) chmodSync(path, 0o600)
    return
  }
  const before = process.umask(0o177)
  try {
    server.listen(path, listening)
  } finally {
    process.umask(before)
  }
}

/** Listens until the scope closes, and by then cuts what is still open. */
export const listen = (
  config: ListenerConfig,
  handlers: Handlers
): Effect.Effect<Listener, ListenFailed | ServerOptionsInvalid, Scope.Scope> =>
  Effect.gen(function* () {
    const server = yield* make(config)
    const sockets = new Set<Duplex>()
    const answering = new Set<ServerResponse>()
    const answered = yield* Deferred.make<void>()
    let draining = false
    const settle = () => {
      if (draining && answering.size === 0) Deferred.doneUnsafe(answered, Effect.void)
    }
    server.maxConnections = config.limits.maxConnections
    server.on("connection", (socket: Duplex) => {
      sockets.add(socket)
      socket.once("close", () => sockets.delete(socket))
    })
    server.on("clientError", refuse)
    server.on("request", (request, response) => {
      answering.add(response)
      response.once("close", () => {
        answering.delete(response)
        settle()
      })
      if (draining) response.setHeader("Connection", "close")
      handlers.request(request, response)
    })
    server.on("upgrade", handlers.upgrade)

    const { host, port, socket } = config
    if (socket !== undefined) yield* removeStale(socket)
    yield* Effect.callback<void, ListenFailed>((resume) => {
      const failed = (error: NodeJS.ErrnoException) => {
        const at = socket === undefined ? {} : { socket }
        resume(Effect.fail(new ListenFailed({ host, port, code: error.code ?? error.message, ...at })))
      }
      const listening = () => {
        server.off("error", failed)
        resume(Effect.void)
      }
      server.once("error", failed)
      if (socket === undefined) server.listen(port, host, listening)
      else listenPrivately(server, socket, listening)
    })
    const cut = Effect.sync(() => {
      for (const socket of sockets) socket.destroy()
    })
    const drain = Effect.suspend(() => {
      draining = true
      for (const response of answering) if (!response.headersSent) response.setHeader("Connection", "close")
      server.close()
      server.closeIdleConnections()
      settle()
      return Deferred.await(answered)
    })
    yield* Effect.addFinalizer(() =>
      Effect.callback<void>((resume) => {
        const done = () => resume(Effect.void)
        server.close(done)
        for (const socket of sockets) socket.destroy()
      })
    )
    if (socket !== undefined) return { port: 0, url: `unix:${socket}`, drain, cut }
    const bound = (server.address() as AddressInfo).port
    const scheme = config.tls === undefined ? "http" : "https"
    const name = isLoopback(host) && !host.includes(":") ? host : host === "0.0.0.0" ? "127.0.0.1" : bracketed(host)
    return { port: bound, url: `${scheme}://${name}:${bound}`, drain, cut }
  })

const bracketed = (host: string): string => (host === "::" ? "[::1]" : host.includes(":") ? `[${host}]` : host)
