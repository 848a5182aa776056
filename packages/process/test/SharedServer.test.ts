import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { makeSharedServer, type Started } from "../src/index.ts"

/** Servers that tell what becomes of them, and that end when the test says so. */
const makeServers = (startOf: (count: number) => Effect.Effect<void, string> = () => Effect.void) => {
  const log: Array<string> = []
  const deaths: Array<Deferred.Deferred<void>> = []
  const start = Effect.gen(function* () {
    const count = log.filter((line) => line.startsWith("starting")).length + 1
    log.push(`starting ${count}`)
    yield* Effect.addFinalizer(() => Effect.sync(() => log.push(`cleared ${count}`)))
    yield* startOf(count)
    const died = Deferred.makeUnsafe<void>()
    deaths.push(died)
    return { server: count, died: Deferred.await(died) } satisfies Started<number>
  })
  const die = (count: number) => Deferred.succeed(deaths[count - 1]!, undefined)
  return { log, start, die }
}

/** Lets all other fibers go as far as they can. */
const settle = TestClock.adjust(0)

describe("a shared server", () => {
  it.effect("is started once for all who ask while it starts, and not before", () =>
    Effect.gen(function* () {
      const gate = Deferred.makeUnsafe<void>()
      const { log, start } = makeServers(() => Deferred.await(gate))
      const shared = makeSharedServer({ start })
      yield* settle
      assert.deepStrictEqual(log, [])
      const askers = yield* Effect.forEach([1, 2, 3], () => Effect.forkChild(shared.get, { startImmediately: true }))
      yield* settle
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* Effect.forEach(askers, Fiber.join), [1, 1, 1])
      assert.strictEqual(yield* shared.get, 1)
      assert.deepStrictEqual(log, ["starting 1"])
      yield* shared.release
    })
  )

  it.effect("starts on for the others when one of those who wait for it is interrupted", () =>
    Effect.gen(function* () {
      const gate = Deferred.makeUnsafe<void>()
      const shared = makeSharedServer({ start: makeServers(() => Deferred.await(gate)).start })
      const first = yield* Effect.forkChild(shared.get, { startImmediately: true })
      const second = yield* Effect.forkChild(shared.get, { startImmediately: true })
      yield* Fiber.interrupt(first)
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* Fiber.join(second), 1)
      yield* shared.release
    })
  )

  it.effect("fails for all who waited for it, and is tried again only after a growing delay", () =>
    Effect.gen(function* () {
      const { log, start } = makeServers((count) => (count <= 3 ? Effect.fail(`broken ${count}`) : Effect.void))
      const shared = makeSharedServer({ start, retryDelayMs: 100, maxRetryDelayMs: 250 })
      const both = yield* Effect.all([Effect.flip(shared.get), Effect.flip(shared.get)], { concurrency: "unbounded" })
      assert.deepStrictEqual(both, ["broken 1", "broken 1"])
      for (const [tries, delay] of [100, 200, 250].entries()) {
        const asker = yield* Effect.forkChild(Effect.exit(shared.get), { startImmediately: true })
        yield* TestClock.adjust(delay - 1)
        assert.isUndefined(asker.pollUnsafe(), `not before ${delay} ms`)
        yield* TestClock.adjust(1)
        const exit = yield* Fiber.join(asker)
        assert.deepStrictEqual(exit, tries < 2 ? Exit.fail(`broken ${tries + 2}`) : Exit.succeed(4))
      }
      assert.deepStrictEqual(log.slice(0, 4), ["starting 1", "cleared 1", "starting 2", "cleared 2"])
      yield* shared.release
    })
  )

  it.effect("counts the delay from its end: who asks late enough does not wait", () =>
    Effect.gen(function* () {
      const { start } = makeServers((count) => (count === 1 ? Effect.fail("broken") : Effect.void))
      const shared = makeSharedServer({ start, retryDelayMs: 100 })
      yield* Effect.flip(shared.get)
      yield* TestClock.adjust(100)
      const asker = yield* Effect.forkChild(shared.get, { startImmediately: true })
      yield* settle
      assert.isDefined(asker.pollUnsafe())
      yield* shared.release
    })
  )

  it.effect(
    "is started again when it is needed after its death: at once if it was stable, later if it died young",
    () =>
      Effect.gen(function* () {
        const { die, log, start } = makeServers()
        const shared = makeSharedServer({ start, retryDelayMs: 100, stableAfterMs: 1_000 })
        yield* shared.get
        yield* TestClock.adjust(1_000)
        yield* die(1)
        yield* TestClock.adjust(10_000)
        assert.deepStrictEqual(log, ["starting 1", "cleared 1"])
        assert.strictEqual(yield* shared.get, 2)
        yield* die(2)
        yield* settle
        const third = yield* Effect.forkChild(shared.get, { startImmediately: true })
        yield* TestClock.adjust(99)
        assert.isUndefined(third.pollUnsafe())
        yield* TestClock.adjust(1)
        assert.strictEqual(yield* Fiber.join(third), 3)
        yield* shared.release
      })
  )

  it.effect("is never handed out dead, and its successor waits until it is cleared away", () =>
    Effect.gen(function* () {
      const clearing = Deferred.makeUnsafe<void>()
      const { die, log, start } = makeServers()
      const shared = makeSharedServer({
        start: Effect.andThen(
          Effect.addFinalizer(() => Deferred.await(clearing)),
          start
        ),
        retryDelayMs: 1
      })
      yield* shared.get
      yield* die(1)
      yield* settle
      const next = yield* Effect.forkChild(shared.get, { startImmediately: true })
      yield* TestClock.adjust(1_000)
      assert.isUndefined(next.pollUnsafe())
      assert.deepStrictEqual(log, ["starting 1", "cleared 1"])
      yield* Deferred.succeed(clearing, undefined)
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Fiber.join(next), 2)
      yield* shared.release
    })
  )

  it.effect("is over when it is released, and starts afresh and at once for whoever asks afterwards", () =>
    Effect.gen(function* () {
      const { die, log, start } = makeServers()
      const shared = makeSharedServer({ start })
      yield* shared.release
      yield* shared.get
      yield* shared.release
      assert.deepStrictEqual(log, ["starting 1", "cleared 1"])
      assert.strictEqual(yield* shared.get, 2)
      yield* die(2)
      yield* settle
      yield* shared.release
      // It had died young: a release forgives that.
      assert.strictEqual(yield* shared.get, 3)
      yield* shared.release
      assert.deepStrictEqual(log.slice(-2), ["starting 3", "cleared 3"])
    })
  )

  it.effect("is given up when it is released while it starts, and those who wait get another", () =>
    Effect.gen(function* () {
      const { log, start } = makeServers((count) => (count === 1 ? Effect.never : Effect.void))
      const shared = makeSharedServer({ start })
      const asker = yield* Effect.forkChild(shared.get, { startImmediately: true })
      yield* settle
      yield* shared.release
      assert.strictEqual(yield* Fiber.join(asker), 2)
      assert.deepStrictEqual(log, ["starting 1", "cleared 1", "starting 2"])
      yield* shared.release
    })
  )

  it.effect("has ended for everybody who releases it at the same time", () =>
    Effect.gen(function* () {
      const clearing = Deferred.makeUnsafe<void>()
      const { start } = makeServers()
      const shared = makeSharedServer({
        start: Effect.andThen(
          Effect.addFinalizer(() => Deferred.await(clearing)),
          start
        )
      })
      yield* shared.get
      const releases = yield* Effect.forEach([1, 2], () => Effect.forkChild(shared.release, { startImmediately: true }))
      yield* settle
      assert.deepStrictEqual(
        releases.map((fiber) => fiber.pollUnsafe()),
        [undefined, undefined]
      )
      yield* Deferred.succeed(clearing, undefined)
      yield* Effect.forEach(releases, Fiber.join)
    })
  )
})
