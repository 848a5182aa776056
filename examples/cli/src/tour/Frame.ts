/** A screen of a terminal in a frame. */
import type { Style } from "../output/Style.ts"
import { fit, pad } from "../output/Text.ts"

/** Draws the lines of a screen, this many columns wide. */
export const frame = (lines: ReadonlyArray<string>, columns: number, style: Style): string => {
  const side = style("dim", "│")
  const edge = (left: string, right: string) => style("dim", `${left}${"─".repeat(columns + 2)}${right}`)
  const rows = lines.map((text) => `   ${side} ${pad(fitLeft(text, columns), columns)} ${side}`)
  return [`   ${edge("╭", "╮")}`, ...rows, `   ${edge("╰", "╯")}`].join("\n")
}

/** Keeps the blanks that a line begins with. */
const fitLeft = (text: string, columns: number): string => {
  const indent = /^ */.exec(text)![0].slice(0, columns)
  return indent + fit(text, columns - indent.length)
}
