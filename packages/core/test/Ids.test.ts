import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as fc from "fast-check"
import { ItemId, makeCommandId, makeSessionId, makeUuid, maxIdLength, ParticipantId, SessionId } from "../src/Ids.ts"

const time = fc.integer({ min: 0, max: 2 ** 48 - 1 })
const random = fc.uint8Array({ minLength: 16, maxLength: 16 })

describe("Ids that Holdfast makes", () => {
  it("sort by the time at which they were made", () => {
    fc.assert(
      fc.property(time, time, random, random, (a, b, x, y) => {
        fc.pre(a !== b)
        const [first, second] = [makeUuid({ now: a, random: x }), makeUuid({ now: b, random: y })]
        assert.strictEqual(first < second, a < b)
      }),
      { numRuns: 300 }
    )
  })

  it("are version 7 UUIDs, the same for the same time and randomness", () => {
    const is = Schema.is(SessionId)
    fc.assert(
      fc.property(time, random, (now, random) => {
        assert.isTrue(is(makeUuid({ now, random })))
        assert.strictEqual(makeUuid({ now, random }), makeUuid({ now, random }))
      }),
      { numRuns: 300 }
    )
  })

  it("come in order and never twice from the platform's own clock", () => {
    const ids = Array.from({ length: 1_000 }, () => makeCommandId() as string)
    assert.strictEqual(new Set(ids).size, ids.length)
    assert.deepStrictEqual(ids.toSorted(), ids)
    assert.isTrue(Schema.is(SessionId)(makeSessionId()))
  })

  it("of another version, in upper case or cut are not taken", () => {
    const is = Schema.is(SessionId)
    const id = makeUuid({ now: 1, random: new Uint8Array(16) })
    for (const bad of [id.replace("-7", "-4"), id.toUpperCase().replace("7", "A"), id.slice(1), `${id} `, ""]) {
      assert.isFalse(is(bad), bad)
    }
  })
})

describe("Ids that others give", () => {
  it("are any text within a bound", () => {
    const is = Schema.is(ItemId)
    for (const good of ["1", "msg_1", "__proto__", "ü".repeat(maxIdLength)]) assert.isTrue(is(good), good)
    for (const bad of ["", "x".repeat(maxIdLength + 1), 5, null]) assert.isFalse(is(bad))
  })

  it("cannot be the names by which the host and the runtime go", () => {
    const is = Schema.is(ParticipantId)
    for (const taken of ["host", "runtime"]) assert.isFalse(is(taken))
    assert.isTrue(is("hostess"))
  })
})
