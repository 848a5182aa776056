/**
 * The fold behind every face: `evolveTranscript(transcript, event) → [transcript, what to print]`. Pure, without a width,
 * a clock or a terminal, and bounded: what is finished is printed and forgotten.
 */
import {
  emptyState,
  type EventRecord,
  evolve,
  readEvent,
  addUsage,
  type SessionEvent,
  type SessionId,
  type SessionState,
  type Usage
} from "@holdfast/core"
import { diffLines, shownDiff } from "./DiffBlock.ts"
import { asciiGlyphs, type Glyphs, unicodeGlyphs } from "./Glyphs.ts"
import { noteLine, noteOf } from "./Notes.ts"
import { addPiece, completeItem, cutOffItem, type OpenItem, startItem, updateItem, withDiff } from "./OpenItem.ts"
import { maxRequests, type PendingRequest, pendingRequest, requestLines, resolutionLine } from "./PendingRequest.ts"
import type { Print, PrintBlock } from "./Print.ts"
import { contentText, promptLine } from "./PromptBlock.ts"
import { textMark, type TextMark } from "./TextMark.ts"
import { turnEndLines, usageLine } from "./TurnEnd.ts"

/** Items that are shown as they stream. Those that open while there are so many are shown when they are whole. */
const maxOpenItems = 64

/** Prompts that are remembered, so that an agent's repetition of one is not shown again. */
const maxEchoes = 16

/** What a face knows of a session. */
export interface Transcript {
  /** Core's fold: the source of all that a face says of the session's status. */
  readonly session: SessionState
  /** Open items by id, in the order in which they began; at most {@link maxOpenItems}. */
  readonly items: ReadonlyMap<string, OpenItem>
  /** Requests that wait, in the order in which they were asked. */
  readonly requests: ReadonlyArray<PendingRequest>
  /** The turn that runs; `at` is null where its beginning was not seen. */
  readonly turn: { readonly turnId: string; readonly at: number | null; readonly usage: Usage } | null
  readonly echoes: ReadonlyArray<TextMark>
  /** Who looks: their own prompts and answers are not signed. */
  readonly participant: string | undefined
  readonly glyphs: Glyphs
}

/** A transcript of nothing yet. */
export const emptyTranscript = (options: {
  readonly state?: SessionState | undefined
  readonly participant?: string | undefined
  readonly unicode: boolean
}): Transcript => ({
  session: options.state ?? emptyState("" as SessionId),
  items: new Map(),
  requests: [],
  turn: options.state?.turn == null ? null : { turnId: options.state.turn.turnId, at: null, usage: {} },
  echoes: [],
  participant: options.participant,
  glyphs: options.unicode ? unicodeGlyphs : asciiGlyphs
})

type Evolved = readonly [Transcript, ReadonlyArray<Print>]

/** Folds one event in. One that is folded in already changes nothing. */
export const evolveTranscript = (transcript: Transcript, record: EventRecord): Evolved => {
  const before = transcript.session
  if (record.seq <= before.seq) return [transcript, []]
  const session = evolve(before.seq === 0 ? { ...before, sessionId: record.sessionId } : before, record)
  let next: Transcript = { ...transcript, session }
  // Whatever took it away, a request that does not wait any more is not offered.
  const resolved = next.requests
  if (session.requests !== before.requests && next.requests.length > 0) {
    next = { ...next, requests: next.requests.filter((one) => Object.hasOwn(session.requests, one.requestId)) }
  }
  const read = readEvent(record)
  if (read.kind === "unknown") return [next, []]
  if (read.kind === "corrupt") return [next, [note(next, `Event ${record.seq} (${record.type}) cannot be read`)]]
  return apply(next, read.event, before, resolved)
}

