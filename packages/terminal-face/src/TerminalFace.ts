/**
 * A structured session as a terminal. What is finished is printed once, as ordinary lines that scroll; what still changes
 * is a small region at the bottom, drawn anew with each change, with the line that a person types.
 *
 * Memory of a face: core's state of the session; of each of at most 64 open items at most 48 Ki UTF-16 units of output,
 * and as much of each of 16 diffs; 16 Ki of each text that streams behind another one; the line, its history of at most
 * 256 Ki, and 1,000 printed rows.
 */
import type { EventRecord, Followed, SessionState } from "@holdfast/core"
import { Composer, type FaceCommand } from "./Composer.ts"
import { KeyDecoder } from "./KeyDecoder.ts"
import { layOut } from "./Layout.ts"
import { maxLine } from "./LineEditor.ts"
import { liveRegion } from "./LiveRegion.ts"
import { helpLines } from "./Help.ts"
import { erase, RegionPainter } from "./RegionPainter.ts"
import { followsClosely, type Print, type PrintGroup } from "./Print.ts"
import { maxBehind } from "./StreamedText.ts"
import { StreamRows } from "./StreamRows.ts"
import { paint, type Row, type StyledLine } from "./StyledLine.ts"
import { emptyTranscript, evolveTranscript, note, type Transcript } from "./Transcript.ts"

/** Printed rows that are kept for {@link TerminalFace.screen}, and most rows of the past that joining prints. */
const maxKeptRows = 1_000

/** What a face is for. */
export interface TerminalFaceOptions {
  /** Columns and rows of the terminal: 1 to 10,000. */
  readonly cols: number
  readonly rows: number
  /** Whether it takes colours. Default true. */
  readonly colour?: boolean
  /** Whether it shows Unicode; otherwise the face's own signs are ASCII. Default true. */
  readonly unicode?: boolean
  /**
   * Whether the terminal wraps the lines that it shows when it becomes narrower. Nearly all do; the Linux console, xterm
   * and GNU screen cut them off. Default true.
   */
  readonly reflows?: boolean
  /** Who looks: their prompts and answers are not signed. */
  readonly participant?: string
  /** Nothing can be typed but what leaves. Default false. */
  readonly readOnly?: boolean
  /**
   * The session's state before the first event that is shown, where that is not the first of the log. Items and requests
   * that began before it are shown when they end: begin before the oldest that is open.
   */
  readonly state?: SessionState
}

/** What came of keys. */
export interface FaceInput {
  /** To be written to the terminal. */
  readonly output: string
  /** To be sent to the session, in this order. */
  readonly commands: ReadonlyArray<FaceCommand>
  /** The person wants to leave: Ctrl-D, or Ctrl-C where nothing runs, on an empty line. */
  readonly leave: boolean
}

/** A session's face in one terminal. Every text that it gives is to be written to that terminal, in order. */
export interface TerminalFace {
  /** The last event that it knows. */
  readonly seq: number
  /** Takes in what a follower of the session gets: pages, gaps, and that it is caught up. */
  readonly follow: (page: Followed) => string
  /** Takes in events; those that it knows change nothing. Gives nothing before it is caught up for the first time. */
  readonly show: (events: ReadonlyArray<EventRecord>) => string
  /** The past is complete: prints its last 1,000 rows at most, and from now on everything. */
  readonly caughtUp: () => string
  /** The terminal has another size. */
  readonly resize: (cols: number, rows: number) => string
  /** Something was typed: a terminal's bytes, cut anywhere. */
  readonly key: (input: Uint8Array | string) => FaceInput
  /** A command was refused: says why, and offers the request again that it was to answer. */
  readonly refused: (command: FaceCommand, why: string) => string
  /** A line that is not from the session: that the connection is gone, say. */
  readonly note: (text: string, level?: "info" | "warning" | "error") => string
  /** Everything anew, for an empty terminal: the last printed rows, and the region. */
  readonly screen: () => string
  /** Takes the region away and gives the terminal back as it was. Afterwards the face gives nothing more. */
  readonly end: () => string
}

