/** The end of a turn: how, how long it took, and what it used. */
import type { ReportedError, TurnOutcome, Usage } from "@holdfast/core"
import type { Glyphs } from "./Glyphs.ts"
import { noteLine } from "./Notes.ts"
import type { StyledLine } from "./StyledLine.ts"
import { errorLine } from "./ToolBlock.ts"

/** How a turn ended: one dim line with what it took; an error where it failed. */
export const turnEndLines = (
  end: {
    readonly outcome: TurnOutcome
    readonly reason: string | undefined
    readonly error: ReportedError | undefined
    /** Milliseconds; null where its beginning is not known. */
    readonly duration: number | null
    readonly usage: Usage
  },
  glyphs: Glyphs
): ReadonlyArray<StyledLine> => {
  const lines: Array<StyledLine> = []
  if (end.error !== undefined) {
    lines.push(errorLine(`${end.error.message}${end.error.retryable ? " (trying again may help)" : ""}`, glyphs))
  }
  const outcome = { completed: "Done", interrupted: "Interrupted", failed: "Failed" }[end.outcome]
  const parts = [end.reason === undefined || end.error !== undefined ? outcome : `${outcome}: ${end.reason}`]
  if (end.duration !== null) parts.push(duration(end.duration))
  parts.push(...usageParts(end.usage))
  lines.push({
    lead: { text: glyphs.note, style: "dim" },
    hang: { text: "  " },
    spans: [{ text: parts.join(glyphs.dot), style: end.outcome === "completed" ? "dim" : "warning" }]
  })
  return lines
}

/** Usage that came after its turn's end. */
export const usageLine = (usage: Usage, glyphs: Glyphs): StyledLine | undefined => {
  const parts = usageParts(usage)
  return parts.length === 0 ? undefined : noteLine(["Usage", ...parts].join(glyphs.dot), glyphs)
}

const usageParts = (usage: Usage): ReadonlyArray<string> => {
  const parts: Array<string> = []
  const count = (value: number | undefined, what: string) => {
    // Nothing of a kind is nothing to read.
    if (value !== undefined && value > 0) parts.push(`${Math.round(value).toLocaleString("en")} ${what}`)
  }
  count(usage.inputTokens, "in")
  count(usage.cachedInputTokens, "cached")
  count(usage.outputTokens, "out")
  count(usage.reasoningTokens, "reasoning")
  if (usage.costUsd !== undefined && usage.costUsd > 0) parts.push(`$${usage.costUsd.toFixed(4)}`)
  return parts
}

/** `0.4s`, `12s`, `3m 05s`, `2h 07m`. */
const duration = (ms: number): string => {
  if (ms < 9_950) return `${(Math.max(0, ms) / 1_000).toFixed(1)}s`
  const seconds = Math.round(ms / 1_000)
  if (seconds < 60) return `${seconds}s`
  const two = (value: number) => String(value).padStart(2, "0")
  const minutes = Math.floor(seconds / 60)
  return minutes < 60 ? `${minutes}m ${two(seconds % 60)}s` : `${Math.floor(minutes / 60)}h ${two(minutes % 60)}m`
}
