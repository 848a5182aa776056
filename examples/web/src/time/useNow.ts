/** The clock, for what a component shows of it. */
import { useEffect, useState } from "react"

/** Milliseconds since 1970, anew so often; with null it stands still. */
export const useNow = (everyMs: number | null): number => {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    if (everyMs === null) return
    setNow(Date.now())
    const timer = setInterval(() => setNow(Date.now()), everyMs)
    return () => clearInterval(timer)
  }, [everyMs])
  return now
}
