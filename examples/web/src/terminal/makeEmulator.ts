/** An xterm.js terminal in an element: drawn with WebGL where there is any, else by the DOM. */
import { FitAddon } from "@xterm/addon-fit"
import { WebLinksAddon } from "@xterm/addon-web-links"
import { WebglAddon } from "@xterm/addon-webgl"
import { Terminal } from "@xterm/xterm"
import "@xterm/xterm/css/xterm.css"
import { terminalColours } from "./colours.ts"
import { readsAloudKey } from "./readsAloud.ts"

/** Lines that can be scrolled back to: some 20 MB where all of them are full. */
const scrollback = 10_000

/** How a terminal is made. */
export interface EmulatorOptions {
  readonly isDark: boolean
  /** Nothing can be typed. Default false. */
  readonly readOnly?: boolean
  /** What screen readers call it. */
  readonly label: string
}

/** A terminal, and what goes with it. */
export interface Emulator {
  readonly terminal: Terminal
  /** The size that fills the element; undefined as long as it has none. */
  readonly fitting: () => { readonly cols: number; readonly rows: number } | undefined
  readonly close: () => void
}

const isMac = /Mac|iPhone|iPad/.test(navigator.platform)

/**
 * Ctrl-Shift-C copies, and Ctrl-Shift-V pastes by the browser's own means; Ctrl-C copies where something is selected, and
 * elsewhere goes to the program. On a Mac the ⌘ keys do all of it by themselves.
 */
const takeClipboardKeys = (terminal: Terminal): void => {
  terminal.attachCustomKeyEventHandler((event) => {
    if (isMac || event.type !== "keydown" || !event.ctrlKey || event.altKey || event.metaKey) return true
    if (event.code === "KeyC" && terminal.hasSelection()) {
      event.preventDefault()
      void navigator.clipboard.writeText(terminal.getSelection()).then(() => terminal.clearSelection())
      return false
    }
    return !(event.shiftKey && (event.code === "KeyV" || event.code === "KeyC"))
  })
}

/** Draws with WebGL; where it is missing or its context is lost (a driver's fault, too many of them), with the DOM. */
const drawFast = (terminal: Terminal): void => {
  try {
    const addon = new WebglAddon()
    addon.onContextLoss(() => addon.dispose())
    terminal.loadAddon(addon)
  } catch {
    // The DOM renderer is there already.
  }
}

/** Makes it. */
export const makeEmulator = (element: HTMLElement, { isDark, label, readOnly = false }: EmulatorOptions): Emulator => {
  const terminal = new Terminal({
    allowProposedApi: true,
    cursorBlink: !readOnly,
    disableStdin: readOnly,
    fontFamily: getComputedStyle(element).getPropertyValue("--mono"),
    fontSize: 13,
    lineHeight: 1.2,
    macOptionIsMeta: true,
    minimumContrastRatio: 3,
    screenReaderMode: localStorage.getItem(readsAloudKey) === "yes",
    scrollback,
    theme: terminalColours(isDark)
  })
  const fit = new FitAddon()
  terminal.loadAddon(fit)
  terminal.loadAddon(new WebLinksAddon((_event, uri) => window.open(uri, "_blank", "noopener,noreferrer")))
  terminal.open(element)
  terminal.textarea?.setAttribute("aria-label", label)
  takeClipboardKeys(terminal)
  drawFast(terminal)
  return {
    terminal,
    fitting: () => {
      const size = fit.proposeDimensions()
      return size === undefined || !(size.cols > 1 && size.rows > 1) ? undefined : size
    },
    close: () => terminal.dispose()
  }
}
