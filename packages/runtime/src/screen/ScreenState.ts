/**
 * Everything about a terminal that what is written next can show or build on, in a form that can be compared: two
 * terminals with the same state go on alike. What {@link ./SnapshotText.ts} states that it does not carry is left out.
 */
import type { CharsetNames } from "./CharsetNames.ts"
import { type StringCollector, parserTail } from "./ParserTail.ts"
import { backgroundOf, cellPen, claimsExtended, currentPen, isStyled, type Pen, savedPen } from "./PenText.ts"
import { carriedTitle } from "./SnapshotText.ts"
import type { XtermBuffer, XtermInternals, XtermLine } from "./XtermInternals.ts"

const penState = (inside: XtermInternals, pen: Pen): string => {
  const link = pen.link === 0 ? undefined : inside._oscLinkService.getLinkData(pen.link)
  const target = link === undefined ? "" : ` ${link.id ?? ""};${link.uri}`
  return `${pen.fg}/${pen.bg}/${pen.underline}/${pen.underlineColour}${target}`
}

/** Cells from left to right, each with its width, text and pen; trailing plain blanks are left out. */
const lineState = (inside: XtermInternals, line: XtermLine, cols: number): string => {
  let text = line.isWrapped ? "+" : "-"
  let kept = text.length
  let lastPen = ""
  for (let column = 0; column < cols; column++) {
    const pen = cellPen(inside, line, column)
    // Half of a wide character at the edge of a screen that was made narrower shows nothing.
    const isCut = column === cols - 1 && line.getWidth(column) === 2
    const content = isCut ? "" : line.getString(column)
    const state = penState(inside, pen)
    if (state !== lastPen) text += `{${state}}`
    lastPen = state
    text += content === "" ? "\0" : line.getWidth(column) === 1 ? content : `<${line.getWidth(column)}${content}>`
    if (content !== "" || isStyled(pen) || backgroundOf(pen) !== 0) kept = text.length
  }
  return text.slice(0, kept)
}

const savedState = (inside: XtermInternals, buffer: XtermBuffer, charsetOf: CharsetNames): string => {
  const lastLine = buffer === inside.buffers.alt ? inside.rows - 1 : Number.POSITIVE_INFINITY
  const position = `${Math.min(buffer.savedX, inside.cols - 1)},${Math.min(buffer.savedY, lastLine)}`
  const pen = penState(inside, savedPen(inside, buffer))
  return `${position} ${pen} ${claimsExtended(buffer.savedCurAttrData)} ${charsetOf(buffer.savedCharset) ?? "?"}`
}

const bufferState = (
  state: Map<string, string>,
  name: string,
  inside: XtermInternals,
  buffer: XtermBuffer,
  charsetOf: CharsetNames
): void => {
  state.set(`${name} saved cursor`, savedState(inside, buffer, charsetOf))
  if (buffer === inside.buffers.alt && buffer !== inside.buffers.active) return
  const { cols, rows } = inside
  state.set(`${name} lines above`, `${buffer.ybase}`)
  state.set(`${name} margins`, `${buffer.scrollTop}-${buffer.scrollBottom}`)
  const tabs = Array.from({ length: cols }, (_, column) => column).filter((column) => buffer.tabs[column] === true)
  state.set(`${name} tab stops`, tabs.join())
  const past = buffer === inside.buffers.active ? cols + 1 : cols - 1
  state.set(`${name} cursor`, `${Math.min(buffer.x, past)},${buffer.y}`)
  for (let index = 0; index < buffer.ybase + rows; index++) {
    const line = buffer.lines.get(index)
    state.set(`${name} line ${index}`, line === undefined ? "none" : lineState(inside, line, cols))
  }
}

/** The state of a terminal, by the name of each part. */
export const screenState = (
  inside: XtermInternals,
  charsetOf: CharsetNames,
  collector: StringCollector,
  pending: Uint8Array
): ReadonlyMap<string, string> => {
  const state = new Map<string, string>()
  state.set("size", `${inside.cols}x${inside.rows}`)
  state.set("screen", inside.buffers.active === inside.buffers.alt ? "alternate" : "normal")
  bufferState(state, "normal", inside, inside.buffers.normal, charsetOf)
  bufferState(state, "alternate", inside, inside.buffers.alt, charsetOf)
  const pen = inside._inputHandler._curAttrData
  state.set("pen", `${penState(inside, currentPen(inside))} ${claimsExtended(pen)}`)
  const { _charsets, charset, glevel } = inside._charsetService
  const names = [0, 1, 2, 3].map((index) => charsetOf(_charsets[index]) ?? "?")
  state.set("character sets", `${names.join("")} ${glevel} ${charsetOf(charset) ?? "?"}`)
  for (const [name, value] of Object.entries(inside.coreService.decPrivateModes)) state.set(name, `${value}`)
  state.set("insert", `${inside.coreService.modes.insertMode}`)
  state.set("new line", `${inside.optionsService.rawOptions.convertEol}`)
  state.set("cursor blink", `${inside.optionsService.rawOptions.cursorBlink}`)
  state.set("cursor hidden", `${inside.coreService.isCursorHidden}`)
  state.set("mouse", `${inside.coreMouseService.activeProtocol} ${inside.coreMouseService.activeEncoding}`)
  state.set("title", carriedTitle(inside._inputHandler._windowTitle))
  state.set("icon", carriedTitle(inside._inputHandler._iconName))
  state.set("repeatable", `${inside._inputHandler._parser.precedingJoinState}`)
  state.set("parser", parserTail(inside, collector))
  state.set("pending", Array.from(pending).join())
  return state
}

/** Names of the parts in which two states differ. */
export const stateDifferences = (
  a: ReadonlyMap<string, string>,
  b: ReadonlyMap<string, string>
): ReadonlyArray<string> => [...new Set([...a.keys(), ...b.keys()])].filter((name) => a.get(name) !== b.get(name))
