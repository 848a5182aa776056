/**
 * The vocabulary: every event type that this version of Holdfast knows, with the schema of its data. Past tense,
 * grouped by region. A type or version that is not in here is kept and passed on, never dropped; a known type whose
 * data does not fit is corrupt, and said so.
 */
import * as Result from "effect/Result"
import * as S from "effect/Schema"
import { Capabilities } from "./Capabilities.ts"
import {
  Artifact,
  ContentBlock,
  Json,
  Location,
  PermissionOption,
  PermissionOutcome,
  PlanEntry,
  Question,
  QuestionOutcome,
  ReportedError,
  ResolvedBy,
  Role,
  ToolCall,
  ToolStatus,
  Usage
} from "./Content.ts"
import type { EventRecord, NewEvent } from "./EventRecord.ts"
import { ArtifactId, ItemId, ParticipantId, PromptId, RequestId, SessionId, TurnId } from "./Ids.ts"

const text = S.String
const optional = S.optionalKey
const seq = S.Int.check(S.isGreaterThanOrEqualTo(0))
const time = S.Finite
const none = S.Struct({})
const pid = S.Int.check(S.isGreaterThan(0))

/** Columns or rows of a terminal: 1 to 10,000, so that neither a kernel nor a screen model is asked for the absurd. */
export const TerminalDimension = S.Int.check(S.isBetween({ minimum: 1, maximum: 10_000 }))

/** How a prompt wants to be delivered: after the current turn, or into it. */
export const Delivery = S.Literals(["queue", "steer"])
export type Delivery = typeof Delivery.Type

/** How a turn ended. */
export const TurnOutcome = S.Literals(["completed", "interrupted", "failed"])
export type TurnOutcome = typeof TurnOutcome.Type

/** What kind of item it is. */
export const ItemKind = S.Literals(["message", "reasoning", "tool_call", "plan"])
export type ItemKind = typeof ItemKind.Type

const item = {
  itemId: ItemId,
  turnId: optional(TurnId),
  /** The item under which it happened: a subagent's tool call. */
  parentId: optional(ItemId),
  kind: ItemKind,
  role: optional(S.Literals(["user", "agent"])),
  tool: optional(ToolCall)
}

/** What is known of the sandbox from then on. A field that is absent stays as it was. */
const sandbox = S.Struct({
  provider: optional(text),
  /** The provider's own name for it. */
  sandboxId: optional(text),
  /** The newest state of its file system that was stored. */
  snapshotId: optional(text),
  /** SHA-256 of the token by which its bridge is let in, in hex: of a random token, and so safe to show. */
  tokenHash: optional(S.String.check(S.isPattern(/^[0-9a-f]{64}$/, { expected: "a SHA-256 in hex" }))),
  /** For people: why, or how far it is. */
  reason: optional(text)
})

const request = {
  requestId: RequestId,
  turnId: optional(TurnId),
  itemId: optional(ItemId),
  /** Who should answer; anybody with the right may. */
  owner: optional(ParticipantId),
  /** When the default outcome takes its place, in milliseconds since 1970. */
  deadline: time
}

