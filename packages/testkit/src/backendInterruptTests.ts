/** That an agent can be stopped at any moment, steered, and closed in any state, and that nothing hangs or stays behind. */
import type { BackendLost, BackendRefused, Performed, TurnId } from "@holdfast/core"
import { Effect, Exit, Result } from "effect"
import { describe, expect } from "vitest"
import {
  agentTest,
  completed,
  expectWellFormed,
  hasBackground,
  prompt,
  saidIn,
  saying,
  sayNext,
  startedBy,
  toolRunning,
  toolsOf
} from "./backendAgentHarness.ts"
import {
  type BackendSuiteOptions,
  type Bench,
  expectCommand,
  expectNoCommand,
  expectNoProcess,
  type MakeBackend,
  makeToken,
  type Opened
} from "./backendHarness.ts"
import type { BackendSuiteAgent, SuitePrompt } from "./BackendSuiteAgent.ts"

/** An interrupt that the backend refuses for the moment is tried again, as the runtime does: six times, from 50 ms on. */
const interruptTries = 6

/** A state in which an agent is disturbed. */
interface Moment {
  readonly when: string
  readonly word: SuitePrompt
  readonly reached: (opened: Opened, turnId: TurnId, token: string) => Effect.Effect<unknown, Error>
  /** Whether the turn could end by itself meanwhile. */
  readonly mayEnd: boolean
  /** Whether a command runs then. */
  readonly hasCommand: boolean
}

const momentsOf = (agent: BackendSuiteAgent): ReadonlyArray<Moment> => {
  const { long, longTool, permission, question } = agent
  return [
    { when: "as soon as its turn runs", word: agent.say, reached: () => Effect.void, mayEnd: true, hasCommand: false },
    { when: "after its turn", word: agent.say, reached: completed, mayEnd: true, hasCommand: false },
    ...when("while it says something", long, (opened, _, token) => saying(opened, token)),
    ...when("while a tool runs", longTool, toolRunning),
    ...when("while it waits for a permission", permission, (opened) => opened.waitFor("permission.requested")),
    ...when("while it waits for an answer", question, (opened) => opened.waitFor("question.asked"))
  ]
}

const when = (name: string, word: SuitePrompt | undefined, reached: Moment["reached"]): ReadonlyArray<Moment> =>
  word === undefined ? [] : [{ when: name, word, reached, mayEnd: false, hasCommand: reached === toolRunning }]

/** Brings the agent to a moment. */
const reach = Effect.fnUntraced(function* (bench: Bench, opened: Opened, moment: Moment) {
  const token = makeToken()
  const turnId = yield* startedBy(opened, yield* prompt(bench, opened, moment.word(token)))
  yield* moment.reached(opened, turnId, token)
  if (moment.hasCommand) yield* expectCommand(bench, token)
  return { token, turnId }
})

const interrupt = (bench: Bench, opened: Opened, turnId: TurnId) => {
  const attempt = (tries: number, delayMs: number): Effect.Effect<Performed, BackendRefused | BackendLost> =>
    Effect.catchTag(opened.perform({ type: "interrupt", turnId }), "BackendRefused", (refused) =>
      refused.retryable && tries > 1
        ? Effect.andThen(Effect.sleep(delayMs), attempt(tries - 1, delayMs * 2))
        : Effect.fail(refused)
    )
  return bench.within("the interrupt", attempt(interruptTries, 50))
}

/** Registers the tests of interrupting, steering and closing. */
export const interruptTests = (make: MakeBackend, options: BackendSuiteOptions, agent: BackendSuiteAgent) => {
  const test = agentTest(make, options)
  const moments = momentsOf(agent)
  const { longTool, steer } = agent

  describe("interrupting the agent", () => {
    for (const moment of moments) {
      test(`${moment.when} ends the turn once, and the next prompt works`, (bench, opened) =>
        Effect.gen(function* () {
          if (!opened.session.capabilities.interrupt) return
          const { token, turnId } = yield* reach(bench, opened, moment)
          const interrupted = yield* Effect.result(interrupt(bench, opened, turnId))
          if (!moment.mayEnd) expect(Result.isSuccess(interrupted)).toBe(true)
          const { outcome } = yield* completed(opened, turnId)
          expect(outcome).toMatch(moment.mayEnd ? /^(completed|interrupted)$/ : /^interrupted$/)
          expectWellFormed(opened.events)
          expect(toolsOf(opened.events, turnId).filter(({ status }) => status === "completed")).toEqual([])
          if (!hasBackground(opened.events)) yield* expectNoCommand(bench, token)
          const next = yield* sayNext(bench, opened, agent)
          expect(saidIn(opened.events, next.turnId)).not.toContain(token)
          expect(opened.events.filter((event) => event.type === "turn.completed")).toHaveLength(2)
        }))
    }

    test("twice does no more than once", (bench, opened) =>
      Effect.gen(function* () {
        if (!opened.session.capabilities.interrupt) return
        const { turnId } = yield* reach(bench, opened, moments.at(-1)!)
        yield* Effect.all([interrupt(bench, opened, turnId), Effect.result(interrupt(bench, opened, turnId))], {
          concurrency: "unbounded"
        })
        yield* completed(opened, turnId)
        yield* sayNext(bench, opened, agent)
      }))

    if (longTool !== undefined) {
      test("in one tool call alone stops that, where the agent can do so", (bench, opened) =>
        Effect.gen(function* () {
          if (opened.session.capabilities.stopItems !== true) return
          const token = makeToken()
          const turnId = yield* startedBy(opened, yield* prompt(bench, opened, longTool(token)))
          const itemId = yield* toolRunning(opened, turnId, token)
          yield* bench.within("the stop", opened.perform({ type: "stopItem", itemId: itemId as never }))
          yield* opened.waitFor("item.completed", (event) => event.data.itemId === itemId)
          yield* completed(opened, turnId)
          yield* expectNoCommand(bench, token)
          expectWellFormed(opened.events)
        }))
    }

    if (steer !== undefined) {
      test("is not needed to steer it: a prompt goes into the turn that runs", (bench, opened) =>
        Effect.gen(function* () {
          expect(opened.session.capabilities.steer).toBe(true)
          const [token, into] = [makeToken(), makeToken()]
          const turnId = yield* startedBy(opened, yield* prompt(bench, opened, steer.running(token)))
          yield* Effect.raceFirst(saying(opened, token), toolRunning(opened, turnId, token))
          const { promptId } = yield* prompt(bench, opened, steer.into(into), { delivery: "steer", turnId })
          yield* opened.waitFor("prompt.delivered", (event) => event.data.promptId === promptId)
          expect(yield* completed(opened, turnId)).toMatchObject({ outcome: "completed" })
          expect(saidIn(opened.events, turnId)).toContain(into)
          expect(opened.events.filter((event) => event.type === "turn.started")).toHaveLength(1)
          expectWellFormed(opened.events)
          yield* sayNext(bench, opened, agent)
        }))
    }

    for (const moment of moments) {
      for (const force of [false, true]) {
        test(`by closing it ${force ? "by force" : "politely"} ${moment.when} leaves nothing running`, (bench, opened) =>
          Effect.gen(function* () {
            const { token } = yield* reach(bench, opened, moment)
            yield* bench.within("the close", opened.perform({ type: "close", force, graceMs: 2_000 }))
            expect(Exit.isSuccess(yield* opened.ended)).toBe(true)
            const types = opened.events.map((event) => event.type)
            expect(types.indexOf("backend.closed")).toBe(types.length - 1)
            yield* expectNoProcess(bench, opened)
            yield* expectNoCommand(bench, token)
          }))
      }
    }
  })
}
