/** Commands on their way: sent again with the same id until they are answered, so that each has its effect once. */
import {
  checkCommand,
  type ClientCommand,
  type CommandId,
  type ConnectionLimits,
  makeCommandId,
  type Problem,
  type Receipt,
  type SessionId
} from "@holdfast/core"
import * as Schema from "effect/Schema"
import type { SendOptions } from "./CallOptions.ts"
import { ClientError, clientError } from "./ClientError.ts"
import type { SendPace } from "./SendPace.ts"

/** Most commands that wait for an answer. */
export const maxPending = 1_000

/** One of them. */
interface Pending {
  readonly commandId: CommandId
  readonly text: string
  readonly answer: PromiseWithResolvers<Receipt>
  /** Callers that wait: one that sends a command again while it is on its way joins the first. */
  waiting: number
}

/** All of them, in the order in which they were sent. */
export class PendingCommands {
  readonly #pace: SendPace
  readonly #sendText: (text: string) => void
  readonly #pending = new Map<CommandId, Pending>()
  /** Not sent on this connection yet. */
  #toSend: Array<Pending> = []
  /** Sent on this connection and not answered: the server bounds them, whether somebody still waits or not. */
  readonly #underWay = new Set<CommandId>()
  #limits: ConnectionLimits | undefined
  #ended: Problem | undefined

  constructor(pace: SendPace, sendText: (text: string) => void) {
    this.#pace = pace
    this.#sendText = sendText
  }

  /** Sends a command. Rejects with a {@link ClientError}, or with the signal's reason. */
  async send(sessionId: SessionId, command: ClientCommand, options: SendOptions = {}): Promise<Receipt> {
    const { commandId = makeCommandId(), signal } = options
    signal?.throwIfAborted()
    const pending = this.#pending.get(commandId) ?? this.#add(sessionId, command, commandId)
    pending.waiting++
    if (signal === undefined) return pending.answer.promise
    const aborted = Promise.withResolvers<never>()
    const onAbort = () => {
      // Nobody waits: it is not sent again. Whether it has its effect is left open.
      if (--pending.waiting === 0) this.#pending.delete(commandId)
      aborted.reject(signal.reason)
    }
    signal.addEventListener("abort", onAbort, { once: true })
    try {
      return await Promise.race([pending.answer.promise, aborted.promise])
    } finally {
      signal.removeEventListener("abort", onAbort)
    }
  }

  /** There is a connection: what waits goes out, whether it was sent before or not. */
  onWelcome(limits: ConnectionLimits): void {
    this.#limits = limits
    this.#underWay.clear()
    this.#toSend = [...this.#pending.values()]
    this.pump()
  }

  onLost(): void {
    this.#limits = undefined
  }

  /** The app has the client try again. */
  begin(): void {
    this.#ended = undefined
  }

  /** No connection is made any more: nobody needs to wait. */
  end(problem: Problem): void {
    this.#ended = problem
    for (const { answer, commandId } of this.#pending.values()) answer.reject(new ClientError(problem, { commandId }))
    this.#pending.clear()
  }

  onReceipt(commandId: CommandId, receipt: Receipt): void {
    this.#answered(commandId)?.resolve(receipt)
  }

  onRejected(commandId: CommandId, problem: Problem): void {
    this.#answered(commandId)?.reject(new ClientError(problem, { commandId }))
  }

  /** Sends as many as the server takes. */
  pump(): void {
    const limits = this.#limits
    if (limits === undefined) return
    // The other half is for keystrokes.
    while (this.#toSend.length > 0 && this.#underWay.size < Math.max(1, limits.maxPendingCommands / 2)) {
      const pending = this.#toSend[0]!
      if (this.#pending.get(pending.commandId) !== pending) {
        this.#toSend.shift()
        continue
      }
      if (tooLarge(pending.text, limits.maxMessageBytes)) {
        this.#toSend.shift()
        const detail = `the command is larger than the ${limits.maxMessageBytes} bytes that the server takes`
        this.onRejected(pending.commandId, clientError("too_large", detail).problem)
        continue
      }
      if (!this.#pace.take()) return
      this.#toSend.shift()
      this.#underWay.add(pending.commandId)
      this.#sendText(pending.text)
    }
  }

  #add(sessionId: SessionId, command: ClientCommand, commandId: CommandId): Pending {
    if (this.#ended !== undefined) throw new ClientError(this.#ended, { commandId })
    if (this.#pending.size >= maxPending) {
      throw clientError("busy", `${maxPending} commands wait for an answer already: try again later`, { commandId })
    }
    const text = encodeCommand(sessionId, command, commandId)
    const pending: Pending = { commandId, text, answer: Promise.withResolvers(), waiting: 0 }
    this.#pending.set(commandId, pending)
    this.#toSend.push(pending)
    this.pump()
    return pending
  }

  #answered(commandId: CommandId): PromiseWithResolvers<Receipt> | undefined {
    const pending = this.#pending.get(commandId)
    this.#pending.delete(commandId)
    if (this.#underWay.delete(commandId)) this.pump()
    return pending?.answer
  }
}

const toBase64 = Schema.encodeSync(Schema.Uint8ArrayFromBase64)

/** Checks a command here already: a server closes connections that send it what is none. */
const encodeCommand = (sessionId: SessionId, command: ClientCommand, commandId: CommandId): string => {
  const checked = checkCommand(command)
  if (!("body" in checked)) {
    throw clientError("invalid", `${checked.field}: expected ${checked.expected}`, { field: checked.field, commandId })
  }
  const { data, type } = checked.body
  if (type === "session.create" || type === "session.fork" || type === "session.move" || type === "request.expire") {
    throw clientError("invalid", `${type} is no command for a session that is there`, { field: "type", commandId })
  }
  const json = type === "terminal.write" ? { bytes: toBase64(data.bytes) } : data
  return JSON.stringify({ type: "command", sessionId, commandId, command: { type, data: json } })
}

/** A text's bytes in UTF-8 are at least its length and at most three times that: few need to be counted. */
const tooLarge = (text: string, maxBytes: number): boolean =>
  text.length > maxBytes || (text.length * 3 > maxBytes && new TextEncoder().encode(text).byteLength > maxBytes)
