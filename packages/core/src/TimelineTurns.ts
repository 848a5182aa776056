/** Turns in a timeline. */
import type { SessionEvent } from "./SessionEvent.ts"
import type { FileTotals, TurnEntry } from "./TimelineEntry.ts"
import { addEntry, entryAt, openPosition, replaceEntry, type Timeline } from "./TimelineList.ts"

/** The newest turn: it may change until the next one starts, since providers report usage after the end. */
const key = "turn"

/** No file yet. */
export const noFiles: FileTotals = { changes: [], beyond: 0 }

const beginning = (event: SessionEvent, turnId: string): TurnEntry => ({
  seq: event.seq,
  at: event.at,
  type: "turn",
  turnId,
  promptId: null,
  status: "running",
  retry: null,
  reason: null,
  usage: {},
  files: noFiles,
  duration: null
})

/** A turn begins. */
export const startTurn = (timeline: Timeline, event: SessionEvent<"turn.started">): Timeline =>
  addEntry(timeline, { ...beginning(event, event.data.turnId), promptId: event.data.promptId ?? null }, key)

/** Changes the newest turn, where it is the one that is meant; without an id, where it still runs. */
export const changeTurn = (
  timeline: Timeline,
  turnId: string | undefined,
  change: (turn: TurnEntry) => TurnEntry
): Timeline => {
  const position = openPosition(timeline, key)
  if (position === undefined) return timeline
  const turn = entryAt(timeline, position) as TurnEntry
  if (turnId === undefined ? turn.duration !== null : turn.turnId !== turnId) return timeline
  return replaceEntry(timeline, position, change(turn))
}

/** A turn ends; where its beginning is not here any more, its end stands for it. */
export const completeTurn = (timeline: Timeline, event: SessionEvent<"turn.completed">): Timeline => {
  const { error, outcome, reason, turnId } = event.data
  const end = { status: outcome, retry: null, reason: reason ?? null, ...(error === undefined ? {} : { error }) }
  const next = changeTurn(timeline, turnId, (turn) => ({ ...turn, ...end, duration: event.at - turn.at }))
  return next === timeline ? addEntry(timeline, { ...beginning(event, turnId), ...end }) : next
}
