/** Comings and goings of the backend in a timeline, and the commands that a shell ran. */
import type { SessionEvent } from "./SessionEvent.ts"
import type { CommandEntry, LifecycleEntry } from "./TimelineEntry.ts"
import { addEntry, closeEntry, entryAt, openPosition, replaceEntry, type Timeline } from "./TimelineList.ts"

type LifecycleEvent = SessionEvent<`backend.${Exclude<LifecycleEntry["change"], "moved">}` | "session.moved">

/** The backend came, went or ended. */
export const addLifecycle = (timeline: Timeline, event: LifecycleEvent): Timeline => {
  const entry: LifecycleEntry = {
    seq: event.seq,
    at: event.at,
    type: "lifecycle",
    change: event.type.slice(event.type.indexOf(".") + 1) as LifecycleEntry["change"],
    generation: event.generation,
    reason: reasonOf(event),
    exitCode: event.type === "backend.closed" ? (event.data.exitCode ?? null) : null,
    signal: event.type === "backend.closed" ? (event.data.signal ?? null) : null
  }
  // Whatever a shell ran ended with it, and no mark says so.
  return addEntry(endCommand(timeline, event, "interrupted", null), entry)
}

const reasonOf = (event: LifecycleEvent): string | null => {
  switch (event.type) {
    case "backend.opened":
    case "backend.resumed":
      return null
    case "session.moved":
      return `from ${event.data.from} to ${event.data.backend}`
    case "backend.failed":
      return event.data.message
    default:
      return event.data.reason
  }
}

const key = "command"

/** A shell's mark: a command begins or ends. One that no mark ended is over when the shell shows its prompt again. */
export const markCommand = (timeline: Timeline, event: SessionEvent<"terminal.marked">): Timeline => {
  const ended = endCommand(timeline, event, "finished", event.data.exitCode ?? null)
  if (event.data.mark !== "running") return ended
  const entry: CommandEntry = {
    seq: event.seq,
    at: event.at,
    type: "command",
    status: "running",
    exitCode: null,
    endSeq: null,
    duration: null
  }
  return addEntry(ended, entry, key)
}

const endCommand = (
  timeline: Timeline,
  event: SessionEvent,
  status: "finished" | "interrupted",
  exitCode: number | null
): Timeline => {
  const position = openPosition(timeline, key)
  if (position === undefined) return timeline
  const entry = entryAt(timeline, position) as CommandEntry
  const ended = { ...entry, status, exitCode, endSeq: event.seq, duration: event.at - entry.at }
  return closeEntry(replaceEntry(timeline, position, ended), key)
}
