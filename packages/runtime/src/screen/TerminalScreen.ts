/**
 * A terminal's screen: a headless xterm that takes a program's bytes and says what they show. It never answers the
 * queries in them, never touches a DOM, and takes any bytes: invalid UTF-8 and random ones too.
 *
 * Memory: 0.6 MB empty, 2.5 MB with 1,000 lines of 80 columns above it, at most 36 MB (see {@link screenSize}). Nothing
 * keeps one for an idle session: it is made when somebody asks, and disposed.
 */
import * as headless from "@xterm/headless"
import { type CharsetNames, charsetNames } from "./CharsetNames.ts"
import { joinLimit, joinLimitVersion } from "./JoinLimit.ts"
import { collectStrings, type StringCollector } from "./ParserTail.ts"
import { findSkip, minSkipBytes } from "./PlainOutput.ts"
import { screenState } from "./ScreenState.ts"
import { guardSequences } from "./SequenceGuards.ts"
import { carriedTitle, snapshotText } from "./SnapshotText.ts"
import { screenSize } from "./TerminalBounds.ts"
import { incompleteUtf8 } from "./Utf8Boundary.ts"
import { internalsOf, type XtermBuffer, type XtermInternals } from "./XtermInternals.ts"

/** How the terminal is set up by its program, beyond what it shows. */
export interface ScreenModes {
  readonly alternateScreen: boolean
  /** Column and row count from 0; the column equals the number of columns when the next character wraps. */
  readonly cursor: { readonly column: number; readonly row: number; readonly visible: boolean }
  /** What the program asked for; undefined leaves the choice to the viewer. */
  readonly cursorStyle: "block" | "underline" | "bar" | undefined
  readonly bracketedPaste: boolean
  /** Which mouse events the program wants. */
  readonly mouse: "none" | "x10" | "vt200" | "drag" | "any"
  readonly mouseEncoding: "default" | "sgr" | "sgr-pixels"
  readonly applicationCursorKeys: boolean
  readonly applicationKeypad: boolean
  readonly focusEvents: boolean
  /** The program is in the middle of a drawing that it wants shown at once. */
  readonly synchronizedOutput: boolean
}

/** Node sees the package's CommonJS file, whose only export is the default; bundlers see its module, which has none. */
const { Terminal } = ("default" in headless ? headless.default : headless) as typeof headless

/** Bytes that xterm is given at once: with fewer its overhead shows, with more a slice takes longer than a frame allows. */
const maxSliceBytes = 64 * 1024
const minSliceBytes = 4 * 1024

/** Milliseconds of work between two turns of the event loop: an echo waits no longer behind a screen. */
const sliceMs = 3

