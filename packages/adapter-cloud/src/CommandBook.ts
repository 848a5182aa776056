/**
 * The commands that a bridge has not answered yet: numbered, kept as they were sent, sent again in their order when the bridge
 * is back, and answered once.
 */
import {
  bridgeBounds,
  type BridgeCommand,
  type BridgeFailure,
  type BridgeResult,
  encodeBridgeKeystrokes
} from "@holdfast/core/cloud"
import { Data, Effect } from "effect"

/**
 * Bytes of commands that wait for their answers: 16 MiB, some pictures in prompts. Past it new ones are refused as busy.
 */
const maxWaitingBytes = 16 * 1024 * 1024

/** Bytes of keystrokes that wait: 1 MiB, one large paste. Whoever types faster than the sandbox reads is told so. */
const maxTypedBytes = 1024 * 1024

/** A command that was not performed. */
export class CommandFailed extends Data.TaggedError("CommandFailed")<{
  /** As the bridge says it; or `busy` where it was never sent. */
  readonly kind: BridgeFailure["kind"] | "busy"
  readonly reason: string
  readonly retryable: boolean
  readonly field?: string
}> {}

/** The book. */
export interface CommandBook {
  /** Asks for something, with the place in the host's log where it was decided. An interruption stops the waiting only. */
  readonly ask: (command: BridgeCommand, seq?: number) => Effect.Effect<BridgeResult, CommandFailed>
  /** Hands over what somebody typed; done when it is written. */
  readonly type: (typed: Uint8Array) => Effect.Effect<void, CommandFailed>
  /** The bridge has taken commands up to this number: its next is a higher one. */
  readonly countFrom: (taken: number) => void
  /** All that wait, as they go over the wire, in order. */
  readonly waiting: () => Iterable<string | Uint8Array>
  /** An answer; one that nobody waits for is a repeat. */
  readonly answer: (id: number, outcome: BridgeResult | CommandFailed) => void
  /** From now on everything fails with this. */
  readonly end: (error: CommandFailed) => void
}

interface Waiting {
  readonly frame: string | Uint8Array
  readonly bytes: number
  readonly isTyped: boolean
  settle: ((outcome: BridgeResult | CommandFailed) => void) | undefined
}

const busy = (reason: string, retryable = true) => new CommandFailed({ kind: "busy", reason, retryable })

/** Makes an empty book. `send` puts a frame on the wire where there is a connection, and else does nothing. */
export const makeCommandBook = (send: (frame: string | Uint8Array) => void): CommandBook => {
  const waiting = new Map<number, Waiting>()
  let last = 0
  let bytesWaiting = 0
  let typedWaiting = 0
  let ended: CommandFailed | undefined

  const settle = (id: number, outcome: BridgeResult | CommandFailed) => {
    const entry = waiting.get(id)
    if (entry === undefined) return
    waiting.delete(id)
    if (entry.isTyped) typedWaiting -= entry.bytes
    else bytesWaiting -= entry.bytes
    entry.settle?.(outcome)
  }

  const submit = (make: (id: number) => string | Uint8Array, isTyped: boolean) =>
    Effect.callback<BridgeResult, CommandFailed>((resume) => {
      if (ended !== undefined) return resume(Effect.fail(ended))
      if (waiting.size >= bridgeBounds.commands) {
        return resume(Effect.fail(busy(`${bridgeBounds.commands} commands wait for the sandbox already`)))
      }
      const frame = make(last + 1)
      const bytes = typeof frame === "string" ? Buffer.byteLength(frame) : frame.byteLength
      if (bytes > bridgeBounds.frameBytes) {
        const reason = `it has ${bytes} bytes, and a sandbox takes ${bridgeBounds.frameBytes} at once`
        return resume(Effect.fail(busy(reason, false)))
      }
      const [held, most] = isTyped ? [typedWaiting, maxTypedBytes] : [bytesWaiting, maxWaitingBytes]
      if (held > 0 && held + bytes > most) {
        return resume(Effect.fail(busy(`${held} bytes wait for the sandbox already`)))
      }
      const id = ++last
      const entry: Waiting = {
        frame,
        bytes,
        isTyped,
        settle: (outcome) => resume(outcome instanceof CommandFailed ? Effect.fail(outcome) : Effect.succeed(outcome))
      }
      waiting.set(id, entry)
      if (isTyped) typedWaiting += bytes
      else bytesWaiting += bytes
      send(frame)
      return Effect.sync(() => {
        entry.settle = undefined
      })
    })

  return {
    ask: (command, seq) =>
      submit((id) => JSON.stringify({ type: "command", id, ...(seq === undefined ? {} : { seq }), command }), false),
    type: (typed) => Effect.asVoid(submit((id) => encodeBridgeKeystrokes(id, typed), true)),
    countFrom: (taken) => {
      last = Math.max(last, taken)
    },
    waiting: function* () {
      for (const { frame } of waiting.values()) yield frame
    },
    answer: settle,
    end: (error) => {
      ended ??= error
      for (const id of waiting.keys()) settle(id, ended)
    }
  }
}
