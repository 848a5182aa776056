/** One WebSocket between a bridge and its control plane: greeting, frames, heartbeats, silence, and its end. */
import {
  BridgeCloseCode,
  bridgeBounds,
  BridgeFrameKind,
  type BridgeMessage as BridgeMessages,
  bridgeProtocolVersion,
  ControlMessage as ControlMessages,
  decodeBridgeKeystrokes,
  encodeBridgeTyped
} from "@holdfast/core/cloud"
import { FrameInvalid } from "@holdfast/core"
import { Effect, Result, Schema } from "effect"
import { statfs } from "node:fs/promises"
import { WebSocket } from "ws"
import type { FrameSink } from "./EventSender.ts"

/** Milliseconds from `hello` to `welcome`. */
const welcomeMs = 10_000

/** Heartbeats that may pass without a word from the other side before the connection counts as dead. */
const silentHeartbeats = 3

/** Heartbeats are sent at most and at least this often, whatever is asked for. */
const heartbeatBounds = { least: 20, most: 10 * 60 * 1_000 }

/** Milliseconds that a close handshake may take. */
const closeMs = 1_000

/** What an accepted connection is told and asked. The callbacks come in order, and none after its end. */
export interface ConnectionListener {
  readonly hello: () => Message<"hello">
  /** The greeting is answered: what the control plane has, and how to speak to it. */
  readonly onWelcome: (mirrored: number, connection: BridgeConnection) => void
  readonly onCommand: (command: Control<"command">) => void
  readonly onKeystrokes: (id: number, typed: Uint8Array) => void
  readonly onAck: (through: number) => void
  readonly onCredentials: (answer: Control<"credentials">) => void
}

type Message<T extends BridgeMessage["type"]> = Extract<BridgeMessage, { readonly type: T }>
type Control<T extends ControlMessage["type"]> = Extract<ControlMessage, { readonly type: T }>
type BridgeMessage = typeof BridgeMessages.Type
type ControlMessage = typeof ControlMessages.Type

/** A connection whose greeting was answered. */
export interface BridgeConnection extends FrameSink {
  readonly tell: (message: BridgeMessage) => void
  readonly typed: (id: number) => void
  readonly close: (code: number, reason: string) => void
}

/** How a connection ended. */
export interface ConnectionEnd {
  readonly code: number
  readonly reason: string
  /** It got as far as a `welcome`. */
  readonly wasWelcome: boolean
  /** It was closed from here. */
  readonly isOurs: boolean
}

const decodeControl = Schema.decodeUnknownResult(Schema.fromJsonString(ControlMessages))

/** What is wrong with a frame, in as many bytes as a close reason may have. */
const closeReason = (text: string): string => {
  const line = text.replaceAll(/\s+/g, " ").trim()
  return Buffer.from(line)
    .subarray(0, 120)
    .toString("utf8")
    .replace(/\ufffd+$/, "")
}

