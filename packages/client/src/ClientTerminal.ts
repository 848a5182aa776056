/** The terminal of a session, with the shape of a pty: what a terminal emulator needs, and nothing to decide for it. */
import type { ClientError } from "./ClientError.ts"

/** The size with which somebody looks at a terminal. */
export interface TerminalSize {
  readonly cols: number
  readonly rows: number
}

/** A screen that takes the place of whatever was shown before. */
export interface TerminalReset extends TerminalSize {
  /** Reset the emulator, resize it to `cols` × `rows`, write this: it shows what the session's terminal shows. */
  readonly ansi: Uint8Array
  readonly title: string | null
  /** It is the first (`opened`), or output was left out because this client was too far behind (`resync`). */
  readonly why: "opened" | "resync"
}

/** How a terminal ended. */
export interface TerminalExit {
  readonly exitCode: number | null
  readonly signal: string | null
  readonly reason: string | null
}

/**
 * A terminal. Add listeners in the same turn of the event loop in which it was made: nothing comes before. A listener that
 * throws does not keep others from being called; each `on…` gives a function that removes its listener.
 *
 * Output that listeners are not done with holds back the server: a listener of `onData` or `onReset` that returns a promise
 * is done when that settles. Whoever stays behind by more than a mebibyte gets the screen as it then is instead of the
 * output in between.
 */
export interface ClientTerminal {
  /** The session's size, as far as it was told. */
  readonly cols: number
  readonly rows: number
  /**
   * Sends keystrokes; text goes as UTF-8. What is written within a turn of the event loop goes in one frame. It is kept
   * until the server says that it reached the terminal, and sent again after a reconnection, so that it arrives once.
   * Throws a {@link ClientError} of kind `busy` where more than 1 MiB waits, and of kind `unavailable` once closed.
   */
  readonly write: (data: string | Uint8Array) => void
  /** Changes the session's size, for everybody. Calls close to each other are joined: the last one counts. */
  readonly resize: (cols: number, rows: number) => void
  /** Output, in order. The bytes are the listener's own to keep. */
  readonly onData: (listener: (bytes: Uint8Array) => void | Promise<void>) => () => void
  /** The first screen, and each one that takes the place of lost output. */
  readonly onReset: (listener: (screen: TerminalReset) => void | Promise<void>) => () => void
  /** The session's terminal has another size, whoever changed it. */
  readonly onResize: (listener: (size: TerminalSize) => void) => () => void
  readonly onTitle: (listener: (title: string) => void) => () => void
  /** The program ended, or had ended before. A session that is opened again goes on with `onData`. */
  readonly onExit: (listener: (exit: TerminalExit) => void) => () => void
  /** What was written or resized was refused, or the session is gone. */
  readonly onProblem: (listener: (error: ClientError) => void) => () => void
  /** Leaves the terminal; the session goes on. Idempotent. What was written goes out still. */
  readonly close: () => void
}
