import { assert, describe, it } from "@effect/vitest"
import { createdEvent, newEvent } from "@holdfast/testkit"
import { Cause, Effect, Exit, Fiber, Stream } from "effect"
import * as fc from "fast-check"
import { type Followed, LogUnavailable } from "../src/EventLog.ts"
import type { EventRecord } from "../src/EventRecord.ts"
import { makeSessionId } from "../src/Ids.ts"
import { makeMemory } from "../src/MemoryEventLog.ts"
import { makeSessionFeed, type SessionFeedOptions } from "../src/SessionFeed.ts"

/** A log whose feed is at hand, and which counts how often the store is read. */
const makeWatched = Effect.fnUntraced(function* (options?: SessionFeedOptions) {
  const log = makeMemory()
  const id = makeSessionId()
  yield* log.append(id, 0, [createdEvent()])
  let reads = 0
  const feed = makeSessionFeed((sessionId, after, bounds) => {
    reads++
    return log.read(sessionId, after, bounds)
  }, options)
  let head = 1
  const append = Effect.fnUntraced(function* (size = 10, count = 1) {
    const events = Array.from({ length: count }, () => newEvent("some.thing", {}, { bytes: new Uint8Array(size) }))
    yield* log.append(id, head, events)
    const page = yield* log.read(id, head)
    head += count
    if (page.answer === "exact") feed.publish(id, page.events)
  })
  const follower = Effect.fnUntraced(function* () {
    const pull = yield* Stream.toPull(feed.follow(id, 0))
    return Effect.map(pull, (items) => items as ReadonlyArray<Followed>)
  })
  return { log, id, feed, append, follower, reads: () => reads, head: () => head }
})

const records = (items: ReadonlyArray<Followed>): ReadonlyArray<EventRecord> =>
  items.flatMap((item) => (item.answer === "exact" ? item.events : []))

