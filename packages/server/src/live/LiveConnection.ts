/** One live connection: what its client says, its subscriptions, its commands, its heartbeat and its end. */
import {
  CloseCode,
  type CommandId,
  decodeKeystrokes,
  FrameInvalid,
  type Identity,
  type Keystrokes,
  type ListQuery,
  problem,
  type Problem,
  protocolVersion,
  type ParticipantId,
  type Receipt,
  type SessionId,
  type SessionSummary
} from "@holdfast/core"
import type { HoldfastService } from "@holdfast/runtime"
import { Cause, type Clock, Effect, Exit, type Fiber, Result, Stream } from "effect"
import type { Duplex } from "node:stream"
import type { RawData, WebSocket } from "ws"
import type { SessionAccessService } from "../access/SessionAccess.ts"
import type { AuthenticatorService, Caller } from "../auth/Authenticator.ts"
import { problemOf } from "../api/ProblemOf.ts"
import { CommandLanes } from "./CommandLanes.ts"
import { ConnectionPulse, maxWaitingBytes } from "./ConnectionPulse.ts"
import { CreditWindow } from "./CreditWindow.ts"
import { type Incoming, readMessage } from "./IncomingMessages.ts"
import { type LiveLimits, limitsForClient } from "./LiveLimits.ts"
import { LiveSocket } from "./LiveSocket.ts"
import type { Presence, PresenceMember } from "./Presence.ts"
import type { SessionOpenings } from "./SessionOpenings.ts"
import type { SessionSignals } from "./SessionSignals.ts"
import type { SentKind, SharedBody } from "./SharedBody.ts"
import { serveSubscription } from "./SessionSubscription.ts"

/** Credit for at least this part of a window, which was under way, does not count as a message: the frames have paid for it. */
const uncountedParts = 8

/** How long a client may take to answer a close: 2 s; then the connection is cut. */
const closeGraceMs = 2_000

/** Sessions of a connection whose keystrokes are let through without asking again: 64, and then they are asked about anew. */
const maxWritesTo = 64

/** Milliseconds between two messages of a list that is complete: what changes meanwhile is joined. */
const listJoinMs = 200

/** The lane of a session's keystrokes. */
const keysOf = (sessionId: SessionId): string => `keys ${sessionId}`

/** What all connections of an endpoint share. */
export interface LiveParts {
  readonly holdfast: HoldfastService
  readonly access: SessionAccessService
  readonly authenticator: Pick<AuthenticatorService, "authenticate" | "onEnd">
  readonly openings: SessionOpenings
  readonly presence: Presence
  readonly signals: Pick<SessionSignals, "typing">
  readonly limits: Required<LiveLimits>
  readonly clock: Clock.Clock
  /** Starts a fiber that ends with the endpoint. */
  readonly run: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
}

interface OpenSubscription {
  /** Null of a list. */
  readonly sessionId: SessionId | null
  readonly window: CreditWindow
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  entered: boolean
}

/** A connection that was upgraded and is known whose it is. */
export class LiveConnection implements PresenceMember {
  readonly #parts: LiveParts
  readonly #ws: WebSocket
  readonly #socket: LiveSocket
  readonly #address: string
  readonly #subscriptions = new Map<number, OpenSubscription>()
  readonly #lanes = new CommandLanes()
  /** Sessions that the caller may write to, as was found out: see {@link maxWritesTo}. */
  readonly #writesTo = new Set<SessionId>()
  readonly #pulse: ConnectionPulse
  readonly #closed: () => void
  #caller: Caller
  #offEnd: () => void
  #pendingBytes = 0
  #closingAt: number | undefined
  /** Subscriptions that wait until the system has taken what was written. */
  readonly #waiters = new Set<() => void>()
  /** The newest lists of people that could not be shown yet, one a session. */
  readonly #unshown = new Map<SessionId, string>()

