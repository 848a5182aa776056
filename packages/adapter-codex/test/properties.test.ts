import { accept, advance, type BackendEvent, type Observed } from "@holdfast/core"
import { assert, describe, it } from "@effect/vitest"
import { anyCharacters, itemFaults, nothingOpen, objections, openIn, openSimulatedSession } from "@holdfast/testkit"
import * as fc from "fast-check"
import { type CodexMessage, makeCodexNormaliser } from "../src/CodexNormaliser.ts"
import { messagesOf, readTranscript, replay, threadsOf, transcriptNames } from "./transcripts.ts"

const transcripts = transcriptNames
  .map((name) => ({ name, lines: readTranscript(name) }))
  .map((one) => ({ ...one, threads: threadsOf(messagesOf(one.lines)) }))
  .filter(({ threads }) => threads.length > 0)

describe("A conversation with Codex that is cut off", () => {
  it("leaves nothing open, wherever the server dies", () => {
    let cuts = 0
    for (const { lines, threads } of transcripts) {
      for (const threadId of threads) {
        const session = openSimulatedSession()
        replay(lines, threadId, ({ events }) => {
          session.tell(events)
          const { policy } = session
          const at = { at: session.now() }
          const lost: Observed = { type: "backend.lost", data: { reason: "killed", retryable: true } }
          const state = session.state()
          const drafts = advance(accept(state, state.generation, [lost], at, policy), at, policy)
          assert.deepStrictEqual(openIn(drafts.state), nothingOpen)
          cuts += 1
        })
        assert.deepStrictEqual(objections(session), [])
      }
    }
    assert.isAbove(cuts, 1_000)
  })

  it("says in the end of each text all that its pieces said, unless it says that it is partial", () => {
    let texts = 0
    for (const { lines, threads } of transcripts) {
      for (const threadId of threads) {
        const said = new Map<string, string>()
        replay(lines, threadId, ({ events }) => {
          for (const event of events) {
            if (event.type === "item.delta") {
              said.set(event.data.itemId, (said.get(event.data.itemId) ?? "") + event.data.text)
            } else if (event.type === "item.completed" && event.data.partial !== true) {
              const pieces = said.get(event.data.itemId)
              if (pieces === undefined) continue
              if (event.data.kind === "tool_call") assert.include(event.data.output, pieces)
              else assert.strictEqual(event.data.text, pieces)
              texts += 1
            }
          }
        })
      }
    }
    assert.isAbove(texts, 40)
  })
})

/** A message with one value in it exchanged for something else. */
const corrupt = (message: CodexMessage, at: number, value: unknown): CodexMessage => {
  const copy = JSON.parse(JSON.stringify(message)) as CodexMessage
  const places: Array<readonly [holder: Record<string, unknown>, key: string]> = []
  const visit = (node: unknown) => {
    if (typeof node !== "object" || node === null) return
    for (const [key, child] of Object.entries(node)) {
      places.push([node as Record<string, unknown>, key])
      visit(child)
    }
  }
  visit(copy.params)
  const place = places[at % Math.max(1, places.length)]
  if (place === undefined) return copy
  if (value === undefined) delete place[0][place[1]]
  else place[0][place[1]] = value
  return copy
}

type Change =
  | { readonly change: "drop"; readonly at: number }
  | { readonly change: "twice"; readonly at: number }
  | { readonly change: "swap"; readonly at: number }
  | { readonly change: "corrupt"; readonly at: number; readonly where: number; readonly value: unknown }
  | { readonly change: "answer"; readonly at: number; readonly cancel: boolean }

const junk = fc.oneof(
  fc.constantFrom<unknown>(
    undefined,
    null,
    0,
    -1,
    "",
    "completed",
    "inProgress",
    "nothing known",
    "constructor",
    [],
    {},
    true,
    1e300
  ),
  anyCharacters(300),
  fc.jsonValue({ maxDepth: 2 })
)

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ change: fc.constantFrom("drop", "twice", "swap"), at: fc.nat(500) }),
  fc.record({ change: fc.constant("corrupt" as const), at: fc.nat(500), where: fc.nat(60), value: junk }),
  fc.record({ change: fc.constant("answer" as const), at: fc.nat(500), cancel: fc.boolean() })
)

