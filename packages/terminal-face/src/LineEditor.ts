/** The line that is typed: pure edits of a text and a cursor, and a bounded history. */
import type { EditKey } from "./KeyDecoder.ts"

/** UTF-16 units of a line: 65,536. What would make it longer is refused, and the terminal rings its bell. */
export const maxLine = 64 * 1024

/** Lines that are remembered, and UTF-16 units of all of them together: the oldest are forgotten. */
const maxHistory = 100
const maxHistoryUnits = 256 * 1024

/** A line and where its cursor is, in UTF-16 units, between graphemes. */
export interface EditedLine {
  readonly text: string
  readonly cursor: number
}

export const emptyLine: EditedLine = { text: "", cursor: 0 }

const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" })

/** UTF-16 units beside the cursor in which the next grapheme is looked for. */
const reach = 128

const before = ({ cursor, text }: EditedLine): number => {
  const near = text.slice(Math.max(0, cursor - reach), cursor)
  return near === "" ? cursor : cursor - [...segmenter.segment(near)].at(-1)!.segment.length
}

const after = ({ cursor, text }: EditedLine): number => {
  const [next] = segmenter.segment(text.slice(cursor, cursor + reach))
  return cursor + (next?.segment.length ?? 0)
}

const wordBefore = ({ cursor, text }: EditedLine): number => {
  const left = text.slice(0, cursor).trimEnd()
  return Math.max(left.lastIndexOf(" "), left.lastIndexOf("\t"), left.lastIndexOf("\n")) + 1
}

const wordAfter = ({ cursor, text }: EditedLine): number => cursor + /^\s*\S*/.exec(text.slice(cursor))![0].length

const without = (line: EditedLine, from: number, to: number): EditedLine => ({
  text: line.text.slice(0, from) + line.text.slice(to),
  cursor: from
})

/** Puts text in at the cursor; undefined where the line would be too long. */
export const insert = (line: EditedLine, text: string): EditedLine | undefined =>
  line.text.length + text.length > maxLine
    ? undefined
    : { text: line.text.slice(0, line.cursor) + text + line.text.slice(line.cursor), cursor: line.cursor + text.length }

/** Moves or deletes; undefined where that key does nothing to a line. */
export const edit = (line: EditedLine, key: EditKey): EditedLine | undefined => {
  const { cursor, text } = line
  switch (key) {
    case "left":
      return { text, cursor: before(line) }
    case "right":
      return { text, cursor: after(line) }
    case "wordLeft":
      return { text, cursor: wordBefore(line) }
    case "wordRight":
      return { text, cursor: wordAfter(line) }
    case "home":
      return { text, cursor: cursor === 0 ? 0 : text.lastIndexOf("\n", cursor - 1) + 1 }
    case "end": {
      const end = text.indexOf("\n", cursor)
      return { text, cursor: end === -1 ? text.length : end }
    }
    case "backspace":
      return without(line, before(line), cursor)
    case "delete":
      return without(line, cursor, after(line))
    case "killLine":
      return without(line, 0, cursor)
    case "killRest":
      return without(line, cursor, text.length)
    case "killWord":
      return without(line, wordBefore(line), cursor)
    default:
      return undefined
  }
}

/** What was sent before, to be had again with the arrow keys. */
export class LineHistory {
  #lines: ReadonlyArray<string> = []
  /** Which one is shown; the number of lines where it is the new one. */
  #at = 0
  /** The new line, while an older one is shown. */
  #draft = ""

  /** Remembers a line that was sent. */
  add(text: string): void {
    const lines = [...this.#lines.filter((one) => one !== text), text].slice(-maxHistory)
    let units = lines.reduce((sum, one) => sum + one.length, 0)
    while (units > maxHistoryUnits) units -= lines.shift()!.length
    this.#lines = lines
    this.leave()
  }

  /** The line before or after the one that is shown; undefined where there is none. */
  move(by: -1 | 1, shown: string): string | undefined {
    const to = this.#at + by
    if (to < 0 || to > this.#lines.length) return undefined
    if (this.#at === this.#lines.length) this.#draft = shown
    this.#at = to
    return this.#lines[to] ?? this.#draft
  }

  /** The line that is shown is a new one. */
  leave(): void {
    this.#at = this.#lines.length
    this.#draft = ""
  }
}
