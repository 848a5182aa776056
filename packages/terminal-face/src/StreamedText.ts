/**
 * A text that streams: made safe piece by piece, printed from its beginning, and compared with the whole text at its end,
 * so that every part of it is printed exactly once, however it was cut into pieces.
 */
import { safeText, wholeLength } from "./SafeText.ts"
import { emptyMark, extendMark, inkLength, markedLength, type TextMark } from "./TextMark.ts"

/** UTF-16 units of a text that streams behind another one before it is printed in between. */
export const maxBehind = 16 * 1024

/** What is left to print of a text that has ended. */
export interface Remainder {
  readonly text: string
  /** The whole text does not begin with what was printed: `text` is all of it. */
  readonly differs: boolean
}

/** Blanks that are remembered: more than a text has between two words. */
const maxBlanks = 1_024

/** One text. It holds what was not printed yet, and of what was printed only its mark. */
export class StreamedText {
  #printed: TextMark = emptyMark
  /** Blanks at the end of what was printed. */
  #blanks = ""
  #waiting = ""
  /** The end of the last piece, where it may be half of something. */
  #half = ""
  readonly #unicode: boolean

  constructor(unicode: boolean) {
    this.#unicode = unicode
  }

  /** Safe text that was not printed yet. */
  get waiting(): string {
    return this.#waiting
  }

  /** Takes a piece in. */
  push(piece: string): void {
    const text = this.#half + piece
    const whole = wholeLength(text)
    this.#half = text.slice(whole)
    this.#waiting += safeText(text.slice(0, whole), this.#unicode)
  }

  /** This much of what waits is printed now. */
  printed(length: number): void {
    const text = this.#waiting.slice(0, length)
    const ink = inkLength(text)
    this.#printed = extendMark(this.#printed, text)
    this.#blanks = ((ink > 0 ? "" : this.#blanks) + text.slice(ink)).slice(0, maxBlanks)
    this.#waiting = this.#waiting.slice(length)
  }

  /** The text has ended: `whole` is all of it, where that is known. */
  end(whole: string | undefined): Remainder {
    if (whole === undefined) return { text: this.#waiting + safeText(this.#half, this.#unicode), differs: false }
    const text = safeText(whole, this.#unicode)
    const length = markedLength(text, this.#printed)
    if (length === undefined) return { text, differs: true }
    const rest = text.slice(length)
    return { text: rest.startsWith(this.#blanks) ? rest.slice(this.#blanks.length) : rest.trimStart(), differs: false }
  }
}
