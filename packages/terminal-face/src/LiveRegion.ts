/**
 * What stands below everything that is printed for good, and is drawn anew with each change: what runs, what waits, what
 * is asked, the status, and the line that is typed. Never more rows than it is given.
 */
import { sessionStatus, type SessionStatus } from "@holdfast/core"
import type { Composer } from "./Composer.ts"
import { inputRows } from "./InputRows.ts"
import { cutRow, layOut } from "./Layout.ts"
import { choiceLines } from "./PendingRequest.ts"
import { planLines } from "./PlanBlock.ts"
import { contentText } from "./PromptBlock.ts"
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
  const take = (rows: ReadonlyArray<Row>, most: number): ReadonlyArray<Row> => {
    const room = Math.min(left, most)
    const fitting =
      rows.length <= room
        ? rows
        : [...rows.slice(0, room - 1), moreRow(rows.length - room + 1, view, width)].slice(0, room)
    left -= fitting.length
    return fitting
  }
  const lineIn = (room: number) =>
    composer === undefined ? undefined : inputRows(inputOf(composer, view), width, room, unicode)
  // One row of input always stays; the others count less than what is asked.
  if (composer !== undefined) left -= 1
  const status = take([statusRow(view, width)], 1)
  const lay = (lines: ReadonlyArray<StyledLine>) => lines.flatMap((line) => layOut(line, width, unicode))
  const request = take(lay(requestOf(view)), max)
  const input = lineIn(Math.min(maxInputRows, left + 1))
  left -= Math.max(0, (input?.rows.length ?? 0) - 1)
  const prompts = take(promptRows(view, width), maxPromptRows)
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

/** What runs: each item's last lines, or only its first where there is no room. */
const runningRows = (view: LiveView, width: number, max: number): ReadonlyArray<Row> => {
  const { glyphs, items } = view.transcript
  if (max <= 0) return []
  const parts: Array<ReadonlyArray<Row>> = []
  for (const [itemId, item] of items) {
    const lay = (lines: ReadonlyArray<StyledLine>) =>
      lines.flatMap((line) => layOut(line, width, glyphs.unicode).slice(0, 1))
    if (item.kind === "tool")
      parts.push(lay([toolHeader(item.tool, glyphs), ...runningOutput(item.tool, maxRunningOutput, glyphs)]))
    else if (item.kind === "plan") parts.push(lay(planLines(item.steps, "", glyphs)).slice(0, maxPlanRows))
    else if (item.kind === "stream") {
      const rows = view.streams.get(itemId)?.growing(width) ?? []
      if (rows.length > 0) parts.push(rows)
    }
  }
  const all = parts.flat()
  if (all.length <= max) return all
  const heads = parts.map((rows) => rows.find((row) => row.length > 0)!)
  if (heads.length <= max) {
    let room = max - heads.length
    return parts.flatMap((rows, index) => {
      if (room <= 0) return [heads[index]!]
      const shown = rows.slice(0, 1 + room)
      room -= shown.length - 1
      return shown
    })
  }
  return [...heads.slice(0, max - 1), moreRow(heads.length - max + 1, view, width)].slice(-max)
}

const promptRows = ({ transcript }: LiveView, width: number): ReadonlyArray<Row> =>
  transcript.session.prompts.map(({ actor, content, delivery, dispatchedAt }): Row => {
    const word = dispatchedAt !== null ? "on its way" : delivery === "steer" ? "waits to steer" : "queued"
    const from = actor === null || actor === transcript.participant ? "" : `${nameOf(transcript, actor)}: `
    const text = clip(contentText(content), 4 * width + 100)
    return cutRow(
      [{ text: `${transcript.glyphs.waiting}${word}${transcript.glyphs.dot}${from}${text}`, style: "dim" }],
      width,
      transcript.glyphs
    )
  })

const requestOf = ({ composer, transcript }: LiveView): ReadonlyArray<StyledLine> => {
  const first = transcript.requests[0]
  if (composer === undefined) {
    return first === undefined ? [] : choiceLines(first, 0, transcript.requests.length, transcript.glyphs)
  }
  const offered = composer.offered
  return offered === undefined ? [] : choiceLines(offered.request, offered.step, offered.waiting, transcript.glyphs)
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
