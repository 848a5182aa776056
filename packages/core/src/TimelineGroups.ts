/** Rows of a timeline: what happened under an entry beneath it, and runs of like tool calls as one. */
import type { ToolKind, ToolStatus } from "./Content.ts"
import type { TimelineEntry, ToolEntry } from "./TimelineEntry.ts"

/** An entry, with what happened under it: a subagent's messages and tool calls. */
export interface EntryRow {
  readonly row: "entry"
  readonly entry: TimelineEntry
  readonly children: ReadonlyArray<TimelineRow>
}

/** Consecutive tool calls of one kind: "read 7 files". */
export interface ToolGroupRow {
  readonly row: "tools"
  /** `seq` of the first: a key for lists that stays while the group grows. */
  readonly seq: number
  readonly kind: ToolKind
  readonly count: number
  /** The least advanced of them that has not ended; else failed where one failed. */
  readonly status: ToolStatus
  readonly entries: ReadonlyArray<ToolEntry>
}

/** One row. */
export type TimelineRow = EntryRow | ToolGroupRow

/**
 * Nests entries under their parents, and groups runs of at least two tool calls of one kind that follow each other and
 * have nothing under them. Costs one pass over the entries.
 */
export const groupTimeline = (entries: ReadonlyArray<TimelineEntry>): ReadonlyArray<TimelineRow> => {
  const children = new Map<string, Array<TimelineEntry>>()
  const top: Array<TimelineEntry> = []
  for (const entry of entries) {
    const isItem = "progress" in entry
    // Only what began before can be a parent; one that is not shown any more leaves its children where they are.
    const siblings = isItem && entry.parentId !== null ? children.get(entry.parentId) : undefined
    ;(siblings ?? top).push(entry)
    if (isItem && !children.has(entry.itemId)) children.set(entry.itemId, [])
  }
  return rowsOf(top, children)
}

const rowsOf = (
  entries: ReadonlyArray<TimelineEntry>,
  children: Map<string, ReadonlyArray<TimelineEntry>>
): ReadonlyArray<TimelineRow> => {
  const rows: Array<TimelineRow> = []
  let run: Array<ToolEntry> = []
  const endRun = () => {
    if (run.length > 1) rows.push(groupOf(run))
    else for (const entry of run) rows.push({ row: "entry", entry, children: [] })
    run = []
  }
  for (const entry of entries) {
    const under = "progress" in entry ? (children.get(entry.itemId) ?? []) : []
    if (entry.type === "tool" && under.length === 0) {
      if (run.length > 0 && (run[0]!.kind !== entry.kind || run[0]!.turnId !== entry.turnId)) endRun()
      run.push(entry)
      continue
    }
    endRun()
    // An id that is used again has its children under the first.
    if ("progress" in entry) children.delete(entry.itemId)
    rows.push({ row: "entry", entry, children: rowsOf(under, children) })
  }
  endRun()
  return rows
}

const groupOf = (entries: ReadonlyArray<ToolEntry>): ToolGroupRow => ({
  row: "tools",
  seq: entries[0]!.seq,
  kind: entries[0]!.kind,
  count: entries.length,
  status:
    (["in_progress", "pending", "failed"] as const).find((status) => entries.some((one) => one.status === status)) ??
    "completed",
  entries
})
