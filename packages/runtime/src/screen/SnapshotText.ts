/**
 * A terminal as text: written to a fresh one of the same size, it makes it go on as the original would. Standard escape
 * sequences only and no queries, in an order in which none undoes another.
 *
 * It carries both screens with every cell, pen, hyperlink and wrapped line; the lines above; saved cursors, margins, tab
 * stops, character sets, modes, cursor and pen; the position past the last column; the title; and the escape sequence
 * that is not complete yet. It does not carry, and the screen differs afterwards only in the way stated:
 *
 * - **what lies right of the screen's edge**: tab stops, and cells of an alternate screen that was made narrower. They
 *   would come back if the terminal were made wider. Programs draw anew then.
 * - **which parts of a hyperlink without an id belong together**, where other text is in between, and links whose every
 *   line was erased.
 * - **a saved cursor past the last column** or below the alternate screen: it is in the last column or line.
 * - **titles and links of more than 4,096 characters** (cut, dropped) and unfinished strings over 1 MiB (ignored).
 * - **pasted-over accidents** that no program asks for: a cursor past an erased last column, a pen whose underline was
 *   half restored by a saved cursor, a repeatable character that was overwritten, a line of nothing but styled blanks, an
 *   accent on a wide character that a terminal without wrapping refused.
 *   {@link ../ScreenState.ts} tells whether a snapshot is affected; the snapshotter takes another one then.
 */
import { type Drawing, drawBuffer, hasSavedCursor, saveCursor, usePen } from "./BufferText.ts"
import type { CharsetNames } from "./CharsetNames.ts"
import { parserTail, type StringCollector } from "./ParserTail.ts"
import { backgroundOf, cellPen, currentPen, isStyled, plainPen, sameLook } from "./PenText.ts"
import type { XtermBuffer, XtermInternals, XtermLine } from "./XtermInternals.ts"

/** Longest title that a snapshot carries, in UTF-16 units. Window managers show a few hundred. */
export const maxTitleLength = 4096

/** Columns between tab stops on a fresh terminal. */
const tabWidth = 8

const tabsText = (buffer: XtermBuffer, cols: number): string => {
  let text = "\x1b[3g"
  let fresh = true
  for (let column = 0; column < cols; column++) {
    const isSet = buffer.tabs[column] === true
    if (isSet !== (column % tabWidth === 0)) fresh = false
    if (isSet) text += `\x1b[${column + 1}G\x1bH`
  }
  return fresh ? "" : text
}

const marginsText = (buffer: XtermBuffer, rows: number): string =>
  buffer.scrollTop === 0 && buffer.scrollBottom === rows - 1
    ? ""
    : `\x1b[${buffer.scrollTop + 1};${buffer.scrollBottom + 1}r`

/** Whether a restored cursor brought a character set along that is not the one selected. */
const isCharsetDetached = (inside: XtermInternals, buffer: XtermBuffer): boolean => {
  const { _charsets, charset, glevel } = inside._charsetService
  return charset !== _charsets[glevel] && charset === buffer.savedCharset
}

const charsetsText = (inside: XtermInternals, charsetOf: CharsetNames): string => {
  const { _charsets, glevel } = inside._charsetService
  let text = ""
  for (const [index, selector] of ["(", ")", "*", "+"].entries()) {
    const name = charsetOf(_charsets[index])
    if (name !== undefined && name !== "B") text += `\x1b${selector}${name}`
  }
  return text + (["", "\x0e", "\x1bn", "\x1bo"][glevel] ?? "")
}

/** Modes that neither move the cursor nor change what printing a character does. */
const quietModesText = (inside: XtermInternals): string => {
  const { decPrivateModes: modes } = inside.coreService
  let text = ""
  if (inside.optionsService.rawOptions.convertEol) text += "\x1b[20h"
  if (inside.optionsService.rawOptions.cursorBlink) text += "\x1b[?12h"
  if (modes.applicationCursorKeys) text += "\x1b[?1h"
  if (modes.applicationKeypad) text += "\x1b="
  if (modes.bracketedPasteMode) text += "\x1b[?2004h"
  if (modes.reverseWraparound) text += "\x1b[?45h"
  if (modes.sendFocus) text += "\x1b[?1004h"
  if (inside.coreService.isCursorHidden) text += "\x1b[?25l"
  const mouse = { X10: 9, VT200: 1000, DRAG: 1002, ANY: 1003 }[inside.coreMouseService.activeProtocol]
  if (mouse !== undefined) text += `\x1b[?${mouse}h`
  const encoding = { SGR: 1006, SGR_PIXELS: 1016 }[inside.coreMouseService.activeEncoding]
  if (encoding !== undefined) text += `\x1b[?${encoding}h`
  if (modes.cursorStyle !== undefined) {
    const style = { block: 2, underline: 4, bar: 6 }[modes.cursorStyle]
    text += `\x1b[${modes.cursorBlink === true ? style - 1 : style} q`
  }
  return text
}

/** A title as a snapshot carries it; never half a character. */
export const carriedTitle = (title: string): string =>
  title.length <= maxTitleLength ? title : title.slice(0, maxTitleLength).replace(/[\ud800-\udbff]$/, "")