const apply = (
  transcript: Transcript,
  event: SessionEvent,
  before: SessionState,
  requests: ReadonlyArray<PendingRequest>
): Evolved => {
  const { glyphs } = transcript
  const who = (actor: string | undefined) => nameOf(transcript, actor)
  switch (event.type) {
    case "item.started": {
      if (transcript.items.size >= maxOpenItems && !transcript.items.has(event.data.itemId)) return [transcript, []]
      const [item, prints] = startItem(event)
      return [withItem(transcript, event.data.itemId, item), prints]
    }
    case "item.delta": {
      const { field, itemId, text } = event.data
      const item = transcript.items.get(itemId)
      if (item === undefined) return [transcript, []]
      if (item.kind === "stream") return [transcript, field === "text" ? [{ print: "text", stream: itemId, text }] : []]
      const added = addPiece(item, field, text)
      return [added === item ? transcript : withItem(transcript, itemId, added), []]
    }
    case "item.updated": {
      const item = transcript.items.get(event.data.itemId)
      return [item === undefined ? transcript : withItem(transcript, event.data.itemId, updateItem(item, event)), []]
    }
    case "item.completed": {
      const items = new Map(transcript.items)
      const item = items.get(event.data.itemId)
      items.delete(event.data.itemId)
      return [{ ...transcript, items }, completeItem(item, event, transcript.echoes, glyphs)]
    }
    case "file.changed": {
      const { itemId, turnId: _turnId, ...change } = event.data
      const item = itemId === undefined ? undefined : transcript.items.get(itemId)
      if (itemId !== undefined && item?.kind === "tool")
        return [withItem(transcript, itemId, withDiff(item, change)), []]
      return [transcript, [{ print: "block", group: "tool", lines: diffLines(shownDiff(change), glyphs) }]]
    }

    case "prompt.delivered": {
      const prompt = before.prompts.find((one) => one.promptId === event.data.promptId)
      if (prompt === undefined) return [transcript, []]
      const text = contentText(prompt.content)
      const author = prompt.actor === transcript.participant ? undefined : who(prompt.actor ?? undefined)
      const line = promptLine(text, author, prompt.delivery === "steer", glyphs)
      const echoes = [...transcript.echoes, textMark(text)].slice(-maxEchoes)
      return [{ ...transcript, echoes }, [{ print: "block", group: "prompt", lines: [line] }]]
    }

    case "turn.started":
      return [{ ...transcript, turn: { turnId: event.data.turnId, at: event.at, usage: {} } }, []]
    case "usage.reported": {
      const { turnId, usage } = event.data
      const { turn } = transcript
      if (turn !== null && (turnId === undefined || turnId === turn.turnId)) {
        return [{ ...transcript, turn: { ...turn, usage: addUsage(turn.usage, usage) } }, []]
      }
      const line = usageLine(usage, glyphs)
      return [transcript, line === undefined ? [] : [{ print: "block", group: "turn", lines: [line] }]]
    }
    case "turn.completed": {
      const { error, outcome, reason, turnId } = event.data
      const turn = transcript.turn?.turnId === turnId ? transcript.turn : null
      const end = {
        outcome,
        reason,
        error,
        duration: turn?.at == null ? null : event.at - turn.at,
        usage: turn?.usage ?? {}
      }
      return [
        { ...transcript, turn: null },
        [{ print: "block", group: outcome === "completed" ? "turn" : "alert", lines: turnEndLines(end, glyphs) }]
      ]
    }

    case "permission.requested":
    case "question.asked": {
      const asked: Print = { print: "block", group: "request", lines: requestLines(event, glyphs) }
      const waits = Object.hasOwn(transcript.session.requests, event.data.requestId)
      if (!waits || transcript.requests.length >= maxRequests) return [transcript, [asked]]
      return [{ ...transcript, requests: [...transcript.requests, pendingRequest(event)] }, [asked]]
    }
    case "permission.resolved":
    case "question.answered": {
      const { by, outcome, requestId } = event.data
      const known = requests.find((one) => one.requestId === requestId)
      const line = resolutionLine(known, { outcome, by, who: who(event.actor) }, glyphs)
      return [transcript, [{ print: "block", group: "request", lines: [line] }]]
    }
    case "backend.lost":
    case "backend.suspended":
    case "backend.closed":
    case "backend.failed": {
      // What a dead generation leaves open has ended with it; a log says so itself, unless it was joined in the middle.
      const ended = [...transcript.items].flatMap(([itemId, item]) => cutOffItem(itemId, item, glyphs))
      return [{ ...transcript, items: new Map(), turn: null }, [...ended, ...noted(transcript, event)]]
    }
    default:
      return [transcript, noted(transcript, event)]
  }
}

const noted = (transcript: Transcript, event: SessionEvent): ReadonlyArray<Print> => {
  const said = noteOf(event, (actor) => nameOf(transcript, actor))
  return said === undefined ? [] : [note(transcript, said.text, said.level)]
}

const withItem = (transcript: Transcript, itemId: string, item: OpenItem): Transcript => ({
  ...transcript,
  items: new Map(transcript.items).set(itemId, item)
})

/** A note, as a print. */
export const note = (
  transcript: Transcript,
  text: string,
  level: "info" | "warning" | "error" = "info"
): PrintBlock => ({
  print: "block",
  group: level === "info" ? "note" : "alert",
  lines: [noteLine(text, transcript.glyphs, level)]
})

/** What people call somebody. */
export const nameOf = (transcript: Transcript, actor: string | undefined): string => {
  if (actor === undefined) return "somebody"
  if (actor === transcript.participant) return "you"
  const { participants } = transcript.session
  const known = Object.hasOwn(participants, actor) ? participants[actor]?.name : undefined
  return known ?? (actor === "host" || actor === "runtime" ? `the ${actor}` : actor)
}
