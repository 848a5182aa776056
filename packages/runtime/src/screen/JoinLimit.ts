/**
 * A bound on what one cell can hold. xterm joins every combining character to the cell before it: a stream of nothing
 * else would make one cell of any size.
 */
import type { IUnicodeVersionProvider } from "@xterm/headless"
import type { XtermInternals } from "./XtermInternals.ts"

/** Combining characters that a cell takes, as Unicode's stream-safe text format allows; the next one starts a new cell. */
export const maxJoined = 30

/** Name under which the rule is registered with a terminal. */
export const joinLimitVersion = "holdfast-6"

/** The bits of xterm's character properties that are free for a provider's own use: here, how many were joined. */
const countShift = 3

/** xterm's widths of Unicode version 6, with the bound. */
export const joinLimit = (inside: XtermInternals): IUnicodeVersionProvider => {
  const six = inside.unicodeService._providers["6"]!
  return {
    version: joinLimitVersion,
    wcwidth: (codepoint) => six.wcwidth(codepoint),
    charProperties: (codepoint, preceding) => {
      const properties = six.charProperties(codepoint, preceding)
      if ((properties & 1) === 0) return properties
      const joined = (preceding >> countShift) + 1
      return joined > maxJoined ? 0 : properties | (joined << countShift)
    }
  }
}
