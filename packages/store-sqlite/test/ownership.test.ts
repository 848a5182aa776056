import { assert, describe, it } from "@effect/vitest"
import { makeSessionId, type SessionId } from "@holdfast/core"
import { createdEvent, newEvent } from "@holdfast/testkit"
import { Effect, Fiber, Stream } from "effect"
import * as fc from "fast-check"
import { DatabaseSync } from "node:sqlite"
import { SqliteEventLog } from "../src/index.ts"
import { startOwner } from "./startOwner.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

const changed = newEvent("some.thing")

/** Everything of a session, checked to be what the owner process appends. */
const stored = Effect.fnUntraced(function* (path: string, id: SessionId) {
  const log = yield* SqliteEventLog.open({ path })
  const events = yield* log.follow(id, 0).pipe(
    Stream.takeUntil((page) => page.answer === "caught-up"),
    Stream.runFold(
      () => 1,
      (next, page) => {
        if (page.answer === "caught-up") return next
        assert.strictEqual(page.answer, "exact")
        if (page.answer !== "exact") return next
        for (const event of page.events) {
          assert.strictEqual(event.seq, next++)
          if (event.seq > 1) assert.isTrue(event.bytes!.every((byte) => byte === event.seq % 256))
        }
        return next
      }
    )
  )
  const [summary] = (yield* log.sessions()).sessions
  return { head: events - 1, owner: log.owner, previousOwner: log.previousOwner, summary }
})

describe("an owner that is killed", () => {
  it("loses nothing that it acknowledged, stores nothing twice, and gives way at once", () =>
    fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 400 }), fc.constantFrom(10, 3000, 100_000), (acks, size) =>
        Effect.runPromise(
          Effect.scoped(
            Effect.gen(function* () {
              const path = `${yield* temporaryDirectory}/log.db`
              const owner = yield* startOwner(path)
              const { generation, opened } = (yield* owner.next)!
              owner.tell(`append 100000 ${size}`)
              let acknowledged = 1
              for (let n = 0; n < acks / Math.sqrt(size / 10); n++) acknowledged = (yield* owner.next)!.acknowledged!
              yield* owner.kill
              const found = yield* stored(path, opened as SessionId)
              assert.isAtLeast(found.head, acknowledged)
              assert.deepInclude(found.summary, { seq: found.head, outputBytes: (found.head - 1) * size })
              assert.strictEqual(found.owner.generation, generation! + 1)
              assert.strictEqual(found.previousOwner?.pid, owner.pid)
              assert.isFalse(found.previousOwner?.released)
            })
          )
        )
      ),
      { numRuns: 8 }
    ))
})

describe("a second owner", () => {
  it.live("is refused while the first lives, by the first one's pid, also within one process", () =>
    Effect.gen(function* () {
      const path = `${yield* temporaryDirectory}/log.db`
      const owner = yield* startOwner(path)
      const { opened } = (yield* owner.next)!
      const error = yield* Effect.flip(SqliteEventLog.open({ path }))
      assert.strictEqual(error.reason, "owned")
      assert.include(error.message, String(owner.pid))
      assert.include(error.message, "openReader")

      owner.tell("exit")
      yield* owner.ended
      const log = yield* SqliteEventLog.open({ path })
      assert.isTrue(log.previousOwner?.released)
      assert.strictEqual(yield* log.head(opened as SessionId), 1)
      assert.strictEqual((yield* Effect.flip(SqliteEventLog.open({ path }))).reason, "owned")
    })
  )

  it.live("takes over when the lease of an owner elsewhere has run out, and that one writes nothing more", () =>
    Effect.gen(function* () {
      const path = `${yield* temporaryDirectory}/log.db`
      const owner = yield* startOwner(path)
      const { opened } = (yield* owner.next)!
      owner.tell("append 1 10")
      assert.strictEqual((yield* owner.next)?.acknowledged, 2)
      // As if it were on another machine that has not been heard of for long.
      const db = new DatabaseSync(path)
      db.exec("UPDATE lease SET host = 'elsewhere'")
      assert.strictEqual((yield* Effect.flip(SqliteEventLog.open({ path }))).reason, "owned")
      db.exec("UPDATE lease SET heartbeat = heartbeat - 60000")
      db.close()

      const log = yield* SqliteEventLog.open({ path })
      const id = opened as SessionId
      yield* log.append(id, 2, [changed])
      owner.tell("append 1 10")
      const said = (yield* owner.next)!
      assert.deepInclude(said, { error: "LogUnavailable", reason: "owner-lost" })
      assert.include(said.message, String(process.pid))
      yield* owner.ended
      assert.strictEqual(yield* log.head(id), 3)
      yield* log.append(id, 3, [changed])
    })
  )

  it.live("ends the followers of an owner that was deposed, with the reason", () =>
    Effect.gen(function* () {
      const path = `${yield* temporaryDirectory}/log.db`
      const log = yield* SqliteEventLog.open({ path })
      const id = makeSessionId()
      yield* log.append(id, 0, [createdEvent()])
      const follower = yield* Effect.forkScoped(Effect.flip(Stream.runDrain(log.follow(id, 1))))
      const lister = yield* Effect.forkScoped(Effect.flip(Stream.runDrain(log.followSessions())))
      const db = new DatabaseSync(path)
      db.exec("UPDATE lease SET generation = generation + 1")
      db.close()
      for (let again = 0; again < 2; again++) {
        const error = yield* Effect.flip(log.append(id, 1, [changed]))
        assert.deepInclude(error, { _tag: "LogUnavailable", reason: "owner-lost" })
      }
      assert.deepInclude(yield* Fiber.join(follower), { reason: "owner-lost" })
      assert.deepInclude(yield* Fiber.join(lister), { reason: "owner-lost" })
      assert.strictEqual(yield* log.head(id), 1)
    })
  )
})

