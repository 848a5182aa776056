/**
 * One buffer of a terminal as text that draws it on a fresh one: every cell with its pen, blanks told from spaces, which
 * lines continue the one before, and the cursor that was saved on the way.
 */
import type { CharsetNames } from "./CharsetNames.ts"
import { backgroundOf, cellPen, isStyled, type Pen, penText, plainPen, savedInsideLink, savedPen } from "./PenText.ts"
import type { XtermBuffer, XtermInternals, XtermLine } from "./XtermInternals.ts"

/** Text under construction, with the pen that it leaves selected. */
export interface Drawing {
  readonly inside: XtermInternals
  text: string
  pen: Pen
}

/** Selects a pen. */
export const usePen = (drawing: Drawing, pen: Pen): void => {
  drawing.text += penText(drawing.inside, drawing.pen, pen)
  drawing.pen = pen
}

/** Two columns wide everywhere: pushes the cursor over the edge, or leaves a styled blank where half of it is replaced. */
const wide = "\u3000"

const isBlank = (line: XtermLine, column: number): boolean => line.hasContent(column) === 0

/** The second column of a wide character. */
const isSecondHalf = (line: XtermLine, column: number): boolean =>
  column > 0 && isBlank(line, column) && line.getWidth(column) === 0 && line.getWidth(column - 1) === 2

const isStyledBlank = (inside: XtermInternals, line: XtermLine, column: number): boolean =>
  isBlank(line, column) && !isSecondHalf(line, column) && isStyled(cellPen(inside, line, column))

/**
 * Draws blanks that have more than a background: what is left of a wide character when its other half is replaced. They
 * come about in no other way, so each is made like that, from its neighbour outward. Returns the neighbours that were
 * spoilt; the cursor is at the line's start again.
 */
const drawStyledBlanks = (drawing: Drawing, line: XtermLine, cols: number): ReadonlySet<number> => {
  const spoilt = new Set<number>()
  const { inside } = drawing
  for (let start = 0; start < cols; start++) {
    if (!isStyledBlank(inside, line, start)) continue
    let end = start
    while (end + 1 < cols && isStyledBlank(inside, line, end + 1)) end++
    if (start > 0) {
      for (let column = end; column >= start; column--) {
        usePen(drawing, cellPen(inside, line, column))
        drawing.text += `\x1b[${column}G${wide}\x1b[${column}G `
      }
      spoilt.add(start - 1)
    } else if (end + 1 < cols) {
      for (let column = start; column <= end; column++) {
        usePen(drawing, cellPen(inside, line, column))
        drawing.text += `\x1b[${column + 1}G${wide}\x1b[${column + 2}G `
      }
      spoilt.add(end + 1)
    }
    start = end
  }
  if (spoilt.size > 0) drawing.text += "\r"
  return spoilt
}

const overlaps = (columns: ReadonlySet<number>, start: number, end: number): boolean => {
  for (const column of columns) if (column >= start && column < end) return true
  return false
}

/** Draws one line from its first column on; returns the column that the cursor is left in (`cols`: past the edge). */
const drawLine = (drawing: Drawing, line: XtermLine, cols: number): number => {
  const { inside } = drawing
  const spoilt = drawStyledBlanks(drawing, line, cols)
  let cursor = 0
  const moveTo = (column: number): void => {
    if (column > cursor) drawing.text += column - cursor === 1 ? "\x1b[C" : `\x1b[${column - cursor}C`
    cursor = column
  }
  let column = 0
  while (column < cols) {
    const pen = cellPen(inside, line, column)
    if (isBlank(line, column)) {
      const background = backgroundOf(pen)
      const start = column++
      if (isStyled(pen)) continue
      while (column < cols && isBlank(line, column)) {
        const next = cellPen(inside, line, column)
        if (isStyled(next) || backgroundOf(next) !== background) break
        column++
      }
      if (background !== 0 || overlaps(spoilt, start, column)) {
        moveTo(start)
        usePen(drawing, { ...plainPen, bg: background })
        drawing.text += `\x1b[${column - start}X`
      }
      continue
    }
    const width = line.getWidth(column)
    if (width === 2 && column + 1 === cols) {
      // Half a wide character, cut off by an alternate screen that was made narrower: there is nothing to show.
      column++
      continue
    }
    moveTo(column)
    usePen(drawing, pen)
    if (width === 2 && column + 2 === cols && !isSecondHalf(line, column + 1)) {
      // At the edge of a terminal that does not wrap, a wide character that was refused spoils the one before it.
      drawing.text += `\x1b[?7l${line.getString(column)}${wide}${line.getString(column + 1)}\x1b[?7h`
    } else {
      // A combining character in a cell of its own: any control sequence keeps it from joining the character before.
      if (width === 0) drawing.text += `\x1b[${column + 1}G`
      drawing.text += line.getString(column)
    }
    column += width === 0 ? 1 : width
    cursor = column
  }
  return cursor
}

