/**
 * The host's side of the bridge protocol, for one sandbox and over all of its connections: who may speak, what was received and
 * what may be forgotten, which commands wait for an answer. It knows nothing of lifecycles: what happens it tells, and a
 * connection that closes is nothing more than that.
 */
import type { SessionId } from "@holdfast/core"
import { FrameInvalid } from "@holdfast/core"
import {
  BridgeCloseCode,
  BridgeFrameKind,
  type BridgeListener,
  BridgeMessage,
  bridgeProtocolVersion,
  type BridgeSocket,
  type ControlMessage,
  decodeBridgeTyped,
  decodeEvents,
  type EventBatch
} from "@holdfast/core/cloud"
import { Result, Schema } from "effect"
import { type BridgeQuotas, makeBridgeMeter } from "./BridgeQuota.ts"
import { type CommandBook, CommandFailed, makeCommandBook } from "./CommandBook.ts"

/** How long a connection may take to say `hello`. */
const helloTimeoutMs = 10_000

/** Weight of stored events after which they are acknowledged at once; and how long fewer wait for company. */
const ackWeight = 256 * 1024
const ackDelayMs = 20

/** A sandbox that breaks the protocol this often is not to be used again. */
const maxMalformed = 10

/** A bridge that turns away what this host says so often in a row does not speak the same protocol, whatever its `hello` says. */
const maxTurnedAway = 5

/** Credentials that are asked for at once; more are answered with none. */
const maxCredentialRequests = 16

/** A difference of clocks that is worth a note. */
const maxSkewMs = 30_000

type Said<T extends BridgeMessage["type"]> = Extract<BridgeMessage, { readonly type: T }>

/** Credentials as they go over the wire. */
export type WireCredentials = Extract<ControlMessage, { readonly type: "credentials" }>["credentials"]

/** What a link tells. None of it may throw or take long. */
export interface BridgeLinkListener {
  /** A connection is up, and is welcomed when this returns. */
  readonly onHello: (hello: Said<"hello">) => void
  readonly onDisconnected: (reason: string) => void
  /** It lives. */
  readonly onHeard: () => void
  /** Events that were not received before, and the bytes of their frame. */
  readonly onEvents: (batch: EventBatch) => void
  /** Events are missing between what was received and these: its log was lost. */
  readonly onGap: (from: number, to: number) => void
  readonly onSyncing: (detail: string) => void
  readonly onHeld: (message: Said<"held">) => void
  readonly onCredentials: (request: Said<"credentials">, answer: (credentials: WireCredentials) => void) => void
  /** Its clock is off by so many milliseconds: told once. */
  readonly onSkew: (byMs: number) => void
  /** It passed a quota, speaks another version, or breaks the protocol again and again: it was turned away for good. */
  readonly onBanned: (reason: string) => void
}

/** What a link is made of. */
export interface BridgeLinkParts {
  readonly sessionId: SessionId
  /** The generation for which the sandbox was made. */
  readonly generation: number
  /** The last number that the host's log has. */
  readonly mirrored: number
  readonly heartbeatMs: number
  readonly quotas: BridgeQuotas
  readonly now: () => number
  readonly listener: BridgeLinkListener
}

/** The link. */
export interface BridgeLink extends Pick<CommandBook, "ask" | "type"> {
  /** Takes a connection whose token was good. The newest that says `hello` is the one that counts. */
  readonly connect: (socket: BridgeSocket) => BridgeListener
  readonly isConnected: () => boolean
  /** What was received so far. */
  readonly received: () => number
  /** Everything up to here is stored, or will never be wanted. */
  readonly passed: (through: number, weight: number) => void
  /** Stops reading, and starts again: the host's log is behind. */
  readonly hold: (isHeld: boolean) => void
  /** Closes the connection, which the bridge may make again. */
  readonly disconnect: (code: BridgeCloseCode, reason: string) => void
  /** Ends the link: what waits fails with this reason, and no connection is taken any more. */
  readonly end: (code: BridgeCloseCode, reason: string) => void
}

const decodeMessage = Schema.decodeUnknownResult(BridgeMessage)

