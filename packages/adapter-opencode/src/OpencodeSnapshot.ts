/** Reads what a server knows about a session at one moment. */
import { Effect, Schema } from "effect"
import type { OpencodeClient, OpencodeError } from "./OpencodeClient.ts"
import type { OpencodeSnapshot } from "./OpencodeNormaliser.ts"

const Unknowns = Schema.Array(Schema.Unknown)

/** Messages of a page. */
const pageSize = 50

/** Most pages that are read: 1,000 messages, five times what a turn may have. */
const maxPages = 20

/** A message as far as it matters here. */
export const MessageHead = Schema.Struct({
  info: Schema.Struct({
    id: Schema.String,
    role: Schema.optionalKey(Schema.Unknown),
    parentID: Schema.optionalKey(Schema.Unknown),
    finish: Schema.optionalKey(Schema.Unknown)
  })
})
export type MessageHead = typeof MessageHead.Type

const isHead = Schema.is(MessageHead)

/** The heads of messages; what has none is left out. */
export const headsOf = (messages: ReadonlyArray<unknown>): ReadonlyArray<MessageHead["info"]> =>
  messages.flatMap((message) => (isHead(message) ? [message.info] : []))

/** A session's messages, oldest first: the newest, back to the first for which `reached` says that it is enough. */
export const readMessages = Effect.fnUntraced(function* (
  client: OpencodeClient,
  sessionId: string,
  reached: (messageId: string, message: unknown) => boolean
): Effect.fn.Return<ReadonlyArray<unknown>, OpencodeError> {
  let messages: ReadonlyArray<unknown> = []
  let before: string | undefined
  for (let page = 0; page < maxPages; page++) {
    const query = { limit: pageSize, before }
    const { next, value } = yield* client.page(`/session/${sessionId}/message`, Unknowns, { query })
    messages = [...value, ...messages]
    const isEnough = value.filter((message) => isHead(message) && reached(message.info.id, message)).length > 0
    if (next === undefined || next === before || isEnough) break
    before = next
  }
  return messages
})

/** What to read. */
export interface SnapshotRequest {
  readonly sessionId: string
  readonly directory: string
  /** Subagents that are known. */
  readonly children: ReadonlyArray<string>
  /** Those of which something was told that has not ended: how it ended is asked, too. */
  readonly openChildren: ReadonlyArray<string>
  /** Whether the session's messages are enough back to this one. */
  readonly reached: (messageId: string) => boolean
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Reads it. The status comes first: whatever ends meanwhile is then in the messages, and the stream tells that it ended. */
export const readSnapshot = Effect.fnUntraced(function* (
  client: OpencodeClient,
  { children, directory, openChildren, reached, sessionId }: SnapshotRequest
): Effect.fn.Return<OpencodeSnapshot, OpencodeError> {
  const call = { directory }
  const status = yield* client.get("/session/status", Schema.Record(Schema.String, Schema.Unknown), call)
  const [permissions, questions, messages, session, below] = yield* Effect.all(
    [
      client.get("/permission", Unknowns, call),
      client.get("/question", Unknowns, call),
      readMessages(client, sessionId, reached),
      client.get(`/session/${sessionId}`, Schema.Unknown),
      client.get(`/session/${sessionId}/children`, Unknowns)
    ],
    { concurrency: "unbounded" }
  )
  const known = new Set([...children, ...below.flatMap((child) => (isRecord(child) ? [String(child["id"])] : []))])
  // Of others that have ended, everything is in the tool call that ran them.
  const running = [...known].filter((id) => id in status || openChildren.includes(id))
  const theirs = yield* Effect.forEach(
    running,
    (id) =>
      Effect.map(
        readMessages(client, id, () => true),
        (told) => [id, told] as const
      ),
    { concurrency: 4 }
  )
  return {
    status,
    permissions,
    questions,
    messages: Object.fromEntries([[sessionId, messages], ...theirs]),
    session,
    children: below
  }
})
