/**
 * Text from agents, tools and people, made harmless: nothing in it moves a cursor, sets a title or reorders what is
 * shown. Everything that a face prints goes through {@link safeText}, at the one place where lines are laid out.
 */

/** What a terminal could act on, or what would hide or reorder text: controls, line separators, bidi overrides, halves. */
const unsafe = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]/

const lineEnds = /\r\n?|[\u0085\u2028\u2029]/g
const others = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g

/**
 * The text with visible replacements for what a terminal would act on: control pictures (`␛`) where `unicode`, else
 * carets (`^[`). Line ends become `\n`; tabs stay, since only the layout knows their width. Safe text stays as it is.
 */
export const safeText = (text: string, unicode: boolean): string => {
  if (!unsafe.test(text)) return text
  return text
    .toWellFormed()
    .replaceAll(lineEnds, "\n")
    .replaceAll(others, unicode ? picture : caret)
}

const picture = (character: string): string => {
  const code = character.charCodeAt(0)
  if (code < 0x20) return String.fromCharCode(0x2400 + code)
  return code === 0x7f ? "\u2421" : "\ufffd"
}

const caret = (character: string): string => {
  const code = character.charCodeAt(0)
  return code < 0x80 ? `^${String.fromCharCode(code ^ 0x40)}` : "?"
}

/** Where a piece of streaming text can be cut: before half of a surrogate pair, and before a CR whose LF may follow. */
export const wholeLength = (text: string): number => {
  const last = text.charCodeAt(text.length - 1)
  return last === 0x0d || (last >= 0xd800 && last <= 0xdbff) ? text.length - 1 : text.length
}

/**
 * Escape sequences with what belongs to them: control sequences, strings (titles, links), and those of two or three
 * characters. A string ends at its line at the latest, so that no sequence hides more. Takes linear time on any text.
 */
const sequences =
  /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]|(?:\u001b[\]P^_X]|[\u0090\u0098\u009d-\u009f])[^\u0007\u001b\u009c\n]*(?:\u0007|\u001b\\|\u009c)?|\u001b[ -/]*[0-~]?/g

/** What a program's output says, without its colours and movements; of a line that it overwrote, the last that it wrote. */
export const outputText = (output: string): string => {
  const text = output.includes("\u001b") || unsafe.test(output) ? output.replaceAll(sequences, "") : output
  if (!text.includes("\r")) return text
  return text.replaceAll(/\r+\n/g, "\n").replaceAll(/[^\n\r]*\r+(?=[^\n\r])/g, "")
}
