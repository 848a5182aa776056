/** The line that is typed, as rows with its cursor. */
import { safeText } from "./SafeText.ts"
import type { Row, Span } from "./StyledLine.ts"
import { displayWidth, graphemes } from "./Wrap.ts"

/** UTF-16 units before and after the cursor that are laid out: far more than the rows that are shown. */
const around = 4_096

/** What is typed, and what stands before it. */
export interface Input {
  readonly label: Span
  readonly text: string
  readonly cursor: number
}

/** Rows with a cursor in them. */
export interface InputRows {
  readonly rows: ReadonlyArray<Row>
  readonly cursor: { readonly row: number; readonly column: number }
}

/** At most `max` rows around the cursor, broken anywhere, as an editor does. */
export const inputRows = (input: Input, width: number, max: number, unicode: boolean): InputRows => {
  const rows: Array<Array<Span>> = [[input.label]]
  let column = displayWidth(input.label.text)
  const breakRow = () => {
    rows.push([])
    column = 0
  }
  const add = (text: string): void => {
    for (const grapheme of graphemes(text.toWellFormed())) {
      if (grapheme === "\n") {
        breakRow()
        continue
      }
      const shown = grapheme === "\t" ? "  " : safeText(grapheme, unicode)
      const wide = displayWidth(shown)
      if (column > 0 && column + wide > width) breakRow()
      column += wide
      const row = rows.at(-1)!
      const last = row.at(-1)
      if (last === undefined || last === input.label) row.push({ text: shown })
      else row[row.length - 1] = { text: last.text + shown }
    }
  }

  add(input.text.slice(Math.max(0, input.cursor - around), input.cursor))
  const rest = input.text.slice(input.cursor, input.cursor + around)
  // At the end of a full row the cursor is where the next character goes.
  if (column >= width && rest !== "" && !rest.startsWith("\n")) breakRow()
  const cursor = { row: rows.length - 1, column: Math.min(column, width) }
  add(rest)
  const start = Math.max(0, Math.min(cursor.row - Math.floor(max / 2), rows.length - max))
  return { rows: rows.slice(start, start + max), cursor: { ...cursor, row: cursor.row - start } }
}
