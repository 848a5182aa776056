import { eventBodies, jsonArbitrary, numberedId } from "@holdfast/testkit"
import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as fc from "fast-check"
import { decodeRecord, encodeRecord, type EventData, type EventRecord, weigh } from "../src/EventRecord.ts"
import type { SessionId } from "../src/Ids.ts"
import { eventSchemas, invalidBecause, isKnownType, readEvent } from "../src/SessionEvent.ts"

const sessionId = numberedId(5) as SessionId
const envelope = { sessionId, seq: 1, at: 1_000, generation: 0, version: 1 }

const roundTrip = (record: EventRecord): unknown => {
  const decoded = decodeRecord(JSON.parse(encodeRecord(record)))
  return Result.isSuccess(decoded) ? decoded.success : decoded.failure.message
}

const laterTypes = fc.constantFrom("later.happened", "turn.dreamt", "a.b.c", "constructor.proto", "to_string.x")
const data = fc.dictionary(fc.string({ maxLength: 5 }), jsonArbitrary, { noNullPrototype: true })

describe("A record on the wire", () => {
  it("comes back as it went, payload bytes and all, for every type that is known", () => {
    fc.assert(
      fc.property(eventBodies(), (body) => {
        const record: EventRecord = { ...envelope, ...(body as { type: string; data: EventData }) }
        assert.strictEqual(readEvent(record).kind, "known", invalidBecause(record))
        assert.deepStrictEqual(roundTrip(record), record)
      }),
      { numRuns: 500 }
    )
  })

  it("comes back as it went where a newer writer made it, or where its data does not fit", () => {
    const types = fc.oneof(laterTypes, fc.constantFrom(...Object.keys(eventSchemas)))
    fc.assert(
      fc.property(types, fc.integer({ min: 1, max: 3 }), data, (type, version, data) => {
        const record: EventRecord = { ...envelope, type, version, data }
        assert.deepStrictEqual(roundTrip(record), JSON.parse(JSON.stringify(record)))
        const known = isKnownType(type) && version === 1
        assert.strictEqual(readEvent(record).kind === "unknown", !known)
      }),
      { numRuns: 500 }
    )
  })

  it("of output fits by a quick look exactly where it fits by its schema", () => {
    const fits = Schema.is(eventSchemas["terminal.output"])
    const offset = fc.oneof(fc.integer(), fc.double(), fc.maxSafeInteger(), jsonArbitrary)
    const almost = fc.oneof(fc.record({ offset }), fc.record({ offset, more: jsonArbitrary }), jsonArbitrary)
    fc.assert(
      fc.property(almost, (data) => {
        const event = { type: "terminal.output", version: 1, data: data as EventData }
        assert.strictEqual(invalidBecause(event) === undefined, fits(data))
      }),
      { numRuns: 500 }
    )
  })

  it("that is malformed says which field is wrong", () => {
    const record = { ...envelope, type: "turn.started", data: {} }
    for (const [field, value] of [
      ["seq", 0],
      ["seq", 1.5],
      ["at", -1],
      ["type", "No"],
      ["type", "x".repeat(65)],
      ["data", 5],
      ["bytes", "***"],
      ["sessionId", "x"],
      ["actor", ""]
    ] as const) {
      const decoded = decodeRecord({ ...record, [field]: value })
      assert.isTrue(Result.isFailure(decoded))
      if (Result.isFailure(decoded)) assert.include(decoded.failure.message, `["${field}"]`)
    }
  })
})

describe("An event that is corrupt", () => {
  it("is told from one that is only unknown, and says why", () => {
    const read = readEvent({ ...envelope, type: "turn.started", data: { turnId: 5 } })
    if (read.kind !== "corrupt") return assert.fail(read.kind)
    assert.include(read.message, "turn.started")
    assert.include(read.message, "turnId")
    assert.strictEqual(
      readEvent({ ...envelope, type: "turn.started", version: 2, data: { turnId: 5 } }).kind,
      "unknown"
    )
    assert.strictEqual(readEvent({ ...envelope, type: "constructor", data: {} }).kind, "unknown")
  })
})

describe("A number in an event", () => {
  it("is one that JSON has a word for: a log would make nothing of the others", () => {
    for (const number of [Number.NaN, Number.POSITIVE_INFINITY]) {
      for (const event of [
        { type: "usage.reported", data: { usage: { inputTokens: number } } },
        { type: "backend.closing", data: { reason: "", force: false, graceMs: number } },
        { type: "terminal.progressed", data: { state: "normal", percent: number } },
        {
          type: "turn.retrying",
          data: { turnId: "t", attempt: 1, error: { message: "", retryable: true }, nextAt: number }
        }
      ]) {
        assert.isDefined(invalidBecause({ ...event, version: 1 }), event.type)
      }
    }
  })
})

describe("The weight of an event", () => {
  it("is about its JSON and its payload", () => {
    fc.assert(
      fc.property(data, (data) => {
        const weight = weigh({ at: 1, generation: 0, type: "a.b", version: 1, data, bytes: new Uint8Array(100) })
        assert.isAtLeast(weight, 260)
        assert.closeTo(weight - 260, JSON.stringify(data).length, 20 + JSON.stringify(data).length * 6)
      })
    )
  })
})
