import { describe, expect, it } from "vitest"
import { TerminalModes } from "../../src/terminal/TerminalModes.ts"

const after = (...chunks: ReadonlyArray<string>): string => {
  const modes = new TerminalModes()
  for (const chunk of chunks) modes.feed(Buffer.from(chunk, "latin1"))
  return modes.leave()
}

describe("leaving a terminal", () => {
  it("writes nothing where nothing was left on", () => {
    expect(after("plain", "\u001b[31mred\u001b[0m", "\u001b[?1049h\u001b[?25l", "\u001b[?25h\u001b[?1049l")).toBe("")
  })

  it("switches off what a full-screen program that was left had switched on", () => {
    const vim =
      "\u001b[?1049h\u001b[?1h\u001b=\u001b[?2004h\u001b[1;24r\u001b[?1000;1006h\u001b[?25l\u001b[2 q\u001b[>4;2m"
    const left = after(vim)
    for (const off of [
      "\u001b[?1l",
      "\u001b>",
      "\u001b[?2004l",
      "\u001b[?1000l",
      "\u001b[?1006l",
      "\u001b[?25h",
      "\u001b[0 q",
      "\u001b[>4m"
    ]) {
      expect(left).toContain(off)
    }
    expect(left.endsWith("\u001b[?1049l")).toBe(true)
  })

  it("sees a sequence wherever it is cut", () => {
    const sequence = "\u001b[?1049;25h\u001b[?1003h"
    for (let at = 1; at < sequence.length; at++) {
      expect(after(sequence.slice(0, at), sequence.slice(at))).toBe("\u001b[?1003l\u001b[?1049l")
    }
  })

  it("knows that a reset of the terminal switches everything off", () => {
    expect(after("\u001b[?1049h\u001b[?1000h\u001b[>1u", "\u001bc")).toBe("")
  })

  it("pops what was pushed on the keyboard's stack and no more", () => {
    expect(after("\u001b[>1u\u001b[>5u\u001b[<u")).toBe("\u001b[<1u")
    expect(after("\u001b[<u\u001b[<u")).toBe("")
  })
})
