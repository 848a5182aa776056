/**
 * The page's keys. Terminals and text fields get all that is typed in them: there only the chords with Alt and Shift are
 * the page's, which no program is known to use; elsewhere single keys do the same.
 */
import { useEffect, useEffectEvent } from "react"

/** What keys do. */
export type Shortcut =
  "help" | "search" | "new" | "sidebar" | "details" | "composer" | "face" | "history" | "next" | "previous" | "stop"

/** One line of the help, and how the keys are found. Codes, since Alt changes what a key writes. */
export interface ShortcutKey {
  readonly does: Shortcut
  readonly words: string
  readonly code: string
  /** The single key, outside of terminals and text fields. */
  readonly plain?: string
  /** How the key of the chord is called. */
  readonly label: string
}

export const shortcutKeys: ReadonlyArray<ShortcutKey> = [
  { does: "next", words: "Next session", code: "ArrowDown", label: "↓" },
  { does: "previous", words: "Previous session", code: "ArrowUp", label: "↑" },
  { does: "new", words: "New session", code: "KeyN", plain: "n", label: "N" },
  { does: "search", words: "Search sessions", code: "KeyS", plain: "/", label: "S" },
  { does: "sidebar", words: "Show or hide the list", code: "KeyB", plain: "b", label: "B" },
  { does: "composer", words: "Write a prompt, or go to the terminal", code: "KeyC", plain: "c", label: "C" },
  { does: "face", words: "Switch between timeline and terminal", code: "KeyT", plain: "t", label: "T" },
  { does: "history", words: "Time slider", code: "KeyH", plain: "h", label: "H" },
  { does: "details", words: "Show or hide details", code: "KeyD", plain: "d", label: "D" },
  { does: "help", words: "This help", code: "Slash", plain: "?", label: "?" }
]

const isTypedInto = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable || target.closest("input, textarea, select, .xterm") !== null)

const shortcutOf = (event: KeyboardEvent): Shortcut | undefined => {
  if (event.altKey && event.shiftKey && !event.ctrlKey && !event.metaKey) {
    return shortcutKeys.find(({ code }) => code === event.code)?.does
  }
  if (event.key === "Escape" && !(event.target instanceof HTMLElement && event.target.closest(".xterm"))) return "stop"
  if (event.ctrlKey || event.metaKey || event.altKey || isTypedInto(event.target)) return undefined
  return shortcutKeys.find(({ plain }) => plain === event.key)?.does
}

/** Calls with what a key does; where the result is false, the key goes on to whoever else takes it. */
export const useShortcuts = (act: (shortcut: Shortcut) => boolean): void => {
  const onKey = useEffectEvent((event: KeyboardEvent) => {
    // A dialog has its own keys, and so has who has taken this one.
    if (event.defaultPrevented || document.querySelector("dialog[open]") !== null) return
    const shortcut = shortcutOf(event)
    if (shortcut !== undefined && act(shortcut)) {
      event.preventDefault()
      event.stopPropagation()
    }
  })
  useEffect(() => {
    // Chords before a terminal sees them; Escape and single keys after whoever they are for.
    const first = (event: KeyboardEvent) => {
      if (event.altKey) onKey(event)
    }
    const last = (event: KeyboardEvent) => {
      if (!event.altKey) onKey(event)
    }
    window.addEventListener("keydown", first, { capture: true })
    window.addEventListener("keydown", last)
    return () => {
      window.removeEventListener("keydown", first, { capture: true })
      window.removeEventListener("keydown", last)
    }
  }, [])
}
