import { Effect, Queue, Stream } from "effect"
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { iterable } from "../src/StreamIterator.ts"

class Broken extends Error {}

/** Runs of values, some of which are waited for, and how the stream ends; and whether its finalizer ran. */
const makeStream = (runs: ReadonlyArray<ReadonlyArray<number>>, fails: boolean) => {
  let finalized = 0
  const end = fails ? Stream.fail(new Broken()) : Stream.empty
  const values = Stream.fromIterable(runs).pipe(
    Stream.mapEffect((run, index) => (index % 2 === 0 ? Effect.succeed(run) : Effect.as(Effect.yieldNow, run))),
    Stream.flatMap(Stream.fromIterable),
    Stream.concat(end),
    Stream.ensuring(Effect.sync(() => finalized++))
  )
  return { values, finalized: () => finalized }
}

describe("a stream as an async iterable", () => {
  it("gives what the stream gives, ends as it ends, and runs its finalizer once, wherever it is left", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.nat(), { maxLength: 4 }), { maxLength: 5 }),
        fc.boolean(),
        fc.option(fc.nat(12), { nil: undefined }),
        async (runs, fails, leaveAfter) => {
          const { finalized, values } = makeStream(runs, fails)
          const expected = runs.flat()
          const taken: Array<number> = []
          let error: unknown
          try {
            for await (const value of iterable(values)) {
              taken.push(value)
              if (taken.length === leaveAfter) break
            }
          } catch (thrown) {
            error = thrown
          }
          const isLeft = leaveAfter !== undefined && leaveAfter >= 1 && leaveAfter <= expected.length
          assert.deepStrictEqual(taken, isLeft ? expected.slice(0, leaveAfter) : expected)
          assert.strictEqual(error instanceof Broken, fails && !isLeft)
          assert.strictEqual(finalized(), 1)
        }
      )
    ))

  it("answers calls in their order, though none waits for the one before", () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.array(fc.nat(), { maxLength: 4 }), { maxLength: 5 }), async (runs) => {
        const { finalized, values } = makeStream(runs, false)
        const iterator = iterable(values)[Symbol.asyncIterator]()
        const expected = runs.flat()
        const all = await Promise.all(Array.from({ length: expected.length + 2 }, () => iterator.next()))
        assert.deepStrictEqual(
          all.map(({ done, value }) => (done === true ? "end" : value)),
          [...expected, "end", "end"]
        )
        assert.strictEqual(finalized(), 1)
      })
    ))

  it("is left while somebody waits for the next value: who waits is told of the end, after the finalizer", async () => {
    const queue = Effect.runSync(Queue.unbounded<number>())
    let finalized = false
    const stream = Stream.fromQueue(queue).pipe(
      Stream.ensuring(
        Effect.sync(() => {
          finalized = true
        })
      )
    )
    const iterator = iterable(stream)[Symbol.asyncIterator]()
    Queue.offerUnsafe(queue, 1)
    assert.deepStrictEqual(await iterator.next(), { done: false, value: 1 })
    const waiting = iterator.next()
    await iterator.return!()
    assert.isTrue(finalized)
    assert.strictEqual((await waiting).done, true)
    assert.strictEqual((await iterator.next()).done, true)
  })

  it("throws what its caller throws into it, and has ended", async () => {
    const { finalized, values } = makeStream([[1, 2]], false)
    const iterator = iterable(values)[Symbol.asyncIterator]()
    await iterator.next()
    const thrown = await iterator.throw!(new Broken()).catch((error: unknown) => error)
    assert.instanceOf(thrown, Broken)
    assert.strictEqual(finalized(), 1)
    assert.strictEqual((await iterator.next()).done, true)
  })
})
