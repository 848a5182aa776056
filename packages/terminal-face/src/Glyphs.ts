/** The signs that a face draws itself, for terminals with Unicode and without. */

/** One set of signs. Each lead is two columns wide, so that what follows it lines up. */
export interface Glyphs {
  /** Whether text may be shown with control pictures. */
  readonly unicode: boolean
  readonly message: string
  readonly thought: string
  readonly person: string
  /** Before a text that goes on after something else was printed. */
  readonly again: string
  readonly done: string
  readonly failed: string
  readonly running: string
  readonly waiting: string
  readonly asking: string
  readonly note: string
  readonly warning: string
  /** Before a line of output. */
  readonly bar: string
  /** The steps of a plan. */
  readonly pending: string
  readonly doing: string
  readonly ticked: string
  readonly ellipsis: string
  /** Between two parts of a line. */
  readonly dot: string
  readonly minus: string
}

export const unicodeGlyphs: Glyphs = {
  unicode: true,
  message: "● ",
  thought: "∴ ",
  person: "❯ ",
  again: "⋯ ",
  done: "✓ ",
  failed: "✗ ",
  running: "◌ ",
  waiting: "◦ ",
  asking: "? ",
  note: "· ",
  warning: "! ",
  bar: "│ ",
  pending: "☐ ",
  doing: "▸ ",
  ticked: "☑ ",
  ellipsis: "…",
  dot: " · ",
  minus: "−"
}

export const asciiGlyphs: Glyphs = {
  unicode: false,
  message: "* ",
  thought: "~ ",
  person: "> ",
  again: "& ",
  done: "+ ",
  failed: "x ",
  running: "o ",
  waiting: ". ",
  asking: "? ",
  note: "- ",
  warning: "! ",
  bar: "| ",
  pending: "[ ] ",
  doing: "[>] ",
  ticked: "[x] ",
  ellipsis: "...",
  dot: " - ",
  minus: "-"
}
