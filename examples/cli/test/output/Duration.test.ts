import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { parseDuration } from "../../src/output/Duration.ts"

describe("durations in flags", () => {
  it("are read with their unit", () => {
    const read = (text: string) => Effect.runSync(parseDuration("--age", text))
    expect(["500ms", "45s", "1.5m", "12h", "30d", "0d"].map(read)).toEqual([
      500, 45_000, 90_000, 43_200_000, 2_592_000_000, 0
    ])
  })

  it("are refused with an example of what is right", () => {
    for (const text of ["", "30", "-1d", "1w", "d", "1d2h"]) {
      const refused = Effect.runSync(Effect.flip(parseDuration("--age", text)))
      expect(refused.message).toContain("--age takes a number with its unit, such as 45s")
      expect(refused.code).toBe(1)
    }
  })
})
