/**
 * What stands below everything that is printed for good, and is drawn anew with each change: what runs, what waits, what
 * is asked, the status, and the line that is typed. Never more rows than it is given.
 */
import { sessionStatus, type SessionStatus } from "@holdfast/core"
import type { Composer } from "./Composer.ts"
import { inputRows } from "./InputRows.ts"
import { cutRow, layOut } from "./Layout.ts"
import { choiceLines, waitingLine } from "./PendingRequest.ts"
import { planLines } from "./PlanBlock.ts"
import { contentText } from "./PromptBlock.ts"
import type { OpenItem } from "./OpenItem.ts"
import type { StreamRows } from "./StreamRows.ts"
import type { Row, Span, Style, StyledLine } from "./StyledLine.ts"
import { clip, runningOutput, toolHeader } from "./ToolBlock.ts"
import { nameOf, type Transcript } from "./Transcript.ts"

/** Lines of a running tool's output, of a plan that may change, and of waiting prompts. */
const maxRunningOutput = 3
const maxPlanRows = 8
const maxPromptRows = 3

/** Rows of the line that is typed. */
const maxInputRows = 5

/** What the region shows. */
export interface LiveView {
  readonly transcript: Transcript
  readonly streams: ReadonlyMap<string, StreamRows>
  /** The text that the last printed row belongs to: what follows of it stands directly below. */
  readonly printing: string | undefined
  /** Undefined where nothing can be typed. */
  readonly composer: Composer | undefined
}

/** The region, laid out. */
export interface LiveRegion {
  readonly rows: ReadonlyArray<Row>
  /** Where the next character goes; undefined where nothing can be typed. */
  readonly cursor: { readonly row: number; readonly column: number } | undefined
}

/** Lays the region out in at most `max` rows of at most `width` columns; what counts less gives way. */
export const liveRegion = (view: LiveView, width: number, max: number): LiveRegion => {
  const { composer, transcript } = view
  const { unicode } = transcript.glyphs
  let left = max
  const lineIn = (room: number) =>
    composer === undefined ? undefined : inputRows(inputOf(composer, view), width, room, unicode)
  // One row of input always stays; the others count less than what is asked.
  if (composer !== undefined) left -= 1
  const status = left > 0 ? [statusRow(view, width)] : []
  left -= status.length
  const request = requestRows(view, width, left)
  left -= request.length
  const input = lineIn(Math.min(maxInputRows, left + 1))
  left -= Math.max(0, (input?.rows.length ?? 0) - 1)
  const prompts = promptRows(view, width, Math.min(left, maxPromptRows))
  left -= prompts.length
  const rows: Array<Row> = []
  if (left > 0) {
    const running = runningRows(view, width, left - 1)
    if (running.length > 0 && left - 1 > running.length && !continues(view)) rows.push([])
    rows.push(...running, [])
  }
  rows.push(...prompts, ...request, ...status)
  const cursor = input === undefined ? undefined : { ...input.cursor, row: rows.length + input.cursor.row }
  return { rows: [...rows, ...(input?.rows ?? [])], cursor }
}

const moreRow = (count: number, { transcript }: LiveView, width: number): Row => {
  const { glyphs } = transcript
  return cutRow([{ text: `${glyphs.ellipsis} ${count} more`, style: "dim" }], width, glyphs)
}

/** Whether the first row of what runs belongs to the last one that is printed. */
const continues = ({ printing, streams }: LiveView): boolean =>
  printing !== undefined && streams.keys().next().value === printing

/** What runs: a row for each item as far as there are rows, and of the first ones their last lines too. */
const runningRows = (view: LiveView, width: number, max: number): ReadonlyArray<Row> => {
  const items = [...view.transcript.items].filter(([, item]) => item.kind !== "echo")
  const shown = items.length <= max ? items : items.slice(0, Math.max(0, max - 1))
  let room = max - shown.length
  const rows: Array<Row> = []
  for (const [itemId, item] of shown) {
    const part = itemRows(view, itemId, item, width, 1 + Math.max(0, room))
    room -= part.length - 1
    rows.push(...part)
  }
  return items.length > shown.length && max > 0 ? [...rows, moreRow(items.length - shown.length, view, width)] : rows
}

