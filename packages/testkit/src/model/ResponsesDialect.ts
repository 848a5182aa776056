/**
 * OpenAI's Responses, as Codex 0.169 speaks it with a provider of its own: `POST /v1/responses`, the whole history in
 * `input`, no `previous_response_id`.
 */
import { Effect, Option, Schema } from "effect"
import { type ModelDialect, sse, type WholeAnswer } from "./ModelDialect.ts"
import { type HistoryEntry, type ReadRequest, textOf, textsOf, type ToolResult } from "./ModelRequest.ts"
import type { FinishReason, ModelContent, ModelUsage } from "./ModelStep.ts"

const Item = Schema.Struct({
  type: Schema.optionalKey(Schema.String),
  role: Schema.optionalKey(Schema.String),
  content: Schema.optionalKey(Schema.Unknown),
  call_id: Schema.optionalKey(Schema.String),
  name: Schema.optionalKey(Schema.String),
  output: Schema.optionalKey(Schema.Unknown),
  tools: Schema.optionalKey(Schema.Array(Schema.Unknown))
})

const Body = Schema.Struct({
  model: Schema.String,
  stream: Schema.optionalKey(Schema.NullOr(Schema.Boolean)),
  input: Schema.Union([Schema.String, Schema.Array(Item)]),
  tools: Schema.optionalKey(Schema.NullOr(Schema.Array(Schema.Unknown))),
  text: Schema.optionalKey(Schema.Unknown)
})

const decodeBody = Schema.decodeUnknownEffect(Body)

/** The part of a tool's declaration that names it. A namespace holds tools of its own. */
const Tool = Schema.Struct({ name: Schema.optionalKey(Schema.String), type: Schema.optionalKey(Schema.String) })
const decodeTool = Schema.decodeUnknownOption(Tool)

const toolNames = (tools: ReadonlyArray<unknown>) =>
  tools.flatMap((tool) => {
    const { name, type } = Option.getOrElse(decodeTool(tool), () => ({}) as typeof Tool.Type)
    return name ?? type ?? []
  })

const decodeFormat = Schema.decodeUnknownOption(Schema.Struct({ format: Schema.Struct({ type: Schema.String }) }))

/** Codex says in this header what a call is for, and in which turn. */
const decodeMetadata = Schema.decodeUnknownOption(
  Schema.fromJsonString(
    Schema.Struct({
      request_kind: Schema.optionalKey(Schema.String),
      turn_id: Schema.optionalKey(Schema.String),
      parent_thread_id: Schema.optionalKey(Schema.String)
    })
  )
)

/** What Codex puts in a user's mouth: the folder's instructions, its environment, notes on what happened to the session. */
const isSynthetic = (text: string) =>
  /^(# AGENTS\.md instructions for |<(environment_context|turn_aborted|user_instructions|skill|subagent_notification)>|Another language model started to solve this problem)/.test(
    text
  )

const historyOf = (input: typeof Body.Type.input): ReadonlyArray<HistoryEntry> => {
  if (typeof input === "string") return [{ role: "user", text: input }]
  const names = new Map(input.flatMap((item) => (item.name === undefined ? [] : [[item.call_id, item.name] as const])))
  const history: Array<HistoryEntry> = []
  for (const item of input) {
    const { type = "message" } = item
    const last = history.at(-1)
    if (type.endsWith("_output")) {
      const callId = item.call_id ?? ""
      const result: ToolResult = { callId, name: names.get(callId), output: textOf(item.output) }
      if (last?.role === "results")
        history[history.length - 1] = { role: "results", results: [...last.results, result] }
      else history.push({ role: "results", results: [result] })
    } else if (type === "message" && item.role === "user") {
      const texts = typeof item.content === "string" ? [item.content] : textsOf((item.content ?? []) as Array<unknown>)
      const said = texts.filter((text) => !isSynthetic(text))
      if (said.length > 0) history.push({ role: "user", text: said.join("\n") })
    } else if (item.role === "assistant" || type.endsWith("_call") || type === "reasoning") {
      // One answer of the model is several items here.
      if (last?.role !== "model") history.push({ role: "model" })
    }
  }
  return history
}

const read = Effect.fnUntraced(
  function* (body: unknown, headers: Readonly<Record<string, string>>) {
    const { input, model, stream, text, tools } = yield* decodeBody(body)
    const metadata = Option.getOrUndefined(decodeMetadata(headers["x-codex-turn-metadata"]))
    const format = Option.getOrUndefined(decodeFormat(text))?.format.type
    // Some of Codex's own models get their tools as an item of the input.
    const more = typeof input === "string" ? [] : input.flatMap((item) => item.tools ?? [])
    const request: ReadRequest = {
      model,
      stream: stream === true,
      history: historyOf(input),
      tools: toolNames([...(tools ?? []), ...more]),
      conversation: headers["thread-id"],
      parent: metadata?.parent_thread_id,
      purpose:
        metadata?.request_kind === "compaction" ? "compaction" : format === "json_schema" ? "structured" : "turn",
      turn: metadata?.turn_id
    }
    return request
  },
  (effect) => Effect.mapError(effect, (error) => error.message)
)

