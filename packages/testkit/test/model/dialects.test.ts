import { anyCharacters, type ModelDialectName, ModelStep, startScriptedModel } from "@holdfast/testkit"
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { ask } from "./modelClient.ts"

const steps = [
  ModelStep.reasoning("Hm.", { raw: "h" }),
  ModelStep.text("Héllo", { chunkSize: 3 }),
  ModelStep.toolCall({ name: "a", arguments: { x: 1 } }),
  ModelStep.toolCall({ name: "b", arguments: "{broken", callId: "mine" }),
  ModelStep.usage({ inputTokens: 9, cachedTokens: 4, outputTokens: 3, reasoningTokens: 2 })
]

/** The fields of events that text is in. */
interface StreamEvent {
  readonly delta?: string | { readonly text?: string }
  readonly choices?: ReadonlyArray<{ readonly delta: { readonly content?: string } }>
}

const answerIn = async (dialect: ModelDialectName, script = steps, body = {}) => {
  await using model = await startScriptedModel({ idSeed: "s", script: () => script })
  const response = await ask(model.url, dialect, "hi", { body })
  return { status: response.status, type: response.headers.get("content-type"), text: await response.text() }
}

/** The stream, with `event:` and `data:` of one event on one line. */
const lines = (stream: string) => {
  assert.isTrue(stream.endsWith("\n\n"))
  return stream
    .slice(0, -2)
    .split("\n\n")
    .map((event) => event.replace("\ndata: ", " | ").replace(/^(event|data): /, ""))
}