/** Makes the link of a sandbox; nothing is connected yet. */
export const makeBridgeLink = (parts: BridgeLinkParts): BridgeLink => {
  const { generation, listener, now, quotas, sessionId } = parts
  const meter = makeBridgeMeter(quotas, now)
  let current: BridgeSocket | undefined
  /** Its token was good, and it has not said `hello`: one at most. */
  let greeting: { readonly socket: BridgeSocket; readonly timer: NodeJS.Timeout } | undefined
  let received = parts.mirrored
  /** Since this process looks: before, events may be missing that told nothing. */
  let isContinuous = false
  let stored = parts.mirrored
  let acknowledged = 0
  let unacknowledged = 0
  let ackTimer: NodeJS.Timeout | undefined
  let malformed = 0
  let turnedAway = 0
  let credentialRequests = 0
  let skewTold = false
  let held = false
  let ended: { readonly code: BridgeCloseCode; readonly reason: string } | undefined

  const send = (message: ControlMessage) => current?.send(JSON.stringify(message))
  const book = makeCommandBook((frame) => current?.send(frame))

  const acknowledge = () => {
    clearTimeout(ackTimer)
    ackTimer = undefined
    unacknowledged = 0
    if (current === undefined || stored <= acknowledged) return
    acknowledged = stored
    send({ type: "ack", through: stored })
  }

  const passed = (through: number, weight: number) => {
    if (through > stored) stored = through
    unacknowledged += weight
    if (stored <= acknowledged) return
    if (unacknowledged >= ackWeight) acknowledge()
    else ackTimer ??= setTimeout(acknowledge, ackDelayMs).unref()
  }

  const dropGreeting = () => {
    clearTimeout(greeting?.timer)
    greeting = undefined
  }

  const ban = (code: BridgeCloseCode, reason: string, socket: BridgeSocket) => {
    if (ended !== undefined) return
    end(code, reason)
    close(socket, code, reason)
    listener.onBanned(reason)
  }

  const end = (code: BridgeCloseCode, reason: string) => {
    if (ended !== undefined) return
    ended = { code, reason }
    acknowledge()
    if (greeting !== undefined) close(greeting.socket, code, reason)
    dropGreeting()
    const socket = current
    current = undefined
    if (socket !== undefined) close(socket, code, reason)
    book.end(new CommandFailed({ kind: "lost", reason, retryable: true }))
  }

  const reject = (socket: BridgeSocket, reason: string) => {
    malformed += 1
    if (malformed >= maxMalformed) {
      return ban(BridgeCloseCode.quota, `it broke the protocol ${malformed} times, at last: ${reason}`, socket)
    }
    close(socket, BridgeCloseCode.malformed, reason)
    lose(socket, `it broke the protocol: ${reason}`)
  }

  const lose = (socket: BridgeSocket, reason: string) => {
    if (greeting?.socket === socket) dropGreeting()
    if (current !== socket) return
    current = undefined
    listener.onDisconnected(reason)
  }

  /** Whether the frame is within the quotas. */
  const count = (socket: BridgeSocket, bytes: number, events: number): boolean => {
    const over = meter.count(bytes, events)
    if (over !== undefined) ban(BridgeCloseCode.quota, `it sent ${over}`, socket)
    return over === undefined
  }

  const greet = (socket: BridgeSocket, hello: Said<"hello">) => {
    if (hello.protocol !== bridgeProtocolVersion) {
      const reason = `it speaks version ${hello.protocol} of the bridge protocol, this host ${bridgeProtocolVersion}`
      return ban(BridgeCloseCode.version, reason, socket)
    }
    if (hello.sessionId !== sessionId || hello.generation !== generation) {
      return reject(socket, "hello: another session or generation than its token's")
    }
    dropGreeting()
    current?.close(BridgeCloseCode.replaced, "another connection took its place")
    current = socket
    if (held) socket.pause()
    book.countFrom(hello.commands)
    acknowledged = stored
    noteSkew(hello.at)
    const { heartbeatMs } = parts
    // A log that was begun anew goes on behind what was received of the one before and waits to be stored.
    const mirrored = hello.last < received ? received : stored
    send({ type: "welcome", protocol: bridgeProtocolVersion, mirrored, heartbeatMs })
    for (const frame of book.waiting()) socket.send(frame)
    listener.onHello(hello)
  }

  const noteSkew = (at: number) => {
    const by = Math.round(at - now())
    if (skewTold || Math.abs(by) <= maxSkewMs) return
    skewTold = true
    listener.onSkew(by)
  }

  const take = (socket: BridgeSocket, batch: EventBatch) => {
    const { events, first } = batch
    const through = first + events.length - 1
    if (first > received + 1 && isContinuous) listener.onGap(received + 1, first - 1)
    isContinuous = true
    if (through <= received) return
    const known = Math.max(0, received + 1 - first)
    received = through
    listener.onEvents(known === 0 ? batch : { ...batch, first: first + known, events: events.slice(known) })
  }

  const hear = (socket: BridgeSocket, message: BridgeMessage): void => {
    if (message.type === "hello") {
      if (current === socket) return reject(socket, "hello: said twice")
      return greet(socket, message)
    }
    if (current !== socket) return reject(socket, `type: hello first, not ${message.type}`)
    listener.onHeard()
    switch (message.type) {
      case "performed":
        turnedAway = 0
        return book.answer(message.id, message.result)
      case "failed":
        return book.answer(message.id, new CommandFailed(message.failure))
      case "heartbeat":
        return noteSkew(message.at)
      case "syncing":
        return listener.onSyncing(message.detail)
      case "held":
        return listener.onHeld(message)
      case "credentials":
        return lend(message)
    }
  }

  const lend = (request: Said<"credentials">) => {
    const { id } = request
    if (credentialRequests >= maxCredentialRequests) return send({ type: "credentials", id, credentials: null })
    credentialRequests += 1
    let isAnswered = false
    listener.onCredentials(request, (credentials) => {
      if (isAnswered) return
      isAnswered = true
      credentialRequests -= 1
      send({ type: "credentials", id, credentials })
    })
  }

  const connect = (socket: BridgeSocket): BridgeListener => {
    if (ended !== undefined) {
      close(socket, ended.code, ended.reason)
      return { onText: () => {}, onBinary: () => {}, onClose: () => {} }
    }
    greeting?.socket.close(BridgeCloseCode.replaced, "another connection took its place")
    dropGreeting()
    const timer = setTimeout(() => reject(socket, `hello: none within ${helloTimeoutMs} ms`), helloTimeoutMs).unref()
    greeting = { socket, timer }
    /** What comes after a connection was closed from here says nothing any more. */
    const isOurs = () => ended === undefined && (current === socket || greeting?.socket === socket)
    return {
      onText: (text) => {
        if (!isOurs() || !count(socket, Buffer.byteLength(text), 1)) return
        const read = readMessage(text)
        if (typeof read === "string") reject(socket, read)
        else hear(socket, read)
      },
      onBinary: (frame) => {
        if (!isOurs()) return
        if (current !== socket) return reject(socket, "kind: hello first")
        try {
          if (frame[0] === BridgeFrameKind.typed) {
            if (!count(socket, frame.byteLength, 1)) return
            book.answer(decodeBridgeTyped(frame), {})
            return listener.onHeard()
          }
          if (!count(socket, frame.byteLength, 0)) return
          const batch = decodeEvents(frame)
          if (!count(socket, 0, batch.events.length)) return
          listener.onHeard()
          take(socket, batch)
        } catch (error) {
          if (!(error instanceof FrameInvalid) && !(error instanceof RangeError)) throw error
          reject(socket, error.message)
        }
      },
      onClose: (code, reason) => {
        if (isOurs() && code === BridgeCloseCode.malformed && ++turnedAway >= maxTurnedAway) {
          return ban(BridgeCloseCode.version, `it does not understand this host: ${reason}`, socket)
        }
        lose(socket, reason === "" ? `the connection was closed with code ${code}` : reason)
      }
    }
  }

  return {
    ask: book.ask,
    type: book.type,
    connect,
    isConnected: () => current !== undefined,
    received: () => received,
    passed,
    hold: (isHeld) => {
      if (held === isHeld) return
      held = isHeld
      if (held) current?.pause()
      else current?.resume()
    },
    disconnect: (code, reason) => {
      const socket = current
      if (socket === undefined) return
      close(socket, code, reason)
      lose(socket, reason)
    },
    end
  }
}

/** A close reason has at most 123 bytes (RFC 6455, 5.5): cut between characters. */
const close = (socket: BridgeSocket, code: BridgeCloseCode, reason: string) => {
  let cut = reason.slice(0, 123)
  while (Buffer.byteLength(cut) > 123) cut = Array.from(cut).slice(0, -1).join("")
  socket.close(code, cut)
}

/** A message; or what is wrong with it. */
const readMessage = (text: string): BridgeMessage | string => {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return "text: JSON"
  }
  const read = decodeMessage(json)
  return Result.isSuccess(read) ? read.success : `message: ${read.failure.message}`
}