/** At most `max` rows of one item; none of a text that says nothing yet. */
const itemRows = (
  { streams, transcript }: LiveView,
  itemId: string,
  item: OpenItem,
  width: number,
  max: number
): ReadonlyArray<Row> => {
  const { glyphs } = transcript
  const lay = (lines: ReadonlyArray<StyledLine>) =>
    lines.slice(0, max).flatMap((line) => layOut(line, width, glyphs.unicode).slice(0, 1))
  switch (item.kind) {
    case "tool":
      return lay([
        toolHeader(item.tool, glyphs),
        ...runningOutput(item.tool, Math.min(maxRunningOutput, max - 1), glyphs)
      ])
    case "plan":
      return lay(planLines(item.steps, "", glyphs).slice(0, maxPlanRows))
    case "stream":
      return streams.get(itemId)?.growing(width).slice(-max) ?? []
    case "echo":
      return []
  }
}

const promptRows = (view: LiveView, width: number, max: number): ReadonlyArray<Row> => {
  const { glyphs, participant, session } = view.transcript
  const { prompts } = session
  if (max <= 0) return []
  const shown = prompts.slice(0, prompts.length > max ? max - 1 : max)
  const rows = shown.map(({ actor, content, delivery, dispatchedAt }): Row => {
    const word = dispatchedAt !== null ? "on its way" : delivery === "steer" ? "waits to steer" : "queued"
    const from = actor === null || actor === participant ? "" : `${nameOf(view.transcript, actor)}: `
    const text = clip(contentText(content), 4 * width + 100)
    return cutRow([{ text: `${glyphs.waiting}${word}${glyphs.dot}${from}${text}`, style: "dim" }], width, glyphs)
  })
  return prompts.length > max ? [...rows, moreRow(prompts.length - shown.length, view, width)] : rows
}

/** What is asked, and the choices as far as they fit; all of them can be chosen. */
const requestRows = ({ composer, transcript }: LiveView, width: number, max: number): ReadonlyArray<Row> => {
  const { glyphs, requests } = transcript
  const first = requests[0]
  const offered = composer?.offered
  const lines =
    offered !== undefined
      ? choiceLines(offered.request, offered.step, offered.waiting, glyphs)
      : composer === undefined && first !== undefined
        ? [waitingLine(first, glyphs)]
        : []
  const rows: Array<Row> = []
  for (const line of lines) {
    rows.push(...layOut(line, width, glyphs.unicode))
    if (rows.length > max) break
  }
  if (rows.length <= max) return rows
  const more = cutRow([{ text: `${glyphs.ellipsis} more than fits: type its number`, style: "dim" }], width, glyphs)
  return [...rows.slice(0, Math.max(0, max - 1)), more].slice(0, max)
}

const statusStyles: { readonly [S in SessionStatus]: readonly [word: string, Style] } = {
  working: ["working", "warning"],
  needs_you: ["needs you", "asking"],
  idle: ["idle", "good"],
  done: ["done", "dim"],
  failed: ["failed", "bad"],
  offline: ["offline", "bad"]
}

const statusRow = ({ composer, transcript }: LiveView, width: number): Row => {
  const { glyphs, session } = transcript
  const [word, style] = statusStyles[sessionStatus(session)]
  const parts: Array<string> = []
  const { lifecycle, link } = session.chart
  if (lifecycle !== "open" && lifecycle !== "created" && lifecycle !== "closed" && lifecycle !== "failed")
    parts.push(lifecycle)
  if (lifecycle === "open" && link !== "connected") parts.push(link)
  if (session.chart.turn === "interrupting") parts.push("interrupting")
  if (session.title !== "") parts.push(clip(session.title, 60))
  if (session.model !== null) parts.push(clip(session.model, 40))
  const hint = composer?.hint ?? ""
  if (composer === undefined) parts.push("only looking")
  else if (hint === "") parts.push(session.turn === null ? "? helps" : "Ctrl-C interrupts, ? helps")
  const spans: Array<Span> = [{ text: word, style }]
  if (hint !== "") spans.push({ text: `${glyphs.dot}${hint}`, style: "warning" })
  spans.push({ text: parts.map((part) => glyphs.dot + part).join(""), style: "dim" })
  return cutRow(spans, width, glyphs)
}

const inputOf = (composer: Composer, { transcript }: LiveView) => {
  const { line, purpose } = composer
  const { person } = transcript.glyphs
  if (purpose.for === "prompt") return { label: { text: person, style: "person" }, ...line } as const
  if (!purpose.secret) return { label: { text: `answer ${person}`, style: "asking" }, ...line } as const
  return { label: { text: `answer (not shown) ${person}`, style: "asking" }, text: "", cursor: 0 } as const
}
