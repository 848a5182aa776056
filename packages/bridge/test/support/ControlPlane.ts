/** A control plane for tests, as strict as the protocol: it copies a bridge's log, and delivers commands until answered. */
import type { BackendCommand } from "@holdfast/core"
import {
  type BridgeCommand,
  bridgePath,
  BridgeMessage,
  bridgeProtocolVersion,
  bridgeSubprotocol,
  decodeBridgeTyped,
  decodeEvents,
  encodeBridgeKeystrokes,
  type EventBatch
} from "@holdfast/core/cloud"
import { Schema } from "effect"
import { createServer, type IncomingMessage, type Server } from "node:http"
import { type WebSocket, WebSocketServer } from "ws"

export type Hello = Extract<typeof BridgeMessage.Type, { readonly type: "hello" }>
export type Message = typeof BridgeMessage.Type
export type CopiedEvent = EventBatch["events"][number] & { readonly number: number; readonly generation: number }

const decodeMessage = Schema.decodeUnknownSync(Schema.fromJsonString(BridgeMessage))

/** What came of a command: a result, a failure, or that it was typed. */
export type Answer = Extract<Message, { readonly type: "performed" | "failed" }> | { readonly type: "typed" }

interface Pending {
  readonly id: number
  readonly frame: () => string | Uint8Array
  readonly resolve: (answer: Answer) => void
}

/** Options of {@link openControlPlane}. */
export interface ControlPlaneOptions {
  readonly token?: string
  readonly heartbeatMs?: number
  /** `unix:/path` in place of a free port of the loopback. */
  readonly socket?: string
  /** What an upgrade is answered with in place of a connection. */
  readonly refuse?: () => number | undefined
  /** Called for each connection when it greets; gives what `welcome` says it has, else what was copied. */
  readonly mirrored?: (hello: Hello) => number
  readonly protocol?: number
  /** Whether a batch is acknowledged now. Default: always. */
  readonly mayAck?: () => boolean
  /** Each command is sent so many times. */
  readonly repeats?: number
}

