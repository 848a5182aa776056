/**
 * A bound on what a few bytes of output can make a screen do. xterm takes repeat counts up to 2,147,483,647 at their word
 * and loops, or allocates, for that long: one short sequence would stop the process that models the screen.
 */
import type { XtermInternals } from "./XtermInternals.ts"

/** Scrolling and inserting lines: the whole screen is blank after as many as it has rows. */
const byRows = ["L", "M", "S", "T"]

/** Tabs forward and back: the edge is reached after as many as there are columns. */
const byColumns = ["I", "Z"]

/**
 * Cuts counts down to where more makes no difference. Only for repeating a character (REP) it can: there a screenful is
 * the most, which no program exceeds.
 */
export const limitCounts = (inside: XtermInternals): void => {
  const limit = (final: string, most: () => number): void => {
    inside._inputHandler.registerCsiHandler({ final }, (parameters) => {
      if (parameters.params[0]! > most()) parameters.params[0] = most()
      // Not handled: xterm's own handler comes next.
      return false
    })
  }
  for (const final of byRows) limit(final, () => inside.rows)
  for (const final of byColumns) limit(final, () => inside.cols)
  limit("b", () => inside.cols * inside.rows)
}
