import xterm from "@xterm/headless"
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { stateDifferences } from "../../src/screen/ScreenState.ts"
import { screenSize } from "../../src/screen/TerminalBounds.ts"
import { TerminalScreen } from "../../src/screen/TerminalScreen.ts"
import { missingInternals } from "../../src/screen/XtermInternals.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

const screenOf = async (text: string, cols = 20, rows = 4): Promise<TerminalScreen> => {
  const screen = new TerminalScreen(cols, rows)
  await screen.write([bytes(text)])
  return screen
}

describe("a terminal's screen", () => {
  it("is read from internals that the pinned library has, and names those that move", () => {
    using terminal = Object.assign(new xterm.Terminal({ allowProposedApi: true }), {
      [Symbol.dispose]() {
        terminal.dispose()
      }
    })
    assert.deepEqual(missingInternals(terminal), [])
    const inside = (terminal as unknown as { _core: { _inputHandler: { _parser: { currentState?: number } } } })._core
    delete inside._inputHandler._parser.currentState
    assert.deepEqual(missingInternals(terminal), ["_inputHandler._parser.currentState"])
  })

  it("shows text lines without trailing blanks", async () => {
    using screen = await screenOf("one\r\n  two  \r\n漢字")
    assert.deepEqual(screen.lines(), ["one", "  two", "漢字", ""])
  })

  it("tells modes, cursor and title", async () => {
    using screen = await screenOf(
      "\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[?1002h\x1b[?1006h\x1b[?1h\x1b=\x1b[5 q\x1b]2;build\x07\x1b[2;3H"
    )
    assert.equal(screen.title, "build")
    assert.deepEqual(screen.modes(), {
      alternateScreen: true,
      cursor: { column: 2, row: 1, visible: false },
      cursorStyle: "bar",
      bracketedPaste: true,
      mouse: "drag",
      mouseEncoding: "sgr",
      applicationCursorKeys: true,
      applicationKeypad: true,
      focusEvents: false,
      synchronizedOutput: false
    })
  })

  it("keeps 1,000 lines above it and no more", async () => {
    using screen = await screenOf(Array.from({ length: 1500 }, (_, index) => `${index}`).join("\r\n"))
    const lines = screen.lines(true)
    assert.equal(lines.length, 1004)
    assert.equal(lines[0], "496")
    assert.equal(lines.at(-1), "1499")
  })

  it("is the same however its bytes are split, inside characters too", async () => {
    const output = bytes("– a\u0301 😀 \x1b[3;31m漢字\x1b]2;–\x07 \u009b4mé\x1b[5b")
    using whole = new TerminalScreen(10, 4)
    await whole.write([output])
    for (let size = 1; size < 5; size++) {
      using split = new TerminalScreen(10, 4)
      for (let at = 0; at < output.length; at += size) await split.write([output.subarray(at, at + size)])
      assert.deepEqual(stateDifferences(whole.state(), split.state()), [])
    }
  })

  it("takes random bytes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 3000 }), async (noise) => {
        using screen = new TerminalScreen(30, 8)
        await screen.write([noise])
        assert.equal(screen.lines().length, 8)
      }),
      { numRuns: 100, seed: 7 }
    )
  })

  it("is not stopped by absurd counts", async () => {
    const finals = [..."@ABCDEFGILMPSTXZ`abde"]
    using screen = await screenOf(finals.map((final) => `x\x1b[2147483647${final}`).join(""))
    assert.equal(screen.lines().length, 4)
  })

  it("is not stopped by a sequence that its library fails on", async () => {
    using screen = await screenOf("one\x1b[4;20H\x1b[1Jtwo")
    assert.deepEqual(screen.lines(), ["", "", `${" ".repeat(19)}t`, "wo"])
  })

  it("bounds what combining characters can pile on one cell", async () => {
    using screen = await screenOf(`a${"\u0301".repeat(5000)}`, 80, 2)
    assert.isBelow(Math.max(...screen.lines().map((line) => line.length)), 80 * 32)
  })

  it("lets other work run while it takes a large output", async () => {
    using screen = new TerminalScreen(80, 24)
    const output = bytes("\x1b[31mred\x1b[m and some plain text, again and again\x1b[K\x1b[5;5H".repeat(40_000))
    let turns = 0
    const count = (): void => {
      turns++
      timer = setImmediate(count)
    }
    let timer = setImmediate(count)
    await screen.write([output])
    clearImmediate(timer)
    assert.isAbove(turns, 10)
  })

  it("is modelled within bounds, whatever the terminal's size", () => {
    assert.deepEqual(screenSize(80, 24), { cols: 80, rows: 24, scrollback: 1000 })
    assert.deepEqual(screenSize(1, 1), { cols: 2, rows: 1, scrollback: 1000 })
    assert.deepEqual(screenSize(10_000, 10_000), { cols: 10_000, rows: 100, scrollback: 100 })
  })

  it("wraps its lines anew when it is resized", async () => {
    using screen = await screenOf("abcdefghij\r\n$ ", 10, 4)
    screen.resize(5, 4)
    assert.deepEqual(screen.lines(), ["abcde", "fghij", "$", ""])
    assert.deepEqual([screen.cols, screen.rows], [5, 4])
  })
})
