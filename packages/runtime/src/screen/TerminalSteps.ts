/**
 * A session's events as what happens to its terminal: output exactly once, sizes, titles, and new programs. Every use of
 * terminal events (screens, attaching, exports, snapshots) reads them here.
 */
import { type EventRecord, readEvent } from "@holdfast/core"

/** One thing that happens to a terminal, with the event that says so. */
export type TerminalStep =
  | { readonly kind: "output"; readonly seq: number; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: "resized"; readonly seq: number; readonly cols: number; readonly rows: number }
  | { readonly kind: "titled"; readonly seq: number; readonly title: string }
  /** Another program starts on the terminal: it finds a fresh one of the same size. */
  | { readonly kind: "started"; readonly seq: number }

/** A place in a session's terminal history. */
export interface TerminalPlace {
  /** The last event that was taken. */
  readonly seq: number
  /** Bytes of output that were taken. */
  readonly offset: number
}

/** The beginning of every session. */
export const beginning: TerminalPlace = { seq: 0, offset: 0 }

/**
 * Turns events into steps, from a place on. An event at or before the place, and bytes before its offset, are left out:
 * the same events may be given again.
 *
 * A program is new where a backend opens another time, and where a resumed backend spawns a process: what the program
 * before it left behind (an alternate screen, margins, a hidden cursor) is none of its doing.
 */
export class TerminalSteps {
  #seq: number
  #offset: number
  #opened: boolean
  #resumed = false

  constructor(from: TerminalPlace = beginning) {
    this.#seq = from.seq
    this.#offset = from.offset
    // Where nothing was shown there is nothing to begin afresh.
    this.#opened = from.offset > 0
  }

  get place(): TerminalPlace {
    return { seq: this.#seq, offset: this.#offset }
  }

  /** Goes on without what could not be had up to a seq. */
  skipTo(seq: number): void {
    this.#seq = Math.max(this.#seq, seq)
  }

  /** The steps that a run of events makes. */
  take(events: Iterable<EventRecord>): Array<TerminalStep> {
    const steps: Array<TerminalStep> = []
    for (const record of events) {
      if (record.seq <= this.#seq) continue
      this.#seq = record.seq
      const step = this.#stepOf(record)
      if (step !== undefined) steps.push(step)
    }
    return steps
  }

  #stepOf(record: EventRecord): TerminalStep | undefined {
    const read = readEvent(record)
    if (read.kind !== "known") return undefined
    const { event } = read
    const { seq } = event
    switch (event.type) {
      case "terminal.output": {
        const bytes = event.bytes?.subarray(Math.max(0, this.#offset - event.data.offset))
        if (bytes === undefined || bytes.length === 0) return undefined
        const offset = Math.max(this.#offset, event.data.offset)
        this.#offset = offset + bytes.length
        this.#resumed = false
        return { kind: "output", seq, offset, bytes }
      }
      case "terminal.resized":
        return { kind: "resized", seq, cols: event.data.cols, rows: event.data.rows }
      case "terminal.titled":
        return { kind: "titled", seq, title: event.data.title }
      case "backend.opened": {
        const again = this.#opened
        this.#opened = true
        return again ? { kind: "started", seq } : undefined
      }
      case "backend.resumed":
        this.#opened = true
        this.#resumed = true
        return undefined
      case "process.spawned": {
        const again = this.#resumed
        this.#resumed = false
        return again ? { kind: "started", seq } : undefined
      }
      default:
        return undefined
    }
  }
}
