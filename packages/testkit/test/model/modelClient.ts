/** A client of a scripted model, as small as one can be. */
import type { ModelDialectName } from "@holdfast/testkit"

const paths: Readonly<Record<ModelDialectName, string>> = {
  responses: "/responses",
  chat: "/chat/completions",
  messages: "/messages"
}

/** Asks the model as an agent of the dialect does; the conversation is named as the agent names it. */
export const ask = (
  url: string,
  dialect: ModelDialectName,
  prompt: string,
  options: {
    readonly conversation?: string
    readonly history?: ReadonlyArray<unknown>
    readonly body?: Readonly<Record<string, unknown>>
    readonly signal?: AbortSignal
  } = {}
): Promise<Response> => {
  const { body, conversation, history = [], signal } = options
  const header = { responses: "thread-id", chat: "x-session-id", messages: "x-claude-code-session-id" }[dialect]
  return fetch(url + paths[dialect], {
    method: "POST",
    headers: { "content-type": "application/json", ...(conversation === undefined ? {} : { [header]: conversation }) },
    body: JSON.stringify({
      model: "m",
      stream: true,
      [dialect === "responses" ? "input" : "messages"]: [{ role: "user", content: prompt }, ...history],
      ...body
    }),
    ...(signal === undefined ? {} : { signal })
  })
}

/** The text that a streamed answer of Chat Completions says. */
export const saidIn = (stream: string): string =>
  [...stream.matchAll(/^data: (\{.*\})$/gm)]
    .map(([, json]) => JSON.parse(json ?? "").choices?.[0]?.delta?.content ?? "")
    .join("")

/** A history with one finished call of a tool, in Chat Completions. */
export const afterCall = (output: string) => [
  { role: "assistant", content: "", tool_calls: [{ id: "c1", type: "function", function: { name: "bash" } }] },
  { role: "tool", tool_call_id: "c1", content: output }
]
