/** OpenAI's Chat Completions, as Opencode 1.18 speaks it to a compatible provider: `POST /v1/chat/completions`. */
import { Effect, Schema } from "effect"
import { type ModelDialect, sse } from "./ModelDialect.ts"
import { type HistoryEntry, type ReadRequest, textOf } from "./ModelRequest.ts"
import type { ModelContent, ModelUsage } from "./ModelStep.ts"

const Message = Schema.Struct({
  role: Schema.String,
  content: Schema.optionalKey(Schema.Unknown),
  tool_call_id: Schema.optionalKey(Schema.String),
  tool_calls: Schema.optionalKey(
    Schema.NullOr(Schema.Array(Schema.Struct({ id: Schema.String, function: Schema.Struct({ name: Schema.String }) })))
  )
})

const Body = Schema.Struct({
  model: Schema.String,
  stream: Schema.optionalKey(Schema.NullOr(Schema.Boolean)),
  messages: Schema.Array(Message),
  tools: Schema.optionalKey(
    Schema.NullOr(Schema.Array(Schema.Struct({ function: Schema.optionalKey(Schema.Struct({ name: Schema.String })) })))
  ),
  response_format: Schema.optionalKey(Schema.NullOr(Schema.Struct({ type: Schema.String })))
})

const decodeBody = Schema.decodeUnknownEffect(Body)

const historyOf = (messages: typeof Body.Type.messages): ReadonlyArray<HistoryEntry> => {
  const names = new Map(
    messages.flatMap(({ tool_calls }) => (tool_calls ?? []).map((call) => [call.id, call.function.name] as const))
  )
  return messages.flatMap((message): ReadonlyArray<HistoryEntry> => {
    const text = textOf(message.content)
    if (message.role === "user") return [{ role: "user", text }]
    if (message.role === "assistant") return [{ role: "model" }]
    if (message.role !== "tool") return []
    const callId = message.tool_call_id ?? ""
    return [{ role: "results", results: [{ callId, name: names.get(callId), output: text }] }]
  })
}

/** Opencode's title and summary have no tools and a system prompt of their own; its structured answer is a tool. */
const purposeOf = (body: typeof Body.Type, tools: ReadonlyArray<string>): ReadRequest["purpose"] => {
  const system = body.messages.filter(({ role }) => role === "system").map(({ content }) => textOf(content))
  const begins = (beginning: string) => tools.length === 0 && system.some((text) => text.startsWith(beginning))
  if (begins("You are a title generator.")) return "title"
  if (begins("You are a context summarization agent.")) return "compaction"
  return tools.includes("StructuredOutput") || body.response_format?.type === "json_schema" ? "structured" : "turn"
}

const read = Effect.fnUntraced(
  function* (json: unknown, headers: Readonly<Record<string, string>>) {
    const body = yield* decodeBody(json)
    const tools = (body.tools ?? []).flatMap((tool) => tool.function?.name ?? [])
    const request: ReadRequest = {
      model: body.model,
      stream: body.stream === true,
      history: historyOf(body.messages),
      tools,
      conversation: headers["x-session-id"],
      parent: headers["x-parent-session-id"],
      purpose: purposeOf(body, tools),
      turn: undefined
    }
    return request
  },
  (effect) => Effect.mapError(effect, (error) => error.message)
)

const usageOf = ({ cachedTokens, inputTokens, outputTokens, reasoningTokens }: ModelUsage) => ({
  prompt_tokens: inputTokens,
  completion_tokens: outputTokens,
  total_tokens: inputTokens + outputTokens,
  prompt_tokens_details: { cached_tokens: cachedTokens },
  completion_tokens_details: { reasoning_tokens: reasoningTokens }
})

const reasons = { stop: "stop", length: "length", "content-filter": "content_filter", "tool-calls": "tool_calls" }

const callOf = (content: Extract<ModelContent, { readonly type: "toolCall" }>, makeId: (prefix: string) => string) => ({
  id: content.callId ?? makeId("call"),
  type: "function",
  function: { name: content.name, arguments: content.pieces.join("") }
})

const write: ModelDialect["write"] = (model, makeId) => {
  const base = { id: makeId("chatcmpl"), object: "chat.completion.chunk", created: 1, model }
  const chunk = (delta: unknown, finish_reason: string | null = null) =>
    sse({ ...base, choices: [{ index: 0, delta, finish_reason }] })
  let calls = -1
  return {
    start: () => chunk({ role: "assistant", content: "" }),
    content: (content) => {
      switch (content.type) {
        case "text":
          return { open: "", pieces: content.pieces.map((piece) => chunk({ content: piece })), close: "" }
        case "reasoning":
          return { open: "", pieces: content.pieces.map((piece) => chunk({ reasoning_content: piece })), close: "" }
        case "toolCall": {
          calls += 1
          const index = calls
          const call = callOf(content, makeId)
          return {
            open: chunk({ tool_calls: [{ index, ...call, function: { name: call.function.name, arguments: "" } }] }),
            pieces: content.pieces.map((piece) => chunk({ tool_calls: [{ index, function: { arguments: piece } }] })),
            close: ""
          }
        }
        case "customToolCall":
          return { open: "", pieces: [], close: "" }
      }
    },
    finish: (reason, usage) =>
      chunk({}, reasons[reason]) +
      (usage === undefined ? "" : sse({ ...base, choices: [], usage: usageOf(usage) })) +
      sse("[DONE]"),
    fail: (error) => sse(chatDialect.error(error))
  }
}

const whole: ModelDialect["whole"] = ({ content, reason, usage }, model, makeId) => {
  const said = (type: "text" | "reasoning") =>
    content.flatMap((part) => (part.type === type ? part.pieces : [])).join("")
  const calls = content.flatMap((part) => (part.type === "toolCall" ? [callOf(part, makeId)] : []))
  const thought = said("reasoning")
  const message = {
    role: "assistant",
    content: said("text"),
    ...(thought === "" ? {} : { reasoning_content: thought }),
    ...(calls.length === 0 ? {} : { tool_calls: calls })
  }
  return {
    id: makeId("chatcmpl"),
    object: "chat.completion",
    created: 1,
    model,
    choices: [{ index: 0, message, finish_reason: reasons[reason] }],
    ...(usage === undefined ? {} : { usage: usageOf(usage) })
  }
}

/** The dialect. */
export const chatDialect: ModelDialect = {
  name: "chat",
  path: "/v1/chat/completions",
  read,
  objection: (content) =>
    content.type === "customToolCall" ? "Chat Completions has no calls with free text" : undefined,
  write,
  whole,
  error: ({ message, type = "server_error", code = type }) => ({ error: { message, type, code } })
}
