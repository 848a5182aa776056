/**
 * The order in which a page shows a timeline's entries. The timeline has them as they began; people look for a prompt
 * where it went to the agent, for what still waits at the end, and for the sum of a turn after it.
 */
import type { MessageEntry, PromptEntry, TimelineEntry, TurnEntry } from "@holdfast/core"

/** The text of a prompt or a message, to tell whether one repeats the other. */
export const textOf = (entry: PromptEntry | MessageEntry): string => {
  if (entry.type === "message" && entry.text !== "") return entry.text
  return (entry.content ?? []).flatMap((block) => (block.type === "text" ? [block.text] : [])).join("\n")
}

const isWaiting = (entry: TimelineEntry): boolean =>
  entry.type === "prompt" && (entry.status === "queued" || entry.status === "dispatched")

/**
 * Arranges. Waiting prompts come last, in their order; a delivered one stands before its turn, or where the agent repeats
 * it, and the repetition is left out; a turn stands behind all that happened in it. One pass, the entries themselves stay.
 */
export const arrange = (entries: ReadonlyArray<TimelineEntry>): ReadonlyArray<TimelineEntry> => {
  const waiting: Array<TimelineEntry> = []
  const byId = new Map<string, PromptEntry>()
  const startsTurn = new Set<string>()
  for (const entry of entries) {
    if (entry.type === "prompt" && entry.status === "delivered") byId.set(entry.promptId, entry)
    else if (entry.type === "turn" && entry.promptId !== null) startsTurn.add(entry.promptId)
  }

  const arranged: Array<TimelineEntry> = []
  const shown = new Set<string>()
  let turn: TurnEntry | null = null
  const endTurn = () => {
    if (turn !== null) arranged.push(turn)
    turn = null
  }
  const isOver = (one: TurnEntry, entry: TimelineEntry) =>
    one.duration !== null &&
    entry.at > one.at + one.duration &&
    !("turnId" in entry && entry.turnId === one.turnId && entry.type !== "prompt")

  for (const entry of entries) {
    if (entry.type === "turn") {
      endTurn()
      const prompt = entry.promptId === null ? undefined : byId.get(entry.promptId)
      if (prompt !== undefined && !shown.has(prompt.promptId)) {
        shown.add(prompt.promptId)
        arranged.push(prompt)
      }
      turn = entry
      continue
    }
    if (turn !== null && isOver(turn, entry)) endTurn()
    if (isWaiting(entry)) {
      waiting.push(entry)
    } else if (entry.type === "prompt") {
      if (shown.has(entry.promptId) || (entry.status === "delivered" && startsTurn.has(entry.promptId))) continue
      shown.add(entry.promptId)
      arranged.push(entry)
    } else if (entry.type === "message" && entry.role === "user" && repeats(entry, arranged)) {
      continue
    } else {
      arranged.push(entry)
    }
  }
  endTurn()
  return waiting.length === 0 ? arranged : [...arranged, ...waiting]
}

/** Entries before a repetition among which its prompt is looked for. */
const near = 200

const repeats = (message: MessageEntry, before: ReadonlyArray<TimelineEntry>): boolean => {
  const text = textOf(message).trim()
  for (let index = before.length - 1; index >= Math.max(0, before.length - near); index--) {
    const entry = before[index]!
    if (entry.type === "prompt" && textOf(entry).trim() === text) return true
    if (entry.type === "turn") return false
  }
  return false
}
