/** A text that is kept for its session while it is written. */
import { useCallback, useEffect, useRef, useState } from "react"
import { keepDraft, readDraft } from "./Drafts.ts"

/** Milliseconds after a key at which the text is kept, so that fast typing writes seldom. */
const keepAfterMs = 400

/** The draft, and how it changes. What was not kept yet is, when the composer or the page goes. */
export const useDraft = (sessionId: string): readonly [string, (text: string) => void] => {
  const [text, setText] = useState(() => readDraft(localStorage, sessionId))
  const unkept = useRef<string | null>(null)
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  const keep = useCallback(() => {
    clearTimeout(timer.current)
    if (unkept.current === null) return
    keepDraft(localStorage, sessionId, unkept.current)
    unkept.current = null
  }, [sessionId])
  const write = useCallback(
    (next: string) => {
      setText(next)
      unkept.current = next
      clearTimeout(timer.current)
      if (next === "") keep()
      else timer.current = setTimeout(keep, keepAfterMs)
    },
    [keep]
  )
  useEffect(() => {
    window.addEventListener("pagehide", keep)
    return () => {
      window.removeEventListener("pagehide", keep)
      keep()
    }
  }, [keep])
  return [text, write]
}
