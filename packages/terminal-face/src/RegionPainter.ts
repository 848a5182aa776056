/**
 * Writes what is printed for good above the region, and the region below it. Nothing above is ever touched: when the
 * terminal is resized, the region is found again from its cursor, by counting the rows that terminals make of lines that
 * have become too wide.
 */
import type { LiveRegion } from "./LiveRegion.ts"
import { paint, type Row } from "./StyledLine.ts"
import { displayWidth, graphemes } from "./Wrap.ts"

/** Pastes are marked, so that their line ends send nothing. */
const pastes = ["\u001b[?2004h", "\u001b[?2004l"] as const
const cursor = { hidden: "\u001b[?25l", shown: "\u001b[?25h" } as const
/** Terminals that know synchronised output draw all at once; others ignore it. */
const sync = ["\u001b[?2026h", "\u001b[?2026l"] as const
/** Within the region a row never wraps, whatever the terminal thinks of the width of an emoji. */
const wrapping = ["\u001b[?7l", "\u001b[?7h"] as const

/** Empties a terminal's window. */
export const erase = "\u001b[H\u001b[2J"

/** Knows where the region is on one terminal. */
export class RegionPainter {
  readonly #colour: boolean
  readonly #reflows: boolean
  #region: LiveRegion = { rows: [], cursor: undefined }
  /** The region as it was written; undefined where that is not on the terminal any more. */
  #written: string | undefined
  /** Rows from the region's first one to the cursor. */
  #below = 0

  constructor(colour: boolean, reflows: boolean) {
    this.#colour = colour
    this.#reflows = reflows
  }

  /** The terminal is new, or was emptied: the region begins where its cursor is. */
  begin(): string {
    this.#written = undefined
    this.#below = 0
    return pastes[0]
  }

  /** The terminal has another width, and may have wrapped what was shown. */
  resized(cols: number): void {
    this.#written = undefined
    if (this.#reflows) this.#below = above(this.#region).reduce((sum, row) => sum + rowsOf(row, cols), 0)
  }

  /** Prints rows above the region and draws it below; nothing where nothing changes. */
  paint(printed: ReadonlyArray<string>, region: LiveRegion): string {
    const rows = region.rows.map((row) => paint(row, this.#colour)).join("\r\n")
    const place = toCursor(region)
    if (printed.length === 0 && rows + place === this.#written) return ""
    const top = this.#toTop()
    this.#written = rows + place
    this.#region = region
    this.#below = above(region).length
    const lines = printed.map((row) => `${row}\r\n`).join("")
    return `${sync[0]}${cursor.hidden}${top}${lines}${wrapping[0]}${rows}${wrapping[1]}${place}${sync[1]}`
  }

  /** Takes the region away. */
  end(): string {
    return `${this.#toTop()}${pastes[1]}${cursor.shown}`
  }

  /** To the beginning of the region, and nothing from there on. */
  #toTop(): string {
    return `\r${this.#below > 0 ? `\u001b[${this.#below}A` : ""}\u001b[J`
  }
}

/** The rows above the one with the cursor: the last one, where nothing can be typed. */
const above = ({ cursor, rows }: LiveRegion): ReadonlyArray<Row> =>
  rows.slice(0, cursor?.row ?? Math.max(0, rows.length - 1))

/** From the region's end to the cursor. */
const toCursor = ({ cursor: at, rows }: LiveRegion): string => {
  if (at === undefined) return "\r"
  const up = rows.length - 1 - at.row
  return `\r${up > 0 ? `\u001b[${up}A` : ""}${at.column > 0 ? `\u001b[${at.column}C` : ""}${cursor.shown}`
}

/** Rows that a terminal makes of a row that it wraps at this width. */
const rowsOf = (row: Row, cols: number): number => {
  let rows = 1
  let column = 0
  for (const grapheme of graphemes(row.map((span) => span.text).join(""))) {
    const width = displayWidth(grapheme)
    if (column + width > cols) {
      rows++
      column = 0
    }
    column += width
  }
  return rows
}
