import { assert, describe, it } from "@effect/vitest"
import {
  EventInvalid,
  type EventLogService,
  LogUnavailable,
  makeMemory,
  type PromptId,
  sessionStatus
} from "@holdfast/core"
import { makeHoldfast } from "@holdfast/runtime"
import { scriptedAgent, scriptedBackend } from "@holdfast/testkit"
import { Cause, Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"
import { agent, elapseUntil, eventsOf, isIdle, isOpen, openSession, prompt, typesOf } from "./fixtures.ts"

/** A log whose disk is full while it is told so; `failed` completes when an append has met that. */
const fillableLog = () => {
  const memory = makeMemory()
  const failed = Deferred.makeUnsafe<void>()
  let isFull = false
  const log: EventLogService = {
    ...memory,
    append: (...args) =>
      Effect.suspend(() => {
        if (!isFull) return memory.append(...args)
        Deferred.doneUnsafe(failed, Exit.void)
        const detail = "the disk is full: make room"
        return Effect.fail(new LogUnavailable({ operation: "append", reason: "disk-full", detail }))
      })
  }
  return { log, failed, setFull: (full: boolean) => void (isFull = full) }
}

describe("loss and recovery", () => {
  it.effect("resumes an agent that was lost, and the next prompt works", () =>
    Effect.gen(function* () {
      const backend = agent()
      const { holdfast, sessionId } = yield* openSession(backend)
      yield* holdfast.command(sessionId, prompt("wait"))
      yield* holdfast.until(sessionId, (state) => state.turn !== null && state.prompts.length === 0)
      const session = yield* backend.opening(1)
      session.die("the connection broke", true)
      const lost = yield* holdfast.until(sessionId, ({ chart }) => chart.lifecycle === "lost")
      assert.isNull(lost.turn)
      assert.strictEqual(sessionStatus(lost), "offline")
      yield* elapseUntil(holdfast, sessionId, isOpen)
      yield* holdfast.command(sessionId, prompt("again"))
      yield* holdfast.until(sessionId, (state) => isIdle(state) && state.lastTurnId !== null)
      assert.isTrue(session.isReleased())
    })
  )

  it.effect("drops what a dead generation still says", () =>
    Effect.gen(function* () {
      const backend = scriptedBackend({
        name: "zombie",
        capabilities: { prompts: true, resume: true },
        openings: [{ nativeId: "n", survives: true }, { nativeId: "n" }]
      })
      const { holdfast, log, sessionId } = yield* openSession(backend)
      const first = yield* backend.opening(1)
      yield* holdfast.command(sessionId, { type: "session.close", data: { force: true } })
      yield* holdfast.until(sessionId, ({ chart }) => chart.lifecycle === "closed")
      yield* holdfast.command(sessionId, { type: "session.open", data: {} })
      yield* holdfast.until(sessionId, isOpen)
      const before = yield* log.head(sessionId)
      first.say({ type: "terminal.titled", data: { title: "ghost" } })
      yield* holdfast.command(sessionId, { type: "session.rename", data: { title: "real" } })
      assert.strictEqual(yield* log.head(sessionId), before + 1)
    })
  )

  it.effect("delivers a prompt in doubt again only where the provider says that it did not arrive", () =>
    Effect.gen(function* () {
      for (const hasArrived of [true, false]) {
        const taken = yield* Deferred.make<void>()
        const backend = scriptedBackend({
          name: "doubtful",
          capabilities: { prompts: true, resume: true },
          openings: (request) =>
            request.generation === 1
              ? { nativeId: "n", answer: () => Effect.andThen(Deferred.succeed(taken, undefined), Effect.never) }
              : { nativeId: "n", arrived: hasArrived ? request.inDoubt : [], answer: scriptedAgent() }
        })
        const { holdfast, log, sessionId } = yield* openSession(backend)
        const { commandId } = yield* holdfast.command(sessionId, prompt("once"))
        const first = yield* backend.opening(1)
        yield* Deferred.await(taken)
        first.die("the connection broke", true)
        yield* elapseUntil(holdfast, sessionId, (state) => isIdle(state) && state.generation === 2)
        const second = yield* backend.opening(2)
        assert.deepStrictEqual(second.request.inDoubt, [commandId as string as PromptId])
        const sent = second.performed.filter(({ type }) => type === "prompt")
        assert.lengthOf(sent, hasArrived ? 0 : 1)
        const delivered = (yield* typesOf(log, sessionId)).filter((type) => type === "prompt.delivered")
        assert.lengthOf(delivered, 1)
      }
    })
  )

  for (const [how, policy, end] of [
    ["given up", { maxAttempts: 1 }, "failed"],
    ["closed", { closeGraceMs: 1, closeTimeoutMs: 1 }, "closed"]
  ] as const) {
    it.effect(`asks about a prompt in doubt when a session that was ${how} is opened again`, () =>
      Effect.gen(function* () {
        for (const hasArrived of [true, false]) {
          const taken = yield* Deferred.make<void>()
          const backend = scriptedBackend({
            name: "doubtful",
            capabilities: { prompts: true, resume: true },
            openings: (request) =>
              request.generation === 1
                ? {
                    nativeId: "n",
                    answer: (command) =>
                      command.type === "prompt"
                        ? Effect.andThen(Deferred.succeed(taken, undefined), Effect.never)
                        : Effect.never
                  }
                : { nativeId: "n", arrived: hasArrived ? request.inDoubt : [], answer: scriptedAgent() }
          })
          const { holdfast, log, sessionId } = yield* openSession(backend, { policy })
          const { commandId } = yield* holdfast.command(sessionId, prompt("once"))
          const first = yield* backend.opening(1)
          yield* Deferred.await(taken)
          if (how === "given up") first.die("the connection broke", true)
          else yield* holdfast.command(sessionId, { type: "session.close", data: {} })
          const ended = yield* elapseUntil(holdfast, sessionId, (state) => state.chart.lifecycle === end)
          assert.deepInclude(ended.prompts[0], { dispatchedAt: null, inDoubt: true })
          yield* holdfast.command(sessionId, { type: "session.open", data: {} })
          yield* elapseUntil(holdfast, sessionId, (state) => isIdle(state) && state.generation === 2)
          const second = yield* backend.opening(2)
          assert.deepStrictEqual(second.request.inDoubt, [commandId as string as PromptId])
          assert.lengthOf(
            second.performed.filter(({ type }) => type === "prompt"),
            hasArrived ? 0 : 1
          )
          const types = yield* typesOf(log, sessionId)
          assert.lengthOf(
            types.filter((type) => type === "prompt.delivered"),
            1
          )
          assert.notInclude(types, "backend.noted")
        }
      })
    )
  }

  it.effect("at its start resumes what can be resumed and ends the rest with the reason", () =>
    Effect.gen(function* () {
      const log = makeMemory()
      const lasting = agent()
      const fleeting = scriptedBackend({ name: "fleeting", capabilities: { prompts: true } })
      // The first runtime is never closed: its process was killed.
      const crashed = yield* Scope.make()
      const before = yield* makeHoldfast(log, { backends: [lasting, fleeting] }).pipe(Scope.provide(crashed))
      const one = (yield* before.create({ backend: "agent", spec: {} })).sessionId
      const two = (yield* before.create({ backend: "fleeting", spec: {} })).sessionId
      yield* before.until(one, isOpen)
      yield* before.until(two, isOpen)
      yield* before.command(one, prompt("ask permission"))
      yield* before.until(one, (state) => state.chart.turn === "blocked")

      const after = yield* makeHoldfast(log, { backends: [lasting, fleeting] })
      assert.strictEqual(after.swept.sessions, 2)
      const ended = yield* after.state(two)
      assert.strictEqual(ended.chart.lifecycle, "closed")
      assert.include(ended.end?.reason, "the runtime ended")
      const resumed = yield* elapseUntil(after, one, isOpen)
      assert.deepStrictEqual(resumed.requests, {})
      assert.isNull(resumed.turn)

      // The old one finds that it is not the owner any more: nothing of what it says is stored.
      const head = yield* log.head(one)
      const stale = yield* Effect.flip(before.command(one, { type: "session.rename", data: { title: "mine" } }))
      assert.instanceOf(stale, LogUnavailable)
      assert.strictEqual(yield* log.head(one), head)
      yield* Scope.close(crashed, Exit.void)
    })
  )

  it.effect("ends sessions that cannot outlive it when it is closed, and leaves the others to be resumed", () =>
    Effect.gen(function* () {
      const log = makeMemory()
      const lasting = agent()
      const fleeting = scriptedBackend({ name: "fleeting" })
      const [one, two] = yield* Effect.scoped(
        Effect.gen(function* () {
          const holdfast = yield* makeHoldfast(log, { backends: [lasting, fleeting] })
          const first = (yield* holdfast.create({ backend: "agent", spec: {} })).sessionId
          const second = (yield* holdfast.create({ backend: "fleeting", spec: {} })).sessionId
          yield* holdfast.until(first, isOpen)
          yield* holdfast.until(second, isOpen)
          return [first, second] as const
        })
      )
      assert.strictEqual((yield* log.summary(one)).lifecycle, "lost")
      assert.strictEqual((yield* log.summary(two)).lifecycle, "closed")
      assert.isTrue((yield* lasting.opening(1)).isReleased())
      assert.isTrue((yield* fleeting.opening(1)).isReleased())
    })
  )

  it.effect("keeps what a backend tells while the store is full, and refuses commands with the reason", () =>
    Effect.gen(function* () {
      const { failed, log, setFull } = fillableLog()
      const backend = agent()
      const { holdfast, sessionId } = yield* openSession(backend, { log })
      setFull(true)
      const refused = yield* Effect.flip(holdfast.command(sessionId, prompt("hi")))
      assert.include(refused.message, "make room")
      const session = yield* backend.opening(1)
      session.say({ type: "terminal.titled", data: { title: "kept" } })
      yield* Deferred.await(failed)
      setFull(false)
      yield* TestClock.adjust(10_000)
      yield* holdfast.until(sessionId, (state) => state.terminal?.title === "kept")
      yield* holdfast.command(sessionId, prompt("hi"))
      yield* holdfast.until(sessionId, (state) => isIdle(state) && state.lastTurnId !== null)
      const titled = (yield* eventsOf(log, sessionId)).filter(({ type }) => type === "terminal.titled")
      assert.lengthOf(titled, 1)
    })
  )

  it.effect("keeps a terminal's output in its order while the store is full, and what is typed goes on", () =>
    Effect.gen(function* () {
      const { failed, log, setFull } = fillableLog()
      const backend = scriptedBackend({ name: "screen", capabilities: { terminal: true } })
      const { holdfast, sessionId } = yield* openSession(backend, { log })
      const session = yield* backend.opening(1)
      const say = (text: string) => session.say({ type: "terminal.output", bytes: new TextEncoder().encode(text) })
      say("a")
      yield* holdfast.until(sessionId, ({ terminal }) => terminal?.offset === 1)
      setFull(true)
      say("b")
      say("c")
      yield* Deferred.await(failed)
      setFull(false)
      yield* TestClock.adjust(10_000)
      say("d")
      yield* holdfast.until(sessionId, ({ terminal }) => terminal?.offset === 4)
      say("e")
      yield* holdfast.until(sessionId, ({ terminal }) => terminal?.offset === 5)
      const outputs = (yield* eventsOf(log, sessionId)).filter(({ type }) => type === "terminal.output")
      assert.strictEqual(outputs.map(({ bytes }) => new TextDecoder().decode(bytes)).join(""), "abcde")
      assert.deepStrictEqual(
        outputs.map(({ data }) => data["offset"]),
        [0, 1, 2, 3, 4].slice(0, outputs.length)
      )
    })
  )

  it.effect("gives what a condition throws to whoever waits for it, and the session goes on", () =>
    Effect.gen(function* () {
      const backend = scriptedBackend({ name: "screen", capabilities: { terminal: true } })
      const { holdfast, sessionId } = yield* openSession(backend)
      const session = yield* backend.opening(1)
      const thrown = new Error("a slip of the host")
      const waiting = yield* Effect.forkChild(
        holdfast.until(sessionId, ({ terminal }) => {
          if (terminal !== null) throw thrown
          return false
        }),
        { startImmediately: true }
      )
      session.say({ type: "terminal.output", bytes: new Uint8Array(3) })
      const exit = yield* Fiber.await(waiting)
      assert.isTrue(Exit.isFailure(exit) && Cause.squash(exit.cause) === thrown)
      session.say({ type: "terminal.titled", data: { title: "on it goes" } })
      const { terminal } = yield* holdfast.until(sessionId, (state) => state.terminal?.title === "on it goes")
      assert.strictEqual(terminal?.offset, 3)
    })
  )

  it.effect("tells nothing twice when the store refuses one event of a batch and is full for the next", () =>
    Effect.gen(function* () {
      const memory = makeMemory()
      const failed = yield* Deferred.make<void>()
      let isFull = true
      const titleOf = (event: { readonly data: { readonly [key: string]: unknown } } | undefined) =>
        event?.data["title"]
      const log: EventLogService = {
        ...memory,
        append: (sessionId, expectedSeq, events, options) =>
          Effect.suspend((): ReturnType<EventLogService["append"]> => {
            const bad = events.findIndex((event) => titleOf(event) === "bad")
            if (bad >= 0) {
              return Effect.fail(new EventInvalid({ sessionId, field: `events[${bad}]`, expected: "something else" }))
            }
            if (isFull && titleOf(events[0]) === "third") {
              Deferred.doneUnsafe(failed, Exit.void)
              return Effect.fail(new LogUnavailable({ operation: "append", reason: "disk-full", detail: "make room" }))
            }
            return memory.append(sessionId, expectedSeq, events, options)
          })
      }
      const backend = agent()
      const { holdfast, sessionId } = yield* openSession(backend, { log })
      const session = yield* backend.opening(1)
      const titles = ["first", "bad", "third", "fourth"]
      session.say(...titles.map((title) => ({ type: "terminal.titled", data: { title } }) as const))
      yield* Deferred.await(failed)
      isFull = false
      yield* TestClock.adjust(10_000)
      yield* holdfast.until(sessionId, (state) => state.terminal?.title === "fourth")
      const told = (yield* eventsOf(log, sessionId)).filter(({ type }) => type === "terminal.titled")
      assert.deepStrictEqual(told.map(titleOf), ["first", "third", "fourth"])
      assert.include(yield* typesOf(log, sessionId), "backend.noted")
    })
  )

  it.effect("opens a long session from a checkpoint and the tail after it", () =>
    Effect.gen(function* () {
      const memory = makeMemory()
      const reads: Array<number> = []
      const log: EventLogService = {
        ...memory,
        read: (sessionId, after, options) => {
          reads.push(after)
          return memory.read(sessionId, after, options)
        }
      }
      const backend = scriptedBackend({ name: "long", capabilities: { prompts: true } })
      const sessionId = yield* Effect.scoped(
        Effect.gen(function* () {
          const opened = yield* openSession(backend, { log })
          const session = yield* backend.opening(1)
          for (let index = 0; index < 5_000; index++) {
            session.say({ type: "usage.reported", data: { usage: { inputTokens: 1 } } })
          }
          yield* opened.holdfast.until(opened.sessionId, ({ usage }) => usage.inputTokens === 5_000)
          return opened.sessionId
        })
      )
      reads.length = 0
      const holdfast = yield* makeHoldfast(log, { backends: [backend] })
      const state = yield* holdfast.state(sessionId)
      assert.strictEqual(state.usage.inputTokens, 5_000)
      assert.isAbove(reads[0]!, 2_000)
    })
  )
})
