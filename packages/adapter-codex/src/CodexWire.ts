/**
 * What of the app-server's protocol the normaliser reads (`codex app-server generate-ts`, 0.169.0), decoded leniently: what
 * an event cannot do without is required, any other field counts as absent where it is missing, null or of another type,
 * and whatever is not named here is ignored. So enums are open and a newer server's fields break nothing.
 */
import { lenient, maxIdLength } from "@holdfast/core"
import { Result, Schema } from "effect"

const S = Schema
const text = S.String

/** What names a turn in the log as it is. */
const turnId = text.check(S.isMinLength(1), S.isMaxLength(maxIdLength))

/** The `error` of turns and of `error` notifications. `codexErrorInfo` is a text or an object with one key. */
export const TurnError = S.Struct({
  message: lenient(text),
  codexErrorInfo: lenient(S.Unknown),
  additionalDetails: lenient(text)
})
export type TurnError = typeof TurnError.Type

/** A turn, as its notifications have it. Its items are only the last message, in full. */
export const Turn = S.Struct({
  id: turnId,
  status: lenient(text),
  error: lenient(TurnError),
  items: lenient(S.Array(S.Unknown))
})

/** What a command does, as far as Codex could parse it. */
export const CommandAction = S.Struct({ type: text, command: lenient(text), path: lenient(text) })
export type CommandAction = typeof CommandAction.Type

/** One file of a patch. The diff is hunks for an update, and the whole content for what is added or deleted. */
export const FileUpdateChange = S.Struct({
  path: text,
  kind: S.Struct({ type: text, move_path: lenient(text) }),
  diff: lenient(text)
})
export type FileUpdateChange = typeof FileUpdateChange.Type

/** One piece of what a user said. */
export const UserInput = S.Struct({
  type: text,
  text: lenient(text),
  url: lenient(text),
  path: lenient(text),
  name: lenient(text)
})
export type UserInput = typeof UserInput.Type

/** What a web search did. */
export const WebSearchAction = S.Struct({
  type: text,
  query: lenient(text),
  queries: lenient(S.Array(text)),
  url: lenient(text),
  pattern: lenient(text)
})

const item = <T extends string, F extends Schema.Struct.Fields>(type: T, fields: F) =>
  S.Struct({ type: S.Literal(type), id: text, ...fields })

const toolItem = { status: lenient(text) }

/** The items that are told as what they are, by type. */
export const threadItems = {
  userMessage: item("userMessage", { clientId: lenient(text), content: lenient(S.Array(UserInput)) }),
  hookPrompt: item("hookPrompt", { fragments: lenient(S.Array(S.Struct({ text }))) }),
  agentMessage: item("agentMessage", {
    text: lenient(text),
    phase: lenient(S.Unknown),
    moderation: lenient(S.Unknown),
    memoryCitation: lenient(S.Unknown),
    delivery: lenient(S.Unknown),
    questions: lenient(S.Unknown)
  }),
  plan: item("plan", { text: lenient(text) }),
  reasoning: item("reasoning", { summary: lenient(S.Array(text)), content: lenient(S.Array(text)) }),
  commandExecution: item("commandExecution", {
    ...toolItem,
    command: lenient(text),
    cwd: lenient(text),
    processId: lenient(text),
    source: lenient(text),
    commandActions: lenient(S.Array(CommandAction)),
    aggregatedOutput: lenient(text),
    exitCode: lenient(S.Int)
  }),
  fileChange: item("fileChange", { ...toolItem, changes: lenient(S.Array(FileUpdateChange)) }),
  mcpToolCall: item("mcpToolCall", {
    ...toolItem,
    server: lenient(text),
    tool: lenient(text),
    arguments: lenient(S.Unknown),
    result: lenient(S.Struct({ content: lenient(S.Array(S.Unknown)), structuredContent: lenient(S.Unknown) })),
    error: lenient(S.Struct({ message: text }))
  }),
  dynamicToolCall: item("dynamicToolCall", {
    ...toolItem,
    namespace: lenient(text),
    tool: lenient(text),
    arguments: lenient(S.Unknown),
    contentItems: lenient(S.Array(S.Struct({ type: text, text: lenient(text), imageUrl: lenient(text) }))),
    success: lenient(S.Boolean)
  }),
  functionCallOutput: item("functionCallOutput", {
    name: lenient(text),
    namespace: lenient(text),
    output: lenient(S.Unknown)
  }),
  collabAgentToolCall: item("collabAgentToolCall", {
    ...toolItem,
    tool: lenient(text),
    receiverThreadIds: lenient(S.Array(text)),
    prompt: lenient(text),
    model: lenient(text),
    agentsStates: lenient(S.Record(text, S.Struct({ status: lenient(text), message: lenient(text) })))
  }),
  subAgentActivity: item("subAgentActivity", {
    kind: lenient(text),
    agentThreadId: lenient(text),
    agentPath: lenient(text),
    model: lenient(text)
  }),
  webSearch: item("webSearch", {
    query: lenient(text),
    action: lenient(WebSearchAction),
    results: lenient(S.Array(S.Unknown))
  }),
  imageView: item("imageView", { path: lenient(text) }),
  imageGeneration: item("imageGeneration", {
    ...toolItem,
    revisedPrompt: lenient(text),
    savedPath: lenient(text),
    result: lenient(text)
  }),
  sleep: item("sleep", { durationMs: lenient(S.Finite) }),
  exitedReviewMode: item("exitedReviewMode", { review: lenient(text) }),
  enteredReviewMode: item("enteredReviewMode", { review: lenient(text) }),
  contextCompaction: item("contextCompaction", {})
} as const

