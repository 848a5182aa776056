/** An agent's plan as lines with boxes to tick. */
import type { PlanEntry } from "@holdfast/core"
import type { Glyphs } from "./Glyphs.ts"
import type { StyledLine } from "./StyledLine.ts"
import { clip } from "./ToolBlock.ts"

/** Steps of a plan that are kept and shown. */
const maxSteps = 100

/** UTF-16 units of one step that are shown. */
const maxStep = 1_000

/** Keeps of a plan what is shown of it. */
export const shownSteps = (entries: ReadonlyArray<PlanEntry>): ReadonlyArray<PlanEntry> =>
  entries.slice(0, maxSteps).map((entry) => ({ ...entry, content: clip(entry.content, maxStep) }))

/** The steps of a plan; where it has none, its text. */
export const planLines = (steps: ReadonlyArray<PlanEntry>, text: string, glyphs: Glyphs): ReadonlyArray<StyledLine> => {
  const title: StyledLine = {
    lead: { text: glyphs.message },
    hang: { text: "  " },
    spans: [{ text: "Plan", style: "strong" }]
  }
  if (steps.length === 0) {
    return text === "" ? [title] : [title, { lead: { text: "  " }, hang: { text: "  " }, spans: [{ text }] }]
  }
  return [
    title,
    ...steps.map(({ content, status }): StyledLine => {
      const box = { pending: glyphs.pending, in_progress: glyphs.doing, completed: glyphs.ticked }[status]
      const style = ({ pending: "plain", in_progress: "strong", completed: "dim" } as const)[status]
      return {
        lead: { text: `  ${box}`, style: status === "completed" ? "good" : "plain" },
        hang: { text: " ".repeat(2 + box.length) },
        spans: [{ text: content, style }]
      }
    })
  ]
}