const usageOf = ({ cachedTokens, inputTokens, outputTokens, reasoningTokens }: ModelUsage) => ({
  input_tokens: inputTokens,
  input_tokens_details: { cached_tokens: cachedTokens },
  output_tokens: outputTokens,
  output_tokens_details: { reasoning_tokens: reasoningTokens },
  total_tokens: inputTokens + outputTokens
})

const event = (type: string, fields: Readonly<Record<string, unknown>>) => sse({ type, ...fields }, type)

/** The finished item of a piece of content. */
const itemOf = (content: ModelContent, id: string, makeId: (prefix: string) => string) => {
  switch (content.type) {
    case "text":
      return {
        type: "message",
        role: "assistant",
        id,
        content: [{ type: "output_text", text: content.pieces.join("") }]
      }
    case "reasoning":
      return {
        type: "reasoning",
        id,
        summary: [{ type: "summary_text", text: content.pieces.join("") }],
        ...(content.raw === undefined ? {} : { content: [{ type: "reasoning_text", text: content.raw }] })
      }
    case "toolCall":
      return {
        type: "function_call",
        id,
        call_id: content.callId ?? makeId("call"),
        ...(content.namespace === undefined ? {} : { namespace: content.namespace }),
        name: content.name,
        arguments: content.pieces.join("")
      }
    case "customToolCall":
      return {
        type: "custom_tool_call",
        id,
        call_id: content.callId ?? makeId("call"),
        name: content.name,
        input: content.input
      }
  }
}

const prefixes = { text: "msg", reasoning: "rs", toolCall: "fc", customToolCall: "ctc" } as const

/** What an answer's end is: incomplete where the model had to stop. */
const endOf = (reason: FinishReason, response: Readonly<Record<string, unknown>>) => {
  const why = { length: "max_output_tokens", "content-filter": "content_filter" }[reason as string]
  return why === undefined
    ? { type: "response.completed", response: { ...response, status: "completed" } }
    : {
        type: "response.incomplete",
        response: { ...response, status: "incomplete", incomplete_details: { reason: why } }
      }
}

const write: ModelDialect["write"] = (_model, makeId) => {
  const responseId = makeId("resp")
  let index = -1
  return {
    start: () => event("response.created", { response: { id: responseId } }),
    content: (content) => {
      index += 1
      const at = { output_index: index }
      const id = makeId(prefixes[content.type])
      const item = itemOf(content, id, makeId)
      const close = event("response.output_item.done", { ...at, item })
      const added = (item: Readonly<Record<string, unknown>>) => event("response.output_item.added", { ...at, item })
      switch (content.type) {
        case "text":
          return {
            open: added({ type: "message", role: "assistant", id, content: [] }),
            pieces: content.pieces.map((delta) =>
              event("response.output_text.delta", { item_id: id, ...at, content_index: 0, delta })
            ),
            close
          }
        case "reasoning":
          return {
            open:
              added({ type: "reasoning", id, summary: [] }) +
              event("response.reasoning_summary_part.added", {
                item_id: id,
                ...at,
                summary_index: 0,
                part: { type: "summary_text", text: "" }
              }),
            pieces: content.pieces.map((delta) =>
              event("response.reasoning_summary_text.delta", { item_id: id, ...at, summary_index: 0, delta })
            ),
            close:
              content.raw === undefined
                ? close
                : event("response.reasoning_text.delta", {
                    item_id: id,
                    ...at,
                    content_index: 0,
                    delta: content.raw
                  }) + close
          }
        case "toolCall":
          return {
            open: added({ ...item, arguments: "" }),
            pieces: content.pieces.map((delta) =>
              event("response.function_call_arguments.delta", { item_id: id, ...at, delta })
            ),
            close
          }
        case "customToolCall":
          return { open: "", pieces: [], close }
      }
    },
    finish: (reason, usage) => {
      const end = endOf(reason, { id: responseId, ...(usage === undefined ? {} : { usage: usageOf(usage) }) })
      return sse(end, end.type)
    },
    fail: ({ message, type = "server_error", code = type }) =>
      event("response.failed", { response: { id: responseId, status: "failed", error: { code, message } } })
  }
}

const whole = ({ content, reason, usage }: WholeAnswer, model: string, makeId: (prefix: string) => string) => ({
  ...endOf(reason, {
    id: makeId("resp"),
    object: "response",
    created_at: 1,
    model,
    output: content.map((part) => itemOf(part, makeId(prefixes[part.type]), makeId)),
    ...(usage === undefined ? {} : { usage: usageOf(usage) })
  }).response
})

/** The dialect. */
export const responsesDialect: ModelDialect = {
  name: "responses",
  path: "/v1/responses",
  read,
  objection: () => undefined,
  write,
  whole,
  error: ({ message, type = "server_error", code = type }) => ({ error: { message, type, code } })
}
