import { assert, describe, it } from "@effect/vitest"
import { anyCharacters } from "@holdfast/testkit"
import { Effect, Fiber } from "effect"
import * as fc from "fast-check"
import { type CodexClient, makeCodexClient, maxInFlight, maxQueued } from "../src/CodexClient.ts"
import type { CodexMessage } from "../src/CodexNormaliser.ts"
import { type Deadlines, makeDeadlines } from "../src/Deadlines.ts"
import { TestClock } from "effect/testing"

interface Sent {
  readonly id?: number
  readonly method?: string
}

const noDeadlines: Deadlines = { set: () => () => undefined }

/** A client whose lines are looked at instead of sent. */
const makeBench = (deadlines = noDeadlines) => {
  const sent: Array<Sent> = []
  const lines: Array<string> = []
  const messages: Array<CodexMessage> = []
  const garbage: Array<string> = []
  const client: CodexClient = makeCodexClient({
    deadlines,
    write: (line) => {
      lines.push(line)
      sent.push(JSON.parse(line) as Sent)
    },
    onMessage: (message) => messages.push(message),
    onGarbage: (line) => garbage.push(line)
  })
  const answer = (id: number | undefined, result: unknown = {}) => client.take(JSON.stringify({ id, result }))
  return { client, sent, lines, messages, garbage, answer }
}

const archive = (client: CodexClient, threadId = "one") => client.request("thread/archive", { threadId })

describe("A client of an app-server", () => {
  it.effect("has no more requests on their way than the server bears, and sends the others as answers come", () =>
    Effect.gen(function* () {
      const { answer, client, sent } = makeBench()
      const all = yield* Effect.forEach(Array.from({ length: 120 }), () =>
        Effect.forkChild(archive(client), { startImmediately: true })
      )
      assert.lengthOf(sent, maxInFlight)
      for (let answered = 0; answered < 120; answered++) {
        assert.isAtMost(sent.length - answered, maxInFlight)
        answer(sent[answered]!.id)
        yield* Effect.yieldNow
      }
      yield* Effect.forEach(all, Fiber.join)
      assert.strictEqual(new Set(sent.map(({ id }) => id)).size, 120)
    })
  )

  it.effect("refuses what would wait behind too many", () =>
    Effect.gen(function* () {
      const { client } = makeBench()
      yield* Effect.forEach(Array.from({ length: maxQueued }), () =>
        Effect.forkChild(archive(client), { startImmediately: true })
      )
      assert.include((yield* Effect.flip(archive(client))).message, "wait already")
    })
  )

  it.effect("gives an answer up at its deadline, and ignores it when it comes later", () =>
    Effect.gen(function* () {
      const { answer, client, sent } = makeBench(yield* makeDeadlines)
      const waiting = yield* Effect.forkChild(Effect.flip(archive(client)), { startImmediately: true })
      yield* TestClock.adjust(30_000)
      assert.strictEqual((yield* Fiber.join(waiting))._tag, "CodexSilent")
      answer(sent[0]!.id)
      const next = yield* Effect.forkChild(archive(client), { startImmediately: true })
      answer(sent[1]!.id)
      yield* Fiber.join(next)
    })
  )

  it.effect("stops asking a server that stays too busy", () =>
    Effect.gen(function* () {
      const { client, sent } = makeBench()
      const waiting = yield* Effect.forkChild(Effect.flip(archive(client)), { startImmediately: true })
      for (let tries = 0; tries < 20; tries++) {
        const id = sent.at(-1)!.id
        client.take(JSON.stringify({ id, error: { code: -32001, message: "Server overloaded; retry later." } }))
        yield* TestClock.adjust(5_000)
      }
      assert.deepInclude(yield* Fiber.join(waiting), { _tag: "CodexError", code: -32001 })
      assert.lengthOf(sent, 7)
    })
  )

  it.effect("keeps a long error short", () =>
    Effect.gen(function* () {
      const { client, sent } = makeBench()
      const waiting = yield* Effect.forkChild(Effect.flip(archive(client)), { startImmediately: true })
      client.take(JSON.stringify({ id: sent[0]!.id, error: { code: -32600, message: "m".repeat(9_000) } }))
      assert.isBelow((yield* Fiber.join(waiting)).message.length, 600)
    })
  )

  it.effect("tells everybody who waits when the server is gone, and whoever asks later", () =>
    Effect.gen(function* () {
      const { client } = makeBench()
      const waiting = yield* Effect.forkChild(Effect.flip(archive(client)), { startImmediately: true })
      client.end("it fell over")
      assert.include((yield* Fiber.join(waiting)).message, "it fell over")
      assert.include((yield* Effect.flip(archive(client))).message, "it fell over")
    })
  )

  it("tells requests of the server from answers to its own, though they have the same ids", () => {
    const { client, garbage, messages } = makeBench()
    for (const id of [0, 1, "1"]) client.take(JSON.stringify({ id, method: "item/tool/call", params: {} }))
    client.take(JSON.stringify({ method: "warning", params: {}, emittedAtMs: 1 }))
    assert.deepStrictEqual(
      messages.map(({ id, method }) => [id, method]),
      [
        [0, "item/tool/call"],
        [1, "item/tool/call"],
        ["1", "item/tool/call"],
        [undefined, "warning"]
      ]
    )
    assert.deepStrictEqual(garbage, [])
  })

  it("takes any line without failing, and writes only what is valid UTF-8", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          anyCharacters(10),
          fc.jsonValue().map((value) => JSON.stringify(value)),
          fc.record({ id: fc.anything(), method: fc.anything(), result: fc.anything() }).map(stringify)
        ),
        anyCharacters(10).chain((text) => fc.constantFrom(text, `${text}\uD83D`, `\\ud83d${text}`)),
        (line, text) => {
          const { client, lines } = makeBench()
          client.take(line)
          Effect.runFork(archive(client, text))
          client.end("over")
          assert.strictEqual(Buffer.from(lines[0]!).toString(), lines[0])
          assert.notMatch(lines[0]!, /(?<!\\)(\\\\)*\\ud[89a-f]/i)
          assert.strictEqual(
            (JSON.parse(lines[0]!) as { readonly params: { readonly threadId: string } }).params.threadId,
            text.toWellFormed()
          )
        }
      )
    )
  })
})

/** JSON of anything: what JSON has no word for becomes text. */
const stringify = (value: unknown): string => {
  try {
    return JSON.stringify(value)
  } catch (error) {
    return JSON.stringify(String(error))
  }
}
