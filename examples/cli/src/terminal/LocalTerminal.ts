/** The terminal that a person sits at: raw while a session is shown in it, and always put back. */
import * as NodeStream from "@effect/platform-node/NodeStream"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { write } from "../output/Output.ts"
import { TerminalModes } from "./TerminalModes.ts"

/** Columns and rows. */
export interface Size {
  readonly cols: number
  readonly rows: number
}

/** The size of the terminal on stdout; 80×24 where it is none. */
export const currentSize = (): Size => ({ cols: process.stdout.columns || 80, rows: process.stdout.rows || 24 })

/** Whether a person sits there: both ends are terminals. */
export const isInteractive = (): boolean => process.stdin.isTTY === true && process.stdout.isTTY === true

/**
 * Makes the terminal raw for the scope: what is typed arrives as it is, unseen and unchanged. Put back when the scope
 * closes, and by the process's exit where it comes first (a crash).
 */
export const raw: Effect.Effect<void, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => {
    const restore = () => void process.stdin.setRawMode(false)
    process.stdin.setRawMode(true)
    process.once("exit", restore)
    return restore
  }),
  (restore) =>
    Effect.sync(() => {
      process.off("exit", restore)
      restore()
    })
).pipe(Effect.asVoid)

/**
 * Writes a program's bytes to the terminal for the scope, and switches off at its end what they have switched on. In a
 * crash too: a shell whose cursor is hidden or whose mouse sends text is no use.
 */
export const screen = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => {
      const modes = new TerminalModes()
      const leave = () => {
        const text = modes.leave()
        if (text !== "") process.stdout.write(text)
      }
      process.once("exit", leave)
      return { modes, leave }
    }),
    ({ leave }) =>
      Effect.sync(() => {
        process.off("exit", leave)
        leave()
      })
  ),
  ({ modes }) =>
    (bytes: Uint8Array) => {
      modes.feed(bytes)
      return write(bytes)
    }
)

/**
 * Everything that arrives on stdin, as it comes; ends where stdin ends, and where the terminal is gone. Whoever does not take
 * what it brings leaves it with the system.
 */
export const input: Stream.Stream<Uint8Array> = NodeStream.fromReadable<Uint8Array>({
  evaluate: () => process.stdin,
  closeOnDone: false
}).pipe(Stream.catch(() => Stream.empty))

/** The new size, each time that the window changes. Only the newest counts. */
export const resizes: Stream.Stream<Size> = Stream.callback<Size>(
  (queue) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const listener = () => void Queue.offerUnsafe(queue, currentSize())
        process.stdout.on("resize", listener)
        return listener
      }),
      (listener) => Effect.sync(() => process.stdout.off("resize", listener))
    ),
  { bufferSize: 1, strategy: "sliding" }
)
