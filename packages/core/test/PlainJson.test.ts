import { jsonArbitrary, newEvent } from "@holdfast/testkit"
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as fc from "fast-check"
import { makeSessionId } from "../src/Ids.ts"
import { checkNewEvents } from "../src/NewEvents.ts"
import { copyPlainJson } from "../src/PlainJson.ts"

const anything = fc.anything({
  withBigInt: true,
  withBoxedValues: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withObjectString: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true
})

/** Every object in a value. */
const objectsIn = (value: unknown): ReadonlyArray<object> =>
  typeof value === "object" && value !== null ? [value, ...Object.values(value).flatMap(objectsIn)] : []

describe("A plain copy", () => {
  it("is what its JSON is read as, whatever was copied", () => {
    fc.assert(
      fc.property(fc.oneof(anything, jsonArbitrary), (value) => {
        const copy = copyPlainJson(value)
        if (copy === undefined) return
        assert.deepStrictEqual(copy, JSON.parse(JSON.stringify(value)))
        assert.strictEqual(JSON.stringify(copy), JSON.stringify(value))
      }),
      { numRuns: 2_000 }
    )
  })

  it("is made of all JSON, and shares no object with it", () => {
    fc.assert(
      fc.property(jsonArbitrary, (value) => {
        const given = JSON.parse(JSON.stringify(value)) as unknown
        const copy = copyPlainJson(given)
        assert.deepStrictEqual(copy, given)
        const own = new Set(objectsIn(given))
        for (const object of objectsIn(copy)) assert.isFalse(own.has(object))
      }),
      { numRuns: 500 }
    )
  })

  it("is not made of what JSON leaves out, changes, or has no word for", () => {
    const cycle: { self?: unknown } = {}
    cycle.self = cycle
    const deep = Array.from({ length: 100 }).reduce<unknown>((inner) => ({ inner }), 1)
    const oddities = [
      undefined,
      () => 1,
      Symbol("x"),
      1n,
      -0,
      Number.NaN,
      new Date(0),
      new Uint8Array(1),
      Array.from({ length: 1 }),
      cycle,
      deep
    ]
    for (const odd of oddities) {
      assert.isUndefined(copyPlainJson(odd))
      assert.isUndefined(copyPlainJson({ a: "b", nested: [odd] }))
    }
  })

  it("keeps a property whose name is special", () => {
    const given = JSON.parse('{"__proto__":{"a":1},"constructor":"x"}') as object
    const copy = copyPlainJson(given) as object
    assert.strictEqual(JSON.stringify(copy), JSON.stringify(given))
    assert.strictEqual(Object.getPrototypeOf(copy), Object.prototype)
  })

  it("is not made of what throws when it is looked at", () => {
    const throwing = {
      get text(): string {
        throw new Error("not now")
      }
    }
    assert.isUndefined(copyPlainJson({ nested: [throwing] }))
    const sessionId = makeSessionId()
    const event = newEvent("item.delta", { itemId: "item", field: "text", text: "x", more: throwing })
    const checked = checkNewEvents(sessionId, 1, [event])
    assert.isTrue(Result.isFailure(checked))
    if (Result.isFailure(checked))
      assert.deepInclude(checked.failure, { _tag: "EventInvalid", field: "events[0].data" })
  })
})