/** Makes a face. It starts on an empty line of a terminal in raw mode. */
export const makeTerminalFace = (options: TerminalFaceOptions): TerminalFace => new Face(options)

class Face implements TerminalFace {
  #transcript: Transcript
  #cols: number
  #rows: number
  readonly #colour: boolean
  readonly #painter: RegionPainter
  readonly #composer: Composer | undefined
  readonly #keys = new KeyDecoder(maxLine)
  readonly #streams = new Map<string, StreamRows>()
  /** Printed since the last output; before the first, the past. */
  #printed: Array<string> = []
  /** Rows of the past that are not printed. */
  #skipped = 0
  #kept: Array<string> = []
  #last: { readonly group: PrintGroup; readonly stream: string | undefined } | undefined
  #phase: "past" | "live" | "ended" = "past"

  constructor(options: TerminalFaceOptions) {
    const { colour = true, participant, readOnly = false, reflows = true, state, unicode = true } = options
    this.#transcript = emptyTranscript({ state, participant, unicode })
    this.#colour = colour
    this.#painter = new RegionPainter(colour, reflows)
    this.#cols = bounded(options.cols)
    this.#rows = bounded(options.rows)
    this.#composer = readOnly ? undefined : new Composer(this.#transcript)
  }

  get seq(): number {
    return this.#transcript.session.seq
  }

  follow(page: Followed): string {
    if (page.answer === "caught-up") return this.caughtUp()
    if (page.answer !== "gap") return this.show(page.events)
    if (page.reason === "ahead") this.#startAnew()
    return this.note(`Events ${page.from} to ${page.to} cannot be shown: ${page.detail}`, "warning")
  }

