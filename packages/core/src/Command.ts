/**
 * What people and programs ask of a session. A command carries an id made by its sender: sent again unchanged it has no
 * second effect and gives the first receipt.
 */
import * as S from "effect/Schema"
import { Artifact, ContentBlock, Json, PermissionOutcome, QuestionOutcome, Role } from "./Content.ts"
import {
  type Actor,
  ArtifactId,
  type CommandId,
  ItemId,
  ParticipantId,
  PromptId,
  RequestId,
  SessionId,
  TurnId
} from "./Ids.ts"
import { Delivery, TerminalDimension } from "./SessionEvent.ts"

const optional = S.optionalKey
const title = S.String.check(S.isMaxLength(1_000))
const none = S.Struct({})

/** Longest grace of a close, 10 minutes in milliseconds. */
export const maxGraceMs = 600_000

/** Most bytes of one keystroke command: 1 MiB, which is a large paste. */
export const maxWriteBytes = 1024 * 1024

/** Most characters of text in one prompt: 1,048,576, which is also the most that a Codex turn takes. */
export const maxPromptText = 1024 * 1024

const content = S.Array(ContentBlock).check(
  S.isMinLength(1),
  S.isMaxLength(100),
  S.makeFilter((blocks: ReadonlyArray<ContentBlock>) => {
    let characters = 0
    for (const block of blocks) if (block.type === "text") characters += block.text.length
    return characters > maxPromptText ? `at most ${maxPromptText} characters of text` : undefined
  })
)

/** Payload schemas by command type. */
export const commandSchemas = {
  /** Makes the session and opens its backend. The runtime has let the backend check `spec`. */
  "session.create": S.Struct({
    backend: S.String,
    spec: Json,
    title: optional(title),
    workspace: optional(S.String),
    labels: optional(S.Record(S.String, S.String)),
    forkedFrom: optional(S.Struct({ sessionId: SessionId, seq: S.Int })),
    /** False: its backend is opened by the first prompt or by `session.open`, not now. Default true. */
    open: optional(S.Boolean),
    /** A native session to take up: one that the provider can resume, such as a fork that it made. */
    nativeId: optional(S.String),
    /** Joins at once, as owner. */
    owner: optional(S.Struct({ participantId: ParticipantId, name: S.String }))
  }),
  /** Opens the backend: at first, or again after it was suspended, lost, closed or failed. */
  "session.open": none,
  "session.rename": S.Struct({ title: title.check(S.isMinLength(1)) }),
  "session.archive": none,
  "session.unarchive": none,
  /**
   * Makes a branch: a new session `into` whose history is this one's up to and including `at` (the head unless given). The
   * branch names its parent and `at`; the parent's events are not copied.
   */
  "session.fork": S.Struct({ into: SessionId, at: optional(S.Int.check(S.isGreaterThanOrEqualTo(1))) }),
  /** Another backend runs it from now on. The runtime has packed what goes along and lets the new backend take it up. */
  "session.move": S.Struct({
    backend: S.String,
    spec: Json,
    workspace: optional(S.String),
    nativeId: optional(S.String),
    left: optional(S.Struct({ workspace: S.String, fingerprint: S.String })),
    /** What was packed: this generation, after this turn. If it went on since, it is not moved. */
    generation: S.Int,
    lastTurnId: S.NullOr(S.String)
  }),
  "session.suspend": S.Struct({ reason: optional(S.String) }),
  /** Ends it: politely, then after `graceMs` (the policy's unless given) by force, or by force at once. */
  "session.close": S.Struct({
    reason: optional(S.String),
    force: optional(S.Boolean),
    graceMs: optional(S.Number.check(S.isBetween({ minimum: 0, maximum: maxGraceMs })))
  }),
  /** Queues a prompt. `steer` goes into the running turn, which `turnId` names. */
  "prompt.send": S.Struct({ content, delivery: optional(Delivery), turnId: optional(TurnId) }),
  "prompt.edit": S.Struct({ promptId: PromptId, content }),
  "prompt.withdraw": S.Struct({ promptId: PromptId, reason: optional(S.String) }),
  /** Stops the running turn; with `turnId`, only that one. */
  "turn.interrupt": S.Struct({ turnId: optional(TurnId) }),
  "permission.resolve": S.Struct({ requestId: RequestId, outcome: PermissionOutcome }),
  "question.answer": S.Struct({ requestId: RequestId, outcome: QuestionOutcome }),
  /** The deadline has passed: the default takes the answer's place. Only the runtime sends it. */
  "request.expire": S.Struct({ requestId: RequestId }),
  /** Shortens what the model is given of the conversation. */
  "context.compact": none,
  /** Takes back a turn and all after it, with the files that they changed where the agent kept them. */
  "history.revert": S.Struct({ turnId: TurnId }),
  /** Undoes the last revert, as long as no prompt came after it. */
  "history.restore": none,
  /** Stops one tool call, such as a command that goes on in the background. */
  "item.stop": S.Struct({ itemId: ItemId }),
  "backend.configure": S.Struct({ model: optional(S.String), effort: optional(S.String), mode: optional(S.String) }),
  "participant.join": S.Struct({ participantId: ParticipantId, name: S.String, role: Role }),
  "participant.change": S.Struct({ participantId: ParticipantId, name: optional(S.String), role: optional(Role) }),
  "participant.leave": S.Struct({ participantId: ParticipantId }),
  /** Keystrokes. They are not logged: they may be a password. */
  "terminal.write": S.Struct({
    bytes: S.Uint8Array.check(
      S.makeFilter((bytes: Uint8Array) =>
        bytes.byteLength > maxWriteBytes ? `at most ${maxWriteBytes} bytes` : undefined
      )
    )
  }),
  "terminal.resize": S.Struct({ cols: TerminalDimension, rows: TerminalDimension }),
  "process.signal": S.Struct({
    signal: S.String.check(S.isPattern(/^SIG[A-Z0-9]+$/, { expected: "a signal name such as SIGINT" }))
  }),
  "artifact.add": S.Struct({ artifactId: ArtifactId, artifact: Artifact }),
  "artifact.update": S.Struct({ artifactId: ArtifactId, artifact: Artifact })
} as const