const titlesText = (inside: XtermInternals): string => {
  const title = carriedTitle(inside._inputHandler._windowTitle)
  const icon = carriedTitle(inside._inputHandler._iconName)
  return (title === "" ? "" : `\x1b]2;${title}\x1b\\`) + (icon === "" ? "" : `\x1b]1;${icon}\x1b\\`)
}

const cursorText = (inside: XtermInternals, buffer: XtermBuffer, column: number): string => {
  const row = inside.coreService.decPrivateModes.origin ? buffer.y - buffer.scrollTop : buffer.y
  return `\x1b[${Math.max(0, row) + 1};${column + 1}H`
}

/** Whether a line is blank throughout, in one background. */
const isEmptyLine = (inside: XtermInternals, line: XtermLine): boolean => {
  const first = cellPen(inside, line, 0)
  for (let column = 0; column < inside.cols; column++) {
    if (line.hasContent(column) !== 0 || isStyled(cellPen(inside, line, column))) return false
    if (backgroundOf(cellPen(inside, line, column)) !== backgroundOf(first)) return false
  }
  return true
}

/**
 * Puts the cursor where it is. Past the last column, and where the character before it can still be repeated or be given
 * an accent, that character is written once more, because only writing leads there.
 */
const drawCursor = (drawing: Drawing, buffer: XtermBuffer, charsets: string): void => {
  const { inside } = drawing
  const { cols } = inside
  const pen = currentPen(inside)
  const line = buffer.lines.get(buffer.ybase + buffer.y)
  const edge = Math.min(buffer.x, cols)
  const width = line !== undefined && edge > 1 && line.getWidth(edge - 1) === 0 && line.getWidth(edge - 2) === 2 ? 2 : 1
  const column = edge - width
  const isWritten =
    line !== undefined && column >= 0 && line.hasContent(column) !== 0 && line.getWidth(column) === width
  const joins =
    isWritten && inside._inputHandler._parser.precedingJoinState !== 0 && sameLook(cellPen(inside, line, column), pen)
  // Any control sequence makes the character one that cannot be repeated: say again what holds anyway.
  const settle = inside.coreService.decPrivateModes.wraparound ? "\x1b[?7h" : "\x1b[?7l"
  const accent = buffer.x > cols ? "\u0301" : ""
  if (!isWritten && buffer.x >= cols && line !== undefined && isEmptyLine(inside, line)) {
    // The line was erased under the cursor: erasing from the left leaves it past the edge.
    drawing.text += `${cursorText(inside, buffer, cols - 1)}x`
    usePen(drawing, { ...plainPen, bg: backgroundOf(cellPen(inside, line, 0)) })
    drawing.text += "\x1b[1K"
    usePen(drawing, pen)
    drawing.text += settle + accent + charsets
    return
  }
  if (!isWritten || (!joins && buffer.x < cols)) {
    drawing.text += charsets + cursorText(inside, buffer, Math.min(buffer.x, cols - 1))
    usePen(drawing, pen)
    return
  }
  // Selecting a character set makes it unrepeatable as well; selected before, it may turn it into another one.
  drawing.text += (joins ? charsets : "") + cursorText(inside, buffer, column)
  // In insert mode it would push the rest of the line on: take it out first.
  if (inside.coreService.modes.insertMode) drawing.text += `\x1b[${width}P`
  usePen(drawing, joins ? pen : cellPen(inside, line, column))
  drawing.text += line.getString(column)
  if (joins) return
  usePen(drawing, pen)
  drawing.text += settle + accent + charsets
}

/** The text for a terminal as it is now. A character of which only some bytes have come is not in it. */
export const snapshotText = (inside: XtermInternals, charsetOf: CharsetNames, collector: StringCollector): string => {
  const { active, alt, normal } = inside.buffers
  const { cols, rows } = inside
  const drawing: Drawing = { inside, text: "", pen: plainPen }
  drawBuffer(drawing, normal, charsetOf)
  usePen(drawing, plainPen)
  if (active === normal && hasSavedCursor(alt)) {
    drawing.text += `\x1b[?47h\x1b[${Math.min(alt.savedY, rows - 1) + 1}d`
    saveCursor(drawing, alt, cols, charsetOf)
    drawing.text += "\x1b[?47l"
  }
  drawing.text += tabsText(normal, cols) + marginsText(normal, rows)
  if (active === alt) {
    drawing.text += `\x1b[${normal.y + 1};${Math.min(normal.x, cols - 1) + 1}H\x1b[?47h\x1b[H`
    drawBuffer(drawing, alt, charsetOf)
    usePen(drawing, plainPen)
    drawing.text += tabsText(alt, cols) + marginsText(alt, rows)
  }
  let charsets = charsetsText(inside, charsetOf)
  if (isCharsetDetached(inside, active)) {
    drawing.text += `${charsets}\x1b8\x1b[m`
    charsets = ""
  }
  drawing.text += titlesText(inside) + quietModesText(inside)
  const { origin, synchronizedOutput, wraparound } = inside.coreService.decPrivateModes
  if (origin) drawing.text += "\x1b[?6h"
  if (!wraparound) drawing.text += "\x1b[?7l"
  if (inside.coreService.modes.insertMode) drawing.text += "\x1b[4h"
  if (synchronizedOutput) drawing.text += "\x1b[?2026h"
  drawCursor(drawing, active, charsets)
  return drawing.text + parserTail(inside, collector)
}
