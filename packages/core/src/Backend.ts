/**
 * The one interface in front of everything that can run a session: a terminal, a thread of an agent's server, a remote
 * sandbox. An adapter normalises at its own edge into core's vocabulary; the runtime decides, records and recovers.
 */
import { type Effect, Schema, type Scope, type Stream } from "effect"
import type { Capabilities } from "./Capabilities.ts"
import type { LogUnavailable } from "./EventLog.ts"
import type { ContentBlock, PermissionOutcome, QuestionOutcome } from "./Content.ts"
import type { PackedSession, PackRequest, UnpackedSession, UnpackRequest } from "./Handoff.ts"
import type { ItemId, PromptId, RequestId, SessionId, TurnId } from "./Ids.ts"
import type { DataOf, Delivery, EventBody, KnownType } from "./SessionEvent.ts"
import type { SandboxState, SessionState } from "./SessionState.ts"
import type { CommitAuthor, WorkspaceAction, WorkspaceResult } from "./WorkspaceAction.ts"

/** What the host asks for cannot be run: a missing directory, a bad value. Nothing was logged or started. */
export class SpecInvalid extends Schema.TaggedError<SpecInvalid>("@holdfast/core/SpecInvalid")("SpecInvalid", {
  backend: Schema.String,
  /** Path of the bad field: `cwd`. */
  field: Schema.String,
  expected: Schema.String
}) {
  override get message() {
    return `${this.field} is not valid for the ${this.backend} backend: expected ${this.expected}`
  }
}