describe("another process", () => {
  it.live("reads, lists and follows what the owner appends, and is told whom to ask for writing", () =>
    Effect.gen(function* () {
      const path = `${yield* temporaryDirectory}/log.db`
      const owner = yield* startOwner(path)
      const id = (yield* owner.next)!.opened as SessionId
      const log = yield* SqliteEventLog.openReader({ path })
      const listed: Array<number> = []
      const lister = yield* log.followSessions().pipe(
        Stream.tap((item) =>
          Effect.sync(() => {
            if (item.kind === "changed") listed.push(item.sessions[0]!.outputBytes)
          })
        ),
        Stream.takeUntil(() => listed.at(-1) === 500),
        Stream.runDrain,
        Effect.forkScoped
      )
      const follower = yield* log.follow(id, 0).pipe(
        Stream.tap((item) =>
          Effect.sync(() => item.answer === "caught-up" && item.cursor === 1 && owner.tell("append 50 10"))
        ),
        Stream.takeUntil((item) => item.cursor === 51),
        Stream.runCollect,
        Effect.forkScoped
      )
      const pages = yield* Fiber.join(follower)
      const events = pages.flatMap((page) => (page.answer === "exact" ? page.events : []))
      assert.deepStrictEqual(
        events.map((event) => event.seq),
        Array.from({ length: 51 }, (_, index) => index + 1)
      )
      yield* Fiber.join(lister)

      const error = yield* Effect.flip(log.append(id, 51, [changed]))
      assert.deepInclude(error, { _tag: "LogUnavailable", reason: "read-only" })
      assert.include((error as Error).message, String(owner.pid))
      for (const refused of [
        log.remove(id),
        log.vacuum,
        log.gc({ now: 0 }),
        log.compact(id, { kind: "item", itemId: "i", from: 1, by: 2 })
      ]) {
        assert.deepInclude(yield* Effect.flip<unknown, unknown, never>(refused), { reason: "read-only" })
      }
      assert.strictEqual((yield* log.owner)?.pid, owner.pid)
      assert.strictEqual((yield* log.stats).events, 51)
    })
  )

  it.live("sees that the owner deleted a session", () =>
    Effect.gen(function* () {
      const path = `${yield* temporaryDirectory}/log.db`
      const log = yield* SqliteEventLog.open({ path })
      const id = makeSessionId()
      yield* log.append(id, 0, [createdEvent()])
      const reader = yield* SqliteEventLog.openReader({ path })
      const follower = yield* reader.follow(id, 1).pipe(
        Stream.tap((item) => (item.answer === "caught-up" ? log.remove(id) : Effect.void)),
        Stream.runCollect,
        Effect.forkScoped
      )
      const lister = yield* reader.followSessions().pipe(
        Stream.takeUntil((item) => item.kind === "gone"),
        Stream.runCollect,
        Effect.forkScoped
      )
      assert.deepInclude((yield* Fiber.join(follower)).at(-1), { answer: "gap", reason: "removed" })
      assert.deepInclude((yield* Fiber.join(lister)).at(-1), { kind: "gone", sessionIds: [id] })
    })
  )
})