/** Opens a control plane. */
export const openControlPlane = async (options: ControlPlaneOptions = {}) => {
  const events: Array<CopiedEvent> = []
  const messages: Array<Message> = []
  const hellos: Array<Hello> = []
  const closes: Array<{ readonly code: number; readonly reason: string }> = []
  const refusals: Array<number> = []
  const problems: Array<string> = []
  const pending: Array<Pending> = []
  const watchers = new Set<() => void>()
  let mirrored = 0
  let commands: number | undefined
  let connection: WebSocket | undefined
  let opened = 0
  let isAcking = true

  const changed = () => {
    for (const look of watchers) look()
  }

  const settle = (id: number, answer: Answer) => {
    const at = pending.findIndex((one) => one.id === id)
    // What was sent twice is answered twice.
    if (at !== -1) pending.splice(at, 1)[0]!.resolve(answer)
  }

  const ack = (socket: WebSocket) => {
    if (isAcking && (options.mayAck?.() ?? true)) socket.send(JSON.stringify({ type: "ack", through: mirrored }))
  }

  const take = (socket: WebSocket, { events: told, first, generation }: EventBatch) => {
    if (first > mirrored + 1) problems.push(`a gap: ${first} after ${mirrored}`)
    for (const [index, event] of told.entries()) {
      const number = first + index
      if (number <= mirrored) continue
      mirrored = number
      events.push({ ...event, number, generation } as CopiedEvent)
    }
    ack(socket)
  }

  const greet = (socket: WebSocket, hello: Hello) => {
    hellos.push(hello)
    connection = socket
    commands = Math.max(commands ?? 0, hello.commands)
    if (options.mirrored !== undefined) mirrored = Math.max(mirrored, options.mirrored(hello))
    const { heartbeatMs = 1_000, protocol = bridgeProtocolVersion } = options
    socket.send(JSON.stringify({ type: "welcome", protocol, mirrored, heartbeatMs }))
    for (const one of pending) socket.send(one.frame())
  }

  const serve = (socket: WebSocket) => {
    opened += 1
    let hello: Hello | undefined
    socket.on("message", (data: Buffer, isBinary) => {
      try {
        if (!isBinary) {
          const message = decodeMessage(data.toString("utf8"))
          messages.push(message)
          if (message.type === "hello") {
            if (hello !== undefined) problems.push("a second hello")
            hello = message
            greet(socket, message)
          } else if (hello === undefined) problems.push(`${message.type} before hello`)
          else if (message.type === "performed" || message.type === "failed") settle(message.id, message)
        } else if (data[0] === 17) settle(decodeBridgeTyped(data), { type: "typed" })
        else take(socket, decodeEvents(new Uint8Array(data)))
      } catch (error) {
        problems.push(String(error))
      }
      changed()
    })
    socket.on("error", () => undefined)
    socket.on("close", (code, reason) => {
      closes.push({ code, reason: reason.toString() })
      if (connection === socket) connection = undefined
      changed()
    })
  }

  const server: Server = createServer()
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    handleProtocols: () => bridgeSubprotocol
  })
  server.on("upgrade", (request: IncomingMessage, socket, head) => {
    const given = request.headers.authorization
    const isWrong =
      request.url !== bridgePath || (options.token !== undefined && given !== `Bearer ${options.token}`)
        ? 401
        : undefined
    const status = options.refuse?.() ?? isWrong
    if (status === undefined) return sockets.handleUpgrade(request, socket, head, serve)
    refusals.push(status)
    socket.end(`HTTP/1.1 ${status} No\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
    changed()
  })
  await new Promise<void>((resolve) => {
    if (options.socket === undefined) server.listen(0, "127.0.0.1", resolve)
    else server.listen(options.socket.slice("unix:".length), resolve)
  })
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0

  const waitUntil = (what: string, is: () => boolean, ms = 20_000): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = () => {
        if (!is()) return
        clearTimeout(timer)
        watchers.delete(look)
        resolve()
      }
      const timer = setTimeout(() => {
        watchers.delete(look)
        const last = events.slice(-3).map((event) => JSON.stringify(event).slice(0, 300))
        reject(
          new Error(`waited in vain until ${what}; problems: ${problems.join(", ")}; last events: ${last.join(" ")}`)
        )
      }, ms)
      watchers.add(look)
      look()
    })

  const submit = (frameOf: (id: number) => string | Uint8Array): Promise<Answer> =>
    new Promise((resolve) => {
      const id = (commands = (commands ?? 0) + 1)
      const frame = () => frameOf(id)
      pending.push({ id, frame, resolve })
      for (let time = 0; time < (options.repeats ?? 1); time++) connection?.send(frame())
    })

  const command = (order: BridgeCommand, seq?: number): Promise<Answer> =>
    submit((id) => JSON.stringify({ type: "command", id, ...(seq === undefined ? {} : { seq }), command: order }))

  return {
    url: options.socket ?? `http://127.0.0.1:${port}`,
    port,
    events,
    messages,
    hellos,
    closes,
    refusals,
    problems,
    mirrored: () => mirrored,
    openedCount: () => opened,
    connection: () => connection,
    pendingCount: () => pending.length,
    waitUntil,
    command,
    perform: (performed: Exclude<BackendCommand, { readonly type: "write" | "watched" }>, seq?: number) =>
      command({ do: "perform", command: performed as never }, seq),
    type: (text: string | Uint8Array) =>
      submit((id) => encodeBridgeKeystrokes(id, typeof text === "string" ? new TextEncoder().encode(text) : text)),
    /** All terminal bytes so far. */
    output: (): Buffer =>
      Buffer.concat(events.flatMap((event) => (event.type === "terminal.output" ? [event.bytes] : []))),
    /** The last of them. */
    tail: (bytes: number): Buffer => {
      const pieces: Array<Uint8Array> = []
      for (let at = events.length - 1, size = 0; at >= 0 && size < bytes; at--) {
        const event = events[at]!
        if (event.type !== "terminal.output") continue
        pieces.unshift(event.bytes)
        size += event.bytes.byteLength
      }
      return Buffer.concat(pieces)
    },
    /** Stops and starts acknowledging. */
    setAcking: (is: boolean) => {
      isAcking = is
      if (is && connection !== undefined) ack(connection)
    },
    /** Works a connection that was made from here, and paused since. */
    accept: (socket: WebSocket) => {
      serve(socket)
      socket.resume()
    },
    close: async () => {
      for (const socket of sockets.clients) socket.terminate()
      connection?.terminate()
      await new Promise((resolve) => server.close(resolve))
    }
  }
}

export type ControlPlane = Awaited<ReturnType<typeof openControlPlane>>