const nothing = new Uint8Array(0)

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const concat = (parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  if (parts.length === 1) return parts[0]!
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

const wholeLines = (buffer: XtermBuffer, from: number, to: number): Array<string> => {
  const lines: Array<string> = []
  for (let index = from; index < to; index++) {
    const line = buffer.lines.get(index)
    // A wrapped line is full to the edge.
    const wraps = buffer.lines.get(index + 1)?.isWrapped === true && index + 1 < to
    const text = line?.translateToString(!wraps) ?? ""
    if (line?.isWrapped === true && lines.length > 0) lines.push(lines.pop()! + text)
    else lines.push(text)
  }
  return lines.map((text) => text.trimEnd())
}

/** Makes, feeds and reads one screen. */
export class TerminalScreen {
  readonly #terminal: headless.Terminal
  readonly #inside: XtermInternals
  readonly #collector: StringCollector
  readonly #charsetOf: CharsetNames
  /** The size that was asked for: the modelled one may be smaller. */
  #size: { readonly cols: number; readonly rows: number }
  readonly #scrollback: number | undefined
  /** First bytes of a character whose others have not come: xterm is given whole characters only. */
  #pending: Uint8Array = nothing
  #sliceBytes = maxSliceBytes

  /** `scrollback`: lines kept above the screen, default 1,000; fewer on very wide terminals. */
  constructor(cols: number, rows: number, scrollback?: number) {
    this.#size = { cols, rows }
    this.#scrollback = scrollback
    this.#terminal = new Terminal({
      ...screenSize(cols, rows, scrollback),
      allowProposedApi: true,
      disableStdin: true,
      // Malformed sequences are a program's business: xterm would print each to the console.
      logLevel: "off"
    })
    this.#inside = internalsOf(this.#terminal)
    this.#charsetOf = charsetNames(this.#inside)
    this.#collector = collectStrings(this.#inside._inputHandler._parser)
    guardSequences(this.#inside)
    this.#terminal.unicode.register(joinLimit(this.#inside))
    this.#terminal.unicode.activeVersion = joinLimitVersion
  }

  get cols(): number {
    return this.#size.cols
  }

  get rows(): number {
    return this.#size.rows
  }

  /** Feeds bytes, in slices of about 3 ms between which other work runs. Calls must not overlap. When
   * `signal` fires it stops in the middle, and the screen is of no more use. */
  async write(parts: ReadonlyArray<Uint8Array>, signal?: AbortSignal): Promise<void> {
    const bytes = concat(this.#pending.length === 0 ? parts : [this.#pending, ...parts])
    const end = bytes.length - incompleteUtf8(bytes)
    this.#pending = end < bytes.length ? bytes.slice(end) : nothing
    const skip = end < minSkipBytes ? undefined : findSkip(bytes, 0, end, this.#keptLines(), this.#inside.rows)
    if (skip === undefined) return this.#show(bytes, 0, end, signal)
    await this.#show(bytes, 0, skip.from, signal)
    if (!this.#onlyScrolls()) return this.#show(bytes, skip.from, end, signal)
    // Where the piece ends the cursor is in the last line's first column; all lines there are now will be gone.
    this.#inside._inputHandler.parse(skip.pens)
    this.#inside._inputHandler.parse(new TextEncoder().encode(`\r${"\n".repeat(this.#inside.rows)}`))
    return this.#show(bytes, skip.to, end, signal)
  }

  #keptLines(): number {
    return this.#inside.rows + (this.#terminal.options.scrollback ?? 0)
  }

  /** Whether lines of text do nothing here but scroll the normal screen; see {@link ./PlainOutput.ts}. */
  #onlyScrolls(): boolean {
    const { _inputHandler, buffers, coreService, rows } = this.#inside
    const { active } = buffers
    return (
      active === buffers.normal &&
      active.scrollTop === 0 &&
      active.scrollBottom === rows - 1 &&
      _inputHandler._parser.currentState === 0 &&
      _inputHandler._curAttrData.extended.urlId === 0 &&
      !coreService.decPrivateModes.reverseWraparound
    )
  }

  /** Shows the bytes from one index to another. */
  async #show(bytes: Uint8Array, from: number, end: number, signal?: AbortSignal): Promise<void> {
    let at = from
    let turnBegan = performance.now()
    while (at < end) {
      if (performance.now() - turnBegan >= sliceMs) {
        await nextTurn()
        if (signal?.aborted === true) return
        turnBegan = performance.now()
      }
      at = this.#feed(bytes, at, end)
    }
  }

  /** One slice of whole characters; returns where it ended. The next is made to take about as long as it may. */
  #feed(bytes: Uint8Array, from: number, end: number): number {
    const began = performance.now()
    let to = Math.min(from + this.#sliceBytes, end)
    if (to < end) to -= incompleteUtf8(bytes, to)
    this.#inside._inputHandler.parse(bytes.subarray(from, to))
    const took = performance.now() - began
    if (to - from >= this.#sliceBytes / 2) {
      const fitting = ((to - from) * sliceMs) / Math.max(took, 0.1)
      this.#sliceBytes = Math.round(Math.min(maxSliceBytes, Math.max(minSliceBytes, fitting)))
    }
    return to
  }

  /** Changes the size as the program's terminal did: lines are wrapped anew, and margins go. */
  resize(cols: number, rows: number): void {
    this.#size = { cols, rows }
    const size = screenSize(cols, rows, this.#scrollback)
    this.#terminal.options.scrollback = size.scrollback
    this.#terminal.resize(size.cols, size.rows)
    // xterm forgets to shorten an alternate screen that is not shown: it would keep lines above it when it is next.
    const { alt } = this.#inside.buffers
    if (alt.lines.length === 0) alt.lines.maxLength = size.rows
  }

  /** What the program, or who knows better, calls the terminal. */
  get title(): string {
    return carriedTitle(this.#inside._inputHandler._windowTitle)
  }

  setTitle(title: string): void {
    this.#inside._inputHandler.setTitle(title)
  }

  /**
   * What to write to a fresh terminal of this size so that it shows the same and goes on the same, but for
   * {@link pending}. See {@link ./SnapshotText.ts} for what it carries.
   */
  ansi(): string {
    return snapshotText(this.#inside, this.#charsetOf, this.#collector)
  }

  /** The first bytes of a character whose others have not come: 0 to 3, to be written with what follows. */
  get pending(): Uint8Array {
    return this.#pending
  }

  /** {@link ansi} and {@link pending} together, as bytes: what a terminal.snapshot event holds. */
  snapshot(): Uint8Array {
    return concat([new TextEncoder().encode(this.ansi()), this.#pending])
  }

  /** Everything that two screens can be told apart by, by name; for checking a snapshot. */
  state(): ReadonlyMap<string, string> {
    return screenState(this.#inside, this.#charsetOf, this.#collector, this.#pending)
  }

  /** The text of the screen, top to bottom, without trailing blanks; `above`: with the lines kept above it. */
  lines(above = false): Array<string> {
    const { active } = this.#inside.buffers
    const lines: Array<string> = []
    for (let index = above ? 0 : active.ybase; index < active.ybase + this.#inside.rows; index++) {
      lines.push(active.lines.get(index)?.translateToString(true).trimEnd() ?? "")
    }
    return lines
  }

  /** The lines that scrolled off the normal screen, whole where they were wrapped; they are kept no longer. */
  takeAbove(): Array<string> {
    const { normal } = this.#inside.buffers
    let count = normal.ybase
    // One that goes on in the screen stays with its other half.
    while (count > 0 && normal.lines.get(count)?.isWrapped === true) count--
    if (count === 0) return []
    const lines = wholeLines(normal, 0, count)
    normal.lines.trimStart(count)
    normal.ybase -= count
    normal.ydisp = normal.ybase
    normal.savedY = Math.max(0, normal.savedY - count)
    return lines
  }

  /** All text that there is, whole lines: of the normal screen and above it, then of the alternate one if it is shown. */
  allLines(): Array<string> {
    const { active, alt, normal } = this.#inside.buffers
    const lines = wholeLines(normal, 0, normal.ybase + this.#inside.rows)
    if (active !== alt) return lines
    while (lines.at(-1) === "") lines.pop()
    return [...lines, ...this.lines()]
  }

  modes(): ScreenModes {
    const { buffers, coreMouseService, coreService } = this.#inside
    const modes = coreService.decPrivateModes
    return {
      alternateScreen: buffers.active === buffers.alt,
      cursor: {
        column: Math.min(buffers.active.x, this.#inside.cols),
        row: buffers.active.y,
        visible: !coreService.isCursorHidden
      },
      cursorStyle: modes.cursorStyle,
      bracketedPaste: modes.bracketedPasteMode,
      mouse: this.#terminal.modes.mouseTrackingMode,
      mouseEncoding: ({ SGR: "sgr", SGR_PIXELS: "sgr-pixels" } as const)[coreMouseService.activeEncoding] ?? "default",
      applicationCursorKeys: modes.applicationCursorKeys,
      applicationKeypad: modes.applicationKeypad,
      focusEvents: modes.sendFocus,
      synchronizedOutput: modes.synchronizedOutput
    }
  }

  /** Lets its memory go. */
  dispose(): void {
    this.#terminal.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }
}
