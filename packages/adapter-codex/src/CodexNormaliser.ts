/**
 * From the messages of an app-server about one thread to core's vocabulary. Pure: no clock, no I/O, no randomness.
 */
import type {
  BackendEvent,
  ItemId,
  PermissionOutcome,
  PromptId,
  QuestionOutcome,
  RequestId,
  TurnId
} from "@holdfast/core"

/** What a server sends beside responses: a notification, or a request where it has an id. */
export interface CodexMessage {
  readonly method: string
  readonly params?: unknown
  /** Of a request. The server counts from 0, in a space of its own; it must be sent back with the same type. */
  readonly id?: string | number
}

/** A response to a request of the server, ready to be sent. */
export type CodexReply =
  | { readonly id: string | number; readonly result: unknown }
  | { readonly id: string | number; readonly error: { readonly code: number; readonly message: string } }

/** What one message meant. */
export interface Normalised {
  readonly events: ReadonlyArray<BackendEvent>
  /** To be sent at once: requests that no person answers, or that nobody can answer any more. */
  readonly replies: ReadonlyArray<CodexReply>
}

/** A command that still runs, as far as the server has told. */
export interface OpenCommand {
  readonly itemId: ItemId
  /** The server's own ids, for `thread/backgroundTerminals/terminate`. Without a process it waits for approval. */
  readonly wireItemId: string
  readonly processId?: string
  /**
   * `running` in its turn; in the `background` after a turn that ended by itself; `abandoned` by a turn that was
   * interrupted or failed: the log has it as interrupted, and the process lives until somebody ends it.
   */
  readonly state: "running" | "background" | "abandoned"
}

/** The normaliser of one generation of one session. */
export interface CodexNormaliser {
  /** Takes the next message in the order of the wire. Messages about other threads say nothing. Never throws. */
  readonly take: (message: CodexMessage) => Normalised
  /**
   * The response by which an outcome reaches the server; the request is closed here with it, and the server's own word
   * about it says nothing more. Undefined: it is not open any more (answered, taken back, its turn is over).
   */
  readonly answer: (requestId: RequestId, outcome: PermissionOutcome | QuestionOutcome) => CodexReply | undefined
  /** Responses that turn down all that is open: before an interrupt, at the end. Closes them. */
  readonly cancelAll: () => ReadonlyArray<CodexReply>
  /** This prompt made that turn, as the response to `turn/start` says: `turn.started` names it, if it is still to come. */
  readonly expectTurn: (turnId: TurnId, promptId: PromptId) => void
  /** Compaction was asked for: the next one is not automatic. */
  readonly expectCompaction: () => void
  /** The turn that runs. */
  readonly activeTurn: () => TurnId | undefined
  /** Commands that run, those in the background included. */
  readonly openCommands: () => ReadonlyArray<OpenCommand>
  /** The threads that it listens to: its own, and those of sub-agents that it has learnt of (at most 64). */
  readonly threads: () => ReadonlyArray<string>
}

/** Makes one. `cwd` is the session's directory, by which relative paths are told. */
export type MakeCodexNormaliser = (options: {
  readonly threadId: string
  readonly generation: number
  readonly cwd: string
}) => CodexNormaliser
