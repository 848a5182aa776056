import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as fc from "fast-check"
import { makeDeadlines } from "../src/Deadlines.ts"

describe("Deadlines", () => {
  it.effect("come in their time and once, whatever the order in which they were set", () =>
    Effect.gen(function* () {
      const deadlines = yield* makeDeadlines
      const came: Array<number> = []
      for (const ms of [300, 100, 200, 100]) deadlines.set(ms, () => came.push(ms))
      yield* TestClock.adjust(99)
      assert.deepStrictEqual(came, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(came, [100, 100])
      yield* TestClock.adjust(1_000)
      assert.deepStrictEqual(came, [100, 100, 200, 300])
    })
  )

  it.effect("do not come when they were taken back, also by another one in the same moment", () =>
    Effect.gen(function* () {
      const deadlines = yield* makeDeadlines
      const came: Array<string> = []
      const takeBack: Array<() => void> = []
      deadlines.set(10, () => {
        came.push("first")
        for (const cancel of takeBack) cancel()
        deadlines.set(0, () => came.push("again"))
      })
      takeBack.push(deadlines.set(10, () => came.push("second")))
      deadlines.set(5, () => came.push("never"))()
      yield* TestClock.adjust(20)
      assert.deepStrictEqual(came, ["first", "again"])
    })
  )

  it.effect("come all, each in its time, for any of them", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(
          fc.array(fc.record({ at: fc.nat(50), ms: fc.nat(50), isKept: fc.boolean() }), { maxLength: 20 }),
          (all) =>
            Effect.gen(function* () {
              const deadlines = yield* makeDeadlines
              const came: Array<string> = []
              for (let time = 0; time <= 101; time++) {
                for (const [index, { at, isKept, ms }] of all.entries()) {
                  if (at !== time) continue
                  const cancel = deadlines.set(ms, () => came.push(`${index}`))
                  if (!isKept) cancel()
                }
                yield* TestClock.adjust(1)
                const due = all.flatMap(({ at, isKept, ms }, index) =>
                  isKept && at <= time && at + Math.max(1, ms) <= time + 1 ? [`${index}`] : []
                )
                assert.sameMembers(came, due)
              }
            }).pipe(Effect.scoped, Effect.provide(TestClock.layer()), Effect.runPromise)
        ),
        { numRuns: 30 }
      )
    )
  )

  it.effect("that are left at the end of the scope never come", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const deadlines = yield* Scope.provide(makeDeadlines, scope)
      deadlines.set(10, () => assert.fail("it came"))
      yield* Scope.close(scope, Exit.void)
      yield* TestClock.adjust(20)
    })
  )
})
