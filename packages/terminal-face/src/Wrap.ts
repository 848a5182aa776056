/**
 * Breaking text into rows by display width. Greedy and online: text that is added at the end never changes an earlier
 * row, so that rows of a message can be printed for good while it still streams.
 */
import stringWidth from "string-width"

/** Columns that a text takes. Tabs count nothing here: {@link wrap} knows where they stand. */
export const displayWidth = (text: string): number => stringWidth(text)

/** Columns from one tab stop to the next. */
const tabStop = 8

/** UTF-16 units of a row at most: marks have no width, and a thousand of them must not make a row of a megabyte. */
const maxRowUnits = 4_096

/** UTF-16 units of one grapheme that are kept together: the longest emoji in use have under 40. */
const maxGraphemeUnits = 64

/** A row's part of the text: from `start` to `end`; the next one starts at `next`, past the blanks of the break. */
export interface Stretch {
  readonly start: number
  readonly end: number
  readonly next: number
}

/** Blanks; one wide character with its marks, since such scripts break anywhere; or a word. */
const tokens =
  /[ \t]+|[\u1100-\u11ff\u2e80-\ua4cf\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}][\p{M}\ufe00-\ufe0f\u{e0100}-\u{e01ef}]*|[^ \t\u1100-\u11ff\u2e80-\ua4cf\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]+/gu

const ascii = /^[\u0020-\u007e]*$/
const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" })

/** The graphemes of a text, those of absurd length in pieces. */
export const graphemes = function* (text: string): Generator<string> {
  for (const { segment } of segmenter.segment(text)) {
    if (segment.length <= maxGraphemeUnits) yield segment
    else {
      let piece = ""
      for (const character of segment) {
        piece += character
        if (piece.length >= maxGraphemeUnits) {
          yield piece
          piece = ""
        }
      }
      if (piece !== "") yield piece
    }
  }
}

/**
 * Breaks one line of safe text (without `\n`) into rows of at most `width` columns. A word that fits no row is broken
 * between graphemes; a grapheme that is wider than a row gets one to itself. `continued` text follows a broken row:
 * blanks at its start belong to that break. There is always at least one row.
 */
export const wrap = (text: string, width: number, continued = false): ReadonlyArray<Stretch> => {
  const rows: Array<Stretch> = []
  let start = 0
  let column = 0
  let end = 0
  /** Whether the row has more than an indent. */
  let inked = false

  const breakAt = (next: number): void => {
    rows.push({ start, end, next })
    start = next
    end = next
    column = 0
    inked = false
  }

  for (const { 0: token, index } of text.matchAll(tokens)) {
    const after = index + token.length
    if (token[0] === " " || token[0] === "\t") {
      if (column === 0 && index === start && (rows.length > 0 || continued)) {
        start = after
        end = after
        continue
      }
      const widened = blankWidth(token, column)
      if (column + widened > width || after - start > maxRowUnits) breakAt(after)
      else {
        column += widened
        end = after
      }
      continue
    }
    const wide = displayWidth(token)
    const fits = () => column + wide <= width && after - start <= maxRowUnits
    if (!fits() && inked) breakAt(index)
    if (fits()) {
      column += wide
      end = after
      inked = true
      continue
    }
    let at = index
    for (const piece of ascii.test(token) ? slices(token, width - column, width) : graphemes(token)) {
      const pieceWidth = displayWidth(piece)
      if (end > start && (column + pieceWidth > width || at + piece.length - start > maxRowUnits)) breakAt(at)
      at += piece.length
      end = at
      column += pieceWidth
      inked = true
    }
  }
  rows.push({ start, end, next: text.length })
  return rows
}

const slices = function* (text: string, first: number, width: number): Generator<string> {
  if (first > 0) yield text.slice(0, first)
  for (let at = Math.max(0, first); at < text.length; at += width) yield text.slice(at, at + width)
}

const blankWidth = (blanks: string, column: number): number => {
  if (!blanks.includes("\t")) return blanks.length
  let to = column
  for (const blank of blanks) to = blank === "\t" ? (Math.floor(to / tabStop) + 1) * tabStop : to + 1
  return to - column
}

/** A row's text with its tabs as blanks; `column` is where it starts within its row. */
export const expandTabs = (text: string, column = 0): string => {
  if (!text.includes("\t")) return text
  let expanded = ""
  let from = 0
  for (const { 0: blanks, index } of text.matchAll(/\t+/g)) {
    expanded += text.slice(from, index)
    expanded += " ".repeat(blankWidth(blanks, column + displayWidth(expanded)))
    from = index + blanks.length
  }
  return expanded + text.slice(from)
}

/** As much of the beginning of a text as fits. */
export const fitting = (text: string, width: number): string => {
  if (text.length <= width && ascii.test(text)) return text
  let kept = ""
  let column = 0
  for (const piece of graphemes(text.slice(0, maxRowUnits).toWellFormed())) {
    column += displayWidth(piece)
    if (column > width) break
    kept += piece
  }
  return kept
}
