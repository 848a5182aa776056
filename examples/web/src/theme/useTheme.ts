/** Light or dark: as the system has it, or as the person chose. */
import { useCallback, useSyncExternalStore } from "react"

/** What can be chosen. */
export type Theme = "system" | "light" | "dark"

const key = "holdfast.theme"
const changed = new EventTarget()
const dark = window.matchMedia("(prefers-color-scheme: dark)")

const chosen = (): Theme => {
  const kept = localStorage.getItem(key)
  return kept === "light" || kept === "dark" ? kept : "system"
}

const apply = (): void => {
  const theme = chosen()
  if (theme === "system") delete document.documentElement.dataset["theme"]
  else document.documentElement.dataset["theme"] = theme
}
apply()

const subscribe = (listener: () => void): (() => void) => {
  changed.addEventListener("change", listener)
  dark.addEventListener("change", listener)
  window.addEventListener("storage", listener)
  return () => {
    changed.removeEventListener("change", listener)
    dark.removeEventListener("change", listener)
    window.removeEventListener("storage", listener)
  }
}

/** Which one is shown, which was chosen, and how to choose the next of the three. */
export const useTheme = () => {
  const theme = useSyncExternalStore(subscribe, chosen)
  const isDark = useSyncExternalStore(subscribe, () => (chosen() === "system" ? dark.matches : chosen() === "dark"))
  const toggle = useCallback(() => {
    const next: Theme = theme === "system" ? "light" : theme === "light" ? "dark" : "system"
    if (next === "system") localStorage.removeItem(key)
    else localStorage.setItem(key, next)
    apply()
    changed.dispatchEvent(new Event("change"))
  }, [theme])
  return { theme, isDark, toggle }
}
