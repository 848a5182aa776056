/**
 * A program asks its terminal things (what it is, where the cursor stands, which colours it has), and each page that shows
 * the session is a terminal: only one of them may answer, or the program reads the others' answers as typing.
 */
import type { Terminal } from "@xterm/xterm"

/** Lets the emulator answer as long as `mayAnswer` says so, and swallows queries else. The result ends that. */
export const answerQueries = (terminal: Terminal, mayAnswer: () => boolean): (() => void) => {
  const { parser } = terminal
  const silently = () => !mayAnswer()
  const asks = (data: string) => data.includes("?") && !mayAnswer()
  const watched = [
    // Device attributes: primary, secondary, tertiary. Status and cursor position. Modes. Version.
    parser.registerCsiHandler({ final: "c" }, silently),
    parser.registerCsiHandler({ prefix: ">", final: "c" }, silently),
    parser.registerCsiHandler({ prefix: "=", final: "c" }, silently),
    parser.registerCsiHandler({ final: "n" }, silently),
    parser.registerCsiHandler({ prefix: "?", final: "n" }, silently),
    parser.registerCsiHandler({ intermediates: "$", final: "p" }, silently),
    parser.registerCsiHandler({ prefix: "?", intermediates: "$", final: "p" }, silently),
    parser.registerCsiHandler({ prefix: ">", final: "q" }, silently),
    parser.registerDcsHandler({ intermediates: "$", final: "q" }, silently),
    // Colours: of the palette, foreground, background, cursor.
    ...[4, 10, 11, 12].map((number) => parser.registerOscHandler(number, asks))
  ]
  return () => {
    for (const one of watched) one.dispose()
  }
}
