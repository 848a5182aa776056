/**
 * Which modes the bytes that went to a person's terminal have switched on, so that they can be switched off again when we
 * leave in the middle: the alternate screen, mouse reports, a hidden cursor, and what else would spoil their shell.
 */

/** Private modes (`CSI ? n h` and `l`) that matter, and whether they are on in a fresh terminal. */
const initially: ReadonlyMap<number, boolean> = new Map([
  [1, false], // application cursor keys
  [7, true], // automatic wrapping
  [9, false],
  [25, true], // visible cursor
  [47, false],
  [1000, false], // mouse reports, in their kinds and encodings
  [1002, false],
  [1003, false],
  [1004, false], // focus reports
  [1005, false],
  [1006, false],
  [1015, false],
  [1016, false],
  [1047, false],
  [1049, false], // alternate screen
  [2004, false], // bracketed paste
  [2026, false] // synchronized output
])

const alternateScreens: ReadonlyArray<number> = [47, 1047, 1049]

/** Most bytes of an unfinished sequence that are kept: no sequence that counts is longer. */
const maxHeld = 64

/** Sequences beside private modes that leave something on, by name: what says so, and what undoes it. */
const others = {
  keypad: "\u001b>",
  /** Where the cursor is kept, as margins move it. */
  margins: "\u001b7\u001b[r\u001b8",
  cursorShape: "\u001b[0 q",
  modifiedKeys: "\u001b[>4m"
} as const

const sequence =
  /\u001b\[\?(?<modes>[0-9;]+)(?<set>[hl])|\u001b\[(?<keyboard>[<>])[0-9;]*u|\u001b\[(?<shape>\d*) q|\u001b\[>4(?:;(?<keys>\d+))?m|\u001b\[(?<margins>[0-9;]*)r|\u001b(?<single>[=>c])|\u001b\[!p/g

/** The beginning of such a sequence, at the end of what was written. */
const unfinished = /^\u001b(\[[?<>=!]?[0-9;]* ?)?$/

/** Follows the modes of one terminal. */
export class TerminalModes {
  readonly #modes = new Map<number, boolean>()
  readonly #others = new Set<keyof typeof others>()
  /** Depth of the stack of kitty's keyboard protocol. */
  #keyboard = 0
  #held = ""

  /** Takes in what was written to the terminal. */
  feed(bytes: Uint8Array): void {
    const text = this.#held + Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1")
    if (!text.includes("\u001b")) return
    for (const { groups = {} } of text.matchAll(sequence)) {
      const { keyboard, keys, margins, modes, set, shape, single } = groups
      if (modes !== undefined) for (const mode of modes.split(";")) this.#setMode(Number(mode), set === "h")
      else if (keyboard !== undefined) this.#keyboard = Math.max(0, this.#keyboard + (keyboard === ">" ? 1 : -1))
      else if (shape !== undefined) this.#setOther("cursorShape", Number(shape) !== 0)
      else if (margins !== undefined) this.#setOther("margins", margins !== "")
      else if (single === "=" || single === ">") this.#setOther("keypad", single === "=")
      else if (keys !== undefined) this.#setOther("modifiedKeys", keys !== "0")
      else this.#reset()
    }
    const tail = text.slice(text.lastIndexOf("\u001b"))
    this.#held = tail.length < maxHeld && unfinished.test(tail) ? tail : ""
  }

  #setMode(mode: number, on: boolean): void {
    const fresh = initially.get(mode)
    if (fresh === undefined) return
    if (fresh === on) this.#modes.delete(mode)
    else this.#modes.set(mode, on)
  }

  #setOther(other: keyof typeof others, on: boolean): void {
    if (on) this.#others.add(other)
    else this.#others.delete(other)
  }

  #reset(): void {
    this.#modes.clear()
    this.#others.clear()
    this.#keyboard = 0
  }

  /** What to write so that the terminal is as a shell expects it; nothing where it is. */
  leave(): string {
    let text = this.#keyboard > 0 ? `\u001b[<${this.#keyboard}u` : ""
    for (const other of this.#others) text += others[other]
    for (const [mode, on] of this.#modes) {
      if (!alternateScreens.includes(mode)) text += `\u001b[?${mode}${on ? "l" : "h"}`
    }
    // The screen last: it brings the cursor of the shell back.
    for (const mode of alternateScreens) if (this.#modes.has(mode)) text += `\u001b[?${mode}l`
    return text
  }
}
