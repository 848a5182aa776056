import { makeSessionId, type NewEvent, type SessionId } from "@holdfast/core"
import { createdEvent, newEvent } from "@holdfast/testkit"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Stream } from "effect"
import { SqliteEventLog } from "../src/index.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

/** Who learns first of an event that is committed at once: who appended it, or who follows. */
const firstToLearn = (event: NewEvent) =>
  Effect.gen(function* () {
    const log = yield* SqliteEventLog.open({ path: `${yield* temporaryDirectory}/log.db` })
    const sessionId = makeSessionId()
    yield* log.append(sessionId, 0, [createdEvent()])
    const learnt: Array<string> = []
    const follower = yield* log.follow(sessionId, 1).pipe(
      Stream.tap((page) => Effect.sync(() => page.answer === "exact" && learnt.push("follower"))),
      Stream.takeUntil((page) => page.answer === "exact"),
      Stream.runDrain,
      Effect.forkScoped({ startImmediately: true })
    )
    yield* Effect.yieldNow
    yield* log.append(sessionId, 1, [event])
    learnt.push("writer")
    yield* Fiber.join(follower)
    return learnt
  })

describe("What is committed at once", () => {
  it.live("is known to who wrote it before it is seen, so that who acts on it is not refused", () =>
    Effect.gen(function* () {
      const event = newEvent("session.renamed", { title: "seen" })
      assert.deepStrictEqual(yield* firstToLearn(event), ["writer", "follower"])
    })
  )

  it.live("is seen first where it is output, which decides nothing and is somebody's echo", () =>
    Effect.gen(function* () {
      const event = newEvent("terminal.output", { offset: 0 }, { bytes: Buffer.from("a") })
      assert.deepStrictEqual(yield* firstToLearn(event), ["follower", "writer"])
    })
  )

  it.live(
    "is committed in the very step of who appends it where it is output after a rest, and nobody waits for its tick",
    () =>
      Effect.gen(function* () {
        const log = yield* SqliteEventLog.open({ path: `${yield* temporaryDirectory}/log.db` })
        const sessionId = makeSessionId()
        yield* log.append(sessionId, 0, [createdEvent()])
        const echo = newEvent("terminal.output", { offset: 0 }, { bytes: Buffer.from("a") })
        // The rest itself, which no event tells of: longer than the log asks for.
        yield* Effect.sleep(20)
        // Throws where it has to wait.
        assert.deepStrictEqual(Effect.runSync(log.append(sessionId, 1, [echo])), { firstSeq: 2, lastSeq: 2 })
        const found = yield* log.read(sessionId, 1)
        assert.deepStrictEqual(found.answer === "exact" && found.events.map(({ seq }) => seq), [2])
      })
  )

  it.live("is known to who wrote it before what a reader appends in the middle of it is stored", () =>
    Effect.gen(function* () {
      const log = yield* SqliteEventLog.open({ path: `${yield* temporaryDirectory}/log.db` })
      const [first, second] = [makeSessionId(), makeSessionId()]
      for (const sessionId of [first, second]) yield* log.append(sessionId, 0, [createdEvent()])
      const echo = newEvent("terminal.output", { offset: 0 }, { bytes: Buffer.from("a") })
      const stored: Array<string> = []
      const done = yield* Deferred.make<void>()
      const appendEcho = (sessionId: SessionId, name: string) =>
        Effect.runFork(log.append(sessionId, 1, [echo])).addObserver(() => {
          stored.push(name)
          if (stored.length === 2) Deferred.doneUnsafe(done, Exit.void)
        })
      yield* log.follow(first, 1).pipe(
        Stream.takeUntil((page) => page.answer === "exact"),
        Stream.runForEach((page) =>
          Effect.sync(() => {
            if (page.answer !== "exact") return
            // A reader that takes its time: what it appends comes after a rest of the log.
            for (const begun = performance.now(); performance.now() - begun < 10;);
            appendEcho(second, "the reader's")
          })
        ),
        Effect.forkScoped({ startImmediately: true })
      )
      yield* Effect.sleep(20)
      appendEcho(first, "the first")
      yield* Deferred.await(done)
      assert.deepStrictEqual(stored, ["the first", "the reader's"])
    })
  )
})
