/** From lines of meaning to rows of a terminal. */
import { safeText } from "./SafeText.ts"
import type { Glyphs } from "./Glyphs.ts"
import type { Row, Span, StyledLine } from "./StyledLine.ts"
import { displayWidth, expandTabs, fitting, wrap } from "./Wrap.ts"

/** Columns of text that are left beside a lead; where there are fewer, the lead is left out. */
const minTextWidth = 8

/** Lays a line out in rows of at most `width` columns. This is where all text is made safe. */
export const layOut = (line: StyledLine, width: number, unicode: boolean): ReadonlyArray<Row> => {
  const lead = safeSpan(line.lead, unicode)
  const hang = safeSpan(line.hang, unicode)
  const { room, withLead } = roomBeside(Math.max(spanWidth(lead), spanWidth(hang)), width)

  const spans = line.spans.map((span) => ({ ...span, text: safeText(span.text, unicode) }))
  const text = spans.map((span) => span.text).join("")

  const rows: Array<Row> = []
  let offset = 0
  for (const part of text.split("\n")) {
    for (const [index, { end, start }] of wrap(part, room).entries()) {
      if (index > 0 && end === start) continue
      const before = withLead ? (rows.length === 0 ? lead : (hang ?? lead)) : undefined
      rows.push([...(before === undefined ? [] : [before]), ...slice(spans, offset + start, offset + end)])
    }
    offset += part.length + 1
  }
  return rows
}

/** Everything in one row of at most `width` columns, with a mark where the rest is left out. */
export const cutRow = (spans: ReadonlyArray<Span>, width: number, glyphs: Glyphs): Row => {
  const row: Array<Span> = []
  let room = width
  for (const span of spans) {
    const text = safeText(span.text, glyphs.unicode).replaceAll(/[\n\t]/g, " ")
    const kept = fitting(text, room)
    room -= displayWidth(kept)
    row.push({ ...span, text: kept })
    if (kept.length === text.length) continue
    const mark = displayWidth(glyphs.ellipsis)
    row[row.length - 1] = { ...span, text: fitting(kept, room + displayWidth(kept) - mark) }
    if (width >= mark) row.push({ text: glyphs.ellipsis, style: "dim" })
    break
  }
  return row
}

/** The columns that text has beside a lead, and whether there is room for a lead at all. */
export const roomBeside = (lead: number, width: number): { readonly room: number; readonly withLead: boolean } => {
  const withLead = width - lead >= Math.min(minTextWidth, width)
  return { room: Math.max(1, withLead ? width - lead : width), withLead }
}

const safeSpan = (span: Span | undefined, unicode: boolean): Span | undefined =>
  span === undefined ? undefined : { ...span, text: safeText(span.text, unicode).replaceAll(/[\n\t]/g, " ") }

const spanWidth = (span: Span | undefined): number => (span === undefined ? 0 : displayWidth(span.text))

const slice = (spans: ReadonlyArray<Span>, from: number, to: number): Row => {
  const row: Array<Span> = []
  let at = 0
  let column = 0
  for (const span of spans) {
    const text = span.text.slice(Math.max(0, from - at), Math.max(0, to - at))
    at += span.text.length
    if (text === "") continue
    const expanded = expandTabs(text, column)
    column += displayWidth(expanded)
    row.push({ ...span, text: expanded })
  }
  return row
}