type KnownItem = { [T in keyof typeof threadItems]: (typeof threadItems)[T]["Type"] }[keyof typeof threadItems]

/** An item of a type that is not known: it is shown as a tool call, with all that the server said of it. */
export interface UnknownItem {
  readonly type: "unknown"
  readonly id: string
  readonly wireType: string
  readonly status: string | undefined
  readonly raw: unknown
}

/** One thing that happened in a turn. */
export type ThreadItem = KnownItem | UnknownItem

const thread = { threadId: text }
const turn = { threadId: text, turnId }
const ofItem = { threadId: text, turnId, itemId: text }
const delta = S.Struct({ ...ofItem, delta: text })

/** Tokens of one model request, or of a thread so far. `inputTokens` counts the cached ones, `outputTokens` the reasoning. */
export const TokenUsageBreakdown = S.Struct({
  totalTokens: lenient(S.Finite),
  inputTokens: lenient(S.Finite),
  cachedInputTokens: lenient(S.Finite),
  outputTokens: lenient(S.Finite),
  reasoningOutputTokens: lenient(S.Finite)
})
export type TokenUsageBreakdown = typeof TokenUsageBreakdown.Type

/** The parameters of the notifications that become events, by method. */
export const notifications = {
  error: S.Struct({ ...turn, willRetry: lenient(S.Boolean), error: TurnError }),
  "turn/started": S.Struct({ ...thread, turn: Turn }),
  "turn/completed": S.Struct({ ...thread, turn: Turn }),
  "turn/diff/updated": S.Struct({ ...turn, diff: text }),
  "turn/plan/updated": S.Struct({
    ...turn,
    explanation: lenient(text),
    plan: S.Array(S.Struct({ step: text, status: lenient(text) }))
  }),
  "item/started": S.Struct({ ...turn, item: S.Unknown }),
  "item/completed": S.Struct({ ...turn, item: S.Unknown }),
  "item/agentMessage/delta": delta,
  "item/plan/delta": delta,
  "item/commandExecution/outputDelta": delta,
  "item/commandExecution/terminalInteraction": S.Struct({ ...ofItem, processId: lenient(text), stdin: text }),
  "item/fileChange/patchUpdated": S.Struct({ ...ofItem, changes: S.Array(FileUpdateChange) }),
  "item/reasoning/summaryPartAdded": S.Struct({ ...ofItem, summaryIndex: S.Int }),
  "item/reasoning/summaryTextDelta": S.Struct({ ...ofItem, delta: text, summaryIndex: S.Int }),
  "item/reasoning/textDelta": S.Struct({ ...ofItem, delta: text, contentIndex: S.Int }),
  "item/mcpToolCall/progress": S.Struct({ ...ofItem, message: text }),
  "serverRequest/resolved": S.Struct({ ...thread, requestId: S.Union([text, S.Finite]) }),
  "thread/started": S.Struct({ thread: S.Struct({ id: text, parentThreadId: lenient(text) }) }),
  "thread/name/updated": S.Struct({ ...thread, threadName: lenient(text) }),
  "thread/tokenUsage/updated": S.Struct({
    ...turn,
    tokenUsage: S.Struct({
      total: TokenUsageBreakdown,
      last: TokenUsageBreakdown,
      modelContextWindow: lenient(S.Finite)
    })
  })
} as const

