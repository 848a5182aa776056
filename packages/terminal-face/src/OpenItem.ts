/** Items that have started and not completed, as far as a face keeps them; and what each prints when it is whole. */
import type { DataOf, FileDiff, PlanEntry, SessionEvent, ToolCall } from "@holdfast/core"
import { shownDiff } from "./DiffBlock.ts"
import type { Glyphs } from "./Glyphs.ts"
import { emptyText, keep, type KeptText } from "./KeptText.ts"
import { planLines, shownSteps } from "./PlanBlock.ts"
import { nest, type Print } from "./Print.ts"
import { attachmentLines, contentText, promptLine } from "./PromptBlock.ts"
import type { StyledLine } from "./StyledLine.ts"
import { type TextMark, textMark } from "./TextMark.ts"
import { errorLine, type ShownTool, toolLines, toolTitle } from "./ToolBlock.ts"

/** Diffs of one tool call that are kept until it is whole; more are counted. */
const maxDiffs = 16

/** A message or reasoning: its text is printed as it comes, and not kept here. */
export interface OpenStream {
  readonly kind: "stream"
}

/** A tool call that runs. */
export interface OpenTool {
  readonly kind: "tool"
  readonly name: string
  readonly titled: boolean
  readonly nested: boolean
  readonly tool: ShownTool
}

/** A plan that may still change. */
export interface OpenPlan {
  readonly kind: "plan"
  readonly nested: boolean
  readonly steps: ReadonlyArray<PlanEntry>
  readonly text: KeptText
}

/** What a person said, as the agent repeats it. */
export interface OpenEcho {
  readonly kind: "echo"
  readonly text: KeptText
}

/** An item that has not completed. */
export type OpenItem = OpenStream | OpenTool | OpenPlan | OpenEcho

const noTool: ToolCall = { name: "", kind: "other", status: "pending" }

/** An item begins. */
export const startItem = (event: SessionEvent<"item.started">): readonly [OpenItem, ReadonlyArray<Print>] => {
  const { itemId, kind, parentId, role, text, tool } = event.data
  const nested = parentId !== undefined
  switch (kind) {
    case "message":
      if (role === "user") return [{ kind: "echo", text: keep(emptyText, text ?? "") }, []]
      return [{ kind: "stream" }, opened(itemId, "message", nested, text)]
    case "reasoning":
      return [{ kind: "stream" }, opened(itemId, "reasoning", nested, text)]
    case "plan":
      return [{ kind: "plan", nested, steps: [], text: keep(emptyText, text ?? "") }, []]
    case "tool_call":
      return [openTool(tool ?? noTool, nested), []]
  }
}

const opened = (
  stream: string,
  group: "message" | "reasoning",
  nested: boolean,
  text: string | undefined
): ReadonlyArray<Print> => [
  { print: "opened", stream, group, nested },
  ...(text === undefined || text === "" ? [] : [{ print: "text", stream, text } as const])
]

const openTool = (tool: ToolCall, nested: boolean): OpenTool => ({
  kind: "tool",
  name: tool.name,
  titled: tool.title !== undefined,
  nested,
  tool: {
    title: toolTitle(tool),
    kind: tool.kind,
    status: tool.status,
    progress: "streaming",
    exitCode: tool.exitCode ?? null,
    output: emptyText,
    diffs: [],
    diffsBeyond: 0,
    error: null
  }
})

/** A piece of what is kept until the item is whole. */
export const addPiece = (
  item: Exclude<OpenItem, OpenStream>,
  field: DataOf<"item.delta">["field"],
  text: string
): OpenItem => {
  if (item.kind === "tool") {
    if (field !== "output") return item
    return { ...item, tool: { ...item.tool, output: keep(item.tool.output, text) } }
  }
  return field === "text" ? { ...item, text: keep(item.text, text) } : item
}

/** An item changes while it runs. */
export const updateItem = (item: OpenItem, { data }: SessionEvent<"item.updated">): OpenItem => {
  if (item.kind === "plan") return data.entries === undefined ? item : { ...item, steps: shownSteps(data.entries) }
  if (item.kind !== "tool") return item
  const { name, titled, tool } = item
  const title =
    data.title !== undefined
      ? toolTitle({ ...noTool, name, title: data.title })
      : titled || data.input === undefined
        ? tool.title
        : toolTitle({ ...noTool, name, input: data.input })
  return {
    ...item,
    titled: titled || data.title !== undefined,
    tool: { ...tool, title, status: data.status ?? tool.status }
  }
}

/** A tool call changed a file. */
export const withDiff = (item: OpenTool, change: FileDiff): OpenTool => {
  const { tool } = item
  const changed =
    tool.diffs.length < maxDiffs
      ? { ...tool, diffs: [...tool.diffs, shownDiff(change)] }
      : { ...tool, diffsBeyond: tool.diffsBeyond + 1 }
  return { ...item, tool: changed }
}

