/** The text of a prompt: what was typed behind the command, or else what comes through a pipe. */
import { maxPromptText } from "@holdfast/core"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { usage } from "../ExitCode.ts"
import { input } from "../terminal/LocalTerminal.ts"

/** Bytes that are read from a pipe: as much as any text of {@link maxPromptText} characters can have. */
const maxBytes = 4 * maxPromptText

/** Joins the words, or reads the pipe to its end; undefined where there is neither. */
export const promptText = Effect.fnUntraced(function* (words: ReadonlyArray<string>) {
  if (words.length > 0) return words.join(" ")
  if (process.stdin.isTTY === true) return undefined
  let size = 0
  const chunks = yield* input.pipe(
    Stream.tap((chunk) => {
      size += chunk.byteLength
      return size > maxBytes ? usage(`the prompt is longer than ${maxPromptText} characters`) : Effect.void
    }),
    Stream.runCollect
  )
  const text = Buffer.concat(chunks).toString("utf8").trim()
  return text === "" ? undefined : text
})