/** The backend could not be opened or went away. `retryable` says whether opening it again can help. */
export class BackendLost extends Schema.TaggedError<BackendLost>("@holdfast/core/BackendLost")("BackendLost", {
  backend: Schema.String,
  reason: Schema.String,
  retryable: Schema.Boolean,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message() {
    return `The ${this.backend} backend is gone: ${this.reason}`
  }
}

/** The backend is there but will not do this. */
export class BackendRefused extends Schema.TaggedError<BackendRefused>("@holdfast/core/BackendRefused")(
  "BackendRefused",
  { backend: Schema.String, command: Schema.String, reason: Schema.String, retryable: Schema.Boolean }
) {
  override get message() {
    return `The ${this.backend} backend refused ${this.command}: ${this.reason}`
  }
}

/** Types that only the runtime and its commands write. */
type OwnType =
  | `session.${string}`
  | `participant.${string}`
  | "prompt.queued"
  | "prompt.edited"
  | "prompt.withdrawn"
  | "prompt.dispatched"
  | "prompt.returned"
  | "backend.opening"
  | "backend.opened"
  | "backend.resumed"
  | "backend.configuring"
  | "backend.closing"
  | "backend.suspending"
  | "backend.lost"
  | "turn.interrupting"
  | "context.compacting"
  | "history.reverting"
  | "history.restoring"
  | "item.stopping"
  | "process.signalled"
  | "terminal.typed"
  | "terminal.snapshot"
  | "terminal.resized"
  | "terminal.output"

/**
 * What a backend tells. `terminal.output` comes without its offset (the session counts); a request comes with as much
 * of its deadline and default as the provider knows (the policy fills in the rest).
 */
export type BackendEvent = (
  | EventBody<Exclude<KnownType, OwnType | "permission.requested" | "question.asked">>
  | { readonly type: "terminal.output"; readonly bytes: Uint8Array }
  | RequestEvent<"permission.requested">
  | RequestEvent<"question.asked">
) & {
  /** Its number in the log that it was copied from: stored with it, so that the copy can go on where it was. */
  readonly origin?: number
}

type RequestEvent<T extends "permission.requested" | "question.asked"> = {
  readonly type: T
  readonly data: Omit<DataOf<T>, "deadline" | "default"> & Partial<Pick<DataOf<T>, "deadline" | "default">>
}

/** What the runtime asks of an open backend. Each was decided and recorded before. */
export type BackendCommand =
  /** `promptId` is the client message id by which a provider can tell a prompt that it already has. */
  | {
      readonly type: "prompt"
      readonly promptId: PromptId
      readonly content: ReadonlyArray<ContentBlock>
      readonly delivery: Delivery
      /** The turn to steer into. */
      readonly turnId?: TurnId
      /** Who wrote it, as commits made for it name them; absent where it was the host itself. */
      readonly author?: CommitAuthor
    }
  | { readonly type: "interrupt"; readonly turnId: TurnId }
  | { readonly type: "resolvePermission"; readonly requestId: RequestId; readonly outcome: PermissionOutcome }
  | { readonly type: "answerQuestion"; readonly requestId: RequestId; readonly outcome: QuestionOutcome }
  | { readonly type: "write"; readonly bytes: Uint8Array }
  | { readonly type: "resize"; readonly cols: number; readonly rows: number }
  | { readonly type: "signal"; readonly signal: string }
  | { readonly type: "configure"; readonly model?: string; readonly effort?: string; readonly mode?: string }
  /** Shorten the context now: `context.compacted` tells when it is done. */
  | { readonly type: "compact" }
  /** Take back this turn and all after it: `history.reverted` tells. */
  | { readonly type: "revert"; readonly turnId: TurnId }
  /** Undo the last revert: `history.restored` tells. */
  | { readonly type: "restore" }
  /** Stop one tool call: its `item.completed` tells. */
  | { readonly type: "stopItem"; readonly itemId: ItemId }
  /** The session was archived, or taken out of the archive. */
  | { readonly type: "archive"; readonly archived: boolean }
  /** Branch the native session; {@link Performed.nativeId} is the branch. */
  | { readonly type: "fork"; readonly throughTurn?: TurnId }
  /** Do something with the repository of the workspace; {@link Performed.workspace} is what came of it. */
  | { readonly type: "workspace"; readonly action: WorkspaceAction }
  /** So many people look at the session now: what is watched is not put to rest as soon. Never logged. */
  | { readonly type: "watched"; readonly people: number }
  | { readonly type: "suspend" }
  /** End: ask politely, wait `graceMs`, then force. `backend.closed` tells when it is done. */
  | { readonly type: "close"; readonly force: boolean; readonly graceMs: number }

/** What performing a command brought. */
export interface Performed {
  /** The turn that a prompt went into, where the provider says so. */
  readonly turnId?: TurnId
  /** The native id of a fork. */
  readonly nativeId?: string
  /** The result of a `workspace` command. */
  readonly workspace?: WorkspaceResult
}

/** How a backend is opened. */
export interface OpenRequest {
  readonly sessionId: SessionId
  /** Which opening of the session this is: 1, 2, 3 … It also marks what the backend spawns. */
  readonly generation: number
  /** The checked spec, as the log has it. */
  readonly spec: unknown
  /** What `check` set apart from the log. Only there when the process that created the session opens it. */
  readonly secrets?: unknown
  /** Go on with this native session, with `resume`; undefined starts afresh. */
  readonly nativeId?: string
  /** Start as a branch of this native session. */
  readonly forkOf?: string
  /** Prompts that were on their way when the last generation died: see {@link BackendSession.arrived}. */
  readonly inDoubt: ReadonlyArray<PromptId>
  /** The terminal's size, where the session has had one. */
  readonly size?: { readonly cols: number; readonly rows: number }
  /** The sandbox as the log has it: to be used again, restored or removed. For backends that have sandboxes. */
  readonly sandbox?: SandboxState
  /**
   * The session is about to come from another backend: the folder of this machine with what it brings, which a backend that runs
   * elsewhere takes there now. The others have it, see {@link Backend.unpack}. Until {@link BackendSession.events} is read the
   * session is not this backend's own, and may go on where it was: a scope that is closed before leaves nothing, unless it was
   * detached from. `sandbox` is not given, and what the backend knows of an earlier one is not this one's.
   */
  readonly bundle?: string
  /**
   * Tells what happens while it is being opened: how far its sandbox is, notes. Completes when it is stored. What is told
   * after `open` has returned goes through {@link BackendSession.events}.
   */
  readonly tell?: (events: ReadonlyArray<BackendEvent>) => Effect.Effect<void>
  /**
   * Take up the very generation that an earlier runtime left running, and open nothing: only for backends with the capability
   * `reattach`. Told again is what comes after `mirrored`, the last {@link BackendEvent.origin} in the log. Where the
   * generation is not there any more `open` fails with {@link BackendLost}. An `open` that is interrupted leaves it running.
   */
  readonly reattach?: { readonly mirrored: number }
}

/** Output of a terminal. */
export type OutputEvent = Extract<BackendEvent, { readonly type: "terminal.output" }>

/**
 * Takes output in plain code, and calls `stored` once when it is stored, perhaps before it returns: only then is it offered more.
 * False: it can take none now, and the output goes through {@link BackendSession.events}.
 */
export type TakeOutput = (output: ReadonlyArray<OutputEvent>, stored: () => void) => boolean

/** An open backend. It lives as long as the scope that it was opened in. */
export interface BackendSession {
  /** What this opening can do; may be less than the backend's own {@link Backend.capabilities}. */
  readonly capabilities: Capabilities
  /** The durable native id, only once the provider can resume it; later by a `backend.identified` event. */
  readonly nativeId?: string
  /** The provider's version, for the log. */
  readonly version?: string
  /** Which of the prompts in doubt the provider has. The others are delivered again. */
  readonly arrived?: ReadonlyArray<PromptId>
  /** The size of its terminal, where it has one. */
  readonly size?: { readonly cols: number; readonly rows: number }
  /**
   * Everything that it tells, in order and once, as non-empty batches. The runtime pulls: a backend bounds what it
   * holds back and pauses its source, never drops. The last event of an orderly end is `backend.closed` or
   * `backend.suspended`, then the stream ends; a stream that ends or fails without it counts as lost.
   */
  readonly events: Stream.Stream<ReadonlyArray<BackendEvent>, BackendLost>
  /**
   * The plain way of a terminal's output, beside `events` and in one order with it: what nothing else waits before is offered here
   * first, whenever the reader of `events` waits for more. A screen's worth comes hundreds of times a second, and a keystroke's echo
   * is what somebody waits for. Absent: all goes through `events`. Who wraps a session and changes its `events` leaves this out, or
   * changes it as well.
   */
  readonly passOutput?: (take: TakeOutput) => void
  /**
   * Performs one command. It returns when the provider has taken it, not when its effect is over. `seq` is where it was
   * decided in the log; absent for what no event decides.
   */
  readonly perform: (command: BackendCommand, seq?: number) => Effect.Effect<Performed, BackendRefused | BackendLost>
  /**
   * What to `perform` a `write` does, at once and in plain code, and in one order with it: the way of a keystroke, which comes
   * thousands of times. Gives why it is refused; nothing where it is taken. The bytes stay the caller's. Absent: it is performed.
   */
  readonly write?: (bytes: Uint8Array) => BackendRefused | undefined
  /**
   * After a reattach: the decisions (their `seq` in the log) that it has taken, as far back as it remembers. What was decided
   * and not taken is performed again.
   */
  readonly taken?: ReadonlyArray<number>
  /**
   * Packs what the agent remembers, so that another backend can take it up: {@link historyFolder} of the bundle. Of a session
   * elsewhere ({@link Backend.places}) the workspace as well, as {@link workspaceFile}. Called between turns; the session goes
   * on afterwards unless it is closed. Absent: it has no history that could move.
   */
  readonly pack?: (request: PackRequest) => Effect.Effect<PackedSession, BackendRefused | BackendLost>
  /**
   * From now on closing the scope leaves it running, for a runtime that reattaches. Only with the capability `reattach`.
   */
  readonly detach?: Effect.Effect<void>
}

/** What a backend may ask of the runtime's sessions. */
export interface SessionLookup {
  /** The state of a session; undefined where there is none. A state that cannot be read counts as an error, not as none. */
  readonly state: (sessionId: SessionId) => Effect.Effect<SessionState | undefined, LogUnavailable>
}

/** What has become of artifacts that change outside of their session. */
export interface ArtifactRefresh {
  /** Those that are not as the log has them, as they are now. */
  readonly artifacts: ReadonlyArray<DataOf<"artifact.updated">>
  /** Milliseconds after which it is worth asking again while somebody looks. Absent: nothing more will come of it. */
  readonly againMs?: number
}

/** A spec that can be run. */
export interface CheckedSpec {
  /** What the log keeps: plain JSON, with the names of secrets and never their values. */
  readonly spec: unknown
  /** Values that must not be logged; handed to the first `open` and then forgotten. */
  readonly secrets?: unknown
  /** The directory that it works in, for lists. */
  readonly workspace?: string
  /** A title for the session where the host gives none. */
  readonly title?: string
}

/** One kind of place where sessions run. */
export interface Backend {
  /** The name by which sessions refer to it: `pty`, `codex`. One of a kind in a runtime. */
  readonly name: string
  /** The most that it can do. */
  readonly capabilities: Capabilities
  /** Checks what a host wants to run and fills in defaults, before anything is logged or started. */
  readonly check: (spec: unknown) => Effect.Effect<CheckedSpec, SpecInvalid>
  /** Opens or resumes a session. Closing the scope stops all that it started, by force where need be. */
  readonly open: (request: OpenRequest) => Effect.Effect<BackendSession, BackendLost | SpecInvalid, Scope.Scope>
  /** Where its sessions can run, the default first: names of sandbox providers. Absent: on the machine of the runtime. */
  readonly places?: ReadonlyArray<string>
  /** How long an opening may take, in milliseconds, where the policy's 60 s are too short: a sandbox has to be made. */
  readonly openTimeoutMs?: number
  /** How long it may take to take a command, in milliseconds. Default 60,000. */
  readonly performTimeoutMs?: number
  /**
   * Takes up a session that another backend packed, before it is opened here. A failure, or a scope that ends with one, leaves
   * nothing behind. Absent: it takes up no history, and its workspace is on this machine.
   */
  readonly unpack?: (
    request: UnpackRequest
  ) => Effect.Effect<UnpackedSession, BackendRefused | BackendLost | SpecInvalid, Scope.Scope>
  /**
   * Called once by the runtime, before any session is opened; the scope is the runtime's. It gives a way to ask whose a sandbox
   * is that turns up. What no session owns any more is to be ended.
   */
  readonly start?: (sessions: SessionLookup) => Effect.Effect<void, never, Scope.Scope>
  /**
   * What has become of a session's artifacts outside of it, such as pull requests on their forge: asked when somebody comes to look
   * at the session or has pushed, and again after `againMs` (`isRepeat`) while they look, open or not. What differs is stored. It
   * bounds by itself how often it asks others, and how long it takes; failures are its own to report.
   */
  readonly refresh?: (state: SessionState, isRepeat: boolean) => Effect.Effect<ArtifactRefresh>
  /**
   * Ends what it keeps for all of its sessions, such as an agent's server. The runtime calls it at its own end, after the
   * last session; an `open` after it starts afresh.
   */
  readonly release?: Effect.Effect<void>
}
