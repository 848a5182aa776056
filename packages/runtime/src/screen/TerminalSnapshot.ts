/** A `terminal.snapshot` event: the screen after a certain output, kept so that nobody has to show all output again. */
import { type EventBody, type EventLogService, type EventRecord, readEvent, type SessionId } from "@holdfast/core"
import { Effect, Option } from "effect"
import { TerminalScreen } from "./TerminalScreen.ts"

/** The format that this version writes and reads: text for a fresh terminal of the same size, in UTF-8. */
export const snapshotFormat = "xterm-serialize/1"

/** A stored snapshot that can be shown. */
export interface TerminalSnapshot {
  /** Its own place in the log. */
  readonly seq: number
  /** The last event whose output is in it. */
  readonly through: number
  /** Bytes of output before and in it. */
  readonly offset: number
  readonly cols: number
  readonly rows: number
  readonly bytes: Uint8Array
}

/** Reads a record; undefined where it is no snapshot, or one that only a newer version can show. */
export const readSnapshot = (record: EventRecord): TerminalSnapshot | undefined => {
  const read = readEvent(record)
  if (read.kind !== "known" || read.event.type !== "terminal.snapshot" || record.bytes === undefined) return undefined
  const { cols, format, offset, rows, through } = read.event.data
  if (format !== snapshotFormat) return undefined
  return { seq: record.seq, through, offset, cols, rows, bytes: record.bytes }
}

/** The event for a screen that shows all output through `through`, that is `offset` bytes. */
export const snapshotEvent = (
  through: number,
  offset: number,
  size: { readonly cols: number; readonly rows: number },
  bytes: Uint8Array
): EventBody<"terminal.snapshot"> => ({
  type: "terminal.snapshot",
  data: { through, offset, cols: size.cols, rows: size.rows, format: snapshotFormat },
  bytes
})

/** The nearest snapshot that can be shown at or before (`backward`), or at or after (`forward`) a seq. */
export const findSnapshot = Effect.fnUntraced(function* (
  log: EventLogService,
  sessionId: SessionId,
  from: number,
  direction: "backward" | "forward"
) {
  let at = from
  while (true) {
    const found = yield* log.find(sessionId, { type: "terminal.snapshot", from: at, direction })
    if (Option.isNone(found)) return undefined
    const snapshot = readSnapshot(found.value)
    if (snapshot !== undefined) return snapshot
    at = found.value.seq + (direction === "backward" ? -1 : 1)
  }
})

/** The snapshot with the most output that is not past `at`. One is stored some time after what it shows. */
export const nearestSnapshot = Effect.fnUntraced(function* (log: EventLogService, sessionId: SessionId, at: number) {
  const later = yield* findSnapshot(log, sessionId, at + 1, "forward")
  if (later !== undefined && later.through <= at) return later
  return yield* findSnapshot(log, sessionId, at, "backward")
})

/** A screen that shows a snapshot. */
export const showSnapshot = async (
  snapshot: TerminalSnapshot,
  options: { readonly scrollback?: number; readonly signal?: AbortSignal } = {}
): Promise<TerminalScreen> => {
  const screen = new TerminalScreen(snapshot.cols, snapshot.rows, options.scrollback)
  await screen.write([snapshot.bytes], options.signal)
  return screen
}
