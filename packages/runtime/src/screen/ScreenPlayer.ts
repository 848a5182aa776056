/** A screen that goes through a terminal's steps. */
import { TerminalScreen } from "./TerminalScreen.ts"
import type { TerminalStep } from "./TerminalSteps.ts"
import { defaultTerminalSize } from "./TerminalBounds.ts"

/** Plays steps on a screen, and replaces it where a new program starts. */
export class ScreenPlayer {
  #screen: TerminalScreen

  constructor(screen: TerminalScreen = new TerminalScreen(defaultTerminalSize.cols, defaultTerminalSize.rows)) {
    this.#screen = screen
  }

  get screen(): TerminalScreen {
    return this.#screen
  }

  /** Plays steps in order, in slices; see {@link TerminalScreen.write}. */
  async play(steps: ReadonlyArray<TerminalStep>, signal?: AbortSignal): Promise<void> {
    let output: Array<Uint8Array> = []
    const flush = async (): Promise<void> => {
      if (output.length === 0) return
      const parts = output
      output = []
      await this.#screen.write(parts, signal)
    }
    for (const step of steps) {
      if (step.kind === "output") {
        output.push(step.bytes)
        continue
      }
      await flush()
      if (signal?.aborted === true) return
      if (step.kind === "resized") this.#screen.resize(step.cols, step.rows)
      else if (step.kind === "titled") this.#screen.setTitle(step.title)
      else this.replace(new TerminalScreen(this.#screen.cols, this.#screen.rows))
    }
    await flush()
  }

  /** Goes on with another screen. */
  replace(screen: TerminalScreen): void {
    this.#screen.dispose()
    this.#screen = screen
  }

  dispose(): void {
    this.#screen.dispose()
  }
}