/** Whether writing the next line's first character right after this line wraps it as it was wrapped. */
const wrapsByItself = (drawing: Drawing, next: XtermLine, cols: number): boolean => {
  if (isBlank(next, 0) || next.getWidth(0) === 0 || backgroundOf(cellPen(drawing.inside, next, 0)) !== 0) return false
  for (let column = 0; column < cols; column++) if (isStyledBlank(drawing.inside, next, column)) return false
  return true
}

/** Empties the cursor's line with the plain pen. Erasing from the left, unlike from the right, keeps the wrapped flag. */
const emptyLine = (drawing: Drawing, cols: number): void => {
  usePen(drawing, plainPen)
  drawing.text += `\x1b[${cols}G\x1b[1K\r`
}

/**
 * Makes the fresh buffer's first line one that continues a line that is gone: wraps a line at the bottom and scrolls all
 * others away.
 */
const wrapFirstLine = (drawing: Drawing, cols: number, rows: number): void => {
  drawing.text += `\x1b[${rows};${cols}Hxx${"\n".repeat(rows - 1)}\x1b[3J\x1b[H`
  emptyLine(drawing, cols)
}

/** Whether a buffer's saved cursor is other than a fresh terminal's. */
export const hasSavedCursor = (buffer: XtermBuffer): boolean =>
  buffer.savedX !== 0 ||
  buffer.savedY !== 0 ||
  buffer.savedCurAttrData.fg !== 0 ||
  buffer.savedCurAttrData.bg !== 0 ||
  buffer.savedCharset !== undefined

/** Saves the cursor in the line that it is in, and goes back to that line's start. */
export const saveCursor = (drawing: Drawing, buffer: XtermBuffer, cols: number, charsetOf: CharsetNames): void => {
  const { inside } = drawing
  const insideLink = savedInsideLink(buffer.savedCurAttrData)
  const charset = charsetOf(buffer.savedCharset) ?? "B"
  if (insideLink) drawing.text += "\x1b]8;;about:blank\x1b\\"
  usePen(drawing, savedPen(inside, buffer))
  drawing.text += `\x1b[${Math.min(buffer.savedX, cols - 1) + 1}G`
  drawing.text += charset === "B" ? "\x1b7" : `\x1b(${charset}\x1b7\x1b(B`
  if (insideLink) drawing.text += "\x1b]8;;\x1b\\"
  usePen(drawing, plainPen)
  drawing.text += "\r"
}

/**
 * Draws a buffer on a fresh one of the same size that is shown, from its first kept line on, and its saved cursor. The
 * cursor is left in the last line.
 */
export const drawBuffer = (drawing: Drawing, buffer: XtermBuffer, charsetOf: CharsetNames): void => {
  const { cols, rows } = drawing.inside
  const count = buffer.ybase + rows
  const saved = hasSavedCursor(buffer)
  const isNormal = buffer === drawing.inside.buffers.normal
  let savedLine = saved ? buffer.savedY : -1
  if (savedLine >= count && isNormal) {
    // It was saved further down than there are lines now: the lines above were erased since. Do the same.
    drawing.text += "\n".repeat(savedLine)
    saveCursor(drawing, buffer, cols, charsetOf)
    drawing.text += "\x1b[3J\x1b[H"
    savedLine = -1
  } else if (savedLine >= count) savedLine = count - 1
  if (buffer.lines.get(0)?.isWrapped === true) wrapFirstLine(drawing, cols, rows)
  for (let index = 0; index < count; index++) {
    const line = buffer.lines.get(index)
    if (line === undefined) break
    if (index === savedLine) saveCursor(drawing, buffer, cols, charsetOf)
    const cursor = drawLine(drawing, line, cols)
    const next = index + 1 < count ? buffer.lines.get(index + 1) : undefined
    if (next === undefined) continue
    if (!next.isWrapped) {
      if (backgroundOf(drawing.pen) !== 0) usePen(drawing, plainPen)
      drawing.text += "\r\n"
    } else if (cursor !== cols) {
      // The last column is blank: a wide character that did not fit went to the next line and left its pen there.
      usePen(drawing, cellPen(drawing.inside, line, cols - 1))
      drawing.text += `\x1b[${cols}G${wide}`
      emptyLine(drawing, cols)
    } else if (index + 1 === savedLine || !wrapsByItself(drawing, next, cols)) {
      drawing.text += "x"
      emptyLine(drawing, cols)
    }
  }
}
