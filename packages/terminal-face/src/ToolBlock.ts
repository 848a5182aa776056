/** A tool call as lines: what it does and how far it is, its output from both ends, and what it changed. */
import type { ItemProgress, ReportedError, ToolCall, ToolKind, ToolStatus } from "@holdfast/core"
import { diffLines, type ShownDiff } from "./DiffBlock.ts"
import type { Glyphs } from "./Glyphs.ts"
import { excerpt, type KeptText, lastLines } from "./KeptText.ts"
import { outputText } from "./SafeText.ts"
import type { Span, Style, StyledLine } from "./StyledLine.ts"

/** Lines of a tool's output that are shown once it has ended: from its beginning, and from its end. */
const outputLines = { first: 4, last: 8 } as const

/** UTF-16 units of one line of output that are shown: minified files have lines of a megabyte. */
const maxOutputLine = 1_000

/** UTF-16 units of a title that are shown. */
const maxTitle = 400

/** A tool call, as far as it is shown. */
export interface ShownTool {
  readonly title: string
  readonly kind: ToolKind
  readonly status: ToolStatus
  readonly progress: ItemProgress
  readonly exitCode: number | null
  readonly output: KeptText
  readonly diffs: ReadonlyArray<ShownDiff>
  /** Diffs that are not kept, past the bound. */
  readonly diffsBeyond: number
  readonly error: ReportedError | null
}

const words: { readonly [K in ToolKind]: string } = {
  read: "Read",
  edit: "Edit",
  delete: "Delete",
  move: "Move",
  search: "Search",
  execute: "Run",
  think: "Think",
  fetch: "Fetch",
  other: "Tool"
}

/** What to call a tool call: its title, else its command, else its name with the gist of its input. */
export const toolTitle = ({ input, name, title }: ToolCall): string => {
  if (title !== undefined && title.trim() !== "") return clip(title.trim(), maxTitle)
  return clip(commandOf(input) ?? `${name} ${inputGist(input)}`.trim(), maxTitle)
}

/** The input in one line: its command where it has one, else its JSON. */
export const inputGist = (input: unknown): string => {
  if (input === undefined || input === null) return ""
  return clip(typeof input === "string" ? input : (commandOf(input) ?? JSON.stringify(input) ?? ""), maxTitle)
}

const commandOf = (input: unknown): string | undefined => {
  const command = typeof input === "object" && input !== null && "command" in input ? input.command : undefined
  if (typeof command === "string" && command.trim() !== "") return command
  const words = Array.isArray(command) && command.every((word) => typeof word === "string") ? command : []
  return words.length === 0 ? undefined : words.join(" ")
}

/** The beginning of a text, with a mark where it is cut. */
export const clip = (text: string, max: number): string =>
  text.length <= max ? text : `${text.slice(0, max).toWellFormed()}...`

/** The line that says what it does: `✓ Run npm test (exit 0)`. */
export const toolHeader = (tool: ShownTool, glyphs: Glyphs): StyledLine => {
  const [glyph, style] = markOf(tool, glyphs)
  const spans: Array<Span> = [
    { text: words[tool.kind], style: "strong" },
    { text: ` ${tool.title.replaceAll("\n", " ")}` }
  ]
  const ends: Array<string> = []
  if (tool.exitCode !== null && tool.progress !== "streaming") ends.push(`exit ${tool.exitCode}`)
  if (tool.progress === "interrupted") ends.push("interrupted")
  else if (tool.progress === "failed" && tool.exitCode === null) ends.push("failed")
  if (ends.length > 0)
    spans.push({ text: ` (${ends.join(", ")})`, style: tool.progress === "completed" ? "dim" : "bad" })
  return { lead: { text: glyph, style }, hang: { text: "  " }, spans }
}

const markOf = (tool: ShownTool, glyphs: Glyphs): readonly [string, Style] => {
  switch (tool.progress) {
    case "completed":
      return tool.status === "failed" ? [glyphs.failed, "bad"] : [glyphs.done, "good"]
    case "failed":
      return [glyphs.failed, "bad"]
    case "interrupted":
      return [glyphs.failed, "warning"]
    case "streaming":
      return tool.status === "pending" ? [glyphs.waiting, "dim"] : [glyphs.running, "warning"]
  }
}

/** The whole call, once it has ended. */
export const toolLines = (tool: ShownTool, glyphs: Glyphs): ReadonlyArray<StyledLine> => {
  const lines: Array<StyledLine> = [toolHeader(tool, glyphs)]
  const shown = excerpt(tool.output, outputText, outputLines.first, outputLines.last)
  for (const text of shown.first) lines.push(outputLine(text, glyphs))
  if (shown.omitted > 0) lines.push(omittedLine(shown.omitted, glyphs))
  for (const text of shown.last) lines.push(outputLine(text, glyphs))
  if (tool.error !== null) lines.push(errorLine(tool.error.message, glyphs, "  "))
  for (const diff of tool.diffs) lines.push(...diffLines(diff, glyphs))
  if (tool.diffsBeyond > 0)
    lines.push({ lead: { text: "  " }, spans: [{ text: `${tool.diffsBeyond} more files changed`, style: "dim" }] })
  return lines
}

/** The last lines of a tool that runs. */
export const runningOutput = (tool: ShownTool, count: number, glyphs: Glyphs): ReadonlyArray<StyledLine> =>
  lastLines(tool.output, outputText, count).map((text) => outputLine(text, glyphs))

const outputLine = (text: string, glyphs: Glyphs): StyledLine => {
  const bar: Span = { text: `  ${glyphs.bar}`, style: "dim" }
  return { lead: bar, hang: bar, spans: [{ text: clip(text, maxOutputLine), style: "dim" }] }
}

/** Says how many lines are left out. */
const omittedLine = (count: number, glyphs: Glyphs): StyledLine => ({
  lead: { text: `  ${glyphs.bar}`, style: "dim" },
  spans: [{ text: `${glyphs.ellipsis} ${count} ${count === 1 ? "line" : "lines"} ${glyphs.ellipsis}`, style: "dim" }]
})

/** An error under what it belongs to. */
export const errorLine = (message: string, glyphs: Glyphs, indent = ""): StyledLine => ({
  lead: { text: `${indent}${glyphs.failed}`, style: "bad" },
  hang: { text: `${indent}  ` },
  spans: [{ text: clip(message, 4_000), style: "bad" }]
})
