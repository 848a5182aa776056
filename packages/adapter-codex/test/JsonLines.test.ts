import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { makeJsonLines } from "../src/JsonLines.ts"

/** Cuts bytes at the given places, which wrap around. */
const cut = (bytes: Buffer, places: ReadonlyArray<number>): ReadonlyArray<Buffer> => {
  const at = [...new Set(places.map((place) => place % (bytes.byteLength + 1)))].toSorted((a, b) => a - b)
  return [0, ...at].map((from, index) => bytes.subarray(from, at[index] ?? bytes.byteLength))
}

const read = (pieces: ReadonlyArray<Buffer>, maxBytes?: number) => {
  const lines: Array<string> = []
  const tooLong: Array<number> = []
  const cutter = makeJsonLines({
    onLine: (line) => lines.push(line),
    onTooLong: (bytes) => tooLong.push(bytes),
    ...(maxBytes === undefined ? {} : { maxBytes })
  })
  for (const piece of pieces) cutter.write(piece)
  return { lines, tooLong, pending: cutter.pending() }
}

const value = fc.jsonValue({ maxDepth: 2 })

describe("Lines of a stream", () => {
  it("come as they were sent, however the bytes arrive", () => {
    fc.assert(
      fc.property(fc.array(value), fc.array(fc.nat()), (values, places) => {
        const bytes = Buffer.from(values.map((each) => `${JSON.stringify(each)}\n`).join(""))
        const { lines, pending } = read(cut(bytes, places))
        assert.deepStrictEqual(
          lines,
          values.map((each) => JSON.stringify(each))
        )
        assert.strictEqual(pending, 0)
      })
    )
  })

  it("are left out where they are too long, and only those, however the bytes arrive", () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 40 })), fc.array(fc.nat()), (lengths, places) => {
        const bytes = Buffer.from(lengths.map((length) => `${"x".repeat(length)}\n`).join(""))
        const { lines, tooLong } = read(cut(bytes, places), 20)
        assert.deepStrictEqual(
          lines.map((line) => line.length),
          lengths.filter((length) => length > 0 && length <= 20)
        )
        assert.deepStrictEqual(
          tooLong,
          lengths.filter((length) => length > 20)
        )
      })
    )
  })

  it("end with a carriage return or without, and what is no UTF-8 is replaced", () => {
    const bytes = Buffer.concat([
      Buffer.from('{"a":1}\r\n\n'),
      Buffer.from([0x22, 0xff, 0x22, 0x0a]),
      Buffer.from("cut")
    ])
    assert.deepStrictEqual(read([bytes]), { lines: ['{"a":1}', '"\uFFFD"'], tooLong: [], pending: 3 })
  })
})
