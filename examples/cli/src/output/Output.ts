/** What goes to stdout: every write waits for its reader, and a reader that went away ends the command quietly. */
import * as Effect from "effect/Effect"
import { OutputClosed } from "../ExitCode.ts"

/** Write errors that mean that nobody is there to read. */
const closedCodes: ReadonlySet<string | undefined> = new Set(["EPIPE", "EIO", "ERR_STREAM_DESTROYED"])

/** Writes to stdout, as they are, and completes when the system has taken them. */
export const write = (chunk: string | Uint8Array): Effect.Effect<void, OutputClosed> =>
  Effect.callback<void, OutputClosed>((resume) => {
    process.stdout.write(chunk, (error) => {
      if (!error) return resume(Effect.void)
      const isClosed = closedCodes.has((error as NodeJS.ErrnoException).code)
      resume(isClosed ? Effect.fail(new OutputClosed()) : Effect.die(error))
    })
  })

/** Writes one line to stdout. */
export const line = (text: string): Effect.Effect<void, OutputClosed> => write(`${text}\n`)

/** Writes one line of JSON to stdout. */
export const json = (value: unknown): Effect.Effect<void, OutputClosed> => line(JSON.stringify(value))

/** Tells the person something that is no output: on stderr. A closed stderr is nobody's loss. */
export const note = (text: string): Effect.Effect<void> => Effect.sync(() => void process.stderr.write(`${text}\n`))

/**
 * Keeps write errors from ending the process in the middle of something: on stdout the failing {@link write} tells; what is
 * said on stderr has no reader then.
 */
export const keepWriteErrors = (): void => {
  process.stdout.on("error", () => {})
  process.stderr.on("error", () => {})
}
