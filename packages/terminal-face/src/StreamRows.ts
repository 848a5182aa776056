/** A text that streams as rows of a terminal: rows that cannot change any more are given out, the last one waits. */
import type { Glyphs } from "./Glyphs.ts"
import { roomBeside } from "./Layout.ts"
import { StreamedText } from "./StreamedText.ts"
import type { Row, Span, Style } from "./StyledLine.ts"
import { expandTabs, wrap } from "./Wrap.ts"

/** How a text is shown. */
export interface StreamLook {
  readonly group: "message" | "reasoning"
  readonly nested: boolean
}

/** One text on its way to the terminal. */
export class StreamRows {
  readonly look: StreamLook
  readonly #text: StreamedText
  readonly #glyphs: Glyphs
  readonly #style: Style
  /** The row before broke within its line: blanks at the start of the next one belong to that break. */
  #continued = false
  /** Empty rows that are printed once text follows them. */
  #blank = 0
  #inked = false

  constructor(look: StreamLook, glyphs: Glyphs) {
    this.look = look
    this.#glyphs = glyphs
    this.#text = new StreamedText(glyphs.unicode)
    this.#style = look.group === "reasoning" ? "thought" : "plain"
  }

  push(piece: string): void {
    this.#text.push(piece)
  }

  /** UTF-16 units that were not given out yet. */
  get waiting(): number {
    return this.#text.waiting.length
  }

  /** The rows that nothing can change any more; `again` where something else was printed since the last ones. */
  finished(width: number, again: boolean): ReadonlyArray<Row> {
    const { waiting } = this.#text
    const { rows, used } = this.#rows(waiting, width, again, false)
    this.#text.printed(used)
    return rows
  }

  /** The row that still grows, and the empty one before it; nothing where there is none. */
  growing(width: number): ReadonlyArray<Row> {
    const { waiting } = this.#text
    const line = waiting.slice(waiting.lastIndexOf("\n") + 1)
    const { lead, room } = this.#leads(width)
    const last = wrap(line, room, this.#continued && line.length === waiting.length).at(-1)!
    const text = expandTabs(line.slice(last.start, last.end))
    if (text.trim() === "") return []
    const row: Row = [...lead(!this.#inked), { text, style: this.#style }]
    return this.#inked && this.#blank > 0 ? [[], row] : [row]
  }

  /** All that is left, where the text has ended. */
  rest(whole: string | undefined, width: number, again: boolean): ReadonlyArray<Row> {
    const { differs, text } = this.#text.end(whole)
    if (!differs) return this.#rows(text, width, again, true).rows
    this.#continued = false
    this.#inked = false
    const { lead } = this.#leads(width)
    const notice: Row = [...lead(false), { text: "(the whole text differs from what streamed)", style: "dim" }]
    return [notice, ...this.#rows(text, width, false, true).rows]
  }

  #leads(width: number) {
    const indent = this.look.nested ? "  " : ""
    const glyph = this.look.group === "reasoning" ? this.#glyphs.thought : this.#glyphs.message
    const { room, withLead } = roomBeside(indent.length + 2, width)
    const span = (text: string, style: Style): ReadonlyArray<Span> => (withLead ? [{ text: indent + text, style }] : [])
    const lead = (first: boolean) => (first ? span(glyph, this.#style) : span("  ", "plain"))
    return { room, lead, again: () => span(this.#glyphs.again, "dim") }
  }

  #rows(
    text: string,
    width: number,
    again: boolean,
    all: boolean
  ): { readonly rows: Array<Row>; readonly used: number } {
    const { again: againLead, lead, room } = this.#leads(width)
    const rows: Array<Row> = []
    let resuming = again && this.#inked
    const add = (shown: string) => {
      if (shown.trim() === "") {
        this.#blank++
        return
      }
      // Empty rows before the first word are left out, and so are those after the last.
      if (this.#inked && !resuming) for (; this.#blank > 0; this.#blank--) rows.push([])
      this.#blank = 0
      const before = resuming ? againLead() : lead(!this.#inked)
      resuming = false
      rows.push([...before, { text: expandTabs(shown), style: this.#style }])
      this.#inked = true
    }

    let used = 0
    while (used < text.length) {
      const end = text.indexOf("\n", used)
      const line = text.slice(used, end === -1 ? undefined : end)
      if (end === used) {
        // Thousands of empty lines need no layout. The rest of a line that broke just before its end is none.
        if (!this.#continued) add("")
        this.#continued = false
        used++
        continue
      }
      const stretches = wrap(line, room, this.#continued)
      const whole = end !== -1 || all
      for (const [index, { end: to, start }] of (whole ? stretches : stretches.slice(0, -1)).entries()) {
        if (to > start || (index === 0 && !this.#continued)) add(line.slice(start, to))
      }
      if (whole) {
        this.#continued = false
        used = end === -1 ? text.length : end + 1
      } else {
        this.#continued ||= stretches.length > 1
        used += stretches.at(-1)!.start
        break
      }
    }
    return { rows, used }
  }
}
