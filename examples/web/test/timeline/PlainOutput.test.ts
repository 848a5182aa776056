import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { excerpt, plainOutput } from "../../src/timeline/PlainOutput.ts"

describe("Output of a command", () => {
  it("has no colours, titles or links of a terminal in it", () => {
    assert.strictEqual(
      plainOutput(
        "\u001b[1;31mred\u001b[0m \u001b]0;title\u0007\u001b]8;;https://x.example\u001b\\link\u001b]8;;\u001b\\\u0000"
      ),
      "red link"
    )
  })

  it("shows what a progress bar left standing", () => {
    assert.strictEqual(plainOutput("10 %\r50 %\r100 %\r\ndone\r\n"), "100 %\ndone\n")
    assert.strictEqual(plainOutput("long line\rshort"), "shortline")
    assert.strictEqual(plainOutput("ab\b\bcd"), "cd")
  })

  it("keeps every visible character, line ends and tabs", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        const visible = text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f]/g, "")
        assert.strictEqual(plainOutput(visible), visible)
      })
    )
  })

  it("is cut to its first lines, or its last while it grows, and says how many there are", () => {
    const text = Array.from({ length: 10 }, (_, index) => `line ${index}`).join("\n")
    assert.deepStrictEqual(excerpt(`${text}\n`, 2, "first"), { text: "line 0\nline 1", lines: 10, isWhole: false })
    assert.deepStrictEqual(excerpt(text, 2, "last"), { text: "line 8\nline 9", lines: 10, isWhole: false })
    assert.deepStrictEqual(excerpt(text, 10, "first"), { text, lines: 10, isWhole: true })
    assert.deepStrictEqual(excerpt("", 10, "first"), { text: "", lines: 0, isWhole: true })
  })
})
