import type { TerminalScreen } from "../../src/screen/TerminalScreen.ts"
import type { SoupStep } from "./soup.ts"

/** Puts a screen through what happens to a terminal. */
export const runSteps = async (screen: TerminalScreen, steps: ReadonlyArray<SoupStep>): Promise<void> => {
  for (const step of steps) {
    if (step.kind === "bytes") await screen.write([step.bytes])
    else screen.resize(step.cols, step.rows)
  }
}

/** A fresh screen that was given another's snapshot. */
export const restored = async (
  make: (cols: number, rows: number) => TerminalScreen,
  screen: TerminalScreen
): Promise<TerminalScreen> => {
  const copy = make(screen.cols, screen.rows)
  await copy.write([screen.snapshot()])
  return copy
}