  constructor(
    parts: LiveParts,
    opened: { readonly ws: WebSocket; readonly socket: Duplex; readonly caller: Caller; readonly address: string },
    closed: () => void
  ) {
    const now = parts.clock.currentTimeMillisUnsafe()
    const { limits } = parts
    this.#parts = parts
    this.#ws = opened.ws
    this.#socket = new LiveSocket(opened.ws, opened.socket)
    this.#address = opened.address
    this.#caller = opened.caller
    this.#closed = closed
    this.#pulse = new ConnectionPulse(limits, now)
    this.#offEnd = this.#watchEnd(opened.caller)
    opened.socket.on("drain", this.#drained)
    this.#ws.on("message", this.#said)
    this.#ws.on("ping", (data) => {
      if (this.#counts()) this.#ws.pong(data)
    })
    this.#ws.on("pong", () => this.#counts())
    // What the library could not read it has answered with a close code of its own.
    this.#ws.on("error", () => this.#end())
    this.#ws.once("close", () => {
      opened.socket.off("drain", this.#drained)
      this.#end()
      this.#closed()
    })
    this.#socket.send({
      type: "welcome",
      protocol: protocolVersion,
      you: opened.caller.identity,
      limits: limitsForClient(limits),
      heartbeatMs: limits.heartbeatMs,
      now
    })
  }

  get identity(): Identity {
    return this.#caller.identity
  }

  /** Subscriptions that are open. */
  get subscriptions(): number {
    return this.#subscriptions.size
  }

  /** Says that the server stops, and closes. */
  goodbye(reason: string, retryAfterMs: number): void {
    this.#socket.send({ type: "goodbye", reason, retryAfterMs })
    this.close(CloseCode.goingAway, reason)
  }

  /** Closes with a reason, and cuts the connection where that is not answered. */
  close(code: number, reason: string): void {
    if (this.#closingAt !== undefined) return
    this.#closingAt = this.#parts.clock.currentTimeMillisUnsafe()
    this.#socket.close(code, reason)
    this.#end()
  }

  /** Ends the connection at once. */
  cut(): void {
    this.#socket.cut()
  }

  /** Looks after the connection: several times a heartbeat. */
  tick(now: number): void {
    if (this.#closingAt !== undefined) {
      if (now - this.#closingAt >= closeGraceMs) this.cut()
      return
    }
    const check = this.#pulse.check(now, this.#socket, () => this.#underWay())
    if (check === "ping") this.#socket.send({ type: "ping" })
    else if (check !== "nothing") this.close(check.code, check.reason)
  }

  /** Shows who has a session open. */
  showPresent(sessionId: SessionId, message: string): void {
    if (this.#socket.waiting > maxWaitingBytes) this.#unshown.set(sessionId, message)
    else this.#socket.sendText(message)
  }

  #underWay(): number {
    let bytes = 0
    for (const { window } of this.#subscriptions.values()) bytes += Math.max(0, window.underWay)
    return bytes
  }

  #watchEnd(caller: Caller): () => void {
    return this.#parts.authenticator.onEnd(caller, (why) => {
      this.close(CloseCode.unauthenticated, why === "expired" ? "the token has expired" : "the token was revoked")
    })
  }

  readonly #drained = (): void => {
    const waiters = [...this.#waiters]
    this.#waiters.clear()
    for (const resume of waiters) resume()
    for (const message of this.#unshown.values()) this.#socket.sendText(message)
    this.#unshown.clear()
  }

  /** Waits until the system has taken most of what was written. */
  readonly #room: Effect.Effect<void> = Effect.suspend(() =>
    this.#socket.waiting <= maxWaitingBytes
      ? Effect.void
      : Effect.callback<void>((resume) => {
          // Others may have filled it again.
          const wake = () => resume(this.#room)
          this.#waiters.add(wake)
          return Effect.sync(() => this.#waiters.delete(wake))
        })
  )

  /** Whether one more message is within what a client may send; if not, the connection is closed. */
  #counts(): boolean {
    const { clock, limits } = this.#parts
    if (this.#pulse.heard(clock.currentTimeMillisUnsafe())) return this.#closingAt === undefined
    this.close(CloseCode.tooMany, `more than ${limits.maxMessagesPerSecond} messages a second`)
    return false
  }

  readonly #said = (data: RawData, isBinary: boolean): void => {
    if (!this.#counts()) return
    const bytes = data as Buffer
    if (isBinary) return this.#typed(bytes)
    const read = readMessage(bytes.toString())
    if (Result.isFailure(read)) return this.#malformed(read.failure.field, read.failure.expected)
    this.#take(read.success, bytes.byteLength)
  }

  #malformed(field: string, expected: string): void {
    this.close(CloseCode.malformed, `${field}: expected ${expected}`)
  }

  #take(message: Incoming, bytes: number): void {
    switch (message.type) {
      case "ping":
        return this.#socket.send({ type: "pong" })
      case "pong":
        return
      case "credit":
        return this.#credit(message.subscription, message.bytes)
      case "subscribe":
        return this.#begin(message.subscription, message.sessionId, (open) => this.#follow(message, open))
      case "list":
        return this.#begin(message.subscription, null, () => this.#list(message.subscription, message.query))
      case "unsubscribe":
        return this.#leave(message.subscription)
      case "typing":
        return this.#writes(message.sessionId, message.typing)
      case "authenticate":
        return this.#authenticate(message.token)
      case "command":
        return this.#command(message, bytes)
    }
  }

  #writes(sessionId: SessionId, typing: boolean): void {
    const { access, clock, presence, run, signals } = this.#parts
    const now = clock.currentTimeMillisUnsafe()
    if (!presence.type(sessionId, this, typing, now)) return
    // A session is opened only for who may send it a prompt.
    run(
      Effect.match(access.allow(this.#caller, sessionId, "member"), {
        onFailure: () => undefined,
        onSuccess: () => signals.typing(sessionId, now)
      })
    )
  }

  #credit(subscription: number, bytes: number): void {
    const window = this.#subscriptions.get(subscription)?.window
    if (window === undefined) return
    // Who takes a flood says so more often than anybody may say something else.
    if (bytes * uncountedParts >= window.size && bytes <= window.underWay) this.#pulse.uncount()
    window.give(bytes)
  }

  #begin(
    subscription: number,
    sessionId: SessionId | null,
    serve: (open: OpenSubscription) => Effect.Effect<void, unknown>
  ): void {
    const { limits, run } = this.#parts
    if (this.#subscriptions.has(subscription)) {
      return this.#malformed("subscription", "a number that no open subscription has")
    }
    if (this.#subscriptions.size >= limits.maxSubscriptions) {
      return this.#unsubscribed(
        subscription,
        problem("busy", `a connection has at most ${limits.maxSubscriptions} subscriptions: end one first`)
      )
    }
    const open: OpenSubscription = {
      sessionId,
      window: new CreditWindow(limits.windowBytes),
      fiber: undefined,
      entered: false
    }
    this.#subscriptions.set(subscription, open)
    open.fiber = run(serve(open))
    open.fiber.addObserver((exit) => {
      if (this.#subscriptions.get(subscription) !== open) return
      this.#leave(subscription)
      if (Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)) return
      this.#unsubscribed(
        subscription,
        Exit.isSuccess(exit) ? problem("not_found", "the session was deleted") : this.#problem(exit.cause)
      )
    })
  }

  #unsubscribed(subscription: number, why: Problem): void {
    this.#socket.send({ type: "unsubscribed", subscription, problem: why })
  }

  #problem(cause: Cause.Cause<unknown>): Problem {
    const problem = problemOf(Cause.squash(cause))
    if (problem.kind === "internal") this.#parts.run(Effect.logError("a live connection met a fault", cause))
    return problem
  }

  /** Ends a subscription, without a word. */
  #leave(subscription: number): void {
    const open = this.#subscriptions.get(subscription)
    if (open === undefined) return
    this.#subscriptions.delete(subscription)
    if (open.entered && open.sessionId !== null) {
      this.#unshown.delete(open.sessionId)
      this.#parts.presence.leave(open.sessionId, this)
    }
    open.fiber?.interruptUnsafe()
  }

  #follow(
    message: Extract<Incoming, { readonly type: "subscribe" }>,
    open: OpenSubscription
  ): Effect.Effect<void, unknown> {
    const { access, holdfast, openings, presence } = this.#parts
    const { from, sessionId, subscription, terminal } = message
    const sendFrame = (kind: SentKind, body: SharedBody) => {
      open.window.take(body.size)
      this.#socket.sendFrame(kind, subscription, body)
    }
    return Effect.flatMap(access.allow(this.#caller, sessionId, "viewer"), (summary) => {
      open.entered = true
      presence.enter(sessionId, this)
      return serveSubscription({
        holdfast,
        openings,
        subscription,
        sessionId,
        from,
        terminal,
        summary,
        isReady: () => open.window.isOpen && this.#socket.waiting <= maxWaitingBytes,
        ready: Effect.andThen(open.window.open, this.#room),
        sendText: (json) => this.#socket.sendText(json),
        sendFrame
      })
    })
  }

  #list(subscription: number, query: ListQuery): Effect.Effect<void, unknown> {
    let caughtUp = false
    return Stream.runForEachArray(this.#parts.access.followList(this.#caller, query), (items) => {
      const changed: Array<SessionSummary> = []
      const gone: Array<SessionId> = []
      for (const item of items) {
        if (item.kind === "changed") changed.push(...item.sessions)
        else if (item.kind === "gone") gone.push(...item.sessionIds)
        else caughtUp = true
      }
      this.#socket.send({ type: "sessions", subscription, changed, gone, caughtUp })
      return caughtUp ? Effect.andThen(Effect.sleep(listJoinMs), this.#room) : this.#room
    })
  }

  #authenticate(token: string): void {
    const { authenticator, presence, run } = this.#parts
    const fiber = run(authenticator.authenticate({ bearer: token, address: this.#address }))
    fiber.addObserver((exit) => {
      if (this.#closingAt !== undefined) return
      if (Exit.isFailure(exit)) {
        const problem = problemOf(Cause.squash(exit.cause))
        // Whether it is good cannot be told now: the one before counts until it expires, and its expiry tells the client so.
        if (problem.kind === "unavailable") return this.#socket.send({ type: "authenticated", you: this.identity })
        return this.close(CloseCode.unauthenticated, problem.kind === "internal" ? "try again" : problem.detail)
      }
      const before = this.identity
      const you = exit.value.identity
      if (
        you.participantId !== before.participantId ||
        you.organisation !== before.organisation ||
        you.sessionId !== before.sessionId
      ) {
        return this.close(CloseCode.unauthenticated, "the new token is somebody else's: connect again with it")
      }
      this.#offEnd()
      this.#caller = exit.value
      this.#writesTo.clear()
      this.#offEnd = this.#watchEnd(exit.value)
      this.#socket.send({ type: "authenticated", you })
      if (you.name !== before.name || you.role !== before.role) presence.rename(this)
    })
  }

  #command(message: Extract<Incoming, { readonly type: "command" }>, bytes: number): void {
    const { command, commandId, sessionId } = message
    if (Result.isFailure(command)) {
      const { expected, field } = command.failure
      const why = problem("invalid", `${field} of the command is not valid: expected ${expected}`, { field })
      return this.#socket.send({ type: "rejected", commandId, problem: why })
    }
    const lane = command.success.type === "terminal.write" ? keysOf(sessionId) : sessionId
    this.#submit(
      lane,
      commandId,
      bytes,
      () => this.#parts.access.command(this.#caller, sessionId, command.success, commandId),
      (receipt) => this.#socket.send({ type: "receipt", commandId, receipt })
    )
  }

  /** Keystrokes: without a schema, since their frame is checked as it is read. */
  #typed(frame: Buffer): void {
    let keys
    try {
      keys = decodeKeystrokes(frame)
    } catch (error) {
      if (error instanceof FrameInvalid) return this.#malformed(`frame.${error.field}`, error.expected)
      throw error
    }
    const { commandId, sessionId, typed } = keys
    const isNext = this.#lanes.pending === 0 || this.#lanes.isFree(keysOf(sessionId))
    if (isNext && this.#writeNow(frame, keys)) return
    this.#submit(
      keysOf(sessionId),
      commandId,
      frame.byteLength,
      () => this.#write(sessionId, typed, commandId),
      () => this.#socket.sendTyped(frame)
    )
  }

  /**
   * Once a caller's keystrokes were let through to a session, the door lets them through for as long as they are who they are:
   * labels and a token's role do not change, and what does change, a participant's role, is looked at by `decide` each time.
   * Whether they are answered now.
   */
  #writeNow(frame: Buffer, { commandId, sessionId, typed: bytes }: Keystrokes): boolean {
    if (!this.#writesTo.has(sessionId)) return false
    const actor = this.identity.participantId as ParticipantId
    const typed = this.#parts.holdfast.type(sessionId, bytes, { commandId, actor })
    if (typed === undefined) return false
    if (typed.accepted) this.#socket.sendTyped(frame)
    else this.#socket.send({ type: "rejected", commandId, problem: problemOf(typed.rejection) })
    return true
  }

  #write(sessionId: SessionId, bytes: Uint8Array, commandId: CommandId): Effect.Effect<Receipt, unknown> {
    const { access, holdfast } = this.#parts
    const command = { type: "terminal.write", data: { bytes } } as const
    if (this.#writesTo.has(sessionId)) {
      const actor = this.identity.participantId as ParticipantId
      return holdfast.command(sessionId, command, { commandId, actor })
    }
    const caller = this.#caller
    return Effect.tap(access.command(caller, sessionId, command, commandId), () =>
      Effect.sync(() => {
        if (caller !== this.#caller) return
        if (this.#writesTo.size >= maxWritesTo) this.#writesTo.clear()
        this.#writesTo.add(sessionId)
      })
    )
  }

  #submit(
    lane: string,
    commandId: CommandId,
    bytes: number,
    command: () => Effect.Effect<Receipt, unknown>,
    accepted: (receipt: Receipt) => void
  ): void {
    const { limits, run } = this.#parts
    if (this.#lanes.pending >= limits.maxPendingCommands || this.#pendingBytes > 2 * limits.maxMessageBytes) {
      return this.close(CloseCode.tooMany, `more than ${limits.maxPendingCommands} commands without an answer`)
    }
    this.#pendingBytes += bytes
    this.#lanes.add(lane, (answered) => {
      run(command()).addObserver((exit) => {
        this.#pendingBytes -= bytes
        if (Exit.isSuccess(exit)) accepted(exit.value)
        else this.#socket.send({ type: "rejected", commandId, problem: this.#problem(exit.cause) })
        answered()
      })
    })
  }

  /** Lets go of everything; commands that were taken are still carried out. */
  #end(): void {
    this.#closingAt ??= this.#parts.clock.currentTimeMillisUnsafe()
    this.#offEnd()
    for (const subscription of this.#subscriptions.keys()) this.#leave(subscription)
  }
}
