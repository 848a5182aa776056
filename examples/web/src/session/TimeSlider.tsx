/** Goes to any point of a session's log. */
import type { TimelineEntry } from "@holdfast/core"
import { ChevronLeft, ChevronRight, Radio, X } from "lucide-react"
import { useMemo } from "react"
import { moment } from "../time/words.ts"

/** What a person looks for in the past: where something began. */
const landmarks: ReadonlySet<TimelineEntry["type"]> = new Set([
  "prompt",
  "turn",
  "command",
  "permission",
  "question",
  "lifecycle",
  "tool"
])

export interface TimeSliderProps {
  readonly at: number
  readonly head: number
  readonly entries: ReadonlyArray<TimelineEntry>
  readonly onMove: (at: number) => void
  readonly onClose: () => void
}

export const TimeSlider = ({ at, entries, head, onClose, onMove }: TimeSliderProps) => {
  const marks = useMemo(() => entries.filter(({ type }) => landmarks.has(type)).map(({ seq }) => seq), [entries])
  const before = marks.findLast((seq) => seq < at) ?? 1
  const after = marks.find((seq) => seq > at) ?? head
  const nearest = entries.findLast(({ seq }) => seq <= at)
  const words = `Event ${at} of ${head}`
  return (
    <section className="slider" aria-label="Time slider">
      <button
        className="button icon"
        type="button"
        aria-label="To what began before"
        title="To what began before"
        disabled={at <= 1}
        onClick={() => onMove(before)}
      >
        <ChevronLeft aria-hidden="true" />
      </button>
      <input
        type="range"
        aria-label="Point in the session's log"
        aria-valuetext={nearest === undefined ? words : `${words}, ${moment(nearest.at)}`}
        min={1}
        max={Math.max(1, head)}
        value={at}
        style={{ "--done": `${head <= 1 ? 100 : ((at - 1) / (head - 1)) * 100}%` } as Record<string, string>}
        onChange={({ target }) => onMove(Number(target.value))}
      />
      <button
        className="button icon"
        type="button"
        aria-label="To what began next"
        title="To what began next"
        disabled={at >= head}
        onClick={() => onMove(after)}
      >
        <ChevronRight aria-hidden="true" />
      </button>
      <span className="slider-words">
        <span>{words}</span>
        {nearest === undefined ? null : <time dateTime={new Date(nearest.at).toISOString()}>{moment(nearest.at)}</time>}
      </span>
      <button className="button" type="button" onClick={onClose}>
        <Radio aria-hidden="true" />
        Back to now
      </button>
      <button className="button icon" type="button" aria-label="Close the time slider" onClick={onClose}>
        <X aria-hidden="true" />
      </button>
    </section>
  )
}
