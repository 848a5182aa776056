/** What a backend with an agent does: turns and items that hold together, requests, steering, resuming, forking. */
import {
  type BackendEvent,
  type BackendCommand,
  type ContentBlock,
  type Delivery,
  makeUuid,
  type PromptId,
  type TurnId
} from "@holdfast/core"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import {
  type BackendSuiteAgent,
  type BackendSuiteOptions,
  type Bench,
  type MakeBackend,
  type Opened,
  openSession,
  withBackend
} from "./backendHarness.ts"

type Test = (bench: Bench, opened: Opened) => Effect.Effect<void, unknown>

/** Sends a prompt and gives its id. */
const prompt = Effect.fnUntraced(function* (
  bench: Bench,
  opened: Opened,
  text: string,
  delivery: Delivery = "queue",
  turnId?: TurnId
) {
  const promptId = makeUuid() as PromptId
  const content: ReadonlyArray<ContentBlock> = [{ type: "text", text }]
  const command: BackendCommand = {
    type: "prompt",
    promptId,
    content,
    delivery,
    ...(turnId === undefined ? {} : { turnId })
  }
  yield* bench.within("taking the prompt", opened.perform(command))
  return promptId
})

/** Waits for the turn that a prompt began. */
const startedBy = Effect.fnUntraced(function* (opened: Opened, promptId: PromptId) {
  const delivered = yield* opened.waitFor("prompt.delivered", (event) => event.data.promptId === promptId)
  const started = yield* opened.waitFor(
    "turn.started",
    (event) => event.data.promptId === promptId || event.data.turnId === delivered.data.turnId
  )
  return started.data.turnId
})

const completed = (opened: Opened, turnId: TurnId) =>
  opened.waitFor("turn.completed", (event) => event.data.turnId === turnId)

/** Checks that every item and turn begins once, has its pieces in between, and ends once with everything they said. */
const expectWellFormed = (events: ReadonlyArray<BackendEvent>) => {
  const open = new Map<string, string>()
  const ended = new Set<string>()
  const turns = new Set<string>()
  for (const event of events) {
    switch (event.type) {
      case "turn.started":
        expect(turns.has(event.data.turnId), `turn ${event.data.turnId} begins once`).toBe(false)
        turns.add(event.data.turnId)
        break
      case "turn.completed":
        expect(turns.has(event.data.turnId), `turn ${event.data.turnId} had begun`).toBe(true)
        break
      case "item.started":
        expect(open.has(event.data.itemId) || ended.has(event.data.itemId), "an item begins once").toBe(false)
        open.set(event.data.itemId, event.data.text ?? "")
        break
      case "item.delta":
        expect(open.has(event.data.itemId), "a delta belongs to an open item").toBe(true)
        if (event.data.field === "text") {
          open.set(event.data.itemId, (open.get(event.data.itemId) ?? "") + event.data.text)
        }
        break
      case "item.completed": {
        expect(ended.has(event.data.itemId), "an item ends once").toBe(false)
        ended.add(event.data.itemId)
        const text = open.get(event.data.itemId)
        if (text !== undefined && text !== "") expect(event.data.text).toBe(text)
        open.delete(event.data.itemId)
        break
      }
      default:
    }
  }
  expect([...open.keys()], "no item is left open by a turn that ended").toEqual([])
}

