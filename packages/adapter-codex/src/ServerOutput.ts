/** Reads what a server writes, line by line, and leaves it waiting while somebody cannot take any more. */
import { Deferred, Effect, type Scope } from "effect"
import type { Readable } from "node:stream"
import { type JsonLinesOptions, makeJsonLines } from "./JsonLines.ts"

/** A server's output that is read. */
export interface ServerOutput {
  /** Stops reading while anybody holds it: the output waits in its pipe, and then the server waits itself. */
  readonly hold: (who: object) => void
  readonly letGo: (who: object) => void
  readonly isHeld: () => boolean
  /** Completes at its end; then gives the bytes of a line that was not ended. */
  readonly ended: Effect.Effect<number>
}

/** Starts to read; the scope's end stops it. */
export const readServerOutput = (
  stdout: Readable,
  options: JsonLinesOptions
): Effect.Effect<ServerOutput, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const lines = makeJsonLines(options)
      const holders = new Set<object>()
      const ended = Deferred.makeUnsafe<number>()
      const end = () => Deferred.doneUnsafe(ended, Effect.succeed(lines.pending()))
      stdout.on("data", lines.write).once("end", end).once("close", end).on("error", end)
      const stop = () => stdout.off("data", lines.write).off("end", end).off("close", end).off("error", end)
      const output: ServerOutput = {
        hold: (who) => {
          holders.add(who)
          stdout.pause()
        },
        letGo: (who) => {
          if (holders.delete(who) && holders.size === 0) stdout.resume()
        },
        isHeld: () => holders.size > 0,
        ended: Deferred.await(ended)
      }
      return { output, stop }
    }),
    ({ stop }) => Effect.sync(stop)
  ).pipe(Effect.map(({ output }) => output))
