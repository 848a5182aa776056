/** Files that changed, in a timeline: in tool calls, in turns, and in all. */
import type { SessionEvent } from "./SessionEvent.ts"
import { type FileChange, type FileDiff, type FileTotals, maxFiles } from "./TimelineEntry.ts"
import { itemPosition } from "./TimelineItems.ts"
import { addEntry, entryAt, replaceEntry, type Timeline } from "./TimelineList.ts"
import { Bounds } from "./TimelineText.ts"
import { changeTurn } from "./TimelineTurns.ts"

/** A file: in the tool call that changed it, or as an entry of its own; and in the totals of turn and session. */
export const changeFile = (timeline: Timeline, event: SessionEvent<"file.changed">): Timeline => {
  const { itemId, turnId, ...given } = event.data
  const position = itemId === undefined ? undefined : itemPosition(timeline, itemId)
  const entry = position === undefined ? undefined : entryAt(timeline, position)
  const tool = entry?.type === "tool" ? entry : undefined
  // The diffs of one entry are bounded together.
  const room = (tool?.files ?? []).reduce((left, file) => left - (file.diff?.length ?? 0), timeline.maxText)
  const bounds = new Bounds(Math.max(0, room), tool?.cut)
  const file: FileDiff =
    given.diff === undefined ? given : { ...given, diff: bounds.text(`diff of ${given.path}`, given.diff) }

  let next = { ...timeline, files: addFile(timeline.files, file) }
  next = changeTurn(next, turnId, (turn) => ({ ...turn, files: addFile(turn.files, file) }))
  if (position !== undefined && tool !== undefined) {
    return tool.files.length < maxFiles
      ? replaceEntry(next, position, { ...tool, files: [...tool.files, file], ...bounds.cut })
      : next
  }
  const { at, seq } = event
  return addEntry(next, { seq, at, type: "file", ...file, turnId: turnId ?? null, ...bounds.cut })
}

/** Adds one change to totals. */
const addFile = (totals: FileTotals, { diff: _diff, ...change }: FileDiff): FileTotals => {
  const index = totals.changes.findIndex((one) => one.path === change.path)
  if (index === -1) {
    return totals.changes.length >= maxFiles
      ? { ...totals, beyond: totals.beyond + 1 }
      : { ...totals, changes: [...totals.changes, change] }
  }
  const before = totals.changes[index]!
  return { ...totals, changes: totals.changes.with(index, { ...before, ...change, ...sums(before, change) }) }
}

const sums = (a: FileChange, b: FileChange): Partial<FileChange> => {
  const sum: { additions?: number; deletions?: number } = {}
  for (const key of ["additions", "deletions"] as const) {
    if (a[key] !== undefined || b[key] !== undefined) sum[key] = (a[key] ?? 0) + (b[key] ?? 0)
  }
  return sum
}
