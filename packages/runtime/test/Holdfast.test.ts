import { assert, describe, it } from "@effect/vitest"
import {
  CommandRejected,
  makeCommandId,
  makeMemory,
  makeSessionId,
  type ParticipantId,
  type RequestId,
  SessionNotFound,
  SpecInvalid,
  type TurnId
} from "@holdfast/core"
import { makeHoldfast } from "@holdfast/runtime"
import { Script, type ScriptedBackend, scriptedBackend } from "@holdfast/testkit"
import { Effect, Exit, Fiber, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { agent, eventsOf, isClosed, isIdle, isOpen, openSession, prompt, typesOf } from "./fixtures.ts"

describe("a runtime", () => {
  it.effect("records a session from its making to its end, and lets a late reader see all of it", () =>
    Effect.gen(function* () {
      const { holdfast, sessionId } = yield* openSession(agent())
      yield* holdfast.command(sessionId, prompt("hello"))
      yield* holdfast.until(sessionId, (state) => state.lastTurnId !== null && isIdle(state))
      yield* holdfast.command(sessionId, { type: "session.close", data: {} })
      yield* holdfast.until(sessionId, isClosed)
      const followed = yield* holdfast.follow(sessionId, 0).pipe(
        Stream.takeUntil((item) => item.answer === "caught-up"),
        Stream.runCollect
      )
      const types = followed.flatMap((item) => ("events" in item ? item.events.map(({ type }) => type) : []))
      assert.strictEqual(types[0], "session.created")
      assert.strictEqual(types.at(-1), "backend.closed")
      assert.include(types, "turn.completed")
      assert.strictEqual((yield* holdfast.summary(sessionId)).status, "done")
    })
  )

  it.effect("gives the first receipt to a repeated command, at once, at the same time and after a restart", () =>
    Effect.gen(function* () {
      const backend = agent()
      const log = makeMemory()
      const commandId = makeCommandId()
      const [sessionId, first] = yield* Effect.scoped(
        Effect.gen(function* () {
          const { holdfast, sessionId } = yield* openSession(backend, { log })
          const send = holdfast.command(sessionId, prompt("once"), { commandId })
          const receipts = yield* Effect.all([send, send, send], { concurrency: "unbounded" })
          yield* holdfast.until(sessionId, isIdle)
          assert.deepStrictEqual(yield* send, receipts[0])
          assert.deepStrictEqual(receipts[1], receipts[0])
          assert.deepStrictEqual(receipts[2], receipts[0])
          return [sessionId, receipts[0]] as const
        })
      )
      const restarted = yield* makeHoldfast(log, { backends: [backend] })
      assert.deepStrictEqual(yield* restarted.command(sessionId, prompt("once"), { commandId }), first)
      const queued = (yield* typesOf(log, sessionId)).filter((type) => type === "prompt.queued")
      assert.lengthOf(queued, 1)
    })
  )

  it.effect("waits for a state as long as it takes, also of a session that has ended", () =>
    Effect.gen(function* () {
      const { holdfast, sessionId } = yield* openSession(agent())
      yield* holdfast.command(sessionId, { type: "session.close", data: {} })
      yield* holdfast.until(sessionId, isClosed)
      const waiting = yield* Effect.forkChild(
        holdfast.until(sessionId, ({ title }) => title === "at last"),
        { startImmediately: true }
      )
      yield* TestClock.adjust("10 minutes")
      assert.isUndefined(waiting.pollUnsafe())
      yield* holdfast.command(sessionId, { type: "session.rename", data: { title: "at last" } })
      assert.strictEqual((yield* Fiber.join(waiting)).title, "at last")
    })
  )

  it.effect("makes one session for a repeated create", () =>
    Effect.gen(function* () {
      const { holdfast } = yield* openSession(agent())
      const create = {
        backend: "agent",
        spec: {},
        sessionId: makeSessionId(),
        commandId: makeCommandId()
      }
      const [one, two] = yield* Effect.all([holdfast.create(create), holdfast.create(create)], { concurrency: 2 })
      assert.deepStrictEqual(one, two)
      assert.lengthOf((yield* holdfast.list()).sessions, 2)
    })
  )

  it.effect("says what is wrong with a bad request, and leaves the log as it was", () =>
    Effect.gen(function* () {
      const picky = scriptedBackend({
        name: "picky",
        check: () =>
          Effect.fail(new SpecInvalid({ backend: "picky", field: "cwd", expected: "a directory that exists" }))
      })
      const log = makeMemory()
      const holdfast = yield* makeHoldfast(log, { backends: [picky, agent()] })
      const unknown = yield* Effect.flip(holdfast.create({ backend: "nope", spec: {} }))
      assert.instanceOf(unknown, CommandRejected)
      assert.include(unknown.message, "(backend)")
      assert.include(unknown.message, "picky, agent")
      const invalid = yield* Effect.flip(holdfast.create({ backend: "picky", spec: {} }))
      assert.include(invalid.message, "cwd")
      assert.lengthOf((yield* holdfast.list()).sessions, 0)

      const missing = yield* Effect.flip(holdfast.command(makeSessionId(), prompt("hi")))
      assert.instanceOf(missing, SessionNotFound)

      const { sessionId } = yield* holdfast.create({ backend: "agent", spec: {} })
      yield* holdfast.until(sessionId, isOpen)
      const before = yield* log.head(sessionId)
      const bad = [
        { type: "session.rename", data: {} },
        { type: "terminal.resize", data: { cols: 0, rows: 1e9 } },
        { type: "terminal.write", data: { bytes: new Uint8Array(1) } },
        { type: "turn.interrupt", data: {} },
        { type: "no.such", data: {} },
        { type: "session.create", data: { backend: "agent", spec: {} } },
        { type: "request.expire", data: { requestId: "r" } },
        undefined
      ]
      for (const command of bad) {
        const rejected = yield* Effect.flip(holdfast.command(sessionId, command as never))
        assert.instanceOf(rejected, CommandRejected)
        assert.isAbove(rejected.message.length, 20)
      }
      assert.strictEqual(yield* log.head(sessionId), before)
    })
  )

  it.effect("does for each participant what the role allows", () =>
    Effect.gen(function* () {
      const { holdfast } = yield* openSession(agent())
      const ada = "ada" as ParticipantId
      const bob = "bob" as ParticipantId
      const { sessionId } = yield* holdfast.create({
        backend: "agent",
        spec: {},
        owner: { participantId: ada, name: "Ada" }
      })
      yield* holdfast.command(
        sessionId,
        { type: "participant.join", data: { participantId: bob, name: "Bob", role: "viewer" } },
        { actor: ada }
      )
      const refused = yield* Effect.flip(holdfast.command(sessionId, prompt("hi"), { actor: bob }))
      assert.strictEqual((refused as CommandRejected).reason, "forbidden")
      yield* holdfast.command(sessionId, prompt("hi"), { actor: ada })
      const stranger = yield* Effect.flip(holdfast.command(sessionId, prompt("hi"), { actor: "eve" as ParticipantId }))
      assert.include(stranger.message, "does not take part")
    })
  )

  it.effect("delivers queued prompts one after the other and a steering prompt into its turn", () =>
    Effect.gen(function* () {
      const backend = agent()
      const { holdfast, log, sessionId } = yield* openSession(backend)
      yield* holdfast.command(sessionId, prompt("wait"))
      yield* holdfast.command(sessionId, prompt("second"))
      const running = yield* holdfast.until(sessionId, (state) => state.turn !== null)
      yield* holdfast.command(sessionId, {
        type: "prompt.send",
        data: {
          content: [{ type: "text", text: "steered" }],
          delivery: "steer",
          turnId: running.turn!.turnId as never
        }
      })
      yield* holdfast.until(sessionId, isIdle)
      const session = yield* backend.opening(1)
      const prompts = session.performed.flatMap((command) => (command.type === "prompt" ? [command.delivery] : []))
      assert.deepStrictEqual(prompts, ["queue", "steer", "queue"])
      const turns = (yield* typesOf(log, sessionId)).filter((type) => type === "turn.started")
      assert.lengthOf(turns, 2)
    })
  )

  it.effect("branches a session, natively where the backend can, and repeats that without a second branch", () =>
    Effect.gen(function* () {
      const backend = agent()
      const { holdfast, log, sessionId } = yield* openSession(backend)
      yield* holdfast.command(sessionId, prompt("hello"))
      yield* holdfast.until(sessionId, (state) => state.lastTurnId !== null && isIdle(state))
      const fork = { into: makeSessionId(), commandId: makeCommandId() }
      const receipt = yield* holdfast.fork(sessionId, fork)
      assert.deepStrictEqual(yield* holdfast.fork(sessionId, fork), receipt)
      const [created] = yield* eventsOf(log, fork.into)
      const { forkedFrom, nativeId } = created!.data as {
        readonly forkedFrom: { readonly sessionId: string; readonly seq: number }
        readonly nativeId: string
      }
      assert.strictEqual(forkedFrom.sessionId, sessionId)
      assert.match(nativeId, /^native-/)
      yield* holdfast.until(fork.into, isOpen)
      assert.lengthOf((yield* holdfast.list()).sessions, 2)
      assert.strictEqual(backend.requests.at(-1)!.nativeId, nativeId)
    })
  )

  it.effect(
    "branches the native session behind the last turn that had completed at the event, reverted ones aside",
    () =>
      Effect.gen(function* () {
        const backend = agent()
        const { holdfast, log, sessionId } = yield* openSession(backend)
        const turns: Array<{ readonly turnId: string; readonly seq: number }> = []
        for (const text of ["one", "two", "three"]) {
          const before = (yield* holdfast.command(sessionId, prompt(text))).lastSeq
          const { lastTurnId, seq } = yield* holdfast.until(sessionId, (state) => state.seq > before && isIdle(state))
          turns.push({ turnId: lastTurnId!, seq })
        }
        const [one, two, three] = turns as [(typeof turns)[0], (typeof turns)[0], (typeof turns)[0]]
        yield* holdfast.command(sessionId, { type: "history.revert", data: { turnId: two.turnId as TurnId } })
        const reverted = (yield* holdfast.until(sessionId, (state) => state.seq > three.seq + 1)).seq
        yield* holdfast.command(sessionId, { type: "history.restore", data: {} })
        const restored = (yield* holdfast.until(sessionId, (state) => state.seq > reverted + 1)).seq
        const session = yield* backend.opening(1)
        const asked = (at: number | undefined) =>
          Effect.gen(function* () {
            const into = makeSessionId()
            yield* holdfast.fork(sessionId, { into, ...(at === undefined ? {} : { at }) })
            const created = (yield* eventsOf(log, into))[0]!.data
            const command = session.performed.at(-1)!
            return {
              nativeId: created["nativeId"],
              through: command.type === "fork" ? command.throughTurn : command.type
            }
          })
        for (const [at, turn] of [
          [one.seq, one],
          [two.seq - 1, one],
          [two.seq, two],
          [three.seq, three],
          [reverted, one],
          [restored, three]
        ] as const) {
          const { nativeId, through } = yield* asked(at)
          assert.strictEqual(through, turn.turnId as TurnId, `at ${at}`)
          assert.isString(nativeId)
        }
        assert.isUndefined((yield* asked(undefined)).through)
        const before = session.performed.length
        assert.isUndefined((yield* asked(1)).nativeId)
        assert.lengthOf(session.performed, before)
      })
  )

  it.effect("refuses a branch of a branch from before its own first turn, which only its parent has", () =>
    Effect.gen(function* () {
      const { holdfast, sessionId } = yield* openSession(agent())
      yield* holdfast.command(sessionId, prompt("one"))
      yield* holdfast.until(sessionId, (state) => state.lastTurnId !== null && isIdle(state))
      const into = makeSessionId()
      yield* holdfast.fork(sessionId, { into })
      const { seq } = yield* holdfast.until(into, isOpen)
      yield* holdfast.command(into, prompt("two"))
      yield* holdfast.until(into, (state) => state.lastTurnId !== null && isIdle(state))
      const rejection = yield* Effect.flip(holdfast.fork(into, { at: seq }))
      assert.deepInclude(rejection, { _tag: "CommandRejected", reason: "illegal_state" })
      assert.match(rejection.message, /fork its parent instead/)
    })
  )

  it.effect("releases its backends at its end, after their last session, whatever one of them does", () =>
    Effect.gen(function* () {
      const released: Array<string> = []
      const told = (name: string, release: Effect.Effect<void>): ScriptedBackend => {
        const backend = scriptedBackend({ name, capabilities: { prompts: true } })
        const hasClosed = () => backend.sessions.every((session) => session.isReleased())
        return {
          ...backend,
          release: Effect.andThen(
            Effect.sync(() => released.push(`${name} ${hasClosed()}`)),
            release
          )
        }
      }
      const backends = [
        told("hangs", Effect.never),
        told("dies", Effect.die(new Error("no release"))),
        told("ends", Effect.void)
      ]
      const scope = yield* Scope.make()
      const holdfast = yield* makeHoldfast(makeMemory(), { backends }).pipe(Scope.provide(scope))
      for (const { name } of backends) {
        const { sessionId } = yield* holdfast.create({ backend: name, spec: {} })
        yield* holdfast.until(sessionId, isOpen)
      }
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(closing)
      assert.deepStrictEqual(released.toSorted(), ["dies true", "ends true", "hangs true"])
    })
  )

  it.effect("suspends a session, and wakes it with the next prompt", () =>
    Effect.gen(function* () {
      const { holdfast, sessionId } = yield* openSession(agent())
      yield* holdfast.command(sessionId, { type: "session.suspend", data: {} })
      yield* holdfast.until(sessionId, ({ chart }) => chart.lifecycle === "suspended")
      assert.strictEqual((yield* holdfast.summary(sessionId)).status, "offline")
      yield* holdfast.command(sessionId, prompt("wake up"))
      const state = yield* holdfast.until(sessionId, (now) => now.lastTurnId !== null && isIdle(now))
      assert.strictEqual(state.generation, 2)
    })
  )

  it.effect("wakes for a prompt that came while it was being suspended", () =>
    Effect.gen(function* () {
      const backend = agent()
      const { holdfast, sessionId } = yield* openSession(backend)
      yield* Effect.all(
        [
          holdfast.command(sessionId, { type: "session.suspend", data: {} }),
          holdfast.command(sessionId, prompt("still there?"))
        ],
        { concurrency: "unbounded" }
      )
      const state = yield* holdfast.until(sessionId, (now) => now.lastTurnId !== null && isIdle(now))
      assert.strictEqual(state.generation, 2)
    })
  )

  it.effect("deletes an ended session only", () =>
    Effect.gen(function* () {
      const { holdfast, sessionId } = yield* openSession(agent())
      assert.instanceOf(yield* Effect.flip(holdfast.remove(sessionId)), CommandRejected)
      yield* holdfast.command(sessionId, { type: "session.close", data: {} })
      yield* holdfast.until(sessionId, isClosed)
      yield* holdfast.remove(sessionId)
      assert.instanceOf(yield* Effect.flip(holdfast.summary(sessionId)), SessionNotFound)
    })
  )

  it.effect("answers a command that finds the mailbox full, instead of queueing without end", () =>
    Effect.gen(function* () {
      const { holdfast, sessionId } = yield* openSession(agent())
      const rename = (title: string) =>
        Effect.result(holdfast.command(sessionId, { type: "session.rename", data: { title } }))
      const results = yield* Effect.all(
        Array.from({ length: 2_000 }, (_, index) => rename(`title ${index}`)),
        { concurrency: "unbounded" }
      )
      const refused = results.flatMap((result) => (result._tag === "Failure" ? [result.failure] : []))
      assert.isTrue(refused.every((error) => error instanceof CommandRejected && error.reason === "busy"))
      assert.isAbove(results.length - refused.length, 0)
    })
  )
})

describe("a secret", () => {
  it.effect("reaches the backend that asked for it, and not the log", () =>
    Effect.gen(function* () {
      const backend = scriptedBackend({
        name: "asking",
        capabilities: { prompts: true, questions: true },
        openings: [
          {
            steps: [
              Script.say({
                type: "question.asked",
                data: {
                  requestId: "q" as RequestId,
                  questions: ["password", "colour"].map((questionId) => ({
                    questionId,
                    text: `Your ${questionId}?`,
                    options: [],
                    multiple: false,
                    freeText: true,
                    ...(questionId === "password" ? { secret: true } : {})
                  }))
                }
              })
            ]
          }
        ]
      })
      const { holdfast, log, sessionId } = yield* openSession(backend)
      yield* holdfast.until(sessionId, ({ requests }) => Object.hasOwn(requests, "q"))
      const outcome = { outcome: "answered", answers: { password: ["hunter2"], colour: ["blue"] } } as const
      yield* holdfast.command(sessionId, {
        type: "question.answer",
        data: { requestId: "q" as RequestId, outcome }
      })
      const session = yield* backend.opening(1)
      assert.deepInclude(yield* session.nextCommand("answerQuestion"), { outcome })
      const events = yield* eventsOf(log, sessionId)
      assert.notInclude(JSON.stringify(events), "hunter2")
      assert.deepInclude(events.find(({ type }) => type === "question.answered")?.data, {
        withheld: ["password"],
        outcome: { outcome: "answered", answers: { colour: ["blue"] } }
      })
    })
  )
})
