/** The client's live values in React. */
import type { Live } from "@holdfast/client"
import { useCallback, useEffect, useState, useSyncExternalStore } from "react"

const nothing = (): void => {}

/** The newest value; the component is drawn again at each change. Null as long as there is nothing to look at. */
export const useLive = <L extends Live<unknown> | null>(live: L): L extends Live<infer A> ? A : null => {
  const subscribe = useCallback((changed: () => void) => live?.subscribe(changed) ?? nothing, [live])
  return useSyncExternalStore(subscribe, () => live?.current ?? null) as never
}

/** Something live that has to be closed. */
interface Closable {
  readonly close: () => void
}

/**
 * Opens what is live while the component is there, anew when `open` changes (so keep it with `useCallback`), and closes it.
 * Null until it is opened: for the first moment, and for the one between two.
 */
export const useOpened = <T extends Closable>(open: () => T): T | null => {
  const [opened, setOpened] = useState<{ readonly by: () => T; readonly it: T } | null>(null)
  useEffect(() => {
    const it = open()
    setOpened({ by: open, it })
    return () => it.close()
  }, [open])
  return opened?.by === open ? opened.it : null
}
