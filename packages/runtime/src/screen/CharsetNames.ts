/** Character sets by the escape sequence that selects them: xterm keeps the tables and forgets their names. */
import type { XtermCharset, XtermInternals } from "./XtermInternals.ts"

/** The sequences that designate G0 to G3, by what follows them. */
const designators = "0A4C5RQKYE6ZH7="

/** Finds which designator selects a character set; `undefined` is US ASCII. */
export type CharsetNames = (charset: XtermCharset) => string | undefined

/** Reads the names of the character sets off a terminal that may be written to. */
export const charsetNames = (inside: XtermInternals): CharsetNames => {
  const names = new Map<object, string>()
  for (const name of designators) {
    inside._inputHandler.parse(new TextEncoder().encode(`\x1b(${name}`))
    const charset = inside._charsetService._charsets[0]
    if (charset !== undefined && !names.has(charset)) names.set(charset, name)
  }
  inside._inputHandler.parse(new TextEncoder().encode("\x1b(B"))
  return (charset) => (charset === undefined ? "B" : names.get(charset))
}
