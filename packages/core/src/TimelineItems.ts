/** An agent's items in a timeline: messages, reasoning, tool calls and plans, as they stream and when they are whole. */
import type { ToolCall, ToolStatus } from "./Content.ts"
import type { ItemKind, SessionEvent } from "./SessionEvent.ts"
import {
  addEntry,
  closeEntry,
  entryAt,
  openPosition,
  recentPosition,
  replaceEntry,
  type Timeline
} from "./TimelineList.ts"
import type { ItemEntry, ItemEntryBase, ItemProgress, ToolEntry } from "./TimelineEntry.ts"
import { Bounds } from "./TimelineText.ts"

const keyOf = (itemId: string): string => `item:${itemId}`

/** Where an item is: among what may change, or else among the newest entries. */
export const itemPosition = (timeline: Timeline, itemId: string): number | undefined =>
  openPosition(timeline, keyOf(itemId)) ??
  recentPosition(timeline, (entry) => "itemId" in entry && "progress" in entry && entry.itemId === itemId)

type ItemEvent<T extends "item.started" | "item.completed"> = SessionEvent<T>

const noTool: ToolCall = { name: "", kind: "other", status: "pending" }

/** An item of which nothing but its beginning is known. */
const freshItem = (event: ItemEvent<"item.started" | "item.completed">): ItemEntry => {
  const { itemId, kind, parentId, role, turnId } = event.data
  const base: ItemEntryBase = {
    seq: event.seq,
    at: event.at,
    itemId,
    turnId: turnId ?? null,
    parentId: parentId ?? null,
    progress: "streaming"
  }
  switch (kind) {
    case "message":
      return { ...base, type: "message", role: role ?? "agent", author: event.actor ?? null, text: "" }
    case "reasoning":
      return { ...base, type: "reasoning", text: "" }
    case "plan":
      return { ...base, type: "plan", text: "", entries: [] }
    case "tool_call": {
      const { name, kind, status } = event.data.tool ?? noTool
      const empty = { text: "", output: "", title: null, locations: [], files: [], exitCode: null }
      return { ...base, ...empty, type: "tool", name, kind, status }
    }
  }
}

const typeOf = (kind: ItemKind): ItemEntry["type"] => (kind === "tool_call" ? "tool" : kind)

const withInput = (entry: ToolEntry, input: unknown, bounds: Bounds): ToolEntry => {
  if (input === undefined) return entry
  const { input: _before, ...rest } = entry
  const shown = bounds.json("input", input)
  return shown === undefined ? rest : { ...rest, input: shown }
}

/** What a tool call tells of itself, over what was known. */
const withTool = (entry: ToolEntry, tool: ToolCall, bounds: Bounds): ToolEntry => ({
  ...withInput(entry, tool.input, bounds),
  name: tool.name,
  title: tool.title ?? entry.title,
  kind: tool.kind,
  status: tool.status,
  locations: tool.locations ?? entry.locations,
  exitCode: tool.exitCode ?? entry.exitCode
})

/** An item begins. */
export const startItem = (timeline: Timeline, event: ItemEvent<"item.started">): Timeline => {
  const bounds = new Bounds(timeline.maxText)
  let entry = freshItem(event)
  if (event.data.text !== undefined) entry = { ...entry, text: bounds.text("text", event.data.text) }
  if (entry.type === "tool" && event.data.tool !== undefined) entry = withTool(entry, event.data.tool, bounds)
  return addEntry(timeline, { ...entry, ...bounds.cut }, keyOf(event.data.itemId))
}

/**
 * A piece of an item. One that belongs to no item that is known is left out: the item's completion has all of it.
 */
export const addDelta = (timeline: Timeline, event: SessionEvent<"item.delta">): Timeline => {
  const position = openPosition(timeline, keyOf(event.data.itemId))
  if (position === undefined) return timeline
  const entry = entryAt(timeline, position) as ItemEntry
  const { field, text } = event.data
  const part = field === "input" ? "inputText" : field
  if (part !== "text" && entry.type !== "tool") return timeline
  const before = (entry as ToolEntry)[part] ?? ""
  // The hot path: most texts never come near their bound, and adding to a text costs nothing until somebody reads it.
  if (entry.cut === undefined && before.length + text.length <= timeline.maxText) {
    return replaceEntry(timeline, position, { ...entry, [part]: before + text })
  }
  const { cut, ...rest } = entry
  const bounds = new Bounds(timeline.maxText, cut)
  const shown = bounds.append(part, before, text)
  return replaceEntry(timeline, position, { ...rest, [part]: shown, ...bounds.cut } as ItemEntry)
}

/** An item changes while it runs, or late. */
export const updateItem = (timeline: Timeline, event: SessionEvent<"item.updated">): Timeline => {
  const { entries, input, itemId, locations, status, title } = event.data
  const position = itemPosition(timeline, itemId)
  if (position === undefined) return timeline
  const entry = entryAt(timeline, position)
  if (entry.type === "plan") {
    return entries === undefined ? timeline : replaceEntry(timeline, position, { ...entry, entries })
  }
  if (entry.type !== "tool") return timeline
  const { cut, ...rest } = entry
  const bounds = new Bounds(timeline.maxText, cut)
  return replaceEntry(timeline, position, {
    ...withInput(rest, input, bounds),
    status: status ?? entry.status,
    title: title ?? entry.title,
    locations: locations ?? entry.locations,
    ...bounds.cut
  })
}

const toolStatus: { readonly [P in Exclude<ItemProgress, "streaming">]: ToolStatus } = {
  completed: "completed",
  failed: "failed",
  interrupted: "failed"
}

/** An item is whole: what its completion says takes the place of what streamed, unless it was cut off in the middle. */
export const completeItem = (timeline: Timeline, event: ItemEvent<"item.completed">): Timeline => {
  const { data } = event
  const position = openPosition(timeline, keyOf(data.itemId))
  const started = position === undefined ? undefined : entryAt(timeline, position)
  const known =
    started?.type === typeOf(data.kind)
      ? (started as ItemEntry)
      : { ...freshItem(event), ...(started === undefined ? {} : { seq: started.seq, at: started.at }) }
  const { cut, ...rest } = known
  const bounds = new Bounds(timeline.maxText, cut)

  let entry: ItemEntry = { ...rest, progress: data.status }
  if (data.error !== undefined) entry = { ...entry, error: data.error }
  if (data.text !== undefined || data.partial !== true) entry = { ...entry, text: bounds.text("text", data.text ?? "") }
  if (data.content !== undefined && (entry.type === "message" || entry.type === "tool")) {
    entry = { ...entry, content: bounds.content("content", data.content) }
  }
  if (entry.type === "plan" && data.entries !== undefined) entry = { ...entry, entries: data.entries }
  if (entry.type === "tool") entry = completeTool(entry, data, bounds)
  entry = { ...entry, ...bounds.cut }
  if (position === undefined) return addEntry(timeline, entry)
  return closeEntry(replaceEntry(timeline, position, entry), keyOf(data.itemId))
}

const completeTool = (entry: ToolEntry, data: ItemEvent<"item.completed">["data"], bounds: Bounds): ToolEntry => {
  const tool: ToolCall = data.tool ?? { name: entry.name, kind: entry.kind, status: toolStatus[data.status] }
  let next = withTool(entry, tool, bounds)
  if (data.partial === true)
    return data.output === undefined ? next : { ...next, output: bounds.text("output", data.output) }
  const { inputText: _streamed, ...whole } = next
  bounds.drop("inputText")
  return { ...whole, output: bounds.text("output", data.output ?? "") }
}
