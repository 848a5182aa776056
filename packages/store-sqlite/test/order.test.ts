import { makeSessionId, type NewEvent } from "@holdfast/core"
import { createdEvent, newEvent } from "@holdfast/testkit"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
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

  it.live("comes before what is appended by who sees it, in the very step", () =>
    Effect.gen(function* () {
      const log = yield* SqliteEventLog.open({ path: `${yield* temporaryDirectory}/log.db` })
      const sessionId = makeSessionId()
      yield* log.append(sessionId, 0, [createdEvent()])
      const answer = newEvent("session.renamed", { title: "seen" })
      const seen: Array<number> = []
      const follower = yield* log.follow(sessionId, 1).pipe(
        Stream.tap((page) => {
          if (page.answer !== "exact") return Effect.void
          for (const { seq } of page.events) seen.push(seq)
          return page.cursor < 8 ? log.append(sessionId, page.cursor, [answer]) : Effect.void
        }),
        Stream.takeUntil(() => seen.at(-1) === 8),
        Stream.runDrain,
        Effect.forkScoped({ startImmediately: true })
      )
      // Past the rest after which output is committed in its own step.
      yield* Effect.sleep(10)
      yield* log.append(sessionId, 1, [newEvent("terminal.output", { offset: 0 }, { bytes: Buffer.from("a") })])
      yield* Fiber.join(follower)
      assert.deepStrictEqual(seen, [2, 3, 4, 5, 6, 7, 8])
    })
  )
})
