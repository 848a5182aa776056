/**
 * From what an Opencode server tells of one session, and of the subagents below it, to core's vocabulary. Pure: no clock,
 * no I/O, no randomness.
 */
import type {
  BackendEvent,
  PermissionOutcome,
  PromptId,
  QuestionOutcome,
  ReportedError,
  RequestId,
  TurnId
} from "@holdfast/core"

/** One event of `GET /event`. */
export interface OpencodeEvent {
  readonly type: string
  readonly properties?: unknown
}

/** What a server answers at one moment about a session, as its REST answers have it. */
export interface OpencodeSnapshot {
  /** `GET /session/status`: every session of the directory that is not idle. */
  readonly status: Readonly<Record<string, unknown>>
  /** `GET /permission` and `GET /question`: those of the whole directory. */
  readonly permissions: ReadonlyArray<unknown>
  readonly questions: ReadonlyArray<unknown>
  /**
   * `GET /session/{id}/message` by session, oldest first: the session's own, and those of subagents that still run. The
   * newest are enough, back to one that was told; subagents that are not in here are left as they are.
   */
  readonly messages: Readonly<Record<string, ReadonlyArray<unknown>>>
  /** `GET /session/{id}`, where it was read: title and revert. */
  readonly session?: unknown
  /** `GET /session/{id}/children`, where it was read. */
  readonly children?: ReadonlyArray<unknown>
}

/** How a snapshot is to be read. */
export interface ResyncOptions {
  /**
   * Events may have been missed since the last one that was taken: the stream was away. Default true. False for a second
   * look while the stream goes on: pieces of text that arrive after it are still wanted.
   */
  readonly missed?: boolean
  /**
   * Nobody will look again: what an idle session leaves unfinished was cut off, and is told as interrupted. Default false.
   */
  readonly final?: boolean
}

/** A request to the server by which an answer reaches it. */
export interface OpencodeReply {
  readonly method: "POST"
  /** `/permission/per_…/reply`, `/question/que_…/reply` or `/question/que_…/reject`. */
  readonly path: string
  readonly body?: unknown
}

/** The normaliser of one generation of one session. No method ever throws. */
export interface OpencodeNormaliser {
  /**
   * The session as it is found when a generation begins: all of it is history and nothing is told, except of a turn that
   * still runs. Its turn and what is open in it go on under ids of this generation (`msg_…:2`).
   */
  readonly adopt: (snapshot: OpencodeSnapshot) => ReadonlyArray<BackendEvent>
  /** Takes the next event of the stream. Events of other sessions say nothing. */
  readonly take: (event: OpencodeEvent) => ReadonlyArray<BackendEvent>
  /**
   * Tells what a snapshot knows and the events so far did not say; nothing twice. After a reconnect: buffer events, read
   * the snapshot, resync, take the buffer, go on.
   */
  readonly resync: (snapshot: OpencodeSnapshot, options?: ResyncOptions) => ReadonlyArray<BackendEvent>
  /** A prompt is about to be sent as this message. The turn that it makes will name it. */
  readonly expectPrompt: (promptId: PromptId, messageId: string) => void
  /** It was not sent after all, or the server refused it: the prompt itself is settled elsewhere. */
  readonly forgetPrompt: (messageId: string) => void
  /** A prompt that the server took and then did not run, without a word: its turn is told as failed. */
  readonly failPrompt: (messageId: string, error: ReportedError) => ReadonlyArray<BackendEvent>
  /** Whatever way the running turn ends next, tell it as failed with this error: it was aborted for that reason. */
  readonly failTurn: (error: ReportedError) => void
  /** The request by which an outcome reaches the server; undefined where it is not open any more. */
  readonly answer: (requestId: RequestId, outcome: PermissionOutcome | QuestionOutcome) => OpencodeReply | undefined
  /**
   * Refusals for requests that ended with their turn and that the server still keeps (it does after an abort): send them,
   * a 404 is fine. Each is handed out once.
   */
  readonly abandoned: () => ReadonlyArray<OpencodeReply>
  /** Whether an event is about this session or a subagent below it. */
  readonly concerns: (event: OpencodeEvent) => boolean
  /** Subagents' sessions, those below subagents included; the newest 200. */
  readonly children: () => ReadonlyArray<string>
  /** The running turn. */
  readonly activeTurn: () => TurnId | undefined
  /**
   * Model calls of the running turn so far, of the session or of one subagent, whichever made more: against streams
   * without a finish reason, which Opencode answers with another call for ever.
   */
  readonly steps: () => number
  /**
   * The server said that it is idle, and the turn is not finished: read a snapshot and resync. Within some 40 ms its last
   * words come by themselves; some never come.
   */
  readonly needsReread: () => boolean
  /** The session was deleted on the server. */
  readonly isDeleted: () => boolean
}

/** What a normaliser is made for. */
export interface OpencodeNormaliserOptions {
  readonly sessionId: string
  /** The opening that it serves, as in the envelope of the log's events. */
  readonly generation: number
  /** The session's directory: relative paths of diffs are told as paths below it. */
  readonly directory: string
}

/** The user message that a turn began with: what `revert` and `fork` name. */
export const messageIdOf = (turnId: TurnId): string => turnId.split(":", 1)[0]!