  show(events: ReadonlyArray<EventRecord>): string {
    for (const event of events) {
      const [transcript, prints] = evolveTranscript(this.#transcript, event)
      this.#transcript = transcript
      for (const print of prints) this.#print(print)
    }
    this.#composer?.follow(this.#transcript)
    return this.#frame()
  }

  caughtUp(): string {
    if (this.#phase !== "past") return ""
    this.#phase = "live"
    this.#forgetPast()
    return this.#painter.begin() + this.#frame()
  }

  resize(cols: number, rows: number): string {
    this.#cols = bounded(cols)
    this.#rows = bounded(rows)
    this.#painter.resized(this.#cols)
    // What fitted into the row that grows may take more than one now.
    this.#printFinished()
    return this.#frame()
  }

  key(input: Uint8Array | string): FaceInput {
    const keys = this.#keys.decode(input)
    const composer = this.#composer
    if (composer === undefined) {
      const leave = keys.some(({ key }) => key === "interrupt" || key === "leave")
      return { output: "", commands: [], leave }
    }
    const { bell, commands, help, leave, redraw } = composer.type(keys)
    if (help) this.#printLines("note", helpLines(this.#transcript.glyphs))
    const output = redraw && this.#phase === "live" ? `${erase}${this.screen()}` : this.#frame()
    return { output: bell && this.#phase === "live" ? `${output}\u0007` : output, commands, leave }
  }

  refused(command: FaceCommand, why: string): string {
    this.#composer?.refused(command)
    return this.note(why, "error")
  }

  note(text: string, level: "info" | "warning" | "error" = "info"): string {
    this.#print(note(this.#transcript, text, level))
    return this.#frame()
  }

  screen(): string {
    if (this.#phase !== "live") return ""
    this.#printed = this.#kept
    this.#kept = []
    return this.#painter.begin() + this.#frame()
  }

  end(): string {
    const output = this.#phase === "live" ? this.#painter.end() : ""
    this.#phase = "ended"
    this.#printed = []
    this.#kept = []
    this.#streams.clear()
    return output
  }

  /** The log is another one: what comes next is its first event. */
  #startAnew(): void {
    for (const stream of this.#streams.keys()) this.#close(stream, undefined, [])
    const { glyphs, participant } = this.#transcript
    this.#transcript = emptyTranscript({ participant, unicode: glyphs.unicode })
    this.#composer?.follow(this.#transcript)
  }

  /** Columns that are used: the last one stays free, since terminals differ in what they do once it is full. */
  get #width(): number {
    return Math.max(1, this.#cols - 1)
  }

  #print(print: Print): void {
    switch (print.print) {
      case "block":
        this.#printLines(print.group, print.lines)
        return
      case "opened":
        if (this.#streams.has(print.stream)) this.#close(print.stream, undefined, [])
        this.#streams.set(print.stream, new StreamRows(print, this.#transcript.glyphs))
        return
      case "text":
        this.#streams.get(print.stream)?.push(print.text)
        this.#printFinished()
        return
      case "closed":
        this.#close(print.stream, print.whole, print.lines)
    }
  }

  /** Rows of streaming texts that cannot change any more: of the oldest text, and of those that would grow too long. */
  #printFinished(): void {
    let first = true
    for (const [stream, text] of this.#streams) {
      if (first || text.waiting > maxBehind) {
        this.#printRows(text.look.group, text.finished(this.#width, this.#last?.stream !== stream), stream)
      }
      first = false
    }
  }

  #close(stream: string, whole: string | undefined, lines: ReadonlyArray<StyledLine>): void {
    const text = this.#streams.get(stream)
    if (text === undefined) return
    this.#streams.delete(stream)
    const rest = text.rest(whole, this.#width, this.#last?.stream !== stream)
    this.#printRows(text.look.group, [...rest, ...this.#lay(lines)], stream)
    this.#printFinished()
  }

  #printLines(group: PrintGroup, lines: ReadonlyArray<StyledLine>): void {
    this.#printRows(group, this.#lay(lines), undefined)
  }

  #lay(lines: ReadonlyArray<StyledLine>): ReadonlyArray<Row> {
    return lines.flatMap((line) => layOut(line, this.#width, this.#transcript.glyphs.unicode))
  }

  #printRows(group: PrintGroup, rows: ReadonlyArray<Row>, stream: string | undefined): void {
    if (rows.length === 0 || this.#phase === "ended") return
    const last = this.#last
    const close =
      last === undefined || (stream !== undefined && last.stream === stream) || followsClosely(last.group, group)
    if (!close) this.#printed.push("")
    this.#last = { group, stream }
    for (const row of rows) this.#printed.push(paint(row, this.#colour))
    if (this.#phase === "past" && this.#printed.length > 2 * maxKeptRows) this.#forgetPast()
  }

  /** Of the past only the last rows are printed. */
  #forgetPast(): void {
    if (this.#printed.length <= maxKeptRows) return
    this.#skipped += this.#printed.length - maxKeptRows
    this.#printed = this.#printed.slice(-maxKeptRows)
  }

  /** What brings the terminal up to date: printed rows above, the region below, the cursor in its line. */
  #frame(): string {
    if (this.#phase !== "live") return ""
    const view = {
      transcript: this.#transcript,
      streams: this.#streams,
      composer: this.#composer,
      printing: this.#last?.stream
    }
    return this.#painter.paint(this.#takePrinted(), liveRegion(view, this.#width, Math.max(1, this.#rows - 1)))
  }

  #takePrinted(): ReadonlyArray<string> {
    const printed = this.#printed
    this.#printed = []
    if (this.#skipped > 0) {
      const { lines } = note(this.#transcript, `${this.#skipped} earlier lines are in the session's log`)
      printed.unshift(...this.#lay(lines).map((row) => paint(row, this.#colour)), "")
      this.#skipped = 0
    }
    this.#kept = [...this.#kept, ...printed].slice(-maxKeptRows)
    return printed
  }
}

const bounded = (dimension: number): number => Math.min(Math.max(1, Math.floor(dimension)), 10_000)
