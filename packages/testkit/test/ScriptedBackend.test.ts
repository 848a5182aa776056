import { assert, describe, it } from "@effect/vitest"
import {
  type BackendEvent,
  BackendLost,
  BackendRefused,
  type BackendSession,
  makeSessionId,
  type OpenRequest,
  type TurnId
} from "@holdfast/core"
import { Effect, Exit, Fiber, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Script, scriptedBackend } from "../src/index.ts"

const request = (generation = 1): OpenRequest => ({ sessionId: makeSessionId(), generation, spec: {}, inDoubt: [] })

const titled = (title: string): BackendEvent => ({ type: "terminal.titled", data: { title } })

const read = (session: BackendSession) =>
  Stream.runCollect(session.events).pipe(Effect.map((batches) => batches.flat()))

/** Reads along; gives what came so far. */
const follow = Effect.fnUntraced(function* (session: BackendSession) {
  const seen: Array<BackendEvent> = []
  yield* Stream.runForEach(session.events, (batch) => Effect.sync(() => seen.push(...batch))).pipe(
    Effect.forkChild({ startImmediately: true })
  )
  return seen
})

describe("scriptedBackend", () => {
  it.effect("plays its steps at the pace of the test", () =>
    Effect.gen(function* () {
      const backend = scriptedBackend({
        openings: [
          { steps: [Script.say(titled("a")), Script.pause, Script.say(titled("b")), Script.sleep(1_000), Script.end] }
        ]
      })
      const events = yield* read(yield* backend.open(request())).pipe(Effect.forkChild)
      const session = yield* backend.opening(1)
      yield* session.advance
      yield* TestClock.adjust(999)
      assert.isUndefined(events.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* Fiber.join(events), [titled("a"), titled("b")])
    })
  )

  it.effect("waits for commands in order, records all of them and refuses what it has not the capability for", () =>
    Effect.gen(function* () {
      const backend = scriptedBackend({
        capabilities: { interrupt: true },
        openings: [{ steps: [Script.command("interrupt"), Script.say(titled("interrupted")), Script.command("close")] }]
      })
      const opened = yield* backend.open(request())
      const seen = yield* follow(opened)
      const refused = yield* Effect.flip(opened.perform({ type: "write", bytes: new Uint8Array(1) }))
      assert.instanceOf(refused, BackendRefused)
      yield* opened.perform({ type: "interrupt", turnId: "t" as TurnId })
      // It goes round once in the outbox, and once to whoever reads.
      yield* Effect.yieldNow
      yield* Effect.yieldNow
      assert.deepStrictEqual(seen, [titled("interrupted")])
      const session = yield* backend.opening(1)
      assert.deepStrictEqual(
        session.performed.map((command) => command.type),
        ["write", "interrupt"]
      )
      assert.strictEqual(session.capabilities.interrupt, true)
    })
  )

  it.effect("dies in the middle of the stream, after what it said before", () =>
    Effect.gen(function* () {
      const backend = scriptedBackend({ openings: [{ steps: [Script.say(titled("a")), Script.die("broke")] }] })
      const opened = yield* backend.open(request())
      const seen: Array<BackendEvent> = []
      const exit = yield* Effect.exit(
        Stream.runForEach(opened.events, (batch) => Effect.sync(() => seen.push(...batch)))
      )
      assert.deepStrictEqual(seen, [titled("a")])
      assert.deepStrictEqual(
        exit,
        Exit.fail(new BackendLost({ backend: "scripted", reason: "broke", retryable: true }))
      )
    })
  )

  it.effect("says anything: illegal events, and events after it has closed", () =>
    Effect.gen(function* () {
      const closed: BackendEvent = { type: "backend.closed", data: { reason: "closed" } }
      const illegal = { type: "turn.completed", data: { nonsense: true } } as unknown as BackendEvent
      const backend = scriptedBackend({
        openings: [{ steps: [Script.say(illegal, closed, titled("late"), closed), Script.end] }]
      })
      const events = yield* read(yield* backend.open(request()))
      assert.deepStrictEqual(events, [illegal, closed, titled("late"), closed])
    })
  )

  it.effect("closes in order when it is asked to, unless its answer says otherwise", () =>
    Effect.gen(function* () {
      const deaf = new BackendRefused({ backend: "scripted", command: "close", reason: "no", retryable: true })
      const backend = scriptedBackend({ openings: [{}, { answer: () => Effect.fail(deaf) }] })
      const opened = yield* backend.open(request())
      yield* opened.perform({ type: "close", force: false, graceMs: 10 })
      assert.deepStrictEqual(
        (yield* read(opened)).map((event) => event.type),
        ["backend.closed"]
      )
      const other = yield* backend.open(request(2))
      assert.strictEqual(yield* Effect.flip(other.perform({ type: "close", force: true, graceMs: 10 })), deaf)
    })
  )

  it.effect("opens when it is let, fails to open, and repeats its last opening", () =>
    Effect.gen(function* () {
      const fails = new BackendLost({ backend: "scripted", reason: "not now", retryable: true })
      const backend = scriptedBackend({ openings: [{ waits: "advance" }, { fails }] })
      const first = yield* Effect.forkChild(backend.open(request(1)), { startImmediately: true })
      assert.lengthOf(backend.sessions, 0)
      yield* backend.advance
      yield* Fiber.join(first)
      assert.lengthOf(backend.sessions, 1)
      assert.strictEqual(yield* Effect.flip(backend.open(request(2))), fails)
      assert.strictEqual(yield* Effect.flip(backend.open(request(3))), fails)
      assert.deepStrictEqual(
        backend.requests.map((each) => each.generation),
        [1, 2, 3]
      )
    })
  )

  it.effect("can go on speaking for a dead generation", () =>
    Effect.gen(function* () {
      const backend = scriptedBackend({ openings: [{ survives: true }, {}] })
      for (const [index, expected] of [true, false].entries()) {
        const scope = yield* Scope.make()
        yield* backend.open(request(index + 1)).pipe(Scope.provide(scope))
        yield* Scope.close(scope, Exit.void)
        const session = yield* backend.opening(index + 1)
        assert.isTrue(session.isReleased())
        assert.strictEqual(session.say(titled("from the grave")), expected)
      }
    })
  )

  it.effect("floods no further than its reader takes, unless it is rude", () =>
    Effect.gen(function* () {
      const size = 8 * 1024 * 1024
      const backend = scriptedBackend({
        openings: [
          { steps: [Script.flood(size), Script.end] },
          { steps: [Script.flood(size, { rude: true }), Script.end] }
        ]
      })
      const count = (events: ReadonlyArray<BackendEvent>) =>
        events.reduce((sum, event) => sum + (event.type === "terminal.output" ? event.bytes.byteLength : 0), 0)
      assert.strictEqual(count(yield* read(yield* backend.open(request()))), size)
      assert.strictEqual(count(yield* read(yield* backend.open(request()))), size)
    })
  )
})
