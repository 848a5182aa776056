/**
 * What keeps a few bytes of output from stopping the process that models the screen: xterm takes repeat counts up to
 * 2,147,483,647 at their word and loops, or allocates, for that long; and some sequences make it throw.
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
const limitCounts = (inside: XtermInternals): void => {
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

/**
 * Erasing from the top to the cursor throws where the cursor is in the last column of the last line: it looks for the
 * line after it. That is the whole screen, so erase that.
 */
const mendErasing = (inside: XtermInternals): void => {
  for (const prefix of [undefined, "?"]) {
    inside._inputHandler.registerCsiHandler(
      { ...(prefix === undefined ? {} : { prefix }), final: "J" },
      (parameters) => {
        const { lines, x, y } = inside.buffers.active
        if (parameters.params[0] === 1 && x + 1 >= inside.cols && y + 1 >= lines.length) parameters.params[0] = 2
        return false
      }
    )
  }
}

type Handler = (parameters: unknown) => boolean | Promise<boolean>

/** A handler that ignores the sequence if it throws, as xterm ignores those that it does not know. */
const guarded =
  (handler: Handler): Handler =>
  (parameters) => {
    try {
      return handler(parameters)
    } catch {
      // A defect of xterm's, met by a program's output: nobody can do anything about either.
      return true
    }
  }

/** Makes sure that nothing a program writes stops its screen. To be called once for a terminal. */
export const guardSequences = (inside: XtermInternals): void => {
  limitCounts(inside)
  mendErasing(inside)
  const { _csiHandlers, _escHandlers, _executeHandlers } = inside._inputHandler._parser
  for (const handlers of [...Object.values(_csiHandlers), ...Object.values(_escHandlers)]) {
    for (const [index, handler] of handlers.entries()) handlers[index] = guarded(handler)
  }
  for (const [code, handler] of Object.entries(_executeHandlers)) _executeHandlers[code] = guarded(handler)
}
