/**
 * Pens: the colours, flags and hyperlink of a cell, and of what is written next. Read from a terminal, compared, and
 * written as the escape sequences (SGR, DECSCA, OSC 8) that select them.
 */
import type { XtermBuffer, XtermExtended, XtermInternals, XtermLine, XtermPen } from "./XtermInternals.ts"

/** xterm's packing: colour mode and value in the low 26 bits, flags above. */
const colourMode = 0x3000000
const rgbMode = 0x3000000
const palette256Mode = 0x2000000
const colourValue = 0xffffff
const underlineFlag = 0x10000000
const extendedFlag = 0x10000000
const protectedFlag = 0x20000000
const foregroundFlags: ReadonlyArray<readonly [flag: number, sgr: string]> = [
  [0x8000000, "1"],
  [0x20000000, "5"],
  [0x4000000, "7"],
  [0x40000000, "8"],
  [0x80000000, "9"]
]
const backgroundFlags: ReadonlyArray<readonly [flag: number, sgr: string]> = [
  [0x8000000, "2"],
  [0x4000000, "3"],
  [0x40000000, "53"]
]

/**
 * Longest hyperlink target and id that a snapshot carries, in UTF-16 units: twice what browsers take. Text under a longer
 * one is restored without its link.
 */
export const maxLinkLength = 4096

/** A pen, in a form that is the same for the same look. */
export interface Pen {
  /** Foreground colour (0: default) and its flags. */
  readonly fg: number
  /** Background colour (0: default) and its flags, without the bit that says that there is an underline style or link. */
  readonly bg: number
  /** 0 none, 1 single, 2 double, 3 curly, 4 dotted, 5 dashed. */
  readonly underline: number
  /** Colour of the underline, 0: that of the text. */
  readonly underlineColour: number
  /** The terminal's number for its hyperlink, 0: none. Numbers differ between terminals; the link is the same. */
  readonly link: number
}

/** How a fresh terminal writes. */
export const plainPen: Pen = { fg: 0, bg: 0, underline: 0, underlineColour: 0, link: 0 }

/** xterm leaves bits of an earlier colour beside a palette index: take only what it reads. */
const colour = (packed: number): number => {
  const mode = packed & colourMode
  if (mode === 0) return 0
  return mode === rgbMode ? packed & (colourMode | colourValue) : packed & (colourMode | 0xff)
}

const liveLink = (inside: XtermInternals, extended: XtermExtended): number => {
  if (extended.urlId === 0) return 0
  const link = inside._oscLinkService.getLinkData(extended.urlId)
  return link === undefined || link.uri.length > maxLinkLength || (link.id ?? "").length > maxLinkLength
    ? 0
    : extended.urlId
}

const penOf = (inside: XtermInternals, fg: number, bg: number, extended: XtermExtended | undefined): Pen => {
  const underlined = (fg & underlineFlag) !== 0
  const style = extended === undefined ? 1 : (extended._ext & 0x1c000000) >> 26
  return {
    fg: colour(fg) | (fg & ~(colourMode | colourValue | underlineFlag)),
    bg: colour(bg) | (bg & ~(colourMode | colourValue | extendedFlag)),
    underline: underlined ? style : 0,
    underlineColour: underlined && extended !== undefined ? colour(extended._ext) : 0,
    link: extended === undefined ? 0 : liveLink(inside, extended)
  }
}

/** The pen that a cell was written with. */
export const cellPen = (inside: XtermInternals, line: XtermLine, column: number): Pen => {
  const fg = line.getFg(column)
  const bg = line.getBg(column)
  if (fg === 0 && bg === 0) return plainPen
  return penOf(inside, fg, bg, (bg & extendedFlag) === 0 ? undefined : line._extendedAttrs[column])
}

/** The pen that the next character is written with, and a colour that waits for an underline. */
export const currentPen = (inside: XtermInternals): Pen => {
  const pen = inside._inputHandler._curAttrData
  const shown = penOf(inside, pen.fg, pen.bg, pen.extended)
  return { ...shown, underlineColour: colour(pen.extended._ext) }
}

/** The pen that a restored cursor brings back. It has no underline style, colour or link of its own. */
export const savedPen = (inside: XtermInternals, buffer: XtermBuffer): Pen =>
  penOf(inside, buffer.savedCurAttrData.fg, buffer.savedCurAttrData.bg, undefined)

/** Whether a saved pen claims a link or underline style though it shows no underline: it was saved inside a link. */
export const savedInsideLink = (pen: XtermPen): boolean =>
  (pen.bg & extendedFlag) !== 0 && (pen.fg & underlineFlag) === 0

/** The claim of a pen that a style or link goes with it; see {@link savedInsideLink}. */
export const claimsExtended = (pen: XtermPen): boolean => (pen.bg & extendedFlag) !== 0

/** Whether the pen differs from a plain one in more than the background's colour. */
export const isStyled = (pen: Pen): boolean =>
  pen.fg !== 0 || (pen.bg & ~(colourMode | colourValue)) !== 0 || pen.underline !== 0 || pen.link !== 0

/** The background's colour alone, as blank cells have it. */
export const backgroundOf = (pen: Pen): number => pen.bg & (colourMode | colourValue)

const samePen = (a: Pen, b: Pen): boolean =>
  a === b ||
  (a.fg === b.fg &&
    a.bg === b.bg &&
    a.underline === b.underline &&
    a.underlineColour === b.underlineColour &&
    a.link === b.link)

/** Whether two pens write the same; one may have a colour waiting for an underline. */
export const sameLook = (a: Pen, b: Pen): boolean =>
  samePen({ ...a, underlineColour: 0 }, { ...b, underlineColour: 0 }) &&
  (a.underline === 0 || a.underlineColour === b.underlineColour)

const colourText = (packed: number, base: number): string => {
  const mode = packed & colourMode
  if (mode === 0) return ""
  if (mode === rgbMode) return `;${base + 8};2;${(packed >> 16) & 255};${(packed >> 8) & 255};${packed & 255}`
  const index = packed & 255
  if (mode === palette256Mode) return `;${base + 8};5;${index}`
  return `;${index < 8 ? base + index : base + 60 + (index & 7)}`
}

const linkText = (inside: XtermInternals, id: number): string => {
  const link = id === 0 ? undefined : inside._oscLinkService.getLinkData(id)
  if (link === undefined) return "\x1b]8;;\x1b\\"
  return `\x1b]8;${link.id === undefined ? "" : `id=${link.id}`};${link.uri}\x1b\\`
}

/** What to write to change from one pen to another: nothing if they are the same. */
export const penText = (inside: XtermInternals, from: Pen, to: Pen): string => {
  if (samePen(from, to)) return ""
  const link = from.link === to.link ? "" : linkText(inside, to.link)
  let sgr = ""
  for (const [flag, code] of foregroundFlags) if ((to.fg & flag) !== 0) sgr += `;${code}`
  for (const [flag, code] of backgroundFlags) if ((to.bg & flag) !== 0) sgr += `;${code}`
  if (to.underline !== 0) sgr += to.underline === 1 ? ";4" : `;4:${to.underline}`
  sgr += colourText(to.fg, 30) + colourText(to.bg, 40) + colourText(to.underlineColour, 50)
  return `${link}\x1b[${sgr === "" ? "" : `0${sgr}`}m${(to.bg & protectedFlag) === 0 ? "" : '\x1b[1"q'}`
}
