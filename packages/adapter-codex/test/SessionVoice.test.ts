import { assert, describe, it } from "@effect/vitest"
import type { BackendEvent, BackendLost, ItemId, PromptId, TurnId } from "@holdfast/core"
import { Effect, Fiber, FiberSet, Stream } from "effect"
import { TestClock } from "effect/testing"
import { makeSessionVoice } from "../src/SessionVoice.ts"

const flood: ReadonlyArray<BackendEvent> = Array.from({ length: 200 }, (_, index) => ({
  type: "item.delta",
  data: { itemId: `item-${index}` as ItemId, field: "text", text: "x".repeat(10_000) }
}))

const makeBench = Effect.gen(function* () {
  const fork = yield* FiberSet.makeRuntime<never, void, never>()
  const holders = new Set<object>()
  const voice = makeSessionVoice(
    "codex",
    { hold: (who) => holders.add(who), letGo: (who) => holders.delete(who) },
    fork
  )
  return { voice, holders }
})

describe("A session's voice", () => {
  it.effect("holds the server back while too much waits, and lets it go on when that was taken", () =>
    Effect.gen(function* () {
      const { holders, voice } = yield* makeBench
      voice.tell(flood)
      assert.strictEqual(holders.size, 1)
      const reading = yield* Effect.forkChild(Stream.runCount(voice.events), { startImmediately: true })
      yield* TestClock.adjust(60_000)
      assert.strictEqual(holders.size, 0)
      assert.isFalse(voice.isOver())
      voice.end()
      assert.isAbove(yield* Fiber.join(reading), 0)
    })
  )

  it.effect("is lost, so that the others on the server go on, when nobody takes what it tells for 20 s", () =>
    Effect.gen(function* () {
      const { holders, voice } = yield* makeBench
      voice.tell(flood)
      yield* TestClock.adjust(19_999)
      assert.strictEqual(holders.size, 1)
      yield* TestClock.adjust(1)
      assert.strictEqual(holders.size, 0)
      const lost = (yield* Effect.flip(Stream.runDrain(voice.events))) as BackendLost
      assert.deepInclude(lost, { retryable: true, reason: "nobody takes its events" })
    })
  )

  it.effect("tells of a prompt once where the start of its turn says that it was delivered", () =>
    Effect.gen(function* () {
      const { voice } = yield* makeBench
      const turnId = "turn" as TurnId
      const [first, steered] = ["first", "steered"] as [PromptId, PromptId]
      const seen: Array<BackendEvent> = []
      voice.watch.each((event) => seen.push(event))
      const said: ReadonlyArray<BackendEvent> = [
        { type: "turn.started", data: { turnId, promptId: first } },
        { type: "prompt.delivered", data: { turnId, promptId: first } },
        { type: "prompt.delivered", data: { turnId, promptId: steered } },
        { type: "turn.completed", data: { turnId, outcome: "completed" } },
        { type: "turn.started", data: { turnId } },
        { type: "prompt.delivered", data: { turnId, promptId: first } }
      ]
      for (const event of said) voice.tell([event])
      voice.end()
      const told = (yield* Stream.runCollect(voice.events)).flat()
      assert.deepStrictEqual(told, said.toSpliced(1, 1))
      assert.deepStrictEqual(seen, said)
    })
  )

  it.effect("lets nobody wait for an event that will not come", () =>
    Effect.gen(function* () {
      const { voice } = yield* makeBench
      const never = () => undefined
      const waiting = yield* Effect.forkChild(Effect.flip(voice.watch.during(never, (found) => found)), {
        startImmediately: true
      })
      voice.end()
      assert.strictEqual((yield* Fiber.join(waiting))._tag, "BackendLost")
      assert.strictEqual((yield* Effect.flip(voice.watch.during(never, (found) => found)))._tag, "BackendLost")
    })
  )
})
