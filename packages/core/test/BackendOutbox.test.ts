import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as fc from "fast-check"
import { type BackendEvent, BackendLost } from "../src/Backend.ts"
import {
  type BackendOutbox,
  type BackendOutboxOptions,
  makeBackendOutbox,
  maxDeltaLength,
  maxOutputBytes
} from "../src/BackendOutbox.ts"
import type { ItemId } from "../src/Ids.ts"

const output = (...values: ReadonlyArray<number>): BackendEvent => ({
  type: "terminal.output",
  bytes: Uint8Array.from(values)
})
const zeros = (size: number): BackendEvent => ({ type: "terminal.output", bytes: new Uint8Array(size) })
const delta = (item: string, text: string): BackendEvent => ({
  type: "item.delta",
  data: { itemId: item as ItemId, field: "text", text }
})
const titled = (title: string): BackendEvent => ({ type: "terminal.titled", data: { title } })
const lost = new BackendLost({ backend: "test", reason: "it is gone", retryable: false })

const outputBytes = (events: ReadonlyArray<BackendEvent>) =>
  events.flatMap((event) => (event.type === "terminal.output" ? [...event.bytes] : []))

const collect = (outbox: BackendOutbox) => Stream.runCollect(outbox.stream)

/** Starts a consumer that has everything as soon as it is pushed. */
const consume = Effect.fnUntraced(function* (outbox: BackendOutbox) {
  const batches: Array<ReadonlyArray<BackendEvent>> = []
  const fiber = yield* Stream.runForEach(outbox.stream, (batch) => Effect.sync(() => batches.push(batch))).pipe(
    Effect.forkChild({ startImmediately: true })
  )
  return { batches, fiber }
})

