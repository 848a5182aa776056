/** A session's terminal in an element of the page: the client's terminal on one side, the emulator on the other. */
import type { ClientSession } from "@holdfast/client"
import { answerQueries } from "./answerQueries.ts"
import { terminalColours } from "./colours.ts"
import { makeEmulator } from "./makeEmulator.ts"
import { type TouchKey, touchSequence, withControl } from "./TouchKeys.tsx"

/** What the page knows and wants to know. */
export interface TerminalOwner {
  readonly isDark: () => boolean
  readonly label: string
  /** Whether what is typed goes to the program. */
  readonly mayType: () => boolean
  /** Whether this page gives the size, which is everybody's, and answers what programs ask of their terminal. */
  readonly leads: () => boolean
  /** Whether the next character is meant with Ctrl; asking takes it. */
  readonly takeControl: () => boolean
  /** Whether the terminal has another size than the one that fits here. */
  readonly onFit: (fits: boolean) => void
  /** The first screen is shown. */
  readonly onReady: () => void
  readonly onProblem: (error: unknown) => void
}

/** A terminal that is shown. */
export interface AttachedTerminal {
  /** Gives the session the size that fits here, if this page leads. */
  readonly fit: () => void
  /** Gives it that size in any case. */
  readonly take: () => void
  /** A key that the keyboard does not have. */
  readonly press: (key: TouchKey) => void
  readonly recolour: () => void
  readonly focus: () => void
  readonly close: () => void
}

/** Milliseconds of quiet after which a window that is being dragged has its size. */
const settleMs = 100

/** Shows it. */
export const attachTerminal = (
  element: HTMLElement,
  session: ClientSession,
  owner: TerminalOwner
): AttachedTerminal => {
  const emulator = makeEmulator(element, { isDark: owner.isDark(), label: owner.label })
  const { terminal } = emulator
  const remote = session.terminal()
  const written = (bytes: Uint8Array): Promise<void> => new Promise((resolve) => terminal.write(bytes, resolve))

  const compare = () => {
    const size = emulator.fitting()
    owner.onFit(size === undefined || (size.cols === terminal.cols && size.rows === terminal.rows))
  }
  const take = () => {
    const size = emulator.fitting()
    if (size !== undefined && (size.cols !== remote.cols || size.rows !== remote.rows)) {
      remote.resize(size.cols, size.rows)
    }
  }
  const fit = () => {
    if (owner.leads()) take()
    compare()
  }
  const type = (data: string | Uint8Array) => {
    if (!owner.mayType()) return
    try {
      remote.write(data)
    } catch (error) {
      owner.onProblem(error)
    }
  }

  remote.onReset(async ({ ansi, cols, rows }) => {
    terminal.reset()
    terminal.resize(cols, rows)
    await written(ansi)
    owner.onReady()
    fit()
  })
  remote.onData(written)
  remote.onResize(({ cols, rows }) => {
    terminal.resize(cols, rows)
    compare()
  })
  remote.onProblem(owner.onProblem)
  terminal.onData((data) => type(data.length === 1 && owner.takeControl() ? withControl(data) : data))
  terminal.onBinary((data) => type(Uint8Array.from(data, (char) => char.charCodeAt(0))))
  const endAnswers = answerQueries(terminal, () => document.hasFocus() && owner.leads())

  // Of two windows of the same person, the one that they type in has the size.
  terminal.textarea?.addEventListener("focus", fit)

  let settling: ReturnType<typeof setTimeout> | undefined
  const sizes = new ResizeObserver(() => {
    clearTimeout(settling)
    settling = setTimeout(fit, settleMs)
  })
  sizes.observe(element)

  return {
    fit,
    take,
    press: (key) => type(touchSequence(key, terminal.modes.applicationCursorKeysMode)),
    recolour: () => {
      terminal.options.theme = terminalColours(owner.isDark())
    },
    focus: () => terminal.focus(),
    close: () => {
      clearTimeout(settling)
      sizes.disconnect()
      endAnswers()
      remote.close()
      emulator.close()
    }
  }
}