/** Works a connection that is open until it ends. An interrupt drops it. `workspace` is where the disk is looked at. */
export const workConnection = (
  socket: WebSocket,
  listener: ConnectionListener,
  workspace: string
): Effect.Effect<ConnectionEnd> =>
  Effect.callback<ConnectionEnd>((resume) => {
    let isWelcome = false
    let ours: { readonly code: number; readonly reason: string } | undefined
    let heartbeat: NodeJS.Timeout | undefined
    let lastHeard = performance.now()
    const deadline = setTimeout(() => close(BridgeCloseCode.silent, "no welcome came"), welcomeMs)
    let closeTimer: NodeJS.Timeout | undefined

    const close = (code: number, reason: string) => {
      if (ours !== undefined) return
      ours = { code, reason: closeReason(reason) }
      socket.close(ours.code, ours.reason)
      closeTimer = setTimeout(() => socket.terminate(), closeMs)
    }
    const malformed = (reason: string) => close(BridgeCloseCode.malformed, reason)

    const send = (frame: string | Uint8Array, onSent?: () => void) => {
      // Of a frame that cannot be sent the close tells.
      if (socket.readyState === WebSocket.OPEN) socket.send(frame, (error) => error == null && onSent?.())
    }
    const connection: BridgeConnection = {
      send,
      bufferedBytes: () => socket.bufferedAmount,
      tell: (message) => send(JSON.stringify(message)),
      typed: (id) => send(encodeBridgeTyped(id)),
      close
    }

    const beat = (every: number) => {
      if (performance.now() - lastHeard > every * silentHeartbeats) {
        ours ??= { code: BridgeCloseCode.silent, reason: "the control plane is silent" }
        socket.terminate()
        return
      }
      socket.ping()
      const at = Date.now()
      statfs(workspace).then(
        ({ bavail, blocks, bsize }) =>
          connection.tell({ type: "heartbeat", at, disk: { free: bavail * bsize, total: blocks * bsize } }),
        () => connection.tell({ type: "heartbeat", at })
      )
    }

    const take = (message: ControlMessage) => {
      if (message.type === "welcome") {
        if (isWelcome) return malformed("a second welcome")
        if (message.protocol !== bridgeProtocolVersion) {
          return close(
            BridgeCloseCode.version,
            `protocol ${bridgeProtocolVersion} is spoken here, not ${message.protocol}`
          )
        }
        isWelcome = true
        clearTimeout(deadline)
        const every = Math.min(Math.max(message.heartbeatMs, heartbeatBounds.least), heartbeatBounds.most)
        heartbeat = setInterval(() => beat(every), every)
        return listener.onWelcome(message.mirrored, connection)
      }
      if (!isWelcome) return malformed(`${message.type} before welcome`)
      switch (message.type) {
        case "command":
          return listener.onCommand(message)
        case "ack":
          return listener.onAck(message.through)
        case "credentials":
          return listener.onCredentials(message)
      }
    }

    const onMessage = (data: unknown, isBinary: boolean) => {
      lastHeard = performance.now()
      if (ours !== undefined) return
      const bytes = data as Buffer
      if (!isBinary) {
        const decoded = decodeControl(bytes.toString("utf8"))
        if (Result.isFailure(decoded)) malformed(String(decoded.failure))
        else take(decoded.success)
        return
      }
      if (bytes[0] !== BridgeFrameKind.keystrokes) return malformed(`kind: a frame of kind ${bytes[0]} is not known`)
      if (!isWelcome) return malformed("keystrokes before welcome")
      let keystrokes
      try {
        keystrokes = decodeBridgeKeystrokes(bytes)
      } catch (error) {
        if (!(error instanceof FrameInvalid)) throw error
        return malformed(error.message)
      }
      listener.onKeystrokes(keystrokes.id, keystrokes.typed)
    }
    const onHeard = () => {
      lastHeard = performance.now()
    }
    const stopTimers = () => {
      clearTimeout(deadline)
      clearTimeout(closeTimer)
      clearInterval(heartbeat)
    }
    const onClose = (code: number, reason: Buffer) => {
      stopTimers()
      socket.removeAllListeners()
      socket.on("error", ignore)
      resume(
        Effect.succeed({
          ...(ours ?? { code, reason: reason.toString("utf8") }),
          wasWelcome: isWelcome,
          isOurs: ours !== undefined
        })
      )
    }
    socket.on("message", onMessage)
    socket.on("ping", onHeard)
    socket.on("pong", onHeard)
    // The close that follows says it.
    socket.on("error", ignore)
    socket.on("close", onClose)
    connection.tell(listener.hello())

    return Effect.sync(() => {
      stopTimers()
      socket.removeAllListeners()
      socket.on("error", ignore)
      socket.terminate()
    })
  })

const ignore = () => undefined

/** Options of both directions: nothing is compressed, since terminals and JSON batches gain less than it costs in memory. */
export const socketOptions = {
  maxPayload: bridgeBounds.frameBytes,
  perMessageDeflate: false,
  // Frames are handed over in the order in which they came, all that came together in one turn of the loop.
  allowSynchronousEvents: true
} as const
