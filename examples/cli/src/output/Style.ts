/** Colours, where a person looks and wants them: a terminal, and no NO_COLOR. */
import { styleText } from "node:util"

/** What {@link Style} knows, by Node's names. */
export type Look = Parameters<typeof styleText>[0]

/** Puts a look on a text, or leaves it plain. */
export type Style = (look: Look, text: string) => string

/** The style of a stream: plain unless it is a terminal, and NO_COLOR, FORCE_COLOR and TERM=dumb count. */
export const styleOf =
  (stream: NodeJS.WriteStream): Style =>
  (look, text) =>
    styleText(look, text, { stream, validateStream: true })

/** No style at all. */
export const plain: Style = (_, text) => text
