/** A screen that goes through a terminal's steps. */
import { defaultTerminalSize } from "./TerminalBounds.ts"
import { TerminalScreen } from "./TerminalScreen.ts"
import type { TerminalStep } from "./TerminalSteps.ts"

/**
 * Output that is gathered before it is shown: 4 MiB. Of a flood of text only the last lines of what is shown at once have
 * to be looked at (see {@link ./PlainOutput.ts}): the more at once, the less there is to do.
 */
const gatheredBytes = 4 * 1024 * 1024

/** Plays steps on a screen, and replaces it where a new program starts. */
export class ScreenPlayer {
  #screen: TerminalScreen
  #output: Array<Uint8Array> = []
  #gathered = 0

  constructor(screen: TerminalScreen = new TerminalScreen(defaultTerminalSize.cols, defaultTerminalSize.rows)) {
    this.#screen = screen
  }

  /** The screen, up to date after {@link settle}. */
  get screen(): TerminalScreen {
    return this.#screen
  }

  /** Plays steps in order, in slices; see {@link TerminalScreen.write}. The last of them may wait for more. */
  async play(steps: ReadonlyArray<TerminalStep>, signal?: AbortSignal): Promise<void> {
    for (const step of steps) {
      if (step.kind === "output") {
        this.#output.push(step.bytes)
        this.#gathered += step.bytes.length
        if (this.#gathered >= gatheredBytes) await this.settle(signal)
        continue
      }
      await this.settle(signal)
      if (signal?.aborted === true) return
      if (step.kind === "resized") this.#screen.resize(step.cols, step.rows)
      else if (step.kind === "titled") this.#screen.setTitle(step.title)
      else this.replace(new TerminalScreen(this.#screen.cols, this.#screen.rows))
    }
  }

  /** Shows what still waits. */
  async settle(signal?: AbortSignal): Promise<void> {
    if (this.#gathered === 0) return
    const parts = this.#output
    this.#output = []
    this.#gathered = 0
    await this.#screen.write(parts, signal)
  }

  /** Goes on with another screen. */
  replace(screen: TerminalScreen): void {
    this.#screen.dispose()
    this.#screen = screen
    this.#output = []
    this.#gathered = 0
  }

  dispose(): void {
    this.#screen.dispose()
  }
}