describe("an answer of a scripted model", () => {
  it("streams as OpenAI's Responses", async () => {
    const { status, text, type } = await answerIn("responses")
    assert.deepStrictEqual([status, type], [200, "text/event-stream"])
    const added = `response.output_item.added | {"type":"response.output_item.added",`
    const done = `response.output_item.done | {"type":"response.output_item.done",`
    const args = `response.function_call_arguments.delta | {"type":"response.function_call_arguments.delta",`
    assert.deepStrictEqual(lines(text), [
      `response.created | {"type":"response.created","response":{"id":"resp_s_1"}}`,
      `${added}"output_index":0,"item":{"type":"reasoning","id":"rs_s_2","summary":[]}}`,
      `response.reasoning_summary_part.added | {"type":"response.reasoning_summary_part.added","item_id":"rs_s_2","output_index":0,"summary_index":0,"part":{"type":"summary_text","text":""}}`,
      `response.reasoning_summary_text.delta | {"type":"response.reasoning_summary_text.delta","item_id":"rs_s_2","output_index":0,"summary_index":0,"delta":"Hm."}`,
      `response.reasoning_text.delta | {"type":"response.reasoning_text.delta","item_id":"rs_s_2","output_index":0,"content_index":0,"delta":"h"}`,
      `${done}"output_index":0,"item":{"type":"reasoning","id":"rs_s_2","summary":[{"type":"summary_text","text":"Hm."}],"content":[{"type":"reasoning_text","text":"h"}]}}`,
      `${added}"output_index":1,"item":{"type":"message","role":"assistant","id":"msg_s_3","content":[]}}`,
      `response.output_text.delta | {"type":"response.output_text.delta","item_id":"msg_s_3","output_index":1,"content_index":0,"delta":"Hél"}`,
      `response.output_text.delta | {"type":"response.output_text.delta","item_id":"msg_s_3","output_index":1,"content_index":0,"delta":"lo"}`,
      `${done}"output_index":1,"item":{"type":"message","role":"assistant","id":"msg_s_3","content":[{"type":"output_text","text":"Héllo"}]}}`,
      `${added}"output_index":2,"item":{"type":"function_call","id":"fc_s_4","call_id":"call_s_5","name":"a","arguments":""}}`,
      `${args}"item_id":"fc_s_4","output_index":2,"delta":"{\\"x\\":1}"}`,
      `${done}"output_index":2,"item":{"type":"function_call","id":"fc_s_4","call_id":"call_s_5","name":"a","arguments":"{\\"x\\":1}"}}`,
      `${added}"output_index":3,"item":{"type":"function_call","id":"fc_s_6","call_id":"mine","name":"b","arguments":""}}`,
      `${args}"item_id":"fc_s_6","output_index":3,"delta":"{broken"}`,
      `${done}"output_index":3,"item":{"type":"function_call","id":"fc_s_6","call_id":"mine","name":"b","arguments":"{broken"}}`,
      `response.completed | {"type":"response.completed","response":{"id":"resp_s_1","usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":4},"output_tokens":3,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":12},"status":"completed"}}`
    ])
  })

  it("streams as OpenAI's Chat Completions", async () => {
    const { text } = await answerIn("chat")
    const chunk = (choices: string) =>
      `{"id":"chatcmpl_s_1","object":"chat.completion.chunk","created":1,"model":"m","choices":[${choices}`
    const delta = (delta: string, reason = "null") => chunk(`{"index":0,"delta":${delta},"finish_reason":${reason}}]}`)
    assert.deepStrictEqual(lines(text), [
      delta(`{"role":"assistant","content":""}`),
      delta(`{"reasoning_content":"Hm."}`),
      delta(`{"content":"Hél"}`),
      delta(`{"content":"lo"}`),
      delta(`{"tool_calls":[{"index":0,"id":"call_s_2","type":"function","function":{"name":"a","arguments":""}}]}`),
      delta(`{"tool_calls":[{"index":0,"function":{"arguments":"{\\"x\\":1}"}}]}`),
      delta(`{"tool_calls":[{"index":1,"id":"mine","type":"function","function":{"name":"b","arguments":""}}]}`),
      delta(`{"tool_calls":[{"index":1,"function":{"arguments":"{broken"}}]}`),
      delta("{}", `"tool_calls"`),
      chunk(
        `],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":2}}}`
      ),
      "[DONE]"
    ])
  })

  it("streams as Anthropic's Messages", async () => {
    const { text } = await answerIn("messages")
    const start = `content_block_start | {"type":"content_block_start",`
    const delta = `content_block_delta | {"type":"content_block_delta",`
    const stop = (index: number) => `content_block_stop | {"type":"content_block_stop","index":${index}}`
    assert.deepStrictEqual(lines(text), [
      `message_start | {"type":"message_start","message":{"id":"msg_s_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"output_tokens":0}}}`,
      `${start}"index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}`,
      `${delta}"index":0,"delta":{"type":"thinking_delta","thinking":"Hm."}}`,
      `${delta}"index":0,"delta":{"type":"signature_delta","signature":"c2NyaXB0ZWQ="}}`,
      stop(0),
      `${start}"index":1,"content_block":{"type":"text","text":""}}`,
      `${delta}"index":1,"delta":{"type":"text_delta","text":"Hél"}}`,
      `${delta}"index":1,"delta":{"type":"text_delta","text":"lo"}}`,
      stop(1),
      `${start}"index":2,"content_block":{"type":"tool_use","id":"toolu_s_2","name":"a","input":{}}}`,
      `${delta}"index":2,"delta":{"type":"input_json_delta","partial_json":"{\\"x\\":1}"}}`,
      stop(2),
      `${start}"index":3,"content_block":{"type":"tool_use","id":"mine","name":"b","input":{}}}`,
      `${delta}"index":3,"delta":{"type":"input_json_delta","partial_json":"{broken"}}`,
      stop(3),
      `message_delta | {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":5,"cache_read_input_tokens":4,"output_tokens":3}}`,
      `message_stop | {"type":"message_stop"}`
    ])
  })

  it("comes whole to a client that asks for no stream", async () => {
    const whole = async (dialect: ModelDialectName) =>
      JSON.parse((await answerIn(dialect, steps, { stream: false })).text) as Record<string, unknown>
    assert.deepStrictEqual((await whole("chat"))["choices"], [
      {
        index: 0,
        message: {
          role: "assistant",
          content: "Héllo",
          reasoning_content: "Hm.",
          tool_calls: [
            { id: "call_s_2", type: "function", function: { name: "a", arguments: `{"x":1}` } },
            { id: "mine", type: "function", function: { name: "b", arguments: "{broken" } }
          ]
        },
        finish_reason: "tool_calls"
      }
    ])
    const { output, status } = await whole("responses")
    assert.strictEqual(status, "completed")
    assert.deepStrictEqual(
      (output as ReadonlyArray<{ readonly type: string }>).map(({ type }) => type),
      ["reasoning", "message", "function_call", "function_call"]
    )
    const { content, stop_reason } = await whole("messages")
    assert.strictEqual(stop_reason, "tool_use")
    assert.deepStrictEqual(content, [
      { type: "thinking", thinking: "Hm.", signature: "c2NyaXB0ZWQ=" },
      { type: "text", text: "Héllo" },
      { type: "tool_use", id: "toolu_s_2", name: "a", input: { x: 1 } },
      { type: "tool_use", id: "mine", name: "b", input: {} }
    ])
  })

  it("ends for the reason that the script states", async () => {
    const last = async (dialect: ModelDialectName, reason: ModelStep.FinishReason) =>
      (await answerIn(dialect, [ModelStep.usage("none"), ModelStep.finish(reason)])).text
    assert.include(await last("chat", "length"), `"finish_reason":"length"`)
    assert.include(await last("chat", "content-filter"), `"finish_reason":"content_filter"`)
    assert.notInclude(await last("chat", "stop"), `"usage"`)
    assert.include(
      await last("responses", "length"),
      `"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}`
    )
    assert.include(await last("messages", "length"), `"stop_reason":"max_tokens"`)
    assert.include(await last("messages", "content-filter"), `"stop_reason":"refusal"`)
  })

  it("reports an error in the words of the dialect, in the stream and instead of it", async () => {
    const failure = { message: "too long", type: "invalid_request_error", code: "context_length_exceeded" }
    const inStream = (dialect: ModelDialectName) => answerIn(dialect, [ModelStep.text("a"), ModelStep.fail(failure)])
    assert.match(
      (await inStream("responses")).text,
      /event: response\.failed\ndata: \{"type":"response\.failed","response":\{"id":"resp_s_1","status":"failed","error":\{"code":"context_length_exceeded","message":"too long"\}\}\}\n\n$/
    )
    assert.match(
      (await inStream("chat")).text,
      /data: \{"error":\{"message":"too long","type":"invalid_request_error","code":"context_length_exceeded"\}\}\n\n$/
    )
    assert.match(
      (await inStream("messages")).text,
      /event: error\ndata: \{"type":"error","error":\{"type":"invalid_request_error","message":"too long"\}\}\n\n$/
    )

    const instead = await answerIn("messages", [ModelStep.httpError(529)])
    assert.strictEqual(instead.status, 529)
    assert.deepStrictEqual(JSON.parse(instead.text), {
      type: "error",
      error: { type: "overloaded_error", message: "scripted error 529" }
    })
  })

  it("calls tools with free text in the dialect that has them, and is refused in the others", async () => {
    const call = [ModelStep.customToolCall({ name: "apply_patch", input: "*** Begin Patch\n" })]
    assert.include(
      (await answerIn("responses", call)).text,
      `{"type":"custom_tool_call","id":"ctc_s_2","call_id":"call_s_3","name":"apply_patch","input":"*** Begin Patch\\n"}`
    )
    for (const dialect of ["chat", "messages"] as const) {
      const { status, text } = await answerIn(dialect, call)
      assert.strictEqual(status, 400)
      assert.include(text, "has no calls with free text")
    }
  })

  it("says the same text in every dialect, however it is cut", async () => {
    await using model = await startScriptedModel()
    const said: Readonly<Record<ModelDialectName, (event: StreamEvent) => string | undefined>> = {
      responses: ({ delta }) => (typeof delta === "string" ? delta : undefined),
      chat: ({ choices }) => choices?.[0]?.delta?.content,
      messages: ({ delta }) => (typeof delta === "object" ? delta.text : undefined)
    }
    const dialect = fc.constantFrom<ModelDialectName>("responses", "chat", "messages")
    const text = anyCharacters(40)
    await fc.assert(
      fc.asyncProperty(dialect, text, fc.integer({ min: 1, max: 50 }), async (dialect, text, chunkSize) => {
        model.setScript(() => [ModelStep.text(text, { chunkSize })])
        const stream = await (await ask(model.url, dialect, "hi")).text()
        const pieces = [...stream.matchAll(/^data: (\{.*\})$/gm)].map(
          ([, json]) => said[dialect](JSON.parse(json!)) ?? ""
        )
        assert.strictEqual(pieces.join(""), text)
        for (const piece of pieces) assert.isAtMost([...piece].length, chunkSize)
      }),
      { numRuns: 100 }
    )
  })
})
