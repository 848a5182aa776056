import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { findSkip, minSkipBytes } from "../../src/screen/PlainOutput.ts"
import { stateDifferences } from "../../src/screen/ScreenState.ts"
import { TerminalScreen } from "../../src/screen/TerminalScreen.ts"

const text = new TextEncoder()

const fragment = fc.oneof(
  { weight: 8, arbitrary: fc.string({ unit: "grapheme-ascii", maxLength: 40 }) },
  { weight: 3, arbitrary: fc.constantFrom("漢字", "e\u0301", "–", "\u0301", "\b\b", "\t", "\x07", "\r") },
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      "\x1b[m",
      "\x1b[0m",
      "\x1b[31m",
      "\x1b[1;4:3m",
      "\x1b[48;5;9m",
      "\x1b[0;7m",
      "\x1b[27m",
      "\x1b[58;5;3m"
    )
  }
)
const line = fc
  .tuple(fc.array(fragment, { maxLength: 6 }), fc.constantFrom("\r\n", "\r\n", "\r\n", "\n"))
  .map(([parts, end]) => parts.join("") + end)
const strange = fc.constantFrom(
  "",
  "",
  "",
  "\x1b[5;9r",
  "\x1b[?1049h",
  "\x1b[2J",
  "\x1b[?7l",
  "\x1b[4h",
  "\x1b(0",
  "\x1b]8;;http://x/\x1b\\",
  "\x1b[?45h",
  "\x1b]2;a title\r\nwith breaks",
  "\u009b31m",
  "\u0085",
  "\x1b7",
  "\x1b[20h",
  "\x0e",
  "\x0c"
)

describe("output that is left out", () => {
  it("makes no difference to the screen", async () => {
    let skipped = 0
    const lines = fc.array(line, { minLength: 5, maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(lines, strange, lines, strange, lines, async (first, oddity, second, other, tail) => {
        const repeat = (some: ReadonlyArray<string>): string => {
          const once = some.join("")
          return once.repeat(Math.ceil((minSkipBytes * 1.5) / once.length))
        }
        const output = text.encode(oddity + repeat(first) + other + repeat(second) + tail.join(""))
        if (findSkip(output, 0, output.length, 48, 8) !== undefined) skipped++
        using whole = new TerminalScreen(30, 8, 40)
        await whole.write([output])
        using piecemeal = new TerminalScreen(30, 8, 40)
        for (let at = 0; at < output.length; at += 4096) await piecemeal.write([output.subarray(at, at + 4096)])
        assert.deepEqual(stateDifferences(whole.state(), piecemeal.state()), [])
      }),
      { numRuns: 60, seed: Number(process.env["HOLDFAST_SEED"] ?? 99) }
    )
    assert.isAbove(skipped, 20)
  })

  it("is most of a build log, and nothing of what a full-screen program draws", () => {
    const log = text.encode("\x1b[32mok\x1b[m compiled a file of the project\r\n".repeat(30_000))
    const skip = findSkip(log, 0, log.length, 1024, 24)!
    assert.isAbove(skip.to - skip.from, log.length * 0.9)
    const drawn = text.encode("\x1b[H\x1b[2Ja row\r\nanother row\r\n".repeat(30_000))
    assert.isUndefined(findSkip(drawn, 0, drawn.length, 1024, 24))
  })
})
