/** Output of a command as text: what a terminal would leave standing, without colours. */

// CSI, then strings that end with BEL or ST (OSC, DCS, APC, PM, SOS), then escapes of two or three characters.
const escapes =
  /\u001b\[[0-?]*[ -/]*[@-~]|\u001b[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b[ -/]*[0-~]|[\u0000-\u0007\u000b-\u000c\u000e-\u001f\u007f]/g

/** Takes escape sequences out, and lets a carriage return and a backspace write over what stands in their line. */
export const plainOutput = (output: string): string => {
  const text = output.replaceAll("\r\n", "\n").replace(escapes, "")
  if (!/[\r\b]/.test(text)) return text
  return text.split("\n").map(overwritten).join("\n")
}

const overwritten = (line: string): string => {
  if (!/[\r\b]/.test(line)) return line
  const cells: Array<string> = []
  let column = 0
  for (const character of line) {
    if (character === "\r") column = 0
    else if (character === "\b") column = Math.max(0, column - 1)
    else cells[column++] = character
  }
  return cells.join("")
}

/** A text's lines, as many as are shown of it. */
export interface Excerpt {
  readonly text: string
  /** Lines that it has altogether. */
  readonly lines: number
  readonly isWhole: boolean
}

/** Shows at most so many lines of a text: its first, or its last while it still grows. */
export const excerpt = (text: string, maxLines: number, from: "first" | "last"): Excerpt => {
  const trimmed = text.endsWith("\n") ? text.slice(0, -1) : text
  let lines = trimmed === "" ? 0 : 1
  for (let at = trimmed.indexOf("\n"); at !== -1; at = trimmed.indexOf("\n", at + 1)) lines++
  if (lines <= maxLines) return { text: trimmed, lines, isWhole: true }
  let cut = from === "first" ? -1 : trimmed.length
  for (let count = 0; count < maxLines; count++) {
    cut = from === "first" ? trimmed.indexOf("\n", cut + 1) : trimmed.lastIndexOf("\n", cut - 1)
  }
  return { text: from === "first" ? trimmed.slice(0, cut) : trimmed.slice(cut + 1), lines, isWhole: false }
}
