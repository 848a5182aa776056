import { type EventBody, type EventLogService, type SessionId } from "@holdfast/core"
import { Deferred, Effect, Exit, Logger, Option, Queue, Scope } from "effect"
import { TestClock } from "effect/testing"
import { assert, describe, it } from "vitest"
import { screenAt } from "../../src/screen/SessionScreen.ts"
import type { SnapshotPolicy } from "../../src/screen/SnapshotPolicy.ts"
import { makeSnapshotter, type Snapshotter } from "../../src/screen/Snapshotter.ts"
import { event, makeTerminalLog, type TerminalLog } from "./terminalLog.ts"

const kib = 1024
const small: Partial<SnapshotPolicy> = { everyBytes: 32 * kib, quietMs: 5, maxLagBytes: 512 * kib }

interface Running {
  readonly terminal: TerminalLog
  readonly snapshotter: Snapshotter
  /** The next snapshot, once it is stored and what it replaces is gone. */
  readonly stored: () => Promise<EventBody<"terminal.snapshot">>
  /** Writes and tells, as an owner does. */
  readonly write: (text: string) => Promise<void>
  readonly stop: () => Promise<void>
}

const run = async (policy: Partial<SnapshotPolicy>, wrap = (log: EventLogService) => log): Promise<Running> => {
  const terminal = await makeTerminalLog(60, 10)
  const scope = Effect.runSync(Scope.make())
  const recorded = Effect.runSync(Queue.unbounded<EventBody<"terminal.snapshot">>())
  let snapshot: { seq: number; through: number; offset: number } | null = null
  const record = (_sessionId: SessionId, body: EventBody<"terminal.snapshot">) =>
    Effect.gen(function* () {
      const seq = yield* Effect.promise(() => terminal.append(event(body.type, body.data, body.bytes)))
      snapshot = { seq, through: body.data.through, offset: body.data.offset }
      yield* Queue.offer(recorded, body)
    })
  const snapshotter = await Effect.runPromise(
    makeSnapshotter({ log: wrap(terminal.log), record, policy: { ...small, ...policy } }).pipe(
      Scope.provide(scope),
      Effect.provide(Logger.layer([]))
    )
  )
  return {
    terminal,
    snapshotter,
    stored: () => Effect.runPromise(Queue.take(recorded)),
    write: async (text) => {
      await terminal.write(text)
      snapshotter.note(terminal.sessionId, { offset: terminal.offset(), snapshot })
    },
    stop: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

/** 40 KiB of a program that draws, and what it drew last in the first line. */
const drawing = (round: number): string => {
  let text = ""
  for (let index = 0; text.length < 40 * kib; index++) {
    text += `\x1b[${(index % 9) + 2};${(index % 50) + 1}H\x1b[3${index % 8}mat ${index}\x1b[m`
  }
  return `${text}\x1b[Hround ${round}`
}

describe("the snapshotter", () => {
  it("stores the screen after so much output, and screens go on from it", async () => {
    const { snapshotter, stop, stored, terminal, write } = await run({})
    for (let round = 0; round < 3; round++) {
      await write(drawing(round))
      const { data, bytes } = await stored()
      assert.equal(data.offset, terminal.offset())
      assert.isBelow(bytes!.length, 8 * kib)
    }
    await write("\x1b[Hend")
    const reads: Array<number> = []
    const log: EventLogService = {
      ...terminal.log,
      read: (sessionId, after, options) => {
        reads.push(after)
        return terminal.log.read(sessionId, after, options)
      }
    }
    const screen = await Effect.runPromise(screenAt(log, terminal.sessionId))
    assert.equal(screen.lines[0], "endnd 2")
    assert.isAbove(Math.min(...reads), 3)
    // What it shows is what all of the output shows.
    const plain = await Effect.runPromise(
      screenAt({ ...terminal.log, find: () => Effect.succeed(Option.none()) }, terminal.sessionId)
    )
    assert.deepEqual(screen.lines, plain.lines)
    assert.equal(screen.ansi, plain.ansi)
    snapshotter.forget(terminal.sessionId)
    await stop()
  })

  it("lets old output go, and what is kept can still be shown", async () => {
    const { stop, stored, terminal, write } = await run({ keepBytes: 200 * kib })
    for (let index = 0; index < 12; index++) {
      await write(drawing(index))
      await stored()
    }
    await stop()
    const page = await Effect.runPromise(terminal.log.read(terminal.sessionId, 0, { limit: 10_000, maxBytes: 1e9 }))
    assert(page.answer === "snapshot")
    const kept = page.events.reduce((sum, one) => sum + (one.type === "terminal.output" ? one.bytes!.length : 0), 0)
    assert.isAtLeast(kept, 200 * kib)
    assert.isBelow(kept, 330 * kib)
    const screen = await Effect.runPromise(screenAt(terminal.log, terminal.sessionId))
    assert.equal(screen.lines[0], "round 11")
  })

  it("goes on after its log failed", async () => {
    const failed = Effect.runSync(Deferred.make<void>())
    let asked = 0
    const { stop, stored, terminal, write } = await run({}, (log) => ({
      ...log,
      head: (sessionId) => {
        if (asked++ > 0) return log.head(sessionId)
        return Effect.andThen(Deferred.succeed(failed, undefined), Effect.die(new Error("broken")))
      }
    }))
    await write(drawing(0))
    await Effect.runPromise(Deferred.await(failed))
    await write(drawing(1))
    // It is tried again after 8 MiB.
    await write("\r\n".repeat(4.5 * kib * kib))
    assert.equal((await stored()).data.offset, terminal.offset())
    assert.isAbove(asked, 1)
    await stop()
  })

  it("lets a flood be, and catches up when it rests", () =>
    Effect.gen(function* () {
      const terminal = yield* Effect.promise(() => makeTerminalLog())
      const stored = yield* Deferred.make<number>()
      let reads = 0
      const log: EventLogService = {
        ...terminal.log,
        read: (sessionId, after, options) => {
          reads++
          return terminal.log.read(sessionId, after, options)
        }
      }
      const record = (_sessionId: SessionId, body: EventBody<"terminal.snapshot">) =>
        Effect.asVoid(Deferred.succeed(stored, body.data.offset))
      const snapshotter = yield* makeSnapshotter({
        log,
        record,
        policy: { quietMs: 100, quietBytes: 1, maxLagBytes: 9 * kib * kib }
      })
      const write = (text: string) =>
        Effect.promise(async () => {
          await terminal.write(text)
          snapshotter.note(terminal.sessionId, { offset: terminal.offset(), snapshot: null })
        })
      for (let index = 0; index < 40; index++) {
        yield* write("flood\r\n".repeat(20 * kib))
        yield* TestClock.adjust(60)
      }
      assert.isAbove(terminal.offset(), 5 * kib * kib)
      assert.equal(reads, 0)
      yield* TestClock.adjust(200)
      assert.equal(yield* Deferred.await(stored), terminal.offset())
    }).pipe(Effect.scoped, Effect.provide(TestClock.layer()), Effect.runPromise))

  it("is not put off by a program that draws without a rest, nor by the end of the session", () =>
    Effect.gen(function* () {
      const terminal = yield* Effect.promise(() => makeTerminalLog())
      const stored = yield* Deferred.make<number>()
      const record = (_sessionId: SessionId, body: EventBody<"terminal.snapshot">) =>
        Effect.asVoid(Deferred.succeed(stored, body.data.offset))
      const snapshotter = yield* makeSnapshotter({ log: terminal.log, record, policy: { everyBytes: 32 * kib } })
      const write = (text: string) =>
        Effect.promise(async () => {
          await terminal.write(text)
          snapshotter.note(terminal.sessionId, { offset: terminal.offset(), snapshot: null })
        })
      yield* write(drawing(0))
      yield* TestClock.adjust(100)
      yield* write(drawing(1))
      snapshotter.forget(terminal.sessionId)
      yield* TestClock.adjust(100)
      assert.equal(yield* Deferred.await(stored), terminal.offset())
    }).pipe(Effect.scoped, Effect.provide(TestClock.layer()), Effect.runPromise))

  it("does not wait for a rest for ever", () =>
    Effect.gen(function* () {
      const terminal = yield* Effect.promise(() => makeTerminalLog())
      const stored = yield* Deferred.make<number>()
      const record = (_sessionId: SessionId, body: EventBody<"terminal.snapshot">) =>
        Effect.asVoid(Deferred.succeed(stored, body.data.offset))
      const policy = { quietMs: 100, quietBytes: 1, maxLagBytes: 2 * kib * kib }
      const snapshotter = yield* makeSnapshotter({ log: terminal.log, record, policy })
      while (!(yield* Deferred.isDone(stored))) {
        yield* Effect.promise(() => terminal.write("flood\r\n".repeat(20 * kib)))
        snapshotter.note(terminal.sessionId, { offset: terminal.offset(), snapshot: null })
        yield* TestClock.adjust(60)
        // The thread works in real time.
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      }
      assert.isAbove(yield* Deferred.await(stored), policy.maxLagBytes)
    }).pipe(Effect.scoped, Effect.provide(TestClock.layer()), Effect.runPromise))
})