describe("BackendOutbox", () => {
  it.effect("hands the first bytes to a waiting consumer before push returns", () =>
    Effect.gen(function* () {
      const outbox = makeBackendOutbox()
      const { batches } = yield* consume(outbox)
      outbox.push(output(1))
      assert.deepStrictEqual(batches, [[output(1)]])
      outbox.push([output(2), titled("a")])
      assert.deepStrictEqual(batches, [[output(1)], [output(2), titled("a")]])
    })
  )

  it.effect("hands out what several sessions were told in one turn of the event loop in one step", () =>
    Effect.gen(function* () {
      const order: Array<string> = []
      const outboxes = ["a", "b", "c"].map((name) => ({ name, outbox: makeBackendOutbox() }))
      for (const { name, outbox } of outboxes) {
        yield* Stream.runForEach(outbox.stream, () =>
          Effect.sync(() => {
            order.push(name)
            queueMicrotask(() => order.push("after"))
          })
        ).pipe(Effect.forkChild({ startImmediately: true }))
      }
      for (const { name, outbox } of outboxes) outbox.push(titled(name))
      yield* Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))
      assert.sameMembers(order.slice(0, 3), ["a", "b", "c"])
      assert.deepStrictEqual(order.slice(3), ["after", "after", "after"])
    })
  )

  it.effect("hands out what a session was told also when another one that waited before it is given up", () =>
    Effect.gen(function* () {
      const [first, second] = [makeBackendOutbox(), makeBackendOutbox()]
      const given = yield* consume(first)
      const taken = yield* consume(second)
      first.push(titled("a"))
      second.push(titled("b"))
      yield* Fiber.interrupt(given.fiber)
      yield* Effect.yieldNow
      assert.deepStrictEqual(taken.batches, [[titled("b")]])
      second.push(titled("c"))
      yield* Effect.yieldNow
      assert.deepStrictEqual(taken.batches, [[titled("b")], [titled("c")]])
    })
  )

  it.effect("makes one batch of what an agent says in one turn of the event loop", () =>
    Effect.gen(function* () {
      const outbox = makeBackendOutbox()
      const { batches } = yield* consume(outbox)
      outbox.push(titled("a"))
      outbox.push(titled("b"))
      assert.deepStrictEqual(batches, [])
      yield* Effect.yieldNow
      assert.deepStrictEqual(batches, [[titled("a"), titled("b")]])
    })
  )

  it.effect("joins adjacent output, and deltas of one item with nothing but deltas between them, while they wait", () =>
    Effect.gen(function* () {
      const outbox = makeBackendOutbox()
      outbox.push([output(1), output(2), titled("a"), output(3)])
      outbox.push([delta("x", "a"), delta("x", "b"), delta("y", "c"), delta("x", "d"), titled("b"), delta("x", "e")])
      outbox.end()
      assert.deepStrictEqual(yield* collect(outbox), [
        [output(1, 2), titled("a"), output(3), delta("x", "abd"), delta("y", "c"), titled("b"), delta("x", "e")]
      ])
    })
  )

  it.effect("hands out the first delta at once, the following ones joined at their pace", () =>
    Effect.gen(function* () {
      const outbox = makeBackendOutbox({ deltaPaceMs: 20 })
      const { batches } = yield* consume(outbox)
      outbox.push(delta("x", "a"))
      yield* Effect.yieldNow
      outbox.push([delta("x", "b"), delta("x", "c")])
      yield* Effect.yieldNow
      assert.deepStrictEqual(batches, [[delta("x", "a")]])
      yield* TestClock.adjust(20)
      assert.deepStrictEqual(batches.slice(1), [[delta("x", "bc")]])
      yield* TestClock.adjust(20)
      outbox.push(delta("x", "d"))
      yield* Effect.yieldNow
      assert.deepStrictEqual(batches.slice(2), [[delta("x", "d")]])
    })
  )

  it.effect("lets deltas wait for nothing once something else, a full row or the end comes behind them", () =>
    Effect.gen(function* () {
      const outbox = makeBackendOutbox({ deltaPaceMs: 20 })
      const { batches, fiber } = yield* consume(outbox)
      outbox.push([delta("x", "a")])
      yield* Effect.yieldNow
      outbox.push([delta("x", "b")])
      yield* Effect.yieldNow
      outbox.push(titled("t"))
      yield* Effect.yieldNow
      assert.deepStrictEqual(batches.slice(1), [[delta("x", "b"), titled("t")]])
      const row = "c".repeat(maxDeltaLength)
      outbox.push(delta("x", row))
      yield* Effect.yieldNow
      assert.deepStrictEqual(batches.slice(2), [[delta("x", row)]])
      outbox.push(delta("x", "d"))
      outbox.end()
      assert.deepStrictEqual(yield* Fiber.await(fiber), Exit.void)
      assert.deepStrictEqual(batches.slice(3), [[delta("x", "d")]])
    })
  )

  it.effect("does not join deltas of different fields", () =>
    Effect.gen(function* () {
      const outbox = makeBackendOutbox()
      const input: BackendEvent = { type: "item.delta", data: { itemId: "x" as ItemId, field: "input", text: "b" } }
      outbox.push([delta("x", "a"), input])
      outbox.end()
      assert.deepStrictEqual(yield* collect(outbox), [[delta("x", "a"), input]])
    })
  )

  it.effect("cuts what is larger than one event may be, and never within a character", () =>
    Effect.gen(function* () {
      const outbox = makeBackendOutbox()
      const text = `x${"😀".repeat(maxDeltaLength)}`
      outbox.push([zeros(2 * maxOutputBytes + 1), delta("x", text)])
      outbox.end()
      const events = (yield* collect(outbox)).flat()
      assert.deepStrictEqual(
        events.flatMap((event) => (event.type === "terminal.output" ? [event.bytes.byteLength] : [])),
        [maxOutputBytes, maxOutputBytes, 1]
      )
      const texts = events.flatMap((event) => (event.type === "item.delta" ? [event.data.text] : []))
      assert.strictEqual(texts.join(""), text)
      for (const piece of texts) {
        assert.isAtMost(piece.length, maxDeltaLength)
        assert.isTrue(piece.isWellFormed())
      }
    })
  )

  it.effect("gives everything that was pushed before the end, then ends; what comes later is refused", () =>
    Effect.gen(function* () {
      const outbox = makeBackendOutbox()
      outbox.push(output(1))
      outbox.end()
      outbox.fail(lost)
      assert.isFalse(outbox.push(output(2)))
      assert.deepStrictEqual(yield* collect(outbox), [[output(1)]])
    })
  )

  it.effect("gives everything that was pushed before a failure, then fails", () =>
    Effect.gen(function* () {
      const outbox = makeBackendOutbox()
      const { batches, fiber } = yield* consume(outbox)
      outbox.push(output(1))
      outbox.fail(lost)
      assert.deepStrictEqual(yield* Fiber.await(fiber), Exit.fail(lost))
      assert.deepStrictEqual(batches, [[output(1)]])
    })
  )

  it.effect("ends a consumer that waits", () =>
    Effect.gen(function* () {
      const outbox = makeBackendOutbox()
      const { fiber } = yield* consume(outbox)
      outbox.end()
      assert.deepStrictEqual(yield* Fiber.await(fiber), Exit.void)
    })
  )

  it.effect("is full at the high water and drains once at the low water", () =>
    Effect.gen(function* () {
      const calls: Array<string> = []
      const outbox = makeBackendOutbox({
        highWater: 4_000,
        lowWater: 1_500,
        batch: 1_200,
        onFull: () => calls.push("full"),
        onDrain: () => calls.push(`drain at ${outbox.weight()}`)
      })
      // Titles are not joined: each weighs its envelope of 160 bytes and its text.
      while (!outbox.isFull()) outbox.push(titled("x".repeat(300)))
      const full = outbox.weight()
      assert.isAtLeast(full, 4_000)
      assert.isBelow(full, 4_600)
      outbox.push(titled("more"))
      assert.deepStrictEqual(calls, ["full"])
      outbox.end()
      const batches = yield* collect(outbox)
      assert.lengthOf(calls, 2)
      assert.isAtMost(Number(calls[1]?.slice("drain at ".length)), 1_500)
      assert.isFalse(outbox.isFull())
      assert.strictEqual(outbox.weight(), 0)
      assert.isAbove(batches.length, 3)
    })
  )

  it.effect("lets the source push again from onDrain without losing or reordering", () =>
    Effect.gen(function* () {
      let next = 0
      const fill = () => {
        while (next < 1_000 && !outbox.isFull()) outbox.push([output(next++ % 256), titled("between")])
        if (next === 1_000) outbox.end()
      }
      const outbox = makeBackendOutbox({ highWater: 2_000, lowWater: 500, batch: 600, onDrain: fill })
      fill()
      const events = (yield* collect(outbox)).flat()
      assert.deepStrictEqual(
        outputBytes(events),
        Array.from({ length: 1_000 }, (_, index) => index % 256)
      )
    })
  )

  it.effect("loses nothing to a consumer that was interrupted while it waited", () =>
    Effect.gen(function* () {
      const outbox = makeBackendOutbox()
      const { fiber } = yield* consume(outbox)
      yield* Fiber.interrupt(fiber)
      outbox.push(output(1))
      assert.strictEqual(outbox.weight(), 161)
    })
  )

  it.effect("is read once: a second reader would take events from the first", () =>
    Effect.gen(function* () {
      const outbox = makeBackendOutbox()
      outbox.end()
      yield* collect(outbox)
      assert.isTrue(Exit.hasDies(yield* Effect.exit(collect(outbox))))
    })
  )

  it("keeps every byte in order for any pushes, bounds and pace of reading", async () => {
    const bounds = fc.record({
      highWater: fc.integer({ min: 1, max: 5_000 }),
      lowWater: fc.integer({ min: 0, max: 5_000 }),
      batch: fc.integer({ min: 1, max: 5_000 })
    })
    const pushes = fc.array(
      fc.oneof(
        fc.uint8Array({ maxLength: 2_000 }).map((bytes): BackendEvent => ({ type: "terminal.output", bytes })),
        fc.string({ maxLength: 3 }).map(titled)
      ),
      { maxLength: 40 }
    )
    const run = (options: BackendOutboxOptions, events: ReadonlyArray<BackendEvent>, pauses: ReadonlyArray<boolean>) =>
      Effect.gen(function* () {
        const outbox = makeBackendOutbox(options)
        const seen: Array<BackendEvent> = []
        const fiber = yield* Stream.runForEach(outbox.stream, (batch) => {
          assert.isAbove(batch.length, 0)
          seen.push(...batch)
          return pauses[seen.length % pauses.length] === true ? Effect.yieldNow : Effect.void
        }).pipe(Effect.forkChild)
        for (const [index, event] of events.entries()) {
          outbox.push(event)
          if (pauses[index % pauses.length] === true) yield* Effect.yieldNow
        }
        outbox.end()
        yield* Fiber.join(fiber)
        assert.deepStrictEqual(outputBytes(seen), outputBytes(events))
        const titles = (all: ReadonlyArray<BackendEvent>) => all.filter((event) => event.type === "terminal.titled")
        assert.deepStrictEqual(titles(seen), titles(events))
        assert.strictEqual(outbox.weight(), 0)
      })
    await fc.assert(
      fc.asyncProperty(bounds, pushes, fc.array(fc.boolean(), { minLength: 1 }), (options, events, pauses) =>
        Effect.runPromise(run(options, events, pauses))
      ),
      { numRuns: 300 }
    )
  })

  it.effect("goes on with what it is told while it passes output, and with its end", () =>
    Effect.gen(function* () {
      const outbox = makeBackendOutbox()
      const passed: Array<BackendEvent> = []
      outbox.passOutput((batch, stored) => {
        passed.push(...batch)
        if (passed.length === 1) outbox.push(output(2))
        if (passed.length === 3) outbox.end()
        stored()
        return true
      })
      const { batches, fiber } = yield* consume(outbox)
      outbox.push(output(1))
      assert.deepStrictEqual(passed, [output(1), output(2)])
      outbox.push([output(3)])
      assert.deepStrictEqual(yield* Fiber.await(fiber), Exit.void)
      assert.deepStrictEqual(batches, [])
      assert.isFalse(outbox.push(output(4)))
    })
  )

  it("keeps one order of what it passes plainly and what is read, and gives nothing while a piece is being stored", async () => {
    const pushes = fc.array(
      fc.oneof(
        { weight: 4, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => output(...bytes)) },
        { weight: 1, arbitrary: fc.string({ maxLength: 3 }).map(titled) },
        { weight: 1, arbitrary: fc.constantFrom(delta("a", "x"), delta("b", "y")) }
      ),
      { maxLength: 40 }
    )
    const decision = fc.constantFrom("refuse", "store", "store later", "store and tell more")
    const bounds = fc.record({
      highWater: fc.integer({ min: 1, max: 5_000 }),
      batch: fc.integer({ min: 1, max: 1_000 })
    })
    const run = (
      options: BackendOutboxOptions,
      events: ReadonlyArray<BackendEvent>,
      decisions: ReadonlyArray<"refuse" | "store" | "store later" | "store and tell more">,
      pauses: ReadonlyArray<boolean>
    ) =>
      Effect.gen(function* () {
        const outbox = makeBackendOutbox({ ...options, deltaPaceMs: 0 })
        const seen: Array<BackendEvent> = []
        let offered = 0
        let later: (() => void) | undefined
        const settle = () => {
          const stored = later
          later = undefined
          stored?.()
        }
        outbox.passOutput((batch, stored) => {
          assert.isUndefined(later)
          assert.isAbove(batch.length, 0)
          const decided = decisions[offered++ % decisions.length]
          if (decided === "refuse") return false
          seen.push(...batch)
          if (decided === "store later") later = stored
          else {
            // Whoever sees it may make the backend tell more, or end, before it hears that this is stored.
            if (decided === "store and tell more") tellNext()
            stored()
          }
          return true
        })
        let told = 0
        const tellNext = () => {
          if (told < events.length) outbox.push(events[told++]!)
          else outbox.end()
        }
        const fiber = yield* Stream.runForEach(outbox.stream, (batch) => {
          assert.isUndefined(later)
          seen.push(...batch)
          return pauses[seen.length % pauses.length] === true ? Effect.yieldNow : Effect.void
        }).pipe(Effect.forkChild({ startImmediately: true }))
        for (let step = 0; told < events.length; step++) {
          tellNext()
          if (pauses[step % pauses.length] === true) {
            settle()
            yield* Effect.yieldNow
          }
        }
        outbox.end()
        // A second without an end is none: it is stuck.
        for (const begun = Date.now(); fiber.pollUnsafe() === undefined && Date.now() - begun < 1_000;) {
          yield* Effect.yieldNow
          settle()
        }
        assert.isDefined(fiber.pollUnsafe(), "it comes to its end")
        yield* Fiber.join(fiber)
        const tokens = (all: ReadonlyArray<BackendEvent>) =>
          all.flatMap((event): ReadonlyArray<string | number> => {
            if (event.type === "terminal.output") return [...event.bytes]
            if (event.type === "item.delta") return [...event.data.text].map((unit) => `${event.data.itemId}${unit}`)
            return [JSON.stringify(event)]
          })
        // Deltas of two items may change places with each other, and with nothing else.
        const sorted = (all: ReadonlyArray<string | number>) => {
          const runs: Array<Array<string | number>> = [[]]
          const isDelta = (token: string | number | undefined) => token === "ax" || token === "by"
          for (const token of all) {
            if (isDelta(token) && isDelta(runs.at(-1)![0])) runs.at(-1)!.push(token)
            else runs.push([token])
          }
          return runs.flatMap((run) => run.toSorted())
        }
        assert.deepStrictEqual(sorted(tokens(seen)), sorted(tokens(events)))
        assert.strictEqual(outbox.weight(), 0)
        return offered
      })
    let passed = 0
    await fc.assert(
      fc.asyncProperty(
        bounds,
        pushes,
        fc.array(decision, { minLength: 1, maxLength: 5 }),
        fc.array(fc.boolean(), { minLength: 1 }),
        async (options, events, decisions, pauses) => {
          passed += await Effect.runPromise(run(options, events, decisions, pauses))
        }
      ),
      { numRuns: 300 }
    )
    assert.isAbove(passed, 300)
  })
})
