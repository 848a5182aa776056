/** Prompts in a timeline: from the queue to their delivery. */
import type { SessionEvent } from "./SessionEvent.ts"
import type { PromptEntry } from "./TimelineEntry.ts"
import { addEntry, closeEntry, entryAt, openPosition, replaceEntry, type Timeline } from "./TimelineList.ts"
import { Bounds } from "./TimelineText.ts"

/** A prompt is queued. */
export const queuePrompt = (timeline: Timeline, event: SessionEvent<"prompt.queued">): Timeline => {
  const { content, delivery, promptId, turnId } = event.data
  const bounds = new Bounds(timeline.maxText)
  const entry: PromptEntry = {
    seq: event.seq,
    at: event.at,
    type: "prompt",
    promptId,
    author: event.actor ?? null,
    content: bounds.content("content", content),
    delivery,
    status: "queued",
    turnId: turnId ?? null,
    returned: 0,
    ...bounds.cut
  }
  return addEntry(timeline, entry, `prompt:${promptId}`)
}

type PromptChange = SessionEvent<
  "prompt.edited" | "prompt.withdrawn" | "prompt.dispatched" | "prompt.delivered" | "prompt.returned"
>

/** A waiting prompt changes. */
export const changePrompt = (timeline: Timeline, event: PromptChange): Timeline => {
  const key = `prompt:${event.data.promptId}`
  const position = openPosition(timeline, key)
  if (position === undefined) return timeline
  const entry = entryAt(timeline, position) as PromptEntry
  const next = replaceEntry(timeline, position, changed(entry, event, timeline.maxText))
  return event.type === "prompt.withdrawn" || event.type === "prompt.delivered" ? closeEntry(next, key) : next
}

const changed = (entry: PromptEntry, event: PromptChange, maxText: number): PromptEntry => {
  switch (event.type) {
    case "prompt.edited": {
      const { cut: _cut, ...rest } = entry
      const bounds = new Bounds(maxText)
      return { ...rest, content: bounds.content("content", event.data.content), ...bounds.cut }
    }
    case "prompt.withdrawn":
      return {
        ...entry,
        status: "withdrawn",
        ...(event.data.reason === undefined ? {} : { reason: event.data.reason })
      }
    case "prompt.dispatched":
      return { ...entry, status: "dispatched", delivery: event.data.delivery, turnId: event.data.turnId ?? null }
    case "prompt.delivered":
      return { ...entry, status: "delivered", turnId: event.data.turnId ?? entry.turnId }
    case "prompt.returned":
      return {
        ...entry,
        status: "queued",
        delivery: "queue",
        turnId: null,
        returned: entry.returned + 1,
        error: event.data.error
      }
  }
}