describe("the live tail", () => {
  it.effect(
    "hands all followers the very same records, so that each is encoded once, and reads no store for them",
    () =>
      Effect.gen(function* () {
        const { append, follower, reads } = yield* makeWatched()
        const followers = yield* Effect.all(Array.from({ length: 100 }, () => follower()))
        for (const next of followers) yield* next
        const joined = reads()
        for (let round = 0; round < 5; round++) {
          yield* append()
          const seen = new Set<EventRecord>()
          for (const next of followers) for (const record of records(yield* next)) seen.add(record)
          assert.strictEqual(seen.size, 1)
        }
        assert.strictEqual(reads(), joined)
      })
  )

  it.effect("hands all the very same pages, in the plain way or by the stream, and reads no store for them", () =>
    Effect.gen(function* () {
      const { append, feed, id, reads } = yield* makeWatched()
      const seen: Array<Followed> = []
      const take = (page: Followed) => seen.push(page) > 0
      const see = (page: Followed) => Effect.sync(() => void (page.answer === "exact" && seen.push(page)))
      for (let count = 0; count < 50; count++) {
        const plain = Stream.runDrain(feed.follow(id, 0, { take }))
        yield* Effect.forkScoped(plain, { startImmediately: true })
        yield* Effect.forkScoped(Stream.runForEach(feed.follow(id, 0), see), { startImmediately: true })
      }
      seen.length = 0
      const joined = reads()
      for (let round = 1; round <= 5; round++) {
        yield* append()
        while (seen.length < round * 100) yield* Effect.yieldNow
      }
      assert.strictEqual(new Set(seen).size, 5)
      assert.strictEqual(reads(), joined)
    })
  )

  it.effect("cuts pages at the same ends for followers that are not side by side, so that they share them again", () =>
    Effect.gen(function* () {
      const { append, feed, id } = yield* makeWatched()
      const join = () => Stream.toPull(feed.follow(id, 0, { maxBytes: 10_000 }))
      const [quick, slow] = [yield* join(), yield* join()]
      yield* quick
      yield* slow
      yield* append(1000)
      yield* append(1000)
      const begun = [...(yield* quick)]
      for (let n = 0; n < 30; n++) yield* append(1000)
      const pages = { quick: new Set<Followed>(begun), slow: new Set<Followed>() }
      for (const [pull, seen] of [[quick, pages.quick] as const, [slow, pages.slow] as const]) {
        const seqs = records([...seen]).map(({ seq }) => seq)
        while (seqs.at(-1) !== 33) {
          for (const page of yield* pull) {
            seen.add(page)
            for (const { seq } of records([page])) seqs.push(seq)
          }
        }
        assert.deepStrictEqual(
          seqs,
          Array.from({ length: 32 }, (_, n) => n + 2)
        )
      }
      const shared = [...pages.slow].filter((page) => page.answer === "exact" && pages.quick.has(page))
      assert.isAtLeast(shared.length, 5)
    })
  )

  it.effect("keeps no more than its bound for a follower that stalls, who then reads the store", () =>
    Effect.gen(function* () {
      const { append, follower, head, reads } = yield* makeWatched({ ringBytes: 5000 })
      const [stalled, quick] = [yield* follower(), yield* follower()]
      yield* stalled
      yield* quick
      const joined = reads()
      for (let n = 0; n < 50; n++) {
        yield* append(1000)
        assert.strictEqual(records(yield* quick).length, 1)
      }
      assert.strictEqual(reads(), joined)
      const late: Array<number> = []
      while (late.at(-1) !== head()) for (const { seq } of records(yield* stalled)) late.push(seq)
      assert.deepStrictEqual(
        late,
        Array.from({ length: 50 }, (_, n) => n + 2)
      )
      assert.isAbove(reads(), joined)
    })
  )

  it.effect("empties the ring of the session that has been quiet for longest when all of them are too large", () =>
    Effect.gen(function* () {
      const log = makeMemory()
      const ids = [makeSessionId(), makeSessionId()] as const
      let reads = 0
      const feed = makeSessionFeed(
        (sessionId, after) => {
          reads++
          return log.read(sessionId, after)
        },
        { totalBytes: 3000 }
      )
      const stalled = []
      for (const id of ids) {
        yield* log.append(id, 0, [createdEvent()])
        stalled.push(yield* Stream.toPull(feed.follow(id, 0)))
        yield* stalled.at(-1)!
      }
      for (const id of ids) {
        yield* log.append(id, 1, [newEvent("some.thing", {}, { bytes: new Uint8Array(2000) })])
        const page = yield* log.read(id, 1)
        feed.publish(id, page.answer === "exact" ? page.events : [])
      }
      const joined = reads
      yield* stalled[1]!
      assert.strictEqual(reads, joined)
      assert.deepInclude((yield* stalled[0]!)[0], { answer: "exact", cursor: 2 })
      assert.strictEqual(reads, joined + 1)
    })
  )

  it.effect("ends every follower when the log fails, and knows who follows", () =>
    Effect.gen(function* () {
      const { feed, id } = yield* makeWatched()
      assert.isFalse(feed.isFollowed(id))
      const fiber = yield* Effect.forkScoped(Effect.flip(Stream.runDrain(feed.follow(id, 0))), {
        startImmediately: true
      })
      assert.isTrue(feed.isFollowed(id))
      assert.deepStrictEqual([...feed.followed()], [id])
      const error = new LogUnavailable({ operation: "serve", reason: "closed", detail: "gone" })
      feed.fail(error)
      assert.strictEqual(yield* Fiber.join(fiber), error)
      assert.isFalse(feed.isFollowed(id))
    })
  )

  it("brings every event once and in order, in the plain way or by the stream, whatever is refused or stored meanwhile, and however slow the reading", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            size: fc.integer({ min: 1, max: 2_000 }),
            count: fc.integer({ min: 1, max: 6 }),
            yields: fc.nat({ max: 3 })
          }),
          {
            maxLength: 40
          }
        ),
        fc.constantFrom(0, 3_000, 100_000),
        fc.array(fc.record({ takes: fc.array(fc.boolean()), naps: fc.nat({ max: 3 }), stores: fc.nat({ max: 3 }) }), {
          minLength: 1,
          maxLength: 4
        }),
        (appends, ringBytes, readers) =>
          Effect.runPromise(
            Effect.scoped(
              Effect.gen(function* () {
                const { append, feed, head, id } = yield* makeWatched({ ringBytes })
                const all = readers.map(({ naps, stores, takes }) => {
                  const seqs: Array<number> = []
                  const note = (page: Followed) => records([page]).forEach(({ seq }) => seqs.push(seq))
                  let offered = 0
                  let stored = 0
                  const take = (page: Followed) => {
                    const takesIt = takes.length > 0 && takes[offered++ % takes.length]!
                    if (!takesIt) return false
                    note(page)
                    // Others, and it itself, are told of more while they are told of this.
                    if (stored++ < stores) Effect.runSync(append())
                    return true
                  }
                  const read = Stream.runForEach(feed.follow(id, 0, { maxBytes: 4_000, take }), (page) => {
                    note(page)
                    return Effect.replicateEffect(Effect.yieldNow, naps, { discard: true })
                  })
                  return { seqs, read }
                })
                for (const { read } of all) yield* Effect.forkScoped(read, { startImmediately: true })
                for (const { count, size, yields } of appends) {
                  yield* append(size, count)
                  yield* Effect.replicateEffect(Effect.yieldNow, yields, { discard: true })
                }
                while (all.some(({ seqs }) => seqs.at(-1) !== head())) yield* Effect.yieldNow
                const expected = Array.from({ length: head() }, (_, n) => n + 1)
                for (const { seqs } of all) assert.deepStrictEqual(seqs, expected)
              })
            )
          )
      ),
      { numRuns: 100 }
    ))

  it.effect(
    "offers nothing to a follower that has ended itself by what it took, and ends one whose taking throws",
    () =>
      Effect.gen(function* () {
        const { append, feed, id } = yield* makeWatched()
        let offered = 0
        const leaving: Fiber.Fiber<void, unknown> = yield* Effect.forkScoped(
          Stream.runDrain(
            feed.follow(id, 0, {
              take: () => {
                offered++
                leaving.interruptUnsafe()
                return true
              }
            })
          ),
          { startImmediately: true }
        )
        const broken = yield* Effect.forkScoped(
          Stream.runDrain(
            feed.follow(id, 0, {
              take: () => {
                throw new Error("not mine")
              }
            })
          ),
          { startImmediately: true }
        )
        const taken: Array<number> = []
        const take = (page: Followed) => taken.push(page.cursor) > 0
        const staying = yield* Effect.forkScoped(Stream.runDrain(feed.follow(id, 0, { take })), {
          startImmediately: true
        })
        yield* append()
        yield* append()
        assert.strictEqual(offered, 1)
        assert.deepStrictEqual(taken, [2, 3])
        const exit = yield* Fiber.await(broken)
        assert.include(String(Exit.isFailure(exit) ? Cause.squash(exit.cause) : exit), "not mine")
        yield* Fiber.await(leaving)
        yield* Fiber.interrupt(staying)
        assert.isFalse(feed.isFollowed(id))
      })
  )
})
