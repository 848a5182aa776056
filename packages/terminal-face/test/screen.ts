/** A terminal to look at: what a face writes, as a person would see it. */
import type { IBufferCell } from "@xterm/headless"
import headless from "@xterm/headless"

/** A terminal without a window. */
export class Screen {
  readonly #terminal: InstanceType<typeof headless.Terminal>

  constructor(cols: number, rows: number, scrollback = 10_000) {
    this.#terminal = new headless.Terminal({ cols, rows, scrollback, allowProposedApi: true })
  }

  /** Writes, and waits until it is shown. */
  async write(text: string): Promise<void> {
    await new Promise<void>((done) => this.#terminal.write(text, done))
  }

  resize(cols: number, rows: number): void {
    this.#terminal.resize(cols, rows)
  }

  /** Every line that there is, the oldest first, without blanks at the ends; lines that wrapped are one. */
  get lines(): ReadonlyArray<string> {
    return this.#read(0)
  }

  /** The lines of the window. */
  get window(): ReadonlyArray<string> {
    return this.#read(this.#terminal.buffer.active.baseY)
  }

  /** The lines that scrolled out of the window. */
  get scrolledOut(): number {
    return this.#terminal.buffer.active.baseY
  }

  #read(from: number): ReadonlyArray<string> {
    const buffer = this.#terminal.buffer.active
    const lines: Array<string> = []
    for (let index = from; index < buffer.length; index++) {
      const line = buffer.getLine(index)!
      const text = line.translateToString(true)
      if (line.isWrapped && lines.length > 0) lines[lines.length - 1] += text
      else lines.push(text)
    }
    while (lines.at(-1) === "") lines.pop()
    return lines.map((line) => line.trimEnd())
  }

  /** Where the cursor is, counted from the first line that there is. */
  get cursor(): { readonly x: number; readonly y: number } {
    const { baseY, cursorX, cursorY } = this.#terminal.buffer.active
    return { x: cursorX, y: baseY + cursorY }
  }

  /** Whether the terminal adds its marks to pastes. */
  get bracketsPastes(): boolean {
    return this.#terminal.modes.bracketedPasteMode
  }

  /** The cell where a text begins, in the last line that has it. */
  cellOf(text: string): IBufferCell {
    const buffer = this.#terminal.buffer.active
    for (let index = buffer.length - 1; index >= 0; index--) {
      const line = buffer.getLine(index)!
      const at = line.translateToString().indexOf(text)
      if (at !== -1) return line.getCell(at)!
    }
    throw new Error(`There is no ${text} on the screen:\n${this.lines.join("\n")}`)
  }
}
