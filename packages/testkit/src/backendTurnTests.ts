/** What an agent's turns are: messages as they stream, tool calls, errors, usage; and many sessions side by side. */
import { Effect, Result } from "effect"
import { describe, expect, it } from "vitest"
import {
  agentTest,
  completed,
  expectWellFormed,
  itemsOf,
  prompt,
  saidIn,
  saying,
  sayNext,
  startedBy,
  toolsOf,
  turnOf
} from "./backendAgentHarness.ts"
import {
  type BackendSuiteOptions,
  type Bench,
  type MakeBackend,
  makeToken,
  type Opened,
  openSession,
  withBackend
} from "./backendHarness.ts"
import type { EventOf } from "./ReadSession.ts"
import { type BackendSuiteAgent, suiteTokens } from "./BackendSuiteAgent.ts"

/** Sessions that run at once, and prompts that each of them is given. */
const crowd = 3
const rounds = 4

/** Registers the tests of turns. */
export const turnTests = (make: MakeBackend, options: BackendSuiteOptions, agent: BackendSuiteAgent) => {
  const test = agentTest(make, options)
  const { choice, failingTool, long, overloaded, parallelTools, refused, retried, tool, usage } = agent

  describe("the agent's turns", () => {
    test("are begun by a prompt, have a message, and end", (bench, opened) =>
      Effect.gen(function* () {
        const { promptId, turnId } = yield* sayNext(bench, opened, agent)
        const delivered = opened.events.filter((event) => event.type === "prompt.delivered")
        for (const event of delivered) expect(event.data.promptId).toBe(promptId)
        const messages = itemsOf(opened.events, turnId).filter(
          ({ kind, role }) => kind === "message" && role !== "user"
        )
        expect(messages).toMatchObject([{ status: "completed" }])
      }))

    test("follow each other, each with what was said in it", (bench, opened) =>
      Effect.gen(function* () {
        const turns = new Map<string, string>()
        for (let count = 0; count < 3; count++) {
          const { token, turnId } = yield* sayNext(bench, opened, agent)
          turns.set(turnId, token)
          expect(suiteTokens(saidIn(opened.events, turnId))).toEqual([token])
        }
        expect(turns.size).toBe(3)
      }))

    if (long !== undefined) {
      test("tell a message while it is being written", (bench, opened) =>
        Effect.gen(function* () {
          const token = makeToken()
          yield* prompt(bench, opened, long(token))
          const itemId = yield* saying(opened, token)
          const started = opened.events.find(
            (event): event is EventOf<"item.started"> => event.type === "item.started" && event.data.itemId === itemId
          )
          expect(started?.data).toMatchObject({ kind: "message" })
          expect(started?.data.role).not.toBe("user")
          expect(opened.events.filter((event) => event.type === "turn.completed")).toEqual([])
        }))
    }

    if (tool !== undefined) {
      test("have tool calls, which begin, run, and end with their output and exit code", (bench, opened) =>
        Effect.gen(function* () {
          const token = makeToken()
          const { end, turnId } = yield* turnOf(bench, opened, tool(token))
          expect(end).toMatchObject({ outcome: "completed" })
          const calls = toolsOf(opened.events, turnId)
          expect(calls).toMatchObject([{ status: "completed", tool: { status: "completed", kind: "execute" } }])
          expect(calls[0]!.output).toContain(token)
          expect(calls[0]!.tool!.exitCode).toBe(0)
          expect(calls[0]!.tool!.name).not.toBe("")
          expectWellFormed(opened.events)
        }))
    }

    if (failingTool !== undefined) {
      test("go on after a command that failed, and tell its exit code", (bench, opened) =>
        Effect.gen(function* () {
          const token = makeToken()
          const { end, turnId } = yield* turnOf(bench, opened, failingTool(token))
          expect(end).toMatchObject({ outcome: "completed" })
          const calls = toolsOf(opened.events, turnId)
          expect(calls).toMatchObject([{ status: "failed", tool: { status: "failed", exitCode: 3 } }])
          expect(calls[0]!.output).toContain(token)
          expectWellFormed(opened.events)
        }))
    }

    if (parallelTools !== undefined) {
      test("keep parallel tool calls apart", (bench, opened) =>
        Effect.gen(function* () {
          const tokens = [makeToken(), makeToken()] as const
          const { end, turnId } = yield* turnOf(bench, opened, parallelTools(...tokens))
          expect(end).toMatchObject({ outcome: "completed" })
          const outputs = toolsOf(opened.events, turnId).map(({ output }) => suiteTokens(output ?? ""))
          expect(outputs).toHaveLength(2)
          expect(outputs).toEqual(expect.arrayContaining(tokens.map((token) => [token])))
          expectWellFormed(opened.events)
        }))
    }

    for (const { fails, isRetryable } of [
      { fails: refused, isRetryable: false },
      { fails: overloaded, isRetryable: true }
    ]) {
      if (fails === undefined) continue
      test(`end as failed, with an error that ${isRetryable ? "may be tried again" : "is final"}, and the next one works`, (bench, opened) =>
        Effect.gen(function* () {
          const { end } = yield* turnOf(bench, opened, fails(makeToken()))
          expect(end).toMatchObject({ outcome: "failed", error: { retryable: isRetryable } })
          expect(end.error?.message).toMatch(/\w/)
          expectWellFormed(opened.events)
          yield* sayNext(bench, opened, agent)
        }))
    }

    if (retried !== undefined) {
      test("tell that the agent tries again, and then say everything once", (bench, opened) =>
        Effect.gen(function* () {
          const token = makeToken()
          const { end, turnId } = yield* turnOf(bench, opened, retried(token))
          expect(end).toMatchObject({ outcome: "completed" })
          const retrying = opened.events.filter((event) => event.type === "turn.retrying")
          expect(retrying.length).toBeGreaterThan(0)
          for (const { data } of retrying) {
            expect(data).toMatchObject({ turnId, error: { retryable: true } })
            expect(data.error.message).toMatch(/\w/)
          }
          expect(saidIn(opened.events, turnId).split(token)).toHaveLength(2)
          expectWellFormed(opened.events)
        }))
    }

    if (usage !== undefined) {
      const report = (bench: Bench, opened: Opened) =>
        Effect.gen(function* () {
          for (let turns = 1; turns <= 2; turns++) {
            yield* sayNext(bench, opened, agent)
            const expected = Object.fromEntries(
              Object.entries(usage).map(([field, amount]) => [field, turns * (amount ?? 0)])
            )
            yield* opened.waitUntil(`usage of ${JSON.stringify(expected)}`, () => {
              const sum = reported(opened)
              return Object.entries(expected).every(([field, amount]) => (sum[field] ?? 0) >= amount) || undefined
            })
            expect(reported(opened)).toMatchObject(expected)
          }
        })
      test("report what they cost, and each of them only its own", report, { alone: true })
    }

    if (choice !== undefined) {
      const choose = (bench: Bench, opened: Opened) =>
        Effect.gen(function* () {
          yield* sayNext(bench, opened, agent)
          yield* bench.within("the choice", opened.perform({ type: "configure", ...choice }))
          yield* opened.waitUntil("backend.configured", (events) =>
            events.find(
              (event) =>
                event.type === "backend.configured" &&
                Object.entries(choice).every(([name, value]) => event.data[name as keyof typeof choice] === value)
            )
          )
          yield* sayNext(bench, opened, agent)
        })
      test("go on with another choice of model, effort or mode", choose, { alone: true })
    }

    test("go on after the context was shortened, where the agent can do that", (bench, opened) =>
      Effect.gen(function* () {
        if (opened.session.capabilities.compact !== true) return
        yield* sayNext(bench, opened, agent)
        yield* bench.within("the compaction", opened.perform({ type: "compact" }))
        yield* opened.waitFor("context.compacted")
        yield* sayNext(bench, opened, agent)
      }))

    it(
      "of many sessions at once are never mixed",
      withBackend(make, options, (bench) =>
        Effect.gen(function* () {
          const sessions = yield* Effect.forEach(
            Array.from({ length: crowd }),
            () => openSession(bench, options.spec),
            { concurrency: "unbounded" }
          )
          const words = [agent.say, ...(tool === undefined ? [] : [tool])]
          const said = yield* Effect.forEach(
            sessions,
            (opened) =>
              Effect.forEach(Array.from({ length: rounds }), (_, round) =>
                Effect.gen(function* () {
                  const token = makeToken()
                  const { end, turnId } = yield* turnOf(bench, opened, words[round % words.length]!(token))
                  expect(end).toMatchObject({ outcome: "completed" })
                  const told = [
                    saidIn(opened.events, turnId),
                    ...toolsOf(opened.events, turnId).map((call) => call.output)
                  ]
                  expect(told.join()).toContain(token)
                  return token
                })
              ),
            { concurrency: "unbounded" }
          )
          for (const [index, opened] of sessions.entries()) {
            expect(suiteTokens(JSON.stringify(opened.events)).toSorted()).toEqual(said[index]!.toSorted())
            expectWellFormed(opened.events)
          }
        })
      )
    )

    test("leave no question open to whoever answers one that was never asked", (bench, opened) =>
      Effect.gen(function* () {
        const requestId = "holdfast-never-asked" as never
        const outcome = { outcome: "cancelled" } as const
        for (const type of ["resolvePermission", "answerQuestion"] as const) {
          const answered = yield* Effect.result(bench.within(type, opened.perform({ type, requestId, outcome })))
          if (Result.isFailure(answered))
            expect(answered.failure).toMatchObject({ _tag: "BackendRefused", command: type })
        }
        const turnId = yield* startedBy(opened, yield* prompt(bench, opened, agent.say(makeToken())))
        expect(yield* completed(opened, turnId)).toMatchObject({ outcome: "completed" })
      }))
  })
}

/** The sum of all usage that was reported. */
const reported = (opened: Opened): Record<string, number> => {
  const sum: Record<string, number> = {}
  for (const event of opened.events) {
    if (event.type !== "usage.reported") continue
    for (const [field, amount] of Object.entries(event.data.usage)) sum[field] = (sum[field] ?? 0) + (amount ?? 0)
  }
  return sum
}
