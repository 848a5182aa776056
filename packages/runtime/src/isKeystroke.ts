import type { CommandBody } from "@holdfast/core"

/** A `terminal.write` in its shape; anything else takes the common way, where what is wrong with it is named. */
export const isKeystroke = (given: CommandBody): given is CommandBody<"terminal.write"> =>
  given?.type === "terminal.write" && given.data?.bytes instanceof Uint8Array