/** Data schemas by event type. Every type here is at version 1. */
export const eventSchemas = {
  "session.created": S.Struct({
    backend: text,
    /** What the backend is asked to run, in the backend's own terms; it checked it. Names of secrets, never values. */
    spec: Json,
    title: optional(text),
    workspace: optional(text),
    labels: optional(S.Record(text, text)),
    forkedFrom: optional(S.Struct({ sessionId: SessionId, seq })),
    nativeId: optional(text)
  }),
  "session.renamed": S.Struct({ title: text }),
  "session.archived": none,
  "session.unarchived": none,
  /** On the parent: a branch was made of it, up to and including `at`. */
  "session.forked": S.Struct({ into: SessionId, at: seq }),
  /**
   * From here on another backend runs it. What the one before had started is ended, and what that still says is not heard any
   * more; `backend.opening` comes right after it.
   */
  "session.moved": S.Struct({
    backend: text,
    spec: Json,
    /** The backend that ran it before. */
    from: text,
    workspace: optional(text),
    /** The agent's own history went along, and is resumed under this id. */
    nativeId: optional(text),
    /** A folder of this machine that it worked in until now, and a digest of what it left there. */
    left: optional(S.Struct({ workspace: text, fingerprint: text }))
  }),

  "backend.opening": S.Struct({ attempt: S.Int, resume: S.Boolean, reason: optional(text) }),
  "backend.opened": S.Struct({ capabilities: Capabilities, nativeId: optional(text), version: optional(text) }),
  /** The provider can resume the session under this id from now on. */
  "backend.identified": S.Struct({ nativeId: text }),
  "backend.lost": S.Struct({ reason: text, retryable: S.Boolean }),
  "backend.resumed": S.Struct({ capabilities: Capabilities, nativeId: optional(text), version: optional(text) }),
  "backend.suspending": S.Struct({ reason: text }),
  "backend.suspended": S.Struct({ reason: text }),
  "backend.closing": S.Struct({ reason: text, force: S.Boolean, graceMs: S.Finite }),
  "backend.closed": S.Struct({
    reason: text,
    exitCode: optional(S.NullOr(S.Int)),
    signal: optional(S.NullOr(S.String))
  }),
  "backend.failed": S.Struct({ reason: text, message: text, retryable: S.Boolean }),
  /** Another model, effort or mode was asked for; `backend.configured` tells when it holds. */
  "backend.configuring": S.Struct({ model: optional(text), effort: optional(text), mode: optional(text) }),
  "backend.configured": S.Struct({ model: optional(text), effort: optional(text), mode: optional(text) }),
  /** What has no type of its own: warnings, and payloads that could not be mapped or were illegal when they came. */
  "backend.noted": S.Struct({
    level: S.Literals(["info", "warning", "error"]),
    message: text,
    code: optional(text),
    raw: optional(Json)
  }),

  /** The agent found a title. It counts until somebody renames the session. */
  "agent.titled": S.Struct({ title: text }),
  /** What can be chosen with `backend.configure`: models with their efforts, and modes (an agent, an approval policy). */
  "agent.offered": S.Struct({
    models: optional(
      S.Array(S.Struct({ id: text, name: optional(text), efforts: optional(S.Array(text)) })).check(
        S.isMaxLength(1_000)
      )
    ),
    modes: optional(
      S.Array(S.Struct({ id: text, name: optional(text), description: optional(text) })).check(S.isMaxLength(1_000))
    )
  }),

  /** A shorter context was asked for; `context.compacted` tells when it is so. */
  "context.compacting": none,
  /** The model is given a summary in place of what came before. The log keeps everything. */
  "context.compacted": S.Struct({ turnId: optional(TurnId), automatic: optional(S.Boolean), summary: optional(text) }),
  /** Taking back this turn and all after it was asked for. */
  "history.reverting": S.Struct({ turnId: TurnId }),
  /** This turn and all after it are taken back: the agent does not know of them any more. The log keeps them. */
  "history.reverted": S.Struct({ turnId: TurnId, files: optional(S.Array(text)) }),
  "history.restoring": none,
  /** What was reverted last is back. */
  "history.restored": none,

  "link.connected": none,
  "link.reconnecting": S.Struct({ attempt: S.Int, reason: text }),
  "link.disconnected": S.Struct({ reason: text }),

  "prompt.queued": S.Struct({
    promptId: PromptId,
    content: S.Array(ContentBlock),
    delivery: Delivery,
    turnId: optional(TurnId)
  }),
  "prompt.edited": S.Struct({ promptId: PromptId, content: S.Array(ContentBlock) }),
  "prompt.withdrawn": S.Struct({ promptId: PromptId, reason: optional(text) }),
  /** It is on its way to the backend. After a crash here the backend is asked whether it arrived. */
  "prompt.dispatched": S.Struct({ promptId: PromptId, delivery: Delivery, turnId: optional(TurnId) }),
  "prompt.delivered": S.Struct({ promptId: PromptId, turnId: optional(TurnId) }),
  /** The backend did not take it: it is at the head of the queue again and waits for the next occasion. */
  "prompt.returned": S.Struct({
    promptId: PromptId,
    error: ReportedError,
    /** It may have arrived all the same: the session ended meanwhile. The provider is asked when it is opened again. */
    inDoubt: optional(S.Literal(true))
  }),

  "turn.started": S.Struct({ turnId: TurnId, promptId: optional(PromptId) }),
  "turn.interrupting": S.Struct({ turnId: TurnId }),
  "turn.retrying": S.Struct({ turnId: TurnId, attempt: S.Int, error: ReportedError, nextAt: optional(time) }),
  "turn.completed": S.Struct({
    turnId: TurnId,
    outcome: TurnOutcome,
    reason: optional(text),
    error: optional(ReportedError)
  }),

  "item.started": S.Struct({ ...item, text: optional(text), raw: optional(Json) }),
  /** A piece of an item's text, its tool's input or its tool's output. Compacted away when the item completes. */
  "item.delta": S.Struct({ itemId: ItemId, field: S.Literals(["text", "input", "output"]), text }),
  "item.updated": S.Struct({
    itemId: ItemId,
    status: optional(ToolStatus),
    title: optional(text),
    input: optional(Json),
    locations: optional(S.Array(Location)),
    entries: optional(S.Array(PlanEntry)),
    /** It goes on after its turn: a command in the background. Then the end of the turn does not end it. */
    background: optional(S.Literal(true)),
    raw: optional(Json)
  }),
  /** Stopping it was asked for. */
  "item.stopping": S.Struct({ itemId: ItemId }),
  /**
   * The whole item: everything that its deltas said is in here again, so that they can go; unless it is `partial`, cut
   * off before its end, and its deltas stay what is known of it.
   */
  "item.completed": S.Struct({
    ...item,
    status: S.Literals(["completed", "failed", "interrupted"]),
    partial: optional(S.Boolean),
    text: optional(text),
    output: optional(text),
    content: optional(S.Array(ContentBlock)),
    entries: optional(S.Array(PlanEntry)),
    error: optional(ReportedError),
    raw: optional(Json)
  }),
  "file.changed": S.Struct({
    path: text,
    change: S.Literals(["created", "modified", "deleted", "moved"]),
    from: optional(text),
    diff: optional(text),
    additions: optional(S.Int),
    deletions: optional(S.Int),
    itemId: optional(ItemId),
    turnId: optional(TurnId)
  }),
  /** Adds to the session's totals. */
  "usage.reported": S.Struct({ turnId: optional(TurnId), usage: Usage, raw: optional(Json) }),

  "permission.requested": S.Struct({
    ...request,
    title: text,
    description: optional(text),
    options: S.Array(PermissionOption),
    tool: optional(ToolCall),
    default: PermissionOutcome,
    raw: optional(Json)
  }),
  "permission.resolved": S.Struct({ requestId: RequestId, outcome: PermissionOutcome, by: ResolvedBy }),
  "question.asked": S.Struct({
    ...request,
    questions: S.Array(Question),
    default: QuestionOutcome,
    raw: optional(Json)
  }),
  "question.answered": S.Struct({
    requestId: RequestId,
    outcome: QuestionOutcome,
    by: ResolvedBy,
    /** Questions whose answers are secret: they were given to the backend and are not in the log. */
    withheld: optional(S.Array(text))
  }),

  /** Its payload is the bytes as the program wrote them; `offset` counts all output bytes of the session before them. */
  "terminal.output": S.Struct({ offset: seq }),
  "terminal.resized": S.Struct({ cols: TerminalDimension, rows: TerminalDimension }),
  "terminal.titled": S.Struct({ title: text }),
  /** Somebody typed. What they typed is not kept: it may be a password. One event for a burst of one author. */
  "terminal.typed": S.Struct({ bytes: S.Int }),
  /**
   * Its payload, written to a fresh terminal of this size, shows what the output up to and including event `through`
   * (byte `offset`) had shown.
   */
  "terminal.snapshot": S.Struct({
    through: seq,
    offset: seq,
    cols: TerminalDimension,
    rows: TerminalDimension,
    format: text
  }),
  "terminal.directory_changed": S.Struct({ path: text, host: optional(text) }),
  "terminal.belled": S.Struct({ count: S.Int }),
  "terminal.notified": S.Struct({ title: optional(text), body: text }),
  "terminal.progressed": S.Struct({
    state: S.Literals(["none", "normal", "error", "indeterminate", "paused"]),
    percent: optional(S.Finite)
  }),
  /** Shell integration (OSC 133): the shell shows its prompt, takes input, runs a command, or the command ended. */
  "terminal.marked": S.Struct({
    mark: S.Literals(["prompt", "input", "running", "finished"]),
    exitCode: optional(S.NullOr(S.Int))
  }),

  "process.spawned": S.Struct({
    pid,
    /** When it started, in the platform's own terms: with the pid it names one process for good. */
    startTime: text,
    /** The machine and boot that the pid belongs to. */
    host: text,
    command: text,
    args: optional(S.Array(text)),
    cwd: optional(text),
    /** Names of the environment variables that it was given. */
    env: optional(S.Array(text)),
    /** It serves other sessions as well, and outlives this one. */
    shared: optional(S.Literal(true)),
    /** What it and all that it starts have as `HOLDFAST_PROCESS`, where that is not the session's own. */
    marker: optional(text)
  }),
  "process.signalled": S.Struct({ signal: text }),
  "process.exited": S.Struct({ pid, exitCode: S.NullOr(S.Int), signal: S.NullOr(text) }),

  "sandbox.pending": sandbox,
  "sandbox.warming": sandbox,
  "sandbox.syncing": sandbox,
  "sandbox.ready": sandbox,
  "sandbox.running": sandbox,
  "sandbox.stale": sandbox,
  "sandbox.snapshotted": sandbox,
  "sandbox.stopped": sandbox,
  "sandbox.failed": sandbox,

  "workspace.branch_created": S.Struct({ branch: text, base: optional(text) }),
  "workspace.committed": S.Struct({ sha: text, message: text, author: optional(text) }),
  "workspace.pushed": S.Struct({ branch: text, sha: text }),
  "artifact.added": S.Struct({ artifactId: ArtifactId, artifact: Artifact }),
  "artifact.updated": S.Struct({ artifactId: ArtifactId, artifact: Artifact }),

  "participant.joined": S.Struct({ participantId: ParticipantId, name: text, role: Role }),
  "participant.changed": S.Struct({ participantId: ParticipantId, name: optional(text), role: optional(Role) }),
  "participant.left": S.Struct({ participantId: ParticipantId })
} as const

