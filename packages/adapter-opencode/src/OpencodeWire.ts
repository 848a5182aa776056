/**
 * What of an Opencode server's events and answers the normaliser reads (its OpenAPI document, 1.18.33), decoded leniently:
 * ids are required, any other field counts as absent where it is missing or of another type, and what is not named here is
 * ignored. So enums are open and a newer server's fields and part types break nothing.
 */
import { lenient } from "@holdfast/core"
import { Result, Schema } from "effect"
import type { OpencodeEvent } from "./OpencodeNormaliser.ts"

const S = Schema
const text = S.String
const number = S.Finite

/** Ids become ids of the log, which takes at most 256 characters; a generation may be appended to them. */
const id = text.check(S.isMinLength(1), S.isMaxLength(200))

const record = S.Record(text, S.Unknown)

/** The one shape of the model's and the server's errors. */
export const NamedError = S.Struct({ name: text, data: lenient(record) })
export type NamedError = typeof NamedError.Type

/** Tokens of a model call. `input` does not count what came from the cache, `output` not what was thought. */
export const Tokens = S.Struct({
  input: lenient(number),
  output: lenient(number),
  reasoning: lenient(number),
  cache: lenient(S.Struct({ read: lenient(number), write: lenient(number) }))
})
export type Tokens = typeof Tokens.Type

/** One file of the difference that a user message's turn made. `file` is relative to the project's root. */
export const FileDiff = S.Struct({
  file: text,
  patch: lenient(text),
  additions: lenient(S.Int),
  deletions: lenient(S.Int),
  status: lenient(text)
})
export type FileDiff = typeof FileDiff.Type

/** A user's or an assistant's message, without its parts. */
export const Message = S.Struct({
  id,
  sessionID: id,
  role: text,
  parentID: lenient(id),
  time: lenient(S.Struct({ created: lenient(number), completed: lenient(number) })),
  finish: lenient(text),
  error: lenient(NamedError),
  /** `true` on an assistant's message that is a compaction; an object on a user's. */
  summary: lenient(S.Union([S.Boolean, S.Struct({ diffs: lenient(S.Array(S.Unknown)) })])),
  structured: lenient(S.Unknown),
  path: lenient(S.Struct({ root: lenient(text) }))
})
export type Message = typeof Message.Type

/** A tool call's state: `pending`, `running`, `completed` or `error`, and what each of them has. */
export const ToolState = S.Struct({
  status: lenient(text),
  input: lenient(S.Unknown),
  output: lenient(text),
  title: lenient(text),
  error: lenient(text),
  metadata: lenient(record),
  attachments: lenient(S.Array(S.Unknown))
})
export type ToolState = typeof ToolState.Type

/** A part of a message, with the fields of every type of part. */
export const Part = S.Struct({
  id,
  sessionID: id,
  messageID: id,
  type: text,
  text: lenient(text),
  synthetic: lenient(S.Boolean),
  ignored: lenient(S.Boolean),
  time: lenient(S.Struct({ start: lenient(number), end: lenient(number) })),
  callID: lenient(text),
  tool: lenient(text),
  state: lenient(ToolState),
  cost: lenient(number),
  tokens: lenient(Tokens),
  files: lenient(S.Array(text)),
  auto: lenient(S.Boolean),
  mime: lenient(text),
  url: lenient(text),
  filename: lenient(text)
})
export type Part = typeof Part.Type

/** A message with its parts, as the server answers it. */
export const StoredMessage = S.Struct({ info: Message, parts: lenient(S.Array(S.Unknown)) })

/** A file in a message or a tool's result. */
export const Attachment = S.Struct({ mime: lenient(text), url: lenient(text), filename: lenient(text) })
export type Attachment = typeof Attachment.Type

/** A session. */
export const Session = S.Struct({
  id,
  parentID: lenient(id),
  title: lenient(text),
  revert: lenient(S.Struct({ messageID: id, diff: lenient(text) }))
})
export type Session = typeof Session.Type

/** `idle`, `busy`, or `retry` with the other fields; `next` in milliseconds since 1970. */
export const SessionStatus = S.Struct({
  type: text,
  attempt: lenient(S.Int),
  message: lenient(text),
  next: lenient(number)
})
export type SessionStatus = typeof SessionStatus.Type

const toolOfRequest = lenient(S.Struct({ messageID: lenient(id), callID: lenient(text) }))

