/** The way to a control plane by being dialled: for sandboxes that accept connections. */
import { BridgeCloseCode, bridgePath, bridgeSubprotocol, endsBridge } from "@holdfast/core/cloud"
import { Clock, Deferred, Effect, FiberSet, Schema, type Scope } from "effect"
import { createHash, timingSafeEqual } from "node:crypto"
import { rmSync } from "node:fs"
import { createServer, type IncomingMessage, type Server } from "node:http"
import type { Duplex } from "node:stream"
import { type WebSocket, WebSocketServer } from "ws"
import type { Bridge } from "./Bridge.ts"
import { type ConnectionEnd, socketOptions } from "./BridgeConnection.ts"
import type { BridgeSettings } from "./BridgeSettings.ts"
import { type BridgeOver, serveConnection } from "./serveConnection.ts"

/** Where the bridge shows its token to who has dialled it, so that both know each other. */
export const tokenHeader = "holdfast-sandbox-token"

/** Connections that may be open at once: one that works, one that takes its place, and those that show no key yet. */
const maxConnections = 32

/** Milliseconds in which a caller has to send the whole request. */
const requestMs = 10_000

/** The bridge cannot listen there. */
export class ListenFailed extends Schema.TaggedError<ListenFailed>("@holdfast/bridge/ListenFailed")("ListenFailed", {
  reason: Schema.String
}) {
  override get message() {
    return `The bridge cannot listen: ${this.reason}`
  }
}

type Listen = Extract<BridgeSettings["way"], { readonly listen: unknown }>

/** Compares without telling by its time how much was right. */
const isSame = (given: string, expected: string): boolean => {
  const [one, other] = [given, expected].map((text) => createHash("sha256").update(text).digest())
  return timingSafeEqual(one!, other!)
}

const refuse = (socket: Duplex, status: string) => {
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
}

const listen = ({ listen: at }: Listen): Effect.Effect<Server, ListenFailed, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Server, ListenFailed>((resume) => {
      const server = createServer({ requestTimeout: requestMs, headersTimeout: requestMs }, (_request, response) => {
        response.writeHead(404).end()
      })
      server.maxConnections = maxConnections
      server.once("error", (error) => resume(Effect.fail(new ListenFailed({ reason: error.message }))))
      const done = () => {
        server.removeAllListeners("error")
        server.on("error", () => undefined)
        resume(Effect.succeed(server))
      }
      if (at.kind === "tcp") server.listen(at.port, at.host, done)
      else {
        // A bridge that was killed leaves its socket, on which nobody can listen any more.
        rmSync(at.path, { force: true })
        server.listen(at.path, done)
      }
    }),
    (server) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )

/** Accepts connections until the bridge is over. The newest one that shows the key works; the one before is let go. */
export const dialIn = Effect.fnUntraced(function* (
  way: Listen,
  settings: BridgeSettings,
  bridge: Bridge
): Effect.fn.Return<BridgeOver, ListenFailed, Scope.Scope> {
  const server = yield* listen(way)
  // After the server, so that its connections end before it does.
  const fork = yield* FiberSet.makeRuntime()
  const over = Deferred.makeUnsafe<BridgeOver>()
  const sockets = new WebSocketServer({
    ...socketOptions,
    noServer: true,
    handleProtocols: (offered) => (offered.has(bridgeSubprotocol) ? bridgeSubprotocol : false)
  })
  sockets.on("headers", (headers) => headers.push(`${tokenHeader}: ${settings.token}`))
  let working: WebSocket | undefined
  let lastWelcome = yield* Clock.currentTimeMillis

  const ended = (socket: WebSocket, end: ConnectionEnd) =>
    Effect.gen(function* () {
      if (working === socket) working = undefined
      if (end.wasWelcome) lastWelcome = yield* Clock.currentTimeMillis
      yield* Effect.logInfo(`the connection ended (${end.code} ${end.reason})`)
      if (!endsBridge(end.code)) return
      const why = end.code === BridgeCloseCode.gone ? "gone" : "refused"
      Deferred.doneUnsafe(over, Effect.succeed({ why, detail: `${end.code} ${end.reason}` }))
    })

  const accept = (socket: WebSocket) => {
    working?.close(BridgeCloseCode.replaced, "another connection took its place")
    working = socket
    fork(Effect.flatMap(serveConnection(socket, settings, bridge), (end) => ended(socket, end)))
  }

  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // Whoever goes away before the answer is nobody's concern.
    socket.on("error", () => undefined)
    const key = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? "")?.[1]
    const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((each) => each.trim())
    if (request.url !== bridgePath) return refuse(socket, "404 Not Found")
    if (key === undefined || !isSame(key, way.dialKey)) return refuse(socket, "401 Unauthorized")
    if (!offered.includes(bridgeSubprotocol)) return refuse(socket, "426 Upgrade Required")
    sockets.handleUpgrade(request, socket, head, accept)
  })
  yield* Effect.logInfo(`listening at ${addressOf(server)}`)

  const alone = Effect.gen(function* () {
    for (;;) {
      const now = yield* Clock.currentTimeMillis
      const left = working === undefined ? lastWelcome + settings.lifetimeMs - now : settings.lifetimeMs
      if (left <= 0) return { why: "alone", detail: `no control plane for ${settings.lifetimeMs} ms` } as const
      yield* Effect.sleep(left)
    }
  })
  return yield* Effect.raceFirst(Deferred.await(over), alone)
})

const addressOf = (server: Server): string => {
  const address = server.address()
  return typeof address === "object" && address !== null ? `${address.address}:${address.port}` : String(address)
}
