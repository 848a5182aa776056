/** The sizes that a terminal's screen is modelled in, bounded so that no size that a session may have asks for gigabytes. */

/** The size of a terminal that nobody has sized. */
export const defaultTerminalSize = { cols: 80, rows: 24 } as const

/** Lines above the screen that are kept unless a caller says otherwise: what xterm keeps, 2.5 MB at 80 columns. */
export const defaultScrollback = 1000

/**
 * Cells of the screen, and again of the lines above it: 12 bytes each, so at most 36 MB with both screens. The largest
 * terminals in use have 100,000.
 */
const maxCells = 1_000_000

/** A size that can be modelled, with as many lines above it as fit. */
export interface ScreenSize {
  readonly cols: number
  readonly rows: number
  readonly scrollback: number
}

/**
 * The modelled size for a terminal's size: at least 2 × 1 (xterm's own limit), at most {@link maxCells} cells, by taking
 * away rows and lines above the screen. It differs from the terminal's size only for sizes that no person has.
 */
export const screenSize = (cols: number, rows: number, scrollback: number = defaultScrollback): ScreenSize => {
  const width = Math.min(Math.max(2, Math.floor(cols)), 10_000)
  return {
    cols: width,
    rows: Math.min(Math.max(1, Math.floor(rows)), Math.floor(maxCells / width)),
    scrollback: Math.min(Math.max(0, Math.floor(scrollback)), Math.floor(maxCells / width))
  }
}
