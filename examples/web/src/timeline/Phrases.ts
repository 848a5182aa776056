/** Facts of a timeline in the words and figures that the page shows. */
import type { ToolKind, Usage } from "@holdfast/core"

/** `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`. */
export const durationText = (milliseconds: number): string => {
  if (milliseconds < 950) return `${Math.max(0.1, Math.round(milliseconds / 100) / 10)} s`
  const seconds = Math.round(milliseconds / 1_000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`
  const hours = Math.floor(minutes / 60)
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`
}

/** `12`, `3.4k`, `1.2M`. */
export const amountText = (amount: number): string => {
  if (amount < 1_000) return String(amount)
  const [value, unit] = amount < 999_500 ? [amount / 1_000, "k"] : [amount / 1_000_000, "M"]
  return `${value < 10 ? Math.round(value * 10) / 10 : Math.round(value)}${unit}`
}

/** `1 file`, `3 files`. */
export const countText = (count: number, one: string, many = `${one}s`): string =>
  `${count.toLocaleString("en")} ${count === 1 ? one : many}`

/** `1.2k in · 340 out · $0.02`; empty where nothing is known. */
export const usageText = ({ costUsd, inputTokens, outputTokens }: Usage): string => {
  const parts: Array<string> = []
  if (inputTokens !== undefined) parts.push(`${amountText(inputTokens)} in`)
  if (outputTokens !== undefined) parts.push(`${amountText(outputTokens)} out`)
  if (costUsd !== undefined && costUsd > 0) parts.push(`$${costUsd < 0.01 ? costUsd.toFixed(4) : costUsd.toFixed(2)}`)
  return parts.join(" · ")
}

const time = new Intl.DateTimeFormat(undefined, { timeStyle: "short" })
const dayAndTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" })

/** The time of day. */
export const timeText = (at: number): string => time.format(at)

/** The day too, for who asks. */
export const dateText = (at: number): string => dayAndTime.format(at)

const phrases: { readonly [K in ToolKind]: readonly [done: string, running: string, one: string, many?: string] } = {
  read: ["Read", "Reading", "file"],
  edit: ["Edited", "Editing", "file"],
  delete: ["Deleted", "Deleting", "file"],
  move: ["Moved", "Moving", "file"],
  search: ["Searched", "Searching", "time"],
  execute: ["Ran", "Running", "command"],
  think: ["Thought", "Thinking", "time"],
  fetch: ["Fetched", "Fetching", "page"],
  other: ["Used", "Using", "tool"]
}

/** What a run of tool calls of one kind is called: `Read 7 files`. */
export const groupText = (kind: ToolKind, count: number, isRunning: boolean): string => {
  const [done, running, one, many] = phrases[kind]
  return `${isRunning ? running : done} ${countText(count, one, many)}`
}

const kindNames: { readonly [K in ToolKind]: string } = {
  read: "Read",
  edit: "Edit",
  delete: "Delete",
  move: "Move",
  search: "Search",
  execute: "Command",
  think: "Thought",
  fetch: "Fetch",
  other: "Tool"
}

/** A tool's kind for who cannot see its icon. */
export const kindText = (kind: ToolKind): string => kindNames[kind]

/** The letters of an avatar: of the first and the last word. */
export const initials = (name: string): string => {
  const words = name
    .trim()
    .split(/[\s._@-]+/)
    .filter((word) => word !== "")
  const letters = [words[0], words.length > 1 ? words.at(-1) : undefined].map((word) => [...(word ?? "")][0] ?? "")
  return letters.join("").toUpperCase() || "?"
}

/** One of 12 hues for a participant: always the same for the same id. */
export const hueOf = (id: string): number => {
  let hash = 0
  for (const character of id) hash = (hash * 31 + character.codePointAt(0)!) >>> 0
  return (hash % 12) * 30
}