/** A permission that is asked for. `always` are the patterns that "always" would allow. */
export const PermissionRequest = S.Struct({
  id,
  sessionID: id,
  permission: lenient(text),
  patterns: lenient(S.Array(text)),
  always: lenient(S.Array(text)),
  metadata: lenient(record),
  tool: toolOfRequest
})
export type PermissionRequest = typeof PermissionRequest.Type

/** Questions that are asked together. `custom` is true unless it says otherwise: an answer in own words. */
export const QuestionRequest = S.Struct({
  id,
  sessionID: id,
  questions: S.Array(
    S.Struct({
      question: text,
      header: lenient(text),
      options: lenient(S.Array(S.Struct({ label: text, description: lenient(text) }))),
      multiple: lenient(S.Boolean),
      custom: lenient(S.Boolean)
    })
  ),
  tool: toolOfRequest
})
export type QuestionRequest = typeof QuestionRequest.Type

/** One step of the agent's list. */
export const Todo = S.Struct({ content: text, status: lenient(text), priority: lenient(text) })
export type Todo = typeof Todo.Type

const withSession = { sessionID: id }

/** The events that say something, by type: their properties. */
const eventSchemas = {
  "session.created": S.Struct({ info: Session }),
  "session.updated": S.Struct({ info: Session }),
  "session.deleted": S.Struct({ info: Session }),
  "session.status": S.Struct({ ...withSession, status: SessionStatus }),
  "session.idle": S.Struct(withSession),
  "session.error": S.Struct({ ...withSession, error: NamedError }),
  "session.compacted": S.Struct(withSession),
  "message.updated": S.Struct({ info: Message }),
  "message.removed": S.Struct({ ...withSession, messageID: id }),
  "message.part.updated": S.Struct({ part: Part }),
  "message.part.removed": S.Struct({ ...withSession, messageID: id, partID: id }),
  "permission.asked": PermissionRequest,
  "permission.replied": S.Struct({ ...withSession, requestID: id, reply: lenient(text) }),
  "question.asked": QuestionRequest,
  "question.replied": S.Struct({ ...withSession, requestID: id, answers: lenient(S.Array(S.Array(text))) }),
  "question.rejected": S.Struct({ ...withSession, requestID: id }),
  "todo.updated": S.Struct({ ...withSession, todos: S.Array(Todo) })
} as const

type EventType = keyof typeof eventSchemas

/** An event that was understood. */
export type WireEvent = {
  [T in EventType]: { readonly type: T; readonly properties: (typeof eventSchemas)[T]["Type"] }
}[EventType]

/** Makes a decoder that answers undefined for what does not fit. */
export const lenientDecoder = <A>(schema: Schema.ConstraintDecoder<A>): ((value: unknown) => A | undefined) => {
  const decode = S.decodeUnknownResult(schema)
  return (value) => Result.getOrUndefined(decode(value))
}

const decoders = new Map<string, (value: unknown) => unknown>(
  Object.entries(eventSchemas).map(([type, schema]) => [
    type,
    lenientDecoder(schema as unknown as Schema.Codec<unknown, unknown>)
  ])
)

/** The event as it was understood; `unknown` where its type is not known, `malformed` where it lacks an id. */
export const decodeEvent = ({ properties, type }: OpencodeEvent): WireEvent | "unknown" | "malformed" => {
  const decode = decoders.get(type)
  if (decode === undefined) return "unknown"
  const decoded = decode(properties)
  return decoded === undefined ? "malformed" : ({ type, properties: decoded } as WireEvent)
}

/** A piece of a text, and of which. Read without a schema: a turn has thousands. */
export const readDelta = (
  properties: unknown
): { readonly partID: string; readonly field: string; readonly delta: string } | undefined => {
  if (typeof properties !== "object" || properties === null) return undefined
  const { delta, field, partID } = properties as Record<string, unknown>
  return typeof partID === "string" && typeof field === "string" && typeof delta === "string"
    ? { partID, field, delta }
    : undefined
}

/** The session that an event is about, as far as it says so. */
export const sessionOf = ({ properties }: OpencodeEvent): string | undefined => {
  if (typeof properties !== "object" || properties === null) return undefined
  const { info, part, sessionID } = properties as Record<string, unknown>
  for (const each of [sessionID, own(info, "sessionID"), own(part, "sessionID"), own(info, "id")]) {
    if (typeof each === "string") return each
  }
  return undefined
}

const own = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined
