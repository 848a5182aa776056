import { describe, expect, it } from "vitest"
import { findDetachKey } from "../../src/terminal/DetachKey.ts"

const typed = (text: string) => Buffer.from(text, "latin1")

describe("the detach key", () => {
  it("is found among other keys, which still reach the program up to it", () => {
    const { bytes, detached } = findDetachKey(typed("ls\r\u001cexit\r"), "ctrl-\\")
    expect(Buffer.from(bytes).toString()).toBe("ls\r")
    expect(detached).toBe(true)
  })

  it("is found where the program asked for unambiguous keys", () => {
    for (const key of ["\u001b[92;5u", "\u001b[92;5:1u", "\u001b[92;69u", "\u001b[27;5;92~"]) {
      expect(findDetachKey(typed(`x${key}`), "ctrl-\\")).toEqual({ bytes: typed("x"), detached: true })
    }
  })

  it("is not found in the release of the key, in other keys, or in bytes of every other value", () => {
    const others = Uint8Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => byte !== 0x1c)
    for (const bytes of [others, typed("\u001b[92;5:3u"), typed("\u001b[93;5u"), typed("\\")]) {
      expect(findDetachKey(bytes, "ctrl-\\")).toEqual({ bytes, detached: false })
    }
  })

  it("can be another one, or none", () => {
    expect(findDetachKey(typed("\u001c\u001d"), "ctrl-]")).toEqual({ bytes: typed("\u001c"), detached: true })
    expect(findDetachKey(typed("\u001c\u001d"), "none").detached).toBe(false)
  })
})