/** An item is whole, or cut off; `item` is what was known of it. */
export const completeItem = (
  item: OpenItem | undefined,
  event: SessionEvent<"item.completed">,
  echoes: ReadonlyArray<TextMark>,
  glyphs: Glyphs
): ReadonlyArray<Print> => {
  const { data } = event
  const nested = data.parentId !== undefined
  const below = (): ReadonlyArray<StyledLine> => [
    ...attachmentLines(data.content ?? []),
    ...(data.error === undefined ? [] : [errorLine(data.error.message, glyphs, "  ")]),
    ...(data.status === "interrupted" ? [interruptedLine] : [])
  ]
  switch (data.kind) {
    case "message":
    case "reasoning": {
      if (data.role === "user" && data.kind === "message") return echoPrints(item, data, echoes, glyphs)
      const whole = data.text ?? (data.content === undefined ? undefined : textOf(data.content))
      const closed: Print = { print: "closed", stream: data.itemId, whole, lines: nest(below(), nested) }
      if (item?.kind === "stream") return [closed]
      const nothing = (whole ?? "") === "" && closed.lines.length === 0
      return nothing ? [] : [{ print: "opened", stream: data.itemId, group: data.kind, nested }, closed]
    }
    case "plan": {
      const known = item?.kind === "plan" ? item : undefined
      const steps = data.entries === undefined ? (known?.steps ?? []) : shownSteps(data.entries)
      const text = keptText(data.text === undefined ? (known?.text ?? emptyText) : keep(emptyText, data.text))
      return [{ print: "block", group: "plan", lines: nest([...planLines(steps, text, glyphs), ...below()], nested) }]
    }
    case "tool_call": {
      const lines = [...toolLines(completeTool(item, data), glyphs), ...attachmentLines(data.content ?? [])]
      return [{ print: "block", group: "tool", lines: nest(lines, nested) }]
    }
  }
}

const interruptedLine: StyledLine = { lead: { text: "  " }, spans: [{ text: "(interrupted)", style: "warning" }] }

const textOf = (content: NonNullable<DataOf<"item.completed">["content"]>): string | undefined => {
  const text = contentText(content.filter((block) => block.type === "text"))
  return text === "" ? undefined : text
}

const keptText = (kept: KeptText): string =>
  kept.dropped === 0 ? kept.head + kept.tail : `${kept.head}\n...\n${kept.tail}`

/** What a person said: left out where it is a prompt that was shown. */
const echoPrints = (
  item: OpenItem | undefined,
  data: DataOf<"item.completed">,
  echoes: ReadonlyArray<TextMark>,
  glyphs: Glyphs
): ReadonlyArray<Print> => {
  const text = data.text ?? (item?.kind === "echo" ? keptText(item.text) : contentText(data.content ?? []))
  const said = textMark(text)
  if (said.length === 0 || echoes.some((echo) => echo.length === said.length && echo.hash === said.hash)) return []
  return [{ print: "block", group: "prompt", lines: [promptLine(text, undefined, false, glyphs)] }]
}

const completeTool = (item: OpenItem | undefined, data: DataOf<"item.completed">): ShownTool => {
  const known = item?.kind === "tool" ? item : openTool(data.tool ?? noTool, false)
  const { tool } = known
  const told = data.tool?.title !== undefined || (!known.titled && data.tool?.input !== undefined)
  const said = data.output !== undefined && data.output !== "" ? data.output : (data.text ?? textOf(data.content ?? []))
  return {
    ...tool,
    title: told && data.tool !== undefined ? toolTitle(data.tool) : tool.title,
    kind: data.tool?.kind ?? tool.kind,
    status: data.tool?.status ?? tool.status,
    progress: data.status,
    exitCode: data.tool?.exitCode ?? tool.exitCode,
    output: said === undefined || said === "" ? tool.output : keep(emptyText, said),
    error: data.error ?? null
  }
}

/** An item that is gone without having completed. */
export const cutOffItem = (stream: string, item: OpenItem, glyphs: Glyphs): ReadonlyArray<Print> => {
  switch (item.kind) {
    case "stream":
      return [{ print: "closed", stream, whole: undefined, lines: [interruptedLine] }]
    case "tool": {
      const lines = toolLines({ ...item.tool, progress: "interrupted" }, glyphs)
      return [{ print: "block", group: "tool", lines: nest(lines, item.nested) }]
    }
    case "plan":
      return [
        { print: "block", group: "plan", lines: nest(planLines(item.steps, keptText(item.text), glyphs), item.nested) }
      ]
    case "echo":
      return []
  }
}
