/** Anthropic's Messages, as Claude Code speaks it: `POST /v1/messages`, streamed or whole. */
import { Effect, Schema } from "effect"
import { type ModelDialect, sse } from "./ModelDialect.ts"
import { type HistoryEntry, type ReadRequest, textOf, textsOf } from "./ModelRequest.ts"
import type { ModelContent, ModelUsage } from "./ModelStep.ts"

const Block = Schema.Struct({
  type: Schema.String,
  text: Schema.optionalKey(Schema.String),
  id: Schema.optionalKey(Schema.String),
  name: Schema.optionalKey(Schema.String),
  tool_use_id: Schema.optionalKey(Schema.String),
  content: Schema.optionalKey(Schema.Unknown)
})

const Message = Schema.Struct({ role: Schema.String, content: Schema.Union([Schema.String, Schema.Array(Block)]) })

const Body = Schema.Struct({
  model: Schema.String,
  stream: Schema.optionalKey(Schema.NullOr(Schema.Boolean)),
  messages: Schema.Array(Message),
  system: Schema.optionalKey(Schema.Unknown),
  tools: Schema.optionalKey(Schema.NullOr(Schema.Array(Schema.Struct({ name: Schema.String }))))
})

const decodeBody = Schema.decodeUnknownEffect(Body)

const isReminder = (text: string) => text.startsWith("<system-reminder>")

const historyOf = (messages: typeof Body.Type.messages): ReadonlyArray<HistoryEntry> => {
  const blocksOf = ({ content }: typeof Message.Type) => (typeof content === "string" ? [] : content)
  const names = new Map(messages.flatMap(blocksOf).map(({ id, name }) => [id, name]))
  return messages.flatMap((message): ReadonlyArray<HistoryEntry> => {
    if (message.role === "assistant") return [{ role: "model" }]
    if (message.role !== "user") return []
    const results = blocksOf(message).flatMap(({ content, tool_use_id, type }) =>
      type === "tool_result" && tool_use_id !== undefined
        ? [{ callId: tool_use_id, name: names.get(tool_use_id), output: textOf(content) }]
        : []
    )
    const texts = typeof message.content === "string" ? [message.content] : textsOf(message.content)
    const said = texts.filter((text) => !isReminder(text))
    return [
      ...(results.length === 0 ? [] : [{ role: "results" as const, results }]),
      ...(said.length === 0 ? [] : [{ role: "user" as const, text: said.join("\n") }])
    ]
  })
}

/** Claude Code's side requests have no tools; what they are for is only in the words of their system prompt. */
const purposeOf = (body: typeof Body.Type): ReadRequest["purpose"] => {
  const system = textOf(body.system)
  if ((body.tools ?? []).length > 0) return "turn"
  if (/\btitle\b/i.test(system)) return "title"
  return /\bsummari[sz]/i.test(system) ? "compaction" : "turn"
}

const read = Effect.fnUntraced(
  function* (json: unknown, headers: Readonly<Record<string, string>>) {
    const body = yield* decodeBody(json)
    const request: ReadRequest = {
      model: body.model,
      stream: body.stream === true,
      history: historyOf(body.messages),
      tools: (body.tools ?? []).map(({ name }) => name),
      conversation: headers["x-claude-code-session-id"],
      parent: undefined,
      purpose: purposeOf(body),
      turn: undefined
    }
    return request
  },
  (effect) => Effect.mapError(effect, (error) => error.message)
)

const inputOf = (usage: ModelUsage | undefined) => ({
  input_tokens: (usage?.inputTokens ?? 0) - (usage?.cachedTokens ?? 0),
  cache_read_input_tokens: usage?.cachedTokens ?? 0
})

const reasons = { stop: "end_turn", length: "max_tokens", "content-filter": "refusal", "tool-calls": "tool_use" }

const event = (type: string, fields: Readonly<Record<string, unknown>> = {}) => sse({ type, ...fields }, type)

/** Clients do not check it, but ask for one. */
const signature = "c2NyaXB0ZWQ="

/** A block as it begins, without its content. */
const opened = (content: ModelContent, makeId: (prefix: string) => string) => {
  switch (content.type) {
    case "text":
      return { type: "text", text: "" }
    case "reasoning":
      return { type: "thinking", thinking: "", signature: "" }
    case "toolCall":
    case "customToolCall":
      return { type: "tool_use", id: content.callId ?? makeId("toolu"), name: content.name, input: {} }
  }
}

const write: ModelDialect["write"] = (model, makeId) => {
  let index = -1
  return {
    start: () =>
      event("message_start", {
        message: {
          id: makeId("msg"),
          type: "message",
          role: "assistant",
          model,
          content: [],
          stop_reason: null,
          stop_sequence: null,
          usage: { input_tokens: 0, output_tokens: 0 }
        }
      }),
    content: (content) => {
      index += 1
      const at = { index }
      const delta = (delta: unknown) => event("content_block_delta", { ...at, delta })
      const open = event("content_block_start", { ...at, content_block: opened(content, makeId) })
      const close = event("content_block_stop", at)
      switch (content.type) {
        case "text":
          return { open, pieces: content.pieces.map((text) => delta({ type: "text_delta", text })), close }
        case "reasoning":
          return {
            open,
            pieces: content.pieces.map((thinking) => delta({ type: "thinking_delta", thinking })),
            close: delta({ type: "signature_delta", signature }) + close
          }
        case "toolCall":
          return {
            open,
            pieces: content.pieces.map((partial_json) => delta({ type: "input_json_delta", partial_json })),
            close
          }
        case "customToolCall":
          return { open, pieces: [], close }
      }
    },
    finish: (reason, usage) =>
      event("message_delta", {
        delta: { stop_reason: reasons[reason], stop_sequence: null },
        usage: { ...inputOf(usage), output_tokens: usage?.outputTokens ?? 0 }
      }) + event("message_stop"),
    fail: (error) => sse(messagesDialect.error(error), "error")
  }
}

/** Arguments that are no JSON cannot be said in a whole answer: they arrive as an empty object. */
const parsed = (json: string): unknown => {
  try {
    return JSON.parse(json)
  } catch (error) {
    if (error instanceof SyntaxError) return {}
    throw error
  }
}

const whole: ModelDialect["whole"] = ({ content, reason, usage }, model, makeId) => ({
  id: makeId("msg"),
  type: "message",
  role: "assistant",
  model,
  content: content.map((part) => {
    const block = opened(part, makeId)
    if (part.type === "text") return { ...block, text: part.pieces.join("") }
    if (part.type === "reasoning") return { ...block, thinking: part.pieces.join(""), signature }
    return part.type === "toolCall" ? { ...block, input: parsed(part.pieces.join("")) } : block
  }),
  stop_reason: reasons[reason],
  stop_sequence: null,
  usage: { ...inputOf(usage), output_tokens: usage?.outputTokens ?? 0 }
})

/** The dialect. */
export const messagesDialect: ModelDialect = {
  name: "messages",
  path: "/v1/messages",
  read,
  objection: (content) => (content.type === "customToolCall" ? "Messages has no calls with free text" : undefined),
  write,
  whole,
  error: ({ message, type = "api_error" }) => ({ type: "error", error: { type, message } })
}