/** Registers the tests of an agent. */
export const agentTests = (make: MakeBackend, options: BackendSuiteOptions, agent: BackendSuiteAgent) => {
  const test = (name: string, run: Test) =>
    it(
      name,
      withBackend(make, options, (bench) =>
        Effect.flatMap(openSession(bench, options.spec), (opened) => run(bench, opened))
      )
    )

  describe("the agent", () => {
    test("answers a prompt with one turn that has a message and ends", (bench, opened) =>
      Effect.gen(function* () {
        const turnId = yield* startedBy(opened, yield* prompt(bench, opened, agent.simple))
        expect((yield* completed(opened, turnId)).data.outcome).toBe("completed")
        expect(opened.events.some((event) => event.type === "item.completed" && event.data.kind === "message")).toBe(
          true
        )
        expectWellFormed(opened.events)
      }))

    test("answers one prompt after the other, each in a turn of its own", (bench, opened) =>
      Effect.gen(function* () {
        const turns = new Set<string>()
        for (let count = 0; count < 3; count++) {
          const turnId = yield* startedBy(opened, yield* prompt(bench, opened, agent.simple))
          yield* completed(opened, turnId)
          turns.add(turnId)
        }
        expect(turns.size).toBe(3)
        expectWellFormed(opened.events)
      }))

    const { long, steer, permission, question } = agent

    if (long !== undefined) {
      test("ends a turn as interrupted when it is interrupted", (bench, opened) =>
        Effect.gen(function* () {
          if (!opened.session.capabilities.interrupt) return
          const turnId = yield* startedBy(opened, yield* prompt(bench, opened, long))
          yield* bench.within("the interrupt", opened.perform({ type: "interrupt", turnId }))
          expect((yield* completed(opened, turnId)).data.outcome).toBe("interrupted")
          expectWellFormed(opened.events)
        }))

      test("closes in the middle of a turn", (bench, opened) =>
        Effect.gen(function* () {
          yield* startedBy(opened, yield* prompt(bench, opened, long))
          yield* opened.perform({ type: "close", force: false, graceMs: 2_000 })
          yield* opened.ended
          expect(opened.events.at(-1)?.type).toBe("backend.closed")
        }))
    }

    if (long !== undefined && steer !== undefined) {
      test("takes a steering prompt into the turn that runs", (bench, opened) =>
        Effect.gen(function* () {
          if (!opened.session.capabilities.steer) return
          const turnId = yield* startedBy(opened, yield* prompt(bench, opened, long))
          const promptId = yield* prompt(bench, opened, steer, "steer", turnId)
          yield* opened.waitFor("prompt.delivered", (event) => event.data.promptId === promptId)
          yield* completed(opened, turnId)
          expect(opened.events.filter((event) => event.type === "turn.started")).toHaveLength(1)
        }))
    }

    if (permission !== undefined) {
      test("asks for a permission, and goes on when one of its options is chosen", (bench, opened) =>
        Effect.gen(function* () {
          const turnId = yield* startedBy(opened, yield* prompt(bench, opened, permission))
          const { requestId, options } = (yield* opened.waitFor("permission.requested")).data
          expect(options.length).toBeGreaterThan(0)
          const outcome = { outcome: "selected", optionId: options[0]!.optionId } as const
          yield* bench.within("the answer", opened.perform({ type: "resolvePermission", requestId, outcome }))
          yield* completed(opened, turnId)
          expectWellFormed(opened.events)
        }))
    }

    if (question !== undefined) {
      test("asks a question, and goes on when it is answered", (bench, opened) =>
        Effect.gen(function* () {
          const turnId = yield* startedBy(opened, yield* prompt(bench, opened, question))
          const { requestId, questions } = (yield* opened.waitFor("question.asked")).data
          const answers = Object.fromEntries(
            questions.map((each) => [each.questionId, [each.options[0]?.label ?? "blue"]])
          )
          yield* bench.within(
            "the answer",
            opened.perform({ type: "answerQuestion", requestId, outcome: { outcome: "answered", answers } })
          )
          yield* completed(opened, turnId)
          expectWellFormed(opened.events)
        }))
    }

    it(
      "goes on with its session under the id that it gave, in a later generation",
      withBackend(make, options, (bench) =>
        Effect.gen(function* () {
          if (!bench.backend.capabilities.resume) return
          const first = yield* openSession(bench, options.spec)
          yield* completed(first, yield* startedBy(first, yield* prompt(bench, first, agent.simple)))
          const { nativeId = (yield* first.waitFor("backend.identified")).data.nativeId } = first.session
          yield* first.perform({ type: "close", force: true, graceMs: 0 })
          yield* first.ended
          const more = { sessionId: first.sessionId, generation: 2, nativeId }
          const second = yield* openSession(bench, options.spec, more)
          yield* completed(second, yield* startedBy(second, yield* prompt(bench, second, agent.simple)))
          expectWellFormed([...first.events, ...second.events])
        })
      )
    )

    it(
      "branches its session",
      withBackend(make, options, (bench) =>
        Effect.gen(function* () {
          const opened = yield* openSession(bench, options.spec)
          if (!opened.session.capabilities.fork) return
          yield* completed(opened, yield* startedBy(opened, yield* prompt(bench, opened, agent.simple)))
          const { nativeId } = yield* bench.within("the fork", opened.perform({ type: "fork" }))
          expect(nativeId).toBeTypeOf("string")
          const branch = yield* openSession(bench, options.spec, { nativeId: nativeId! })
          yield* completed(branch, yield* startedBy(branch, yield* prompt(bench, branch, agent.simple)))
        })
      )
    )

    it(
      "rests when it is told to: backend.suspended is the last event, then the stream ends",
      withBackend(make, options, (bench) =>
        Effect.gen(function* () {
          const opened = yield* openSession(bench, options.spec)
          if (!opened.session.capabilities.suspend) return
          yield* bench.within("the suspending", opened.perform({ type: "suspend" }))
          yield* opened.ended
          expect(opened.events.at(-1)?.type).toBe("backend.suspended")
        })
      )
    )
  })
}
