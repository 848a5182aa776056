/**
 * The model that the agents' benchmarks run on, in a process of its own so that its work is nobody else's. A prompt says
 * what it answers:
 *
 * - `stamps 50 30`: 50 deltas, 30 ms apart, each the time at which it was sent, in milliseconds since 1970
 * - `bulk 20000 50`: 20,000 deltas of 50 characters, as fast as they are taken
 * - anything else: `ok`
 *
 * It speaks as much of the Responses and Chat Completions dialects as one text needs.
 */
import { once } from "node:events"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { setTimeout as delay } from "node:timers/promises"

type Say = (text: string) => Promise<void>

const answer = async (prompt: string, say: Say) => {
  const [, what, count, size] = /(stamps|bulk) (\d+) (\d+)/.exec(prompt) ?? []
  if (what === "stamps") {
    for (let at = 0; at < Number(count); at++) {
      await say(`${performance.timeOrigin + performance.now()}\n`)
      await delay(Number(size))
    }
  } else if (what === "bulk") {
    const text = "lorem ipsum ".repeat(Math.ceil(Number(size) / 12)).slice(0, Number(size))
    for (let at = 0; at < Number(count); at++) await say(text)
  } else await say("ok")
}

const send = async (response: ServerResponse, event: object) => {
  if (!response.write(`data: ${JSON.stringify(event)}\n\n`)) await once(response, "drain")
}

let ids = 0

const responses = async (prompt: string, response: ServerResponse) => {
  const id = `msg_${process.pid}_${ids++}`
  const common = { item_id: id, output_index: 0, content_index: 0 }
  let whole = ""
  const item = (text: string) => ({
    type: "message",
    role: "assistant",
    id,
    content: text === "" ? [] : [{ type: "output_text", text }]
  })
  await send(response, { type: "response.created", response: { id: "r" } })
  await send(response, { type: "response.output_item.added", output_index: 0, item: item("") })
  await answer(prompt, async (text) => {
    whole += text
    await send(response, { type: "response.output_text.delta", ...common, delta: text })
  })
  await send(response, { type: "response.output_item.done", output_index: 0, item: item(whole) })
  await send(response, { type: "response.completed", response: { id: "r" } })
}

const chat = async (prompt: string, response: ServerResponse) => {
  await answer(prompt, (content) => send(response, { choices: [{ index: 0, delta: { content } }] }))
  await send(response, { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] })
}

const bodyOf = async (request: IncomingMessage) => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return JSON.parse(Buffer.concat(chunks).toString()) as {
    readonly input?: ReadonlyArray<{ readonly role?: string }>
    readonly messages?: ReadonlyArray<{ readonly role?: string }>
  }
}

const server = createServer(async (request, response) => {
  const { input, messages = [] } = await bodyOf(request)
  const prompt = JSON.stringify((input ?? messages).findLast(({ role }) => role === "user") ?? "")
  response.writeHead(200, { "content-type": "text/event-stream" })
  await (input === undefined ? chat : responses)(prompt, response)
  response.end()
})

server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port))
process.once("disconnect", () => process.exit())
