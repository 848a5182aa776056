/**
 * The list behind a timeline: entries in chunks that are shared between versions, so that changing one entry among
 * thousands copies one chunk and the list of chunks, some hundred references, and adding one no more.
 */
import type { FileTotals, TimelineEntry } from "./TimelineEntry.ts"
import type { Usage } from "./Content.ts"

/** Entries of a chunk. Half of what a change copies; the other half is the list of chunks. */
const chunkSize = 64

/** Entries that are looked through, newest first, for one that has ended already: eight chunks. */
const recent = 8 * chunkSize

/** What happened in a session, as people read it. Plain JSON: it can be kept as a checkpoint and sent to a browser. */
export interface Timeline {
  /** The last event that is folded in: the cursor to go on from. */
  readonly seq: number
  /** Entries that there ever were, those that were given up included. */
  readonly total: number
  /** Entries that are shown, at most. */
  readonly maxEntries: number
  /** UTF-16 units of one part of an entry that are shown, at most. */
  readonly maxText: number
  /** Usage of the whole session. */
  readonly usage: Usage
  /** Files that the whole session changed. */
  readonly files: FileTotals
  /** The list; read it with `timelineEntries`. Whole chunks are given up, so up to a chunk more than is shown is here. */
  readonly chunks: ReadonlyArray<ReadonlyArray<TimelineEntry>>
  /** Position of the first entry that is here, counted from the first that ever was. */
  readonly first: number
  /** Positions of what may still change, by what it is. */
  readonly open: { readonly [key: string]: number }
}

const shown = new WeakMap<Timeline["chunks"], ReadonlyArray<TimelineEntry>>()

/** The entries that are shown, oldest first. The same array as long as nothing in it changes. */
export const timelineEntries = (timeline: Timeline): ReadonlyArray<TimelineEntry> => {
  let entries = shown.get(timeline.chunks)
  if (entries === undefined) {
    entries = timeline.chunks.flat().slice(-timeline.maxEntries)
    shown.set(timeline.chunks, entries)
  }
  return entries
}

/** Adds an entry at the end, and gives up the oldest chunk where none of it is shown any more. */
export const addEntry = (timeline: Timeline, entry: TimelineEntry, key?: string): Timeline => {
  let { chunks, first, open } = timeline
  const last = chunks.at(-1)
  chunks =
    last === undefined || last.length === chunkSize ? [...chunks, [entry]] : [...chunks.slice(0, -1), [...last, entry]]
  const total = timeline.total + 1
  if (total - first - chunkSize >= timeline.maxEntries) {
    chunks = chunks.slice(1)
    first += chunkSize
    const kept = first
    open = Object.fromEntries(Object.entries(open).filter(([, position]) => position >= kept))
  }
  if (key !== undefined) open = { ...open, [key]: total - 1 }
  return { ...timeline, chunks, first, open, total }
}

/** The entry at a position. */
export const entryAt = (timeline: Timeline, position: number): TimelineEntry => {
  const index = position - timeline.first
  return timeline.chunks[Math.floor(index / chunkSize)]![index % chunkSize]!
}

/** Puts another version of an entry in its place. */
export const replaceEntry = (timeline: Timeline, position: number, entry: TimelineEntry): Timeline => {
  const index = position - timeline.first
  const chunk = Math.floor(index / chunkSize)
  return { ...timeline, chunks: timeline.chunks.with(chunk, timeline.chunks[chunk]!.with(index % chunkSize, entry)) }
}

/** Where something that may still change is; undefined where it is not known, or was given up. */
export const openPosition = (timeline: Timeline, key: string): number | undefined =>
  Object.hasOwn(timeline.open, key) ? timeline.open[key] : undefined

/** Says that something does not change any more. */
export const closeEntry = (timeline: Timeline, key: string): Timeline => {
  const { [key]: _closed, ...open } = timeline.open
  return { ...timeline, open }
}

/** Where a recent entry is that may have ended already, newest first. */
export const recentPosition = (timeline: Timeline, matches: (entry: TimelineEntry) => boolean): number | undefined => {
  const oldest = Math.max(timeline.first, timeline.total - recent)
  for (let position = timeline.total - 1; position >= oldest; position--) {
    if (matches(entryAt(timeline, position))) return position
  }
  return undefined
}
