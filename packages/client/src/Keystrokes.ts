/**
 * Keystrokes on their way to one session's terminal: joined into few frames, kept until the server says that they reached
 * it, and sent again with the same ids after a reconnection, in the order in which they were typed.
 */
import {
  type CommandId,
  type ConnectionLimits,
  encodeKeystrokes,
  makeCommandId,
  maxWriteBytes,
  type Problem,
  type SessionId
} from "@holdfast/core"
import { ClientError, clientError } from "./ClientError.ts"
import { Listeners } from "./Listeners.ts"
import type { SendPace } from "./SendPace.ts"

/** Most bytes of keystrokes that wait for a session: 1 MiB, which is a large paste. */
export const maxTypedBytes = 1024 * 1024

/** Most bytes of one frame, below what servers take of one message: 64 KiB. */
const frameBytes = 64 * 1024

/** Frames of a session under way at once; what is typed meanwhile is joined into the next. */
const maxUnderWay = 16

/** Bytes of a frame before those that were typed. */
const headBytes = 33

/** What was typed and not told to have arrived. */
interface Typed {
  readonly commandId: CommandId
  readonly bytes: Uint8Array
  isUnderWay: boolean
}

/** What it needs of the client around it. */
export interface KeystrokesOptions {
  readonly sessionId: SessionId
  readonly pace: SendPace
  readonly send: (frame: Uint8Array<ArrayBuffer>) => void
  readonly onError: (error: unknown) => void
}

/** The keystrokes of one session. */
export class Keystrokes {
  /** Terminals, which are told of what was refused. */
  readonly problems: Listeners<[error: ClientError]>
  readonly #options: KeystrokesOptions
  /** Frames, oldest first: those under way are before those that are not. */
  #typed: Array<Typed> = []
  /** Typed since the last frame was made. */
  #loose: Array<Uint8Array> = []
  #bytes = 0
  #isDue = false
  #limits: ConnectionLimits | undefined
  #ended: Problem | undefined

  constructor(options: KeystrokesOptions) {
    this.#options = options
    this.problems = new Listeners(options.onError)
  }

  /** Nothing waits, and no terminal is there to type into. */
  get isIdle(): boolean {
    return this.#bytes === 0 && this.problems.size === 0
  }

  /** Throws a {@link ClientError} where too much waits, or nothing can be sent any more. */
  write(bytes: Uint8Array): void {
    if (bytes.byteLength === 0) return
    if (this.#ended !== undefined) throw new ClientError(this.#ended)
    if (this.#bytes + bytes.byteLength > maxTypedBytes) {
      throw clientError("busy", `more than ${maxTypedBytes} bytes of keystrokes wait for the server: try again later`)
    }
    this.#bytes += bytes.byteLength
    // The caller may write into its buffer again.
    this.#loose.push(bytes.slice())
    if (this.#isDue) return
    this.#isDue = true
    queueMicrotask(() => {
      this.#isDue = false
      this.pump()
    })
  }

  onWelcome(limits: ConnectionLimits): void {
    this.#limits = limits
    this.#ended = undefined
    for (const typed of this.#typed) typed.isUnderWay = false
    this.pump()
  }

  onLost(): void {
    this.#limits = undefined
  }

  /** No connection is made any more: what waits is dropped, and told. */
  end(problem: Problem): void {
    this.#ended = problem
    if (this.#bytes === 0) return
    this.#typed = []
    this.#loose = []
    this.#bytes = 0
    this.problems.tell(new ClientError(problem))
  }

  begin(): void {
    this.#ended = undefined
  }

  /** They reached the terminal. Says whether they were of this session. */
  onTyped(commandId: CommandId): boolean {
    const index = this.#typed.findIndex((typed) => typed.commandId === commandId)
    if (index < 0) return false
    this.#bytes -= this.#typed[index]!.bytes.byteLength
    this.#typed.splice(index, 1)
    this.pump()
    return true
  }

  /** They did not, and will not. */
  onRejected(commandId: CommandId, problem: Problem): boolean {
    if (!this.onTyped(commandId)) return false
    this.problems.tell(new ClientError(problem, { commandId }))
    return true
  }

  pump(): void {
    const limits = this.#limits
    if (limits === undefined) return
    const window = Math.max(1, Math.min(maxUnderWay, Math.floor(limits.maxPendingCommands / 4)))
    let underWay = this.#typed.reduce((count, typed) => count + (typed.isUnderWay ? 1 : 0), 0)
    for (;;) {
      let next = this.#typed[underWay]
      if (underWay >= window || (next === undefined && this.#loose.length === 0)) return
      if (!this.#options.pace.take()) return
      next ??= this.#join(Math.min(frameBytes, maxWriteBytes, limits.maxMessageBytes - headBytes))
      next.isUnderWay = true
      underWay++
      this.#options.send(encodeKeystrokes(this.#options.sessionId, next.commandId, next.bytes))
    }
  }

  /** Makes a frame of what was typed since the last, as far as it goes into one. */
  #join(maxBytes: number): Typed {
    const bytes = new Uint8Array(
      Math.min(
        maxBytes,
        this.#loose.reduce((sum, piece) => sum + piece.byteLength, 0)
      )
    )
    let at = 0
    while (at < bytes.byteLength) {
      const piece = this.#loose[0]!
      const taken = piece.subarray(0, bytes.byteLength - at)
      bytes.set(taken, at)
      at += taken.byteLength
      if (taken.byteLength === piece.byteLength) this.#loose.shift()
      else this.#loose[0] = piece.subarray(taken.byteLength)
    }
    const typed: Typed = { commandId: makeCommandId(), bytes, isUnderWay: false }
    this.#typed.push(typed)
    return typed
  }
}
