/** What an agent asks: permissions and questions, however and whenever they are answered. */
import type { PermissionOption, PermissionOutcome, QuestionOutcome, TurnId } from "@holdfast/core"
import { Effect } from "effect"
import { describe, expect } from "vitest"
import {
  agentTest,
  completed,
  expectWellFormed,
  prompt,
  saidIn,
  sayNext,
  startedBy,
  toolsOf
} from "./backendAgentHarness.ts"
import { type BackendSuiteOptions, type Bench, type MakeBackend, makeToken, type Opened } from "./backendHarness.ts"
import type { EventOf } from "./ReadSession.ts"
import type { BackendSuiteAgent, SuitePrompt } from "./BackendSuiteAgent.ts"

type Permission = EventOf<"permission.requested">["data"]
type QuestionAsked = EventOf<"question.asked">["data"]

const cancelled = { outcome: "cancelled" } as const

const allowing = (option: PermissionOption) => option.kind === "allow_once"
const rejecting = (option: PermissionOption) => option.kind === "reject_once" || option.kind === "reject_always"

/** The outcome that chooses the first option of some kind. */
const choose = ({ options }: Permission, fits: (option: PermissionOption) => boolean): PermissionOutcome => {
  const option = options.find(fits)
  expect(option, `one of the options ${JSON.stringify(options)}`).toBeDefined()
  return { outcome: "selected", optionId: option!.optionId }
}

/** An answer to each question, and the words in it. */
const answer = (asked: QuestionAsked): { readonly outcome: QuestionOutcome; readonly words: ReadonlyArray<string> } => {
  const words = asked.questions.map((question) => question.options[0]?.label ?? makeToken())
  const answers = Object.fromEntries(asked.questions.map(({ questionId }, index) => [questionId, [words[index]!]]))
  return { outcome: { outcome: "answered", answers }, words }
}

/** Lets the agent begin a turn with a new token. */
const begin = Effect.fnUntraced(function* (bench: Bench, opened: Opened, word: SuitePrompt) {
  const token = makeToken()
  return { token, turnId: yield* startedBy(opened, yield* prompt(bench, opened, word(token))) }
})

/** Lets the agent ask for a permission. */
const requested = Effect.fnUntraced(function* (bench: Bench, opened: Opened, word: SuitePrompt) {
  const { token, turnId } = yield* begin(bench, opened, word)
  const event = yield* opened.waitFor("permission.requested", ({ data }) => data.turnId === turnId)
  return { token, turnId, asked: event.data }
})

/** Lets the agent ask a question. */
const questioned = Effect.fnUntraced(function* (bench: Bench, opened: Opened, word: SuitePrompt) {
  const { token, turnId } = yield* begin(bench, opened, word)
  const event = yield* opened.waitFor("question.asked", ({ data }) => data.turnId === turnId)
  return { token, turnId, asked: event.data }
})

const resolve = (bench: Bench, opened: Opened, { requestId }: Permission, outcome: PermissionOutcome) =>
  bench.within("the answer", opened.perform({ type: "resolvePermission", requestId, outcome }))

const reply = (bench: Bench, opened: Opened, { requestId }: QuestionAsked, outcome: QuestionOutcome) =>
  bench.within("the answer", opened.perform({ type: "answerQuestion", requestId, outcome }))

/** Tool calls that ran well and printed a token. */
const printed = (opened: Opened, turnId: TurnId, token: string) =>
  toolsOf(opened.events, turnId).filter(({ output, status }) => status === "completed" && output?.includes(token))

