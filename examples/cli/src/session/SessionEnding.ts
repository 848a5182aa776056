/** How `run` and `attach` end: with the command's own exit code, and a word about what goes on. */
import * as Effect from "effect/Effect"
import { constants } from "node:os"
import { EndWith, exitCodes, type OutputClosed, Refused } from "../ExitCode.ts"
import { note, write } from "../output/Output.ts"
import { styleOf } from "../output/Style.ts"
import type { SessionEnd } from "../owner/OwnerApi.ts"
import type { Left } from "../terminal/SessionView.ts"

const numbers: { readonly [signal: string]: number | undefined } = constants.signals

/** The exit code that a shell gives for such an end; undefined where the program did not end by itself or by a signal. */
export const exitCodeOf = ({ exitCode, signal }: SessionEnd): number | undefined =>
  signal !== null ? 128 + (numbers[signal] ?? 0) : (exitCode ?? undefined)

/** `exit code 3`, `signal SIGTERM`, or the reason. */
export const endText = ({ exitCode, reason, signal }: SessionEnd): string =>
  signal !== null ? `signal ${signal}` : exitCode !== null ? `exit code ${exitCode}` : reason

/** Ends the command as the session ended. */
export const endAs = (end: SessionEnd): Effect.Effect<void, EndWith | Refused> => {
  const code = exitCodeOf(end)
  if (code === undefined) {
    return Effect.fail(new Refused({ code: exitCodes.unavailable, detail: `the session ended: ${end.reason}` }))
  }
  return code === 0 ? Effect.void : Effect.fail(new EndWith({ code }))
}

/** Says in grey what a person should know; not where only programs read. */
export const hint = (text: string): Effect.Effect<void> =>
  process.stderr.isTTY ? note(styleOf(process.stderr)("dim", `holdfast: ${text}`)) : Effect.void

/** What it means that a session was put to rest while it was shown. */
export const restsNow = (id: string, { reason }: SessionEnd): string =>
  `session ${id} sleeps (${reason}); to wake it: holdfast attach ${id}`

/** What leaving a session that goes on means. */
export const keepsRunning = (id: string): string => `session ${id} keeps running; to go back: holdfast attach ${id}`

/** Ends the command as its view of a session ended. */
export const endView = (left: Left, id: string): Effect.Effect<void, EndWith | OutputClosed | Refused> => {
  switch (left.why) {
    case "ended":
      if (left.end.rests === true) return Effect.andThen(write("\r\n"), note(`holdfast: ${restsNow(id, left.end)}`))
      return Effect.andThen(hint(`session ${id} has ended: ${endText(left.end)}`), endAs(left.end))
    case "detached":
      // The program was left wherever its cursor was.
      return Effect.andThen(write("\r\n"), hint(keepsRunning(id)))
    case "hung-up":
      return Effect.andThen(note(`holdfast: ${keepsRunning(id)}`), Effect.fail(new EndWith({ code: 129 })))
  }
}
