import { assert, describe, it } from "@effect/vitest"
import { BackendLost, defaultPolicy, makeMemory, type RequestId, type TurnId } from "@holdfast/core"
import { Script, type ScriptedOpening, scriptedBackend } from "@holdfast/testkit"
import { makeHoldfast } from "@holdfast/runtime"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { agent, elapseUntil, eventsOf, isClosed, isIdle, isOpen, openSession, prompt, typesOf } from "./fixtures.ts"

const turnId = "t" as TurnId

describe("nothing waits for ever", () => {
  it.effect("lets a permission take its default when nobody answers it, and tells the backend", () =>
    Effect.gen(function* () {
      const backend = agent()
      const { holdfast, log, sessionId } = yield* openSession(backend)
      yield* holdfast.command(sessionId, prompt("ask permission"))
      yield* holdfast.until(sessionId, (state) => state.chart.turn === "blocked")
      assert.strictEqual((yield* holdfast.summary(sessionId)).status, "needs_you")
      yield* TestClock.adjust(defaultPolicy.requestTimeoutMs)
      yield* holdfast.until(sessionId, isIdle)
      const resolved = (yield* eventsOf(log, sessionId)).find(({ type }) => type === "permission.resolved")
      assert.deepInclude(resolved?.data, { by: "deadline", outcome: { outcome: "cancelled" } })
      const session = yield* backend.opening(1)
      assert.include(
        session.performed.map(({ type }) => type),
        "resolvePermission"
      )
    })
  )

  it.effect("lets the first answer win, and tells the second that it came too late", () =>
    Effect.gen(function* () {
      const { holdfast, sessionId } = yield* openSession(agent())
      yield* holdfast.command(sessionId, prompt("ask permission"))
      const { requests } = yield* holdfast.until(sessionId, (state) => state.chart.turn === "blocked")
      const requestId = Object.keys(requests)[0] as RequestId
      const answer = (optionId: string) =>
        holdfast.command(sessionId, {
          type: "permission.resolve",
          data: { requestId, outcome: { outcome: "selected", optionId } }
        })
      yield* answer("allow")
      const late = yield* Effect.flip(answer("reject"))
      assert.include(late.message, "was answered")
    })
  )

  const stuck: ReadonlyArray<readonly [string, ScriptedOpening]> = [
    ["hangs", { waits: "forever" }],
    ["fails", { fails: new BackendLost({ backend: "stuck", reason: "nobody is there", retryable: true }) }],
    ["crashes at once", { nativeId: "n", steps: [Script.die("it crashed", { retryable: true })] }]
  ]
  for (const [does, opening] of stuck) {
    it.effect(`gives up a backend that ${does} after a bounded number of tries`, () =>
      Effect.gen(function* () {
        const backend = scriptedBackend({ name: "stuck", capabilities: { resume: true }, openings: [opening] })
        const holdfast = yield* makeHoldfast(makeMemory(), { backends: [backend] })
        const { sessionId } = yield* holdfast.create({ backend: "stuck", spec: {} })
        const state = yield* elapseUntil(holdfast, sessionId, ({ chart }) => chart.lifecycle === "failed")
        assert.include(state.end?.reason, "given up after 3 tries")
        assert.lengthOf(backend.requests, defaultPolicy.maxAttempts)
      })
    )
  }

  it.effect("closes by force what does not close when asked", () =>
    Effect.gen(function* () {
      const backend = scriptedBackend({ name: "deaf", openings: [{ answer: () => Effect.succeed({}) }] })
      const { holdfast, sessionId } = yield* openSession(backend)
      yield* holdfast.command(sessionId, { type: "session.close", data: {} })
      const session = yield* backend.opening(1)
      yield* session.nextCommand("close")
      yield* TestClock.adjust(defaultPolicy.closeGraceMs + defaultPolicy.closeTimeoutMs)
      const state = yield* holdfast.until(sessionId, isClosed)
      assert.include(state.end?.reason, "by force")
    })
  )

  it.effect("gives up a backend whose turn does not end after an interrupt, and resumes it", () =>
    Effect.gen(function* () {
      const backend = scriptedBackend({
        name: "stubborn",
        capabilities: { prompts: true, interrupt: true, resume: true },
        openings: (request) => ({
          nativeId: "n",
          answer: (command, session) =>
            Effect.sync(() => {
              const id = `${turnId}${request.generation}` as TurnId
              if (command.type === "prompt") session.say({ type: "turn.started", data: { turnId: id } })
              return command.type === "prompt" ? { turnId: id } : {}
            })
        })
      })
      const { holdfast, log, sessionId } = yield* openSession(backend)
      yield* holdfast.command(sessionId, prompt("go"))
      yield* holdfast.until(sessionId, (state) => state.turn !== null && state.prompts.length === 0)
      yield* holdfast.command(sessionId, { type: "turn.interrupt", data: {} })
      yield* TestClock.adjust(defaultPolicy.interruptTimeoutMs)
      const state = yield* elapseUntil(holdfast, sessionId, (now) => isOpen(now) && now.generation === 2)
      assert.strictEqual(state.generation, 2)
      const ended = (yield* eventsOf(log, sessionId)).find(({ type }) => type === "turn.completed")
      assert.deepInclude(ended?.data, { outcome: "interrupted" })
    })
  )

  it.effect("goes on to the next prompt when the turn of one never starts", () =>
    Effect.gen(function* () {
      const backend = scriptedBackend({ name: "mute", capabilities: { prompts: true } })
      const { holdfast, log, sessionId } = yield* openSession(backend)
      yield* holdfast.command(sessionId, prompt("one"))
      yield* holdfast.command(sessionId, prompt("two"))
      yield* holdfast.until(sessionId, (state) => state.awaitedTurn !== null)
      yield* TestClock.adjust(defaultPolicy.turnStartTimeoutMs)
      const session = yield* backend.opening(1)
      yield* session.nextCommand("prompt")
      yield* session.nextCommand("prompt")
      assert.include(yield* typesOf(log, sessionId), "backend.noted")
    })
  )
})
