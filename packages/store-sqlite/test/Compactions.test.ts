import { assert, describe, it } from "@effect/vitest"
import { makeSessionId } from "@holdfast/core"
import { createdEvent, newEvent } from "@holdfast/testkit"
import { Effect, Fiber } from "effect"
import { makeCompactions } from "../src/Compactions.ts"
import { SqliteEventLog } from "../src/index.ts"
import type { CompactSlice } from "../src/Maintenance.ts"
import type { WriterJob } from "../src/SqliteWriter.ts"
import type { JobResult } from "../src/WriterThread.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

const item = (session: number): CompactSlice => ({ kind: "item", session, itemId: "i", by: 9, cursor: 1 })
const failed: JobResult = { ok: false, ownerLost: false, message: "it is damaged", errcode: 11 }

/** Does jobs at once, and fails those that a damaged session is among. */
const makeThread = (damaged?: number) => {
  const jobs: Array<ReadonlyArray<number>> = []
  const run = (job: WriterJob, done: (result: JobResult) => void) => {
    if (job.kind !== "compact") throw new Error(job.kind)
    const sessions = job.slices.map(({ session }) => session)
    jobs.push(sessions)
    done(sessions.includes(damaged ?? -1) ? failed : { ok: true, walBytes: 0, result: sessions })
  }
  return { jobs, run }
}

const streamed = (itemId: string) => [
  newEvent("item.started", { itemId, kind: "message" }),
  newEvent("item.delta", { itemId, field: "text", text: "Hello" }),
  newEvent("item.completed", { itemId, kind: "message", status: "completed", text: "Hello" })
]

describe("Compactions", () => {
  it("are one job where they come within a moment, and each has its own result", () => {
    const { jobs, run } = makeThread()
    const results: Array<unknown> = []
    const compactions = makeCompactions(run, 10_000)
    for (const session of [1, 2, 3]) {
      compactions.add(item(session), (result) => results.push("result" in result ? result.result : result), false)
    }
    assert.deepStrictEqual(jobs, [])
    compactions.flush()
    assert.deepStrictEqual(jobs, [[1, 2, 3]])
    assert.deepStrictEqual(results, [1, 2, 3])
    compactions.flush()
    assert.strictEqual(jobs.length, 1)
  })

  it("do not wait where they are hurried, nor for more than 256", () => {
    const { jobs, run } = makeThread()
    const compactions = makeCompactions(run, 10_000)
    compactions.add(item(1), () => undefined, false)
    compactions.add(item(2), () => undefined, true)
    assert.deepStrictEqual(jobs, [[2]])
    for (let session = 3; session < 258; session++) compactions.add(item(session), () => undefined, false)
    assert.deepStrictEqual([jobs.length, jobs[1]?.length], [2, 256])
  })

  it("are done one by one where one of them fails, so that it spoils no other", () => {
    const { jobs, run } = makeThread(2)
    const results: Array<JobResult> = []
    const compactions = makeCompactions(run, 10_000)
    for (const session of [1, 2, 3])
      compactions.add(item(session), (result) => results.push(result as JobResult), false)
    compactions.flush()
    assert.deepStrictEqual(jobs, [[1, 2, 3], [1], [2], [3]])
    assert.deepStrictEqual(
      results.map(({ ok }) => ok),
      [true, false, true]
    )
  })

  it.live("of many items at once leave each with its whole text and without its pieces", () =>
    Effect.gen(function* () {
      const log = yield* SqliteEventLog.open({ path: `${yield* temporaryDirectory}/log.db`, compactAfterMs: 1 })
      const sessions = Array.from({ length: 20 }, () => makeSessionId())
      for (const id of sessions) yield* log.append(id, 0, [createdEvent(), ...streamed("i")])
      const removed = yield* Effect.forEach(
        sessions,
        (id) => log.compact(id, { kind: "item", itemId: "i", from: 2, by: 4 }),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        removed.map(({ events }) => events),
        sessions.map(() => 1)
      )
      for (const id of sessions) {
        const page = yield* log.read(id, 0)
        assert.deepStrictEqual(page.answer === "gap" ? [] : page.events.map(({ seq }) => seq), [1, 2, 4])
      }
    })
  )

  it.live("that wait are done before a vacuum gives the space back", () =>
    Effect.gen(function* () {
      const path = `${yield* temporaryDirectory}/log.db`
      const log = yield* SqliteEventLog.open({ path, compactAfterMs: 10_000 })
      const id = makeSessionId()
      yield* log.append(id, 0, [createdEvent(), ...streamed("i")])
      const compacting = yield* Effect.forkChild(log.compact(id, { kind: "item", itemId: "i", from: 2, by: 4 }), {
        startImmediately: true
      })
      yield* log.vacuum
      assert.strictEqual((yield* log.stats).events, 3)
      assert.strictEqual((yield* Fiber.join(compacting)).events, 1)
    })
  )

  it.live("that wait when the log is closed are done before it is", () =>
    Effect.gen(function* () {
      const path = `${yield* temporaryDirectory}/log.db`
      const id = makeSessionId()
      const compacting = yield* Effect.scoped(
        Effect.gen(function* () {
          const log = yield* SqliteEventLog.open({ path, compactAfterMs: 10_000 })
          yield* log.append(id, 0, [createdEvent(), ...streamed("i")])
          return yield* Effect.forkDetach(log.compact(id, { kind: "item", itemId: "i", from: 2, by: 4 }), {
            startImmediately: true
          })
        })
      )
      assert.strictEqual((yield* Fiber.join(compacting)).events, 1)
      const log = yield* SqliteEventLog.open({ path })
      assert.strictEqual((yield* log.stats).events, 3)
    })
  )
})