/** A type that this version knows. */
export type KnownType = keyof typeof eventSchemas

/** The data of a known type. */
export type DataOf<T extends KnownType> = (typeof eventSchemas)[T]["Type"]

/** An event's type and data before it has an envelope: what `decide` and backends produce. */
export type EventBody<T extends KnownType = KnownType> = {
  [K in T]: { readonly type: K; readonly data: DataOf<K>; readonly bytes?: Uint8Array }
}[T]

/** A stored event of a known type whose data was checked. */
export type SessionEvent<T extends KnownType = KnownType> = {
  [K in T]: Omit<EventRecord, "type" | "data"> & { readonly type: K; readonly data: DataOf<K> }
}[T]

/** What a record turned out to be. */
export type ReadEvent =
  | { readonly kind: "known"; readonly event: SessionEvent }
  /** A newer writer's: keep it, pass it on, do not interpret it. */
  | { readonly kind: "unknown" }
  /** Of a known type, but its data does not fit. */
  | { readonly kind: "corrupt"; readonly message: string }

const checks = new Map<string, (data: unknown) => boolean>()
const decoders = new Map<string, (data: unknown) => Result.Result<unknown, { readonly message: string }>>()
for (const [type, schema] of Object.entries(eventSchemas)) {
  checks.set(type, S.is(schema as S.Schema<unknown>))
  decoders.set(type, S.decodeUnknownResult(S.toType(schema as S.Codec<unknown>), { errors: "all" }) as never)
}

