import { describe, expect, it } from "vitest"
import { idWidth } from "../../src/output/SessionTable.ts"
import { age, fit, gist, oneLine, pad, size } from "../../src/output/Text.ts"

describe("texts for people", () => {
  it("gives sizes in three digits at most", () => {
    const sizes = [0, 999, 1000, 1234, 9_949, 9_950, 999_499, 999_500, 1_200_000, 34_000_000, 7_000_000_000]
    expect(sizes.map(size)).toEqual([
      "0 B",
      "999 B",
      "1.0 KB",
      "1.2 KB",
      "9.9 KB",
      "10 KB",
      "999 KB",
      "1.0 MB",
      "1.2 MB",
      "34 MB",
      "7.0 GB"
    ])
  })

  it("gives ages in their largest unit", () => {
    expect([999, 1000, 59_999, 60_000, 3_600_000, 86_400_000 * 9].map(age)).toEqual([
      "now",
      "1s",
      "59s",
      "1m",
      "1h",
      "9d"
    ])
  })

  it("lets nothing through that a terminal acts on", () => {
    expect(oneLine("a\u001b[31mb\u001b]0;title\u0007c\u001b[>4;2md\u001b(Be\u009bf\r\ng\u0000")).toBe("abcde f g")
    expect(gist("a    b\t\tc")).toBe("a b c")
  })

  it("cuts and fills by columns, not by characters", () => {
    expect(fit("日本語のタイトル", 9)).toBe("日本語の…")
    expect(fit("short", 9)).toBe("short")
    expect(pad("日本", 6)).toBe("日本  ")
  })

  it("shows as much of ids as tells them apart", () => {
    const [a, b, c] = ["0199a3c4-5f2e-7000", "0199a3c4-5f31-7000", "0299a3c4-5f31-7000"]
    expect(idWidth([a!, c!])).toBe(8)
    expect(idWidth([a!, b!, c!])).toBe(12)
  })
})
