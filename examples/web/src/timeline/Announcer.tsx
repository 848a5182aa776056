/** Tells screen readers what became whole, and what waits for an answer; never each piece of a stream. */
import type { TimelineEntry } from "@holdfast/core"
import { sandboxText } from "./SandboxLine.tsx"
import { useEffect, useRef, useState } from "react"

/** Entries at the end that are looked at: what streams or waits is among the newest. */
const newest = 50

/** UTF-16 units of a message that are read out; who wants more goes to it. */
const readOut = 400

/** What is said of an entry: as long as it is null, nothing. */
const saying = (entry: TimelineEntry): string | null => {
  switch (entry.type) {
    case "message":
      return entry.role === "agent" && entry.progress === "completed" ? `Agent: ${entry.text.slice(0, readOut)}` : null
    case "permission":
      return entry.by === null ? `The agent asks for permission: ${entry.title}` : null
    case "question":
      return entry.by === null ? `The agent asks: ${entry.questions.map(({ text }) => text).join(" ")}` : null
    case "turn":
      return entry.status === "failed" ? `The turn failed. ${entry.error?.message ?? ""}` : null
    case "sandbox":
      return entry.condition === "failed" ? sandboxText(entry) : null
    case "note":
      return entry.level === "error" ? entry.message : null
    default:
      return null
  }
}

/** A region that is only heard. What was there when the page opened is not read out. */
export const Announcer = ({ entries }: { readonly entries: ReadonlyArray<TimelineEntry> }) => {
  const said = useRef<Set<number> | null>(null)
  const [text, setText] = useState("")
  useEffect(() => {
    const sayings = entries.slice(-newest).flatMap((entry) => {
      const words = saying(entry)
      return words === null ? [] : [[entry.seq, words] as const]
    })
    const fresh = said.current === null ? [] : sayings.filter(([seq]) => said.current?.has(seq) === false)
    if (entries.length > 0) said.current = new Set(sayings.map(([seq]) => seq))
    if (fresh.length > 0) setText(fresh.map(([, words]) => words).join("\n"))
  }, [entries])
  return (
    <div className="sr-only" role="log" aria-live="polite">
      {text}
    </div>
  )
}
