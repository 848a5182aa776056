/** Opens a {@link ClientTerminal}: a member of a session's channel that hands on screens and output, and sends what is typed. */
import {
  type ClientCommand,
  type EventRecord,
  type Problem,
  readEvent,
  type Receipt,
  type SessionState
} from "@holdfast/core"
import { ClientError, clientError } from "./ClientError.ts"
import type { ClientTerminal, TerminalExit, TerminalReset, TerminalSize } from "./ClientTerminal.ts"
import type { Keystrokes } from "./Keystrokes.ts"
import { Listeners } from "./Listeners.ts"
import type { SessionChannel } from "./SessionChannel.ts"

/** Calls of `resize` within this time are joined: 50 ms, three frames of a window that is being dragged. */
const resizeMs = 50

/** The size of a terminal that nobody has told of. */
const unknownSize: TerminalSize = { cols: 80, rows: 24 }

const utf8 = new TextEncoder()

/** What a terminal is made of. */
export interface TerminalParts {
  readonly channel: SessionChannel
  readonly keystrokes: Keystrokes
  readonly command: (command: ClientCommand) => Promise<Receipt>
  readonly onError: (error: unknown) => void
}

/** Opens a terminal. */
export const openTerminal = (parts: TerminalParts, wanted: Partial<TerminalSize> = {}): ClientTerminal => {
  const { channel, keystrokes, onError } = parts
  const onData = new Listeners<[bytes: Uint8Array]>(onError)
  const onReset = new Listeners<[screen: TerminalReset]>(onError)
  const onResize = new Listeners<[size: TerminalSize]>(onError)
  const onTitle = new Listeners<[title: string]>(onError)
  const onExit = new Listeners<[exit: TerminalExit]>(onError)
  const onProblem = new Listeners<[error: ClientError]>(onError)

  let size = unknownSize
  /** Bytes of output that were handed on; undefined while a screen has yet to come. */
  let offset: number | undefined
  /** The last event that was looked at. */
  let seq = 0
  /** A session without output has no screen to begin with. */
  let begins: SessionState | undefined
  let ended: TerminalExit | undefined
  let wantedSize: TerminalSize | undefined
  /** The size that it has, or will have: a call that asks for it again is not sent. */
  let lastSize: TerminalSize | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let isClosed = false

  /** Ends the waiting for listeners that are not done: a terminal that was closed holds nothing back. */
  const releases = new Set<() => void>()
  const waitFor = (waiting: ReadonlyArray<Promise<void> | undefined>): Promise<void> | undefined => {
    const all = waiting.filter((one) => one !== undefined)
    if (all.length === 0) return undefined
    return new Promise((resolve) => {
      const release = () => {
        releases.delete(release)
        resolve()
      }
      releases.add(release)
      Promise.all(all).then(release, release)
    })
  }

  const exit = (exitCode: number | null, signal: string | null, reason: string | null) => {
    ended = { exitCode, signal, reason }
    onExit.tell(ended)
  }

  const resized = (cols: number, rows: number) => {
    lastSize = { cols, rows }
    if (cols === size.cols && rows === size.rows) return
    size = { cols, rows }
    onResize.tell(size)
  }

  const report = (error: unknown) =>
    onProblem.tell(error instanceof ClientError ? error : clientError("internal", String(error)))

  const resize = (cols: number, rows: number) => {
    if (isClosed) return
    wantedSize = { cols, rows }
    timer ??= setTimeout(sendSize, resizeMs)
  }
  const sendSize = () => {
    timer = undefined
    const data = wantedSize
    wantedSize = undefined
    if (data === undefined || (data.cols === lastSize?.cols && data.rows === lastSize.rows)) return
    lastSize = data
    parts.command({ type: "terminal.resize", data }).catch((error: unknown) => {
      lastSize = undefined
      report(error)
    })
  }

  /** Output from where the last ended, without what was shown already. */
  const newOutput = (record: EventRecord): Uint8Array | undefined => {
    const at = Number(record.data["offset"])
    const bytes = record.bytes
    if (bytes === undefined || offset === undefined || at + bytes.byteLength <= offset) return undefined
    if (at > offset) {
      offset = undefined
      channel.reopen(clientError("internal", "output of the terminal is missing").problem)
      return undefined
    }
    const news = bytes.subarray(offset - at)
    offset = at + bytes.byteLength
    return news
  }

  /** Tells of a page's events; output that follows on each other is joined, which emulators take much quicker. */
  const tellAll = (events: ReadonlyArray<EventRecord>): Array<Promise<void>> => {
    const waiting: Array<Promise<void>> = []
    let pieces: Array<Uint8Array> = []
    const flush = () => {
      if (pieces.length === 0) return
      const done = onData.tell(joined(pieces))
      if (done !== undefined) waiting.push(done)
      pieces = []
    }
    for (const record of events) {
      if (record.seq <= seq) continue
      seq = record.seq
      if (record.type === "terminal.output") {
        const news = newOutput(record)
        if (news !== undefined) pieces.push(news)
      } else {
        flush()
        event(record)
      }
    }
    flush()
    return waiting
  }

  const event = (record: EventRecord): void => {
    const read = readEvent(record)
    if (read.kind !== "known") return
    const { data, type } = read.event
    switch (type) {
      case "terminal.resized":
        return resized(data.cols, data.rows)
      case "terminal.titled":
        onTitle.tell(data.title)
        return
      case "backend.opening":
        ended = undefined
        return
      case "backend.closed":
        return exit(data.exitCode ?? null, data.signal ?? null, data.reason)
      case "backend.lost":
      case "backend.suspended":
        return exit(null, null, data.reason)
      case "backend.failed":
        return exit(null, null, data.message)
    }
  }

  /** Shows the beginning of a terminal that has no screen yet. */
  const beginEmpty = (): Promise<void> | undefined => {
    const state = begins
    begins = undefined
    if (state === undefined) return undefined
    offset = 0
    const { cols, rows } = (lastSize = size = state.terminal ?? unknownSize)
    return onReset.tell({ ansi: new Uint8Array(), cols, rows, title: null, why: "opened" })
  }

  const leave = channel.join({
    history: 0,
    begin: ({ cursor, state }) => {
      seq = cursor
      offset = undefined
      begins = state
    },
    showHistory: () => {},
    showScreen: ({ cols, offset: shown, rows, seq: at, title, why }, ansi) => {
      const state = begins
      begins = undefined
      seq = at
      offset = shown
      lastSize = size = { cols, rows }
      const done = onReset.tell({ ansi: ansi.slice(), cols, rows, title, why })
      if (state !== undefined) ends(state)
      return waitFor([done])
    },
    follow: (page) => {
      const begun = begins
      const shown = beginEmpty()
      if (begun !== undefined) ends(begun)
      if (page.answer === "caught-up") return waitFor([shown])
      return waitFor([shown, ...tellAll(page.events)])
    },
    interrupted: () => {
      offset = undefined
    },
    gone: (problem: Problem) => {
      report(new ClientError(problem))
    },
    closed: () => {}
  })

  /** A session that had ended before says so at once. */
  const ends = ({ chart, end }: SessionState) => {
    if (end === null || ended !== undefined) return
    const { lifecycle } = chart
    if (lifecycle === "closed" || lifecycle === "failed" || lifecycle === "lost" || lifecycle === "suspended") {
      exit(end.exitCode, end.signal, end.reason)
    }
  }

  const offProblem = keystrokes.problems.add(report)
  if (wanted.cols !== undefined && wanted.rows !== undefined) resize(wanted.cols, wanted.rows)

  return {
    get cols() {
      return size.cols
    },
    get rows() {
      return size.rows
    },
    write: (data) => {
      if (isClosed) throw clientError("unavailable", "this terminal was closed")
      keystrokes.write(typeof data === "string" ? utf8.encode(data) : data)
    },
    resize,
    onData: onData.add,
    onReset: onReset.add,
    onResize: onResize.add,
    onTitle: onTitle.add,
    onExit: onExit.add,
    onProblem: onProblem.add,
    close: () => {
      if (isClosed) return
      isClosed = true
      clearTimeout(timer)
      leave()
      for (const release of releases) release()
      offProblem()
      for (const listeners of [onData, onReset, onResize, onTitle, onExit, onProblem]) listeners.clear()
    }
  }
}

/** A copy of the pieces: they are views into frames, all of which a listener that keeps one would keep. */
const joined = (pieces: ReadonlyArray<Uint8Array>): Uint8Array => {
  const bytes = new Uint8Array(pieces.reduce((sum, { byteLength }) => sum + byteLength, 0))
  let at = 0
  for (const piece of pieces) {
    bytes.set(piece, at)
    at += piece.byteLength
  }
  return bytes
}
