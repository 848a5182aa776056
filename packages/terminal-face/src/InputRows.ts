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

/** At most `max` rows around the cursor, which stands out; broken anywhere, as an editor does. */
export const inputRows = (input: Input, width: number, max: number, unicode: boolean): ReadonlyArray<Row> => {
  const from = Math.max(0, input.cursor - around)
  const rows: Array<Array<Span>> = [[input.label]]
  let column = displayWidth(input.label.text)
  let cursorRow = 0

  const add = (text: string, isCursor: boolean): void => {
    const wide = displayWidth(text)
    if (column > 0 && column + wide > width) {
      rows.push([])
      column = 0
    }
    column += wide
    if (isCursor) cursorRow = rows.length - 1
    const last = rows.at(-1)!.at(-1)
    if (!isCursor && last !== undefined && last !== input.label && last.style === undefined) {
      rows.at(-1)![rows.at(-1)!.length - 1] = { text: last.text + text }
    } else rows.at(-1)!.push(isCursor ? { text, style: "cursor" } : { text })
  }
  const part = (text: string, hasCursor: boolean): void => {
    let first = hasCursor
    for (const piece of graphemes(text)) {
      if (piece === "\n") {
        if (first) add(" ", true)
        rows.push([])
        column = 0
      } else add(piece === "\t" ? "  " : safeText(piece, unicode), first)
      first = false
    }
    if (first) add(" ", true)
  }

  part(input.text.slice(from, input.cursor).toWellFormed(), false)
  part(input.text.slice(input.cursor, input.cursor + around).toWellFormed(), true)
  const start = Math.max(0, Math.min(cursorRow - max + 1 + Math.floor(max / 2), rows.length - max))
  return rows.slice(start, start + max)
}
