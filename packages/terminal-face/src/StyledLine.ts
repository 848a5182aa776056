/** Lines as they are meant, before they are laid out for a width. */

/** What a piece of text is, which decides its colour. */
export type Style =
  | "plain"
  | "strong"
  | "dim"
  | "thought"
  | "good"
  | "bad"
  | "warning"
  | "asking"
  | "person"
  | "added"
  | "removed"
  | "hunk"

/** A piece of a line. Its text need not be safe: the layout makes it so. */
export interface Span {
  readonly text: string
  readonly style?: Style
}

/** One line of meaning. A `\n` in its text begins a new row, under `hang`. */
export interface StyledLine {
  /** Stands before the first row. */
  readonly lead?: Span
  /** Stands before every further row: as wide as `lead`. */
  readonly hang?: Span
  readonly spans: ReadonlyArray<Span>
}

/** A row of a terminal: safe text, no wider than it was laid out for. */
export type Row = ReadonlyArray<Span>

const codes: { readonly [S in Exclude<Style, "plain">]: string } = {
  strong: "1",
  dim: "2",
  thought: "2;3",
  good: "32",
  bad: "31",
  warning: "33",
  asking: "1;35",
  person: "1;36",
  added: "32",
  removed: "31",
  hunk: "36"
}

/** A row as it is written. */
export const paint = (row: Row, colour: boolean): string => {
  let text = ""
  for (const span of row) {
    const style = span.style ?? "plain"
    text += style === "plain" || !colour ? span.text : `\u001b[${codes[style]}m${span.text}\u001b[0m`
  }
  return text
}

/** Makes a line of one piece. */
export const line = (text: string, style: Style = "plain"): StyledLine => ({ spans: [{ text, style }] })