const unknownEvent: ReadEvent = { kind: "unknown" }

/**
 * Says yes to the data of output, as its schema would, without it and without a note of it: output is most of what a log has, and
 * the echo of a keystroke waits for this three times.
 */
const isOutput = (type: string, data: unknown): boolean => {
  if (type !== "terminal.output" || typeof data !== "object" || data === null || Array.isArray(data)) return false
  const { offset } = data as { readonly offset?: unknown }
  return Number.isSafeInteger(offset) && (offset as number) >= 0
}

/**
 * Data that was found to fit, with the type that it fits. An event is read by some five folds on its way, and its data
 * never changes: a look here was measured at an eighth (terminal output) to a twenty-fifth (a prompt) of the check.
 */
const fitting = new WeakMap<object, string>()

const isFitting = (type: string, data: unknown, fits: (data: unknown) => boolean): boolean => {
  if (isOutput(type, data)) return true
  if (typeof data !== "object" || data === null) return fits(data)
  if (fitting.get(data) === type) return true
  if (!fits(data)) return false
  fitting.set(data, type)
  return true
}

/** Tells known from unknown from corrupt. The event is the record itself: nothing is stripped or copied. */
export const readEvent = (record: EventRecord): ReadEvent => {
  const fits = checks.get(record.type)
  if (fits === undefined || record.version !== 1) return unknownEvent
  if (isFitting(record.type, record.data, fits)) return { kind: "known", event: record as SessionEvent }
  return { kind: "corrupt", message: explain(record) }
}

/** Why an event's data does not fit its known type; undefined where it does, or where the type is not known. */
export const invalidBecause = (event: Pick<NewEvent, "type" | "version" | "data">): string | undefined => {
  const fits = checks.get(event.type)
  if (fits === undefined || event.version !== 1 || isFitting(event.type, event.data, fits)) return undefined
  return explain(event)
}

const explain = (event: Pick<NewEvent, "type" | "data">): string => {
  const decoded = decoders.get(event.type)!(event.data)
  return Result.isFailure(decoded)
    ? `${event.type}: ${decoded.failure.message}`
    : `${event.type} does not fit its schema`
}

/** Whether this version knows the type. */
export const isKnownType = (type: string): type is KnownType => checks.has(type)

/** The version that this library writes for every type. */
export const currentVersion = 1