/** Registers the tests of requests. */
export const requestTests = (make: MakeBackend, options: BackendSuiteOptions, agent: BackendSuiteAgent) => {
  const test = agentTest(make, options)
  const { permission, question } = agent

  describe("the agent's requests", () => {
    if (permission !== undefined) {
      test("let a tool call run when it is allowed", (bench, opened) =>
        Effect.gen(function* () {
          const { asked, token, turnId } = yield* requested(bench, opened, permission)
          expect(asked.title).toMatch(/\w/)
          expect(new Set(asked.options.map(({ optionId }) => optionId)).size).toBe(asked.options.length)
          expect(printed(opened, turnId, token)).toEqual([])
          yield* resolve(bench, opened, asked, choose(asked, allowing))
          expect(yield* completed(opened, turnId)).toMatchObject({ outcome: "completed" })
          expect(printed(opened, turnId, token)).toHaveLength(1)
          expectWellFormed(opened.events)
        }))

      for (const how of ["rejected", "cancelled"] as const) {
        test(`keep a tool call from running when it is ${how}, and the next prompt works`, (bench, opened) =>
          Effect.gen(function* () {
            const { asked, token, turnId } = yield* requested(bench, opened, permission)
            yield* resolve(bench, opened, asked, how === "rejected" ? choose(asked, rejecting) : cancelled)
            expect(yield* completed(opened, turnId)).toHaveProperty(
              "outcome",
              expect.stringMatching(/^(completed|interrupted)$/)
            )
            expect(printed(opened, turnId, token)).toEqual([])
            expectWellFormed(opened.events)
            yield* sayNext(bench, opened, agent)
          }))
      }

      test("default to what does the least harm", (bench, opened) =>
        Effect.gen(function* () {
          const { asked, turnId } = yield* requested(bench, opened, permission)
          const outcome = asked.default ?? cancelled
          if (outcome.outcome === "selected") {
            expect(outcome).toMatchObject(choose(asked, (option) => option.optionId === outcome.optionId))
            expect(asked.options.filter(rejecting).map(({ optionId }) => optionId)).toContain(outcome.optionId)
          }
          yield* resolve(bench, opened, asked, outcome)
          yield* completed(opened, turnId)
        }))

      test("are answered once: a second answer and a late one do nothing", (bench, opened) =>
        Effect.gen(function* () {
          const { asked, token, turnId } = yield* requested(bench, opened, permission)
          yield* resolve(bench, opened, asked, choose(asked, allowing))
          yield* Effect.result(resolve(bench, opened, asked, choose(asked, rejecting)))
          expect(yield* completed(opened, turnId)).toMatchObject({ outcome: "completed" })
          yield* Effect.result(resolve(bench, opened, asked, choose(asked, allowing)))
          expect(printed(opened, turnId, token)).toHaveLength(1)
          yield* sayNext(bench, opened, agent)
        }))
    }

    if (question !== undefined) {
      test("are questions that the agent goes on with once they are answered", (bench, opened) =>
        Effect.gen(function* () {
          const { asked, token, turnId } = yield* questioned(bench, opened, question)
          expect(JSON.stringify(asked.questions)).toContain(token)
          const { outcome, words } = answer(asked)
          yield* reply(bench, opened, asked, outcome)
          expect(yield* completed(opened, turnId)).toMatchObject({ outcome: "completed" })
          for (const word of words) expect(saidIn(opened.events, turnId)).toContain(word)
          expectWellFormed(opened.events)
        }))

      test("end their turn when a question is cancelled, and the next prompt works", (bench, opened) =>
        Effect.gen(function* () {
          const { asked, turnId } = yield* questioned(bench, opened, question)
          yield* reply(bench, opened, asked, cancelled)
          yield* completed(opened, turnId)
          expectWellFormed(opened.events)
          yield* sayNext(bench, opened, agent)
        }))

      test("take one answer to a question: a second one and a late one do nothing", (bench, opened) =>
        Effect.gen(function* () {
          const { asked, turnId } = yield* questioned(bench, opened, question)
          const first = answer(asked)
          yield* reply(bench, opened, asked, first.outcome)
          yield* Effect.result(reply(bench, opened, asked, cancelled))
          expect(yield* completed(opened, turnId)).toMatchObject({ outcome: "completed" })
          yield* Effect.result(reply(bench, opened, asked, answer(asked).outcome))
          for (const word of first.words) expect(saidIn(opened.events, turnId)).toContain(word)
          yield* sayNext(bench, opened, agent)
        }))
    }
  })
}