const Question = S.Struct({
  id: text,
  header: lenient(text),
  question: text,
  isOther: lenient(S.Boolean),
  isSecret: lenient(S.Boolean),
  options: lenient(S.Array(S.Struct({ label: text, description: lenient(text) })))
})

/** The parameters of the server's requests that somebody can answer, by method. */
export const requests = {
  "item/commandExecution/requestApproval": S.Struct({
    ...ofItem,
    kind: lenient(text),
    reason: lenient(text),
    command: lenient(text),
    cwd: lenient(text),
    commandActions: lenient(S.Array(CommandAction)),
    networkApprovalContext: lenient(S.Struct({ host: text, protocol: lenient(text) })),
    availableDecisions: lenient(S.Array(S.Unknown))
  }),
  "item/fileChange/requestApproval": S.Struct({ ...ofItem, reason: lenient(text), grantRoot: lenient(text) }),
  "item/permissions/requestApproval": S.Struct({
    ...ofItem,
    cwd: lenient(text),
    reason: lenient(text),
    permissions: S.Struct({
      network: lenient(S.Record(text, S.Unknown)),
      fileSystem: lenient(S.Record(text, S.Unknown))
    })
  }),
  "item/tool/requestUserInput": S.Struct({ ...ofItem, questions: S.Array(Question) }),
  "mcpServer/elicitation/request": S.Struct({
    ...thread,
    turnId: lenient(turnId),
    serverName: lenient(text),
    mode: text,
    _meta: lenient(S.Record(text, S.Unknown)),
    message: lenient(text),
    requestedSchema: lenient(S.Unknown),
    url: lenient(text)
  })
} as const

type Notifications = typeof notifications
type Requests = typeof requests

/** The parameters of a message that is read. */
export type ParamsOf<M extends keyof Notifications | keyof Requests> = (Notifications & Requests)[M]["Type"]

/** Decoded parameters with their method, to be switched over. */
export type Notification = {
  [M in keyof Notifications]: { readonly method: M; readonly params: ParamsOf<M> }
}[keyof Notifications]

/** A request of the server with its method, to be switched over. */
export type Request = { [M in keyof Requests]: { readonly method: M; readonly params: ParamsOf<M> } }[keyof Requests]

type Decode = (input: unknown) => Result.Result<unknown, { readonly message: string }>

const decoders = (schemas: { readonly [name: string]: Schema.Constraint }): ReadonlyMap<string, Decode> =>
  new Map(
    Object.entries(schemas).map(([name, schema]) => [
      name,
      S.decodeUnknownResult(schema as Schema.Codec<unknown>) as Decode
    ])
  )

const readNotifications = decoders(notifications)
const readRequests = decoders(requests)
const readItems = decoders(threadItems)

const failed = (result: Result.Failure<unknown, { readonly message: string }>): string => result.failure.message

/** A notification; why it cannot be read; undefined where its method is none that is read. */
export const readNotification = (method: string, params: unknown): Notification | string | undefined => {
  const read = readNotifications.get(method)?.(params)
  if (read === undefined) return undefined
  return Result.isSuccess(read) ? ({ method, params: read.success } as Notification) : failed(read)
}

/** A request; why it cannot be read; undefined where its method is none that somebody can answer. */
export const readRequest = (method: string, params: unknown): Request | string | undefined => {
  const read = readRequests.get(method)?.(params)
  if (read === undefined) return undefined
  return Result.isSuccess(read) ? ({ method, params: read.success } as Request) : failed(read)
}

/** An item, or why it cannot be read. */
export const readItem = (raw: unknown): ThreadItem | string => {
  const { id, status, type } = (typeof raw === "object" && raw !== null ? raw : {}) as {
    readonly [key: string]: unknown
  }
  if (typeof type !== "string" || typeof id !== "string") return "expected an item with a type and an id"
  const read = readItems.get(type)?.(raw)
  if (read === undefined) {
    return { type: "unknown", id, wireType: type, status: typeof status === "string" ? status : undefined, raw }
  }
  return Result.isSuccess(read) ? (read.success as ThreadItem) : failed(read)
}

/** The thread that a message is about; undefined where it is about none. */
export const threadOf = (params: unknown): string | undefined => {
  if (typeof params !== "object" || params === null) return undefined
  const { threadId } = params as { readonly threadId?: unknown }
  return typeof threadId === "string" ? threadId : undefined
}
