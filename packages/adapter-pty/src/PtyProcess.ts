/** One program in one terminal: node-pty, with its traps kept in here. */
import { BackendLost } from "@holdfast/core"
import { type ProcessIdentity, promises } from "@holdfast/process"
import { Effect } from "effect"
import type * as nodePty from "node-pty"
import { withSharedReads } from "./sharedReads.ts"
import { makePtyInput, type PtyInput } from "./PtyInput.ts"

/** node-pty's module. */
export type NodePty = typeof nodePty

/** Loads node-pty when the first terminal is opened: a host that has no build of it can use other backends. */
export const loadNodePty = (
  load: () => Promise<NodePty> = () => import("node-pty")
): Effect.Effect<NodePty, BackendLost> =>
  Effect.tryPromise({
    try: load,
    catch: (cause) =>
      new BackendLost({
        backend: "pty",
        reason:
          "node-pty could not be loaded. Install it with its build script allowed (npm 12: allowScripts); " +
          "on Linux it is compiled while it is installed, which needs Python, make and a C++ compiler",
        retryable: false,
        cause
      })
  })

/** How a program ended. */
export interface PtyExit {
  readonly exitCode: number
  /** Number of the signal that ended it, or 0. */
  readonly signal: number
}

/** What a program in a terminal tells. Nothing is told before {@link spawnPty} has returned. */
export interface PtyListener {
  /** The chunk is to be taken at once: the next read overwrites it. */
  readonly onData: (chunk: Buffer) => void
  /** It has ended and everything that was written to the terminal was told. */
  readonly onExit: (exit: PtyExit) => void
  /** It has ended some 200 ms ago, but there is more to be read, or others hold the terminal open. */
  readonly onLinger: () => void
}

/** What is started. */
export interface PtyLaunch {
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly cols: number
  readonly rows: number
}

/** A program in a terminal. */
export interface PtyProcess {
  readonly pid: number
  /** Who it is; undefined where it had ended before it could be looked at. Rejects with `ProcessTableUnavailable`. */
  readonly identity: Promise<ProcessIdentity | undefined>
  /** Stops reading, and so the program as soon as it has filled the kernel's buffer. Nothing is lost across its end. */
  readonly pause: () => void
  readonly resume: () => void
  /** Whether the terminal takes input and sizes. */
  readonly isOpen: () => boolean
  /** See {@link PtyInput.write}. */
  readonly write: PtyInput["write"]
  /** Harmless when it has ended. */
  readonly resize: (cols: number, rows: number) => void
  /** After {@link PtyListener.onLinger}: ends reading as soon as nothing more comes. */
  readonly release: () => void
  /** Closes the terminal now. What was not read is gone. */
  readonly destroy: () => void
}

/**
 * Milliseconds of silence after which a released terminal counts as read to its end, where the kernel does not say so itself.
 * Linux does; macOS sometimes does not.
 */
const silenceMs = 100

/**
 * Milliseconds that a program which has let go of its terminal may take to exit before the terminal is closed: a second.
 * Closing it earlier hangs up a program that is about to exit with a code of its own.
 */
const exitMs = 1_000

/** What is used of node-pty's Unix terminal beyond its types, as of 1.1.0. Windows has none of it. */
interface UnixTerminal {
  readonly fd: number
  readonly pid: number
  readonly _socket: {
    readonly destroyed: boolean
    readonly readableEnded: boolean
    destroy: (error?: Error) => unknown
  }
}

const isUnixTerminal = (pty: unknown): pty is UnixTerminal => {
  const { fd, _socket: socket } = pty as Partial<UnixTerminal>
  return process.platform !== "win32" && typeof fd === "number" && typeof socket?.destroy === "function"
}

/** Starts a program in a terminal of its own. Throws what node-pty throws where the system allows no further one. */
export const spawnPty = (nodePty: NodePty, launch: PtyLaunch, listener: PtyListener): PtyProcess => {
  let lastData = 0
  let isPaused = false
  const onRead = (chunk: Buffer) => {
    lastData = performance.now()
    listener.onData(chunk)
  }
  const { made: pty, isShared } = withSharedReads(
    () =>
      nodePty.spawn(launch.command, [...launch.args], {
        name: launch.env["TERM"] ?? "xterm-256color",
        cwd: launch.cwd,
        env: { ...launch.env },
        cols: launch.cols,
        rows: launch.rows,
        encoding: null
      }),
    onRead
  )
  // With `encoding: null` chunks are buffers, whatever the types say; on Windows they are text all the same.
  if (!isShared) pty.onData((chunk: string | Buffer) => onRead(typeof chunk === "string" ? Buffer.from(chunk) : chunk))
  const terminal = isUnixTerminal(pty) ? holdOpen(pty, listener.onLinger) : windowsTerminal(pty)
  pty.onExit(({ exitCode, signal }) => {
    terminal.close()
    listener.onExit({ exitCode, signal: signal ?? 0 })
  })
  return {
    pid: pty.pid,
    identity: promises.identify(pty.pid),
    pause: () => {
      isPaused = true
      pty.pause()
    },
    resume: () => {
      isPaused = false
      // It was silent because nobody listened.
      lastData = performance.now()
      pty.resume()
    },
    isOpen: terminal.isOpen,
    write: terminal.write,
    resize: (cols: number, rows: number) => {
      if (terminal.isOpen()) pty.resize(cols, rows)
    },
    release: () => {
      lastData = performance.now()
      const isSilent = () => !isPaused && performance.now() - lastData >= silenceMs
      const timer = setInterval(() => {
        if (!terminal.isOpen()) return clearInterval(timer)
        // A host that was busy for that long has yet to read what came meanwhile, which it does between here and there.
        if (isSilent()) setImmediate(() => isSilent() && terminal.close())
      }, silenceMs / 4)
    },
    destroy: terminal.close
  }
}

/**
 * node-pty destroys its stream 200 ms after the program's exit, read to the end or not: a terminal that is paused then, or a
 * host that was busy, loses what the kernel still holds. That one call is held back here until somebody calls `close`. And
 * it destroys its stream when the program has closed its side, which may be just before the exit: then the program would
 * die of SIGHUP instead. That call waits for the exit.
 *
 * Once the stream is destroyed its file descriptor may belong to anybody: it is used only while `isOpen`.
 */
const holdOpen = (pty: UnixTerminal, onLinger: () => void) => {
  const socket = pty._socket
  const destroy = socket.destroy.bind(socket)
  const isOpen = () => !socket.destroyed
  const input = makePtyInput(pty.fd, isOpen)
  const closeAfterExit = (error: Error | undefined, until: number) => {
    if (socket.destroyed) return
    if (hasExited(pty.pid) || performance.now() >= until) destroy(error)
    else setTimeout(() => closeAfterExit(error, until), 1)
  }
  socket.destroy = (error) => {
    if (error !== undefined || socket.readableEnded) closeAfterExit(error, performance.now() + exitMs)
    else onLinger()
    return socket
  }
  const close = () => {
    input.close()
    destroy()
  }
  return { isOpen, write: input.write, close }
}

/** Whether node-pty has reaped the program. */
const hasExited = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH"
  }
}

/** On Windows node-pty queues input itself, without a bound. */
const windowsTerminal = (pty: nodePty.IPty) => {
  let open = true
  return {
    isOpen: () => open,
    write: (bytes: Uint8Array) => {
      pty.write(Buffer.from(bytes))
      return true
    },
    close: () => {
      if (open) pty.kill()
      open = false
    }
  }
}
