/** Whether a media query holds. */
import { useCallback, useSyncExternalStore } from "react"

export const useMedia = (query: string): boolean => {
  const subscribe = useCallback(
    (changed: () => void) => {
      const media = window.matchMedia(query)
      media.addEventListener("change", changed)
      return () => media.removeEventListener("change", changed)
    },
    [query]
  )
  return useSyncExternalStore(subscribe, () => window.matchMedia(query).matches)
}

/** Too narrow for a list beside a session: then the list is a drawer over it. As in shell.css. */
export const narrow = "(max-width: 800px)"
