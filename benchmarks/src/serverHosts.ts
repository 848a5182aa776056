/** What the server's benchmarks compare: our server over a SQLite log, and bare servers that do the least. */
import { EventLog, type EventLogService, layerMemory, makeSessionId, type SessionId } from "@holdfast/core"
import { type CreateHoldfast, createHoldfast, type PlainHoldfast, servicesOf } from "@holdfast/runtime"
import { type PlainServer, serve, type ServeOptions } from "@holdfast/server"
import { SqliteEventLog } from "@holdfast/store-sqlite"
import { createdEvent, newEvent } from "@holdfast/testkit"
import { Context, Effect, Layer } from "effect"
import { once } from "node:events"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { type WebSocket, WebSocketServer } from "ws"

/** Our server, with its runtime and its log. */
export interface OurHost {
  readonly server: PlainServer
  readonly holdfast: PlainHoldfast
  readonly log: EventLogService
  readonly liveUrl: string
  readonly close: () => Promise<void>
}

/** One participant has all the clients here, and types faster than any. */
const live = { maxConnectionsPerParticipant: 10_000, maxMessagesPerSecond: 10_000 }

/** Starts ours on a log file, or on a log in memory. All clients are the owner. */
export const startOurs = async (
  path: string | undefined,
  backends: CreateHoldfast["backends"],
  options: Pick<CreateHoldfast, "snapshots"> & Omit<ServeOptions, "holdfast"> = {}
): Promise<OurHost> => {
  const { snapshots, ...serving } = options
  const holdfast = await createHoldfast({
    store: path === undefined ? layerMemory : SqliteEventLog.layer({ path }),
    backends,
    ...(snapshots === undefined ? {} : { snapshots }),
    onLog: (level, message) => console.error(level, message)
  })
  const log = Context.get(await Effect.runPromise(Effect.scoped(Layer.build(servicesOf(holdfast)))), EventLog)
  const server = await serve({ holdfast, port: 0, live, ...serving })
  return {
    server,
    holdfast,
    log,
    liveUrl: `${server.url.replace("http", "ws")}/api/v1/live`,
    close: async () => {
      await server.close()
      await holdfast.close()
    }
  }
}

/** A session that only the log knows. */
export const loggedSession = async (log: EventLogService): Promise<SessionId> => {
  const sessionId = makeSessionId()
  await Effect.runPromise(log.append(sessionId, 0, [createdEvent({ title: "Benchmark" })]))
  return sessionId
}

/** An event that is 1 KiB on the wire. */
export const kibibyteEvent = () =>
  newEvent("item.delta", { itemId: "item", field: "text", text: "x".repeat(900) }, { at: 1_700_000_000_000 })

/** A server that hands its sockets out. */
export interface BareHost {
  readonly url: string
  readonly sockets: ReadonlySet<WebSocket>
  readonly close: () => Promise<void>
}

const listening = async (server: Server): Promise<string> => {
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

const closed = async (server: Server) => {
  server.closeAllConnections()
  server.close()
  await once(server, "close")
}

/** Bare ws. */
export const startBareSockets = async (onSocket: (socket: WebSocket) => void = () => {}): Promise<BareHost> => {
  const server = createServer()
  const sockets = new Set<WebSocket>()
  const websockets = new WebSocketServer({ server, perMessageDeflate: false })
  websockets.on("connection", (socket) => {
    sockets.add(socket)
    socket.on("close", () => sockets.delete(socket))
    onSocket(socket)
  })
  const url = `ws://${await listening(server)}/`
  return {
    url,
    sockets,
    close: async () => {
      for (const socket of sockets) socket.terminate()
      websockets.close()
      await closed(server)
    }
  }
}

/** Bare `node:http` that appends an event for each request and answers with what was stored. */
export const startBareHttp = async (directory: string) => {
  const server = createServer()
  const scope = Layer.build(SqliteEventLog.layer({ path: join(directory, "bare.db") }))
  const close = Promise.withResolvers<void>()
  const opened = Promise.withResolvers<EventLogService>()
  const running = Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        opened.resolve(Context.get(yield* scope, EventLog))
        yield* Effect.promise(() => close.promise)
      })
    )
  )
  const log = await opened.promise
  const sessionId = await loggedSession(log)
  let seq = 1
  server.on("request", (request, response) => {
    let body = ""
    request.setEncoding("utf8").on("data", (text: string) => (body += text))
    request.on("end", () => {
      const { command } = JSON.parse(body) as { readonly command: { readonly data: { readonly title: string } } }
      const event = newEvent("session.renamed", command.data)
      const answered = Effect.map(log.append(sessionId, seq, [event]), (stored) => {
        seq = stored.lastSeq
        const answer = JSON.stringify({ sessionId, ...stored })
        response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(answer) })
        response.end(answer)
      })
      void Effect.runPromise(answered)
    })
  })
  const url = `http://${await listening(server)}/`
  return {
    url,
    close: async () => {
      await closed(server)
      close.resolve()
      await running
    }
  }
}