/** Messages of up to three recordings, shuffled into one thread, in the order of each. */
const interleave = (
  rows: ReadonlyArray<ReadonlyArray<CodexMessage>>,
  order: ReadonlyArray<number>
): Array<CodexMessage> => {
  const at = rows.map(() => 0)
  const mixed: Array<CodexMessage> = []
  const total = rows.reduce((sum, row) => sum + row.length, 0)
  for (let n = 0; mixed.length < total; n += 1) {
    const row = (order[n % order.length] ?? 0) % rows.length
    const from = [row, ...rows.keys()].find((one) => at[one]! < rows[one]!.length)!
    mixed.push(rows[from]![at[from]!]!)
    at[from]! += 1
  }
  return mixed
}

const threadId = "01a1fa3c-0000-7000-8000-000000000000"

/** The messages of a recording as if they were all about one thread. */
const ofOneThread = transcripts.map(({ lines }) =>
  messagesOf(lines).map((message) => ({
    ...message,
    params: { ...(message.params as object), threadId }
  }))
)

describe("Whatever a server sends", () => {
  it(
    "becomes events that are legal for a session, each item with one beginning and one end",
    { timeout: 60_000 },
    () => {
      fc.assert(
        fc.property(
          fc.uniqueArray(fc.nat(ofOneThread.length - 1), { minLength: 1, maxLength: 3 }),
          fc.array(fc.nat(2), { minLength: 1, maxLength: 20 }),
          fc.array(change, { maxLength: 25 }),
          (chosen, order, changes) => {
            const messages = interleave(
              chosen.map((one) => ofOneThread[one]!),
              order
            )
            const answers = new Map<number, boolean>()
            for (const one of changes) {
              const at = one.at % messages.length
              const message = messages[at]!
              if (one.change === "drop") messages.splice(at, messages.length > 1 ? 1 : 0)
              else if (one.change === "twice") messages.splice(at, 0, message)
              else if (one.change === "swap") messages.splice(at, 2, ...messages.slice(at, at + 2).toReversed())
              else if (one.change === "corrupt") messages[at] = corrupt(message, one.where, one.value)
              else answers.set(at, one.cancel)
            }
            const session = openSimulatedSession()
            const normaliser = makeCodexNormaliser({
              threadId,
              generation: session.state().generation,
              cwd: "/workspace"
            })
            const all: Array<BackendEvent> = []
            messages.forEach((message, at) => {
              const { events, replies } = normaliser.take(message)
              for (const reply of replies) assert.isTrue("result" in reply || reply.error.message.length <= 500)
              all.push(...events)
              session.tell(events)
              const cancel = answers.get(at)
              if (cancel === true) normaliser.cancelAll()
              else if (cancel === false) {
                for (const event of events) {
                  if (event.type === "permission.requested" || event.type === "question.asked") {
                    assert.isDefined(normaliser.answer(event.data.requestId, { outcome: "cancelled" }))
                  }
                }
              }
            })
            assert.deepStrictEqual(objections(session), [])
            assert.deepStrictEqual(itemFaults(all, { lateUpdates: true }), [])
            assert.strictEqual(normaliser.activeTurn() ?? null, session.state().turn?.turnId ?? null)
            session.tell([{ type: "backend.lost", data: { reason: "killed", retryable: false } }])
            assert.deepStrictEqual(openIn(session.state()), nothingOpen)
          }
        ),
        { numRuns: 300 }
      )
    }
  )

  it(
    "does not throw, nor answer what was not asked, for messages that are no messages of Codex",
    { timeout: 60_000 },
    () => {
      const method = fc.oneof(
        fc.constantFrom(...ofOneThread.flat().map((message) => message.method), "toString", "__proto__"),
        fc.string()
      )
      fc.assert(
        fc.property(
          fc.array(
            fc.record({
              method,
              params: fc.jsonValue(),
              id: fc.option(fc.oneof(fc.nat(), fc.string()), { nil: undefined })
            })
          ),
          (messages) => {
            const session = openSimulatedSession()
            const normaliser = makeCodexNormaliser({ threadId, generation: 1, cwd: "/" })
            for (const { id, method: name, params } of messages) {
              const { events, replies } = normaliser.take({ method: name, params, ...(id === undefined ? {} : { id }) })
              session.tell(events)
              if (id === undefined) assert.deepStrictEqual(replies, [])
              else
                assert.deepStrictEqual(
                  replies.map((reply) => reply.id),
                  [id]
                )
            }
            assert.deepStrictEqual(objections(session), [])
          }
        ),
        { numRuns: 300 }
      )
    }
  )
})
