/** Which session is shown: it stands in the address, so that a link to it works and Back goes back. */
import { useSyncExternalStore } from "react"

const prefix = "#session="

/** The address of a session within the page. */
export const sessionLink = (sessionId: string): string => `${prefix}${sessionId}`

const current = (): string | null => (location.hash.startsWith(prefix) ? location.hash.slice(prefix.length) : null)

const subscribe = (changed: () => void): (() => void) => {
  window.addEventListener("hashchange", changed)
  return () => window.removeEventListener("hashchange", changed)
}

/** Shows a session; with null none. */
export const showSession = (sessionId: string | null): void => {
  location.hash = sessionId === null ? "" : sessionLink(sessionId)
}

/** The id of the session that is shown, or null. */
export const useShownSession = (): string | null => useSyncExternalStore(subscribe, current)
