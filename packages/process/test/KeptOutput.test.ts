import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { keepOutput } from "../src/index.ts"

describe("keepOutput", () => {
  it("keeps the beginning, and says once that there was more", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 20 })), fc.nat({ max: 100 }), (chunks, maxBytes) => {
        let truncations = 0
        const output = keepOutput(maxBytes, () => truncations++)
        for (const chunk of chunks) output.take(chunk)
        const whole = Buffer.concat(chunks)
        assert.isTrue(output.bytes().equals(whole.subarray(0, maxBytes)))
        assert.strictEqual(output.isTruncated(), whole.byteLength > maxBytes)
        assert.strictEqual(truncations, whole.byteLength > maxBytes ? 1 : 0)
      })
    )
  })

  it("does not hold the memory of what it drops", () => {
    const output = keepOutput(10)
    output.take(Buffer.alloc(1_000_000))
    assert.strictEqual(output.bytes().byteLength, 10)
  })
})
