/** What can be typed, in a few lines. */
import type { Glyphs } from "./Glyphs.ts"
import { noteLine } from "./Notes.ts"
import type { StyledLine } from "./StyledLine.ts"

const help = [
  "Enter sends a prompt, which waits for the end of the running turn",
  "Alt-Enter, or a line that begins with ! and a blank, steers: it goes into the running turn",
  "Ctrl-J begins a new line, pasted lines stay together, the arrows up and down bring earlier prompts back",
  "A request is answered by number and Enter; several numbers as 1,3; 0 dismisses",
  "Ctrl-C interrupts the turn, else clears the line; Ctrl-D on an empty line leaves; Ctrl-L draws anew",
  "Ctrl-A and Ctrl-E go to the ends of a line, Ctrl-U, Ctrl-K and Ctrl-W delete to its beginning, its end, a word"
]

/** The lines of the help. */
export const helpLines = (glyphs: Glyphs): ReadonlyArray<StyledLine> => help.map((text) => noteLine(text, glyphs))