/** A type of command. */
export type CommandType = keyof typeof commandSchemas

/** The payload of a type. */
export type CommandDataOf<T extends CommandType> = (typeof commandSchemas)[T]["Type"]

/** A command without its envelope. */
export type CommandBody<T extends CommandType = CommandType> = {
  [K in T]: { readonly type: K; readonly data: CommandDataOf<K> }
}[T]

/** A command as `decide` takes it: with its id, its author and the time at which it is decided. */
export type Command<T extends CommandType = CommandType> = CommandBody<T> & {
  readonly sessionId: SessionId
  readonly commandId: CommandId
  readonly actor: Actor
  /** Milliseconds since 1970. */
  readonly at: number
}

/** Why a command was not accepted. */
export const RejectionReason = S.Literals([
  /** A field is not what it must be. */
  "invalid",
  /** The session is in a state in which this makes no sense. */
  "illegal_state",
  /** The actor's role does not allow it. */
  "forbidden",
  /** The backend cannot do it. */
  "unsupported",
  /** It names a prompt, turn, request or participant that is not there. */
  "not_found",
  /** A bound is reached: try again later. */
  "busy"
])
export type RejectionReason = typeof RejectionReason.Type

/** A command that had no effect at all. */
export class CommandRejected extends S.TaggedError<CommandRejected>("@holdfast/core/CommandRejected")(
  "CommandRejected",
  {
    sessionId: S.String,
    command: S.String,
    reason: RejectionReason,
    /** What is wrong and what to do, for people. */
    detail: S.String,
    /** Path of the bad field, where one is. */
    field: S.optionalKey(S.String)
  }
) {
  override get message() {
    return `${this.command} was not accepted${this.field === undefined ? "" : ` (${this.field})`}: ${this.detail}`
  }
}

const decoders = new Map(
  Object.entries(commandSchemas).map(([type, schema]) => [
    type,
    S.decodeUnknownResult(S.toType(schema as S.Codec<unknown>), { errors: "all" })
  ])
)

/** Checks a command from outside: the reason why not, or the body. */
export const checkCommand = (
  body: unknown
): { readonly body: CommandBody } | { readonly field: string; readonly expected: string } => {
  if (typeof body !== "object" || body === null || !("type" in body) || typeof body.type !== "string") {
    return { field: "type", expected: "a command with a type" }
  }
  const decode = decoders.get(body.type)
  if (decode === undefined) {
    return { field: "type", expected: oneOf(Object.keys(commandSchemas)) }
  }
  const decoded = decode("data" in body ? body.data : undefined)
  if (decoded._tag === "Failure") return describeIssue("data", String(decoded.failure.message))
  return { body: { type: body.type, data: decoded.success } as CommandBody }
}

/** Takes the first path out of a schema issue's text (`Missing key\n  at ["title"]`), and says in words what was expected. */
export const describeIssue = (root: string, message: string): { readonly field: string; readonly expected: string } => {
  const match = /^([\s\S]*?)\n\s+at (\[.*\])(?=\n|$)/.exec(message)
  if (match === null) return { field: root, expected: inWords(message) }
  const path = match[2]!.replaceAll(/\[(?:"((?:[^"\\]|\\.)*)"|(\d+))\]/g, (_, key?: string, index?: string) =>
    index === undefined ? `.${JSON.parse(`"${key}"`)}` : `[${index}]`
  )
  return { field: `${root}${path}`, expected: inWords(match[1]!) }
}

const words: { readonly [expected: string]: string } = {
  "Missing key": "a value: it is missing",
  "Expected string": "text",
  "Expected number": "a number",
  "Expected boolean": "true or false",
  "Expected object": "an object",
  "Expected array": "a list",
  "Expected Uint8Array": "bytes (a Uint8Array)"
}

const inWords = (message: string): string => {
  const known = words[message]
  if (known !== undefined) return known
  const options = message.replace(/^Expected /, "").split(" | ")
  const members = options.map((option) => /^\{ readonly "(\w+)": ("[\w.]+"), \.\.\. \}$/.exec(option))
  const key = members[0]?.[1]
  return key !== undefined && members.every((member) => member?.[1] === key)
    ? `an object whose ${key} is ${oneOf(members.map((member) => member![2]!))}`
    : oneOf(options)
}

const oneOf = (options: ReadonlyArray<string>): string =>
  options.length === 1 ? options[0]! : `${options.slice(0, -1).join(", ")} or ${options.at(-1)}`
