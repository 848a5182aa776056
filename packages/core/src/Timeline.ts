/**
 * The timeline: what happened in a session, as people read it. An incremental fold over its events that servers and
 * browsers run alike, from the start of a log, from a kept timeline, or from anywhere in between.
 *
 * Each step is pure and shares all that it does not change with the timeline before it: a view can compare entries, or
 * the whole array of them, by reference. Folding a log whose deltas were compacted away gives the same timeline. An
 * event costs about 2 µs, most of it the check of its schema, however long the timeline is.
 */
import { addUsage } from "./Usage.ts"
import type { Page } from "./EventLog.ts"
import type { EventRecord } from "./EventRecord.ts"
import { readEvent, type SessionEvent } from "./SessionEvent.ts"
import type { HistoryEntry } from "./TimelineEntry.ts"
import { changeFile } from "./TimelineFiles.ts"
import { addDelta, completeItem, startItem, updateItem } from "./TimelineItems.ts"
import { addEntry, entryAt, openPosition, replaceEntry, type Timeline } from "./TimelineList.ts"
import { addLifecycle, markCommand } from "./TimelineLifecycle.ts"
import { changePrompt, queuePrompt } from "./TimelinePrompts.ts"
import { addRequest, resolveRequest } from "./TimelineRequests.ts"
import { changeSandbox, endSandbox } from "./TimelineSandbox.ts"
import { defaultMaxText } from "./TimelineText.ts"
import { changeTurn, completeTurn, noFiles, startTurn } from "./TimelineTurns.ts"

/** Entries that a timeline shows unless told otherwise: 2,000, some hours of a busy agent. */
export const defaultMaxEntries = 2_000

/** Bounds of a timeline. It keeps at most `maxEntries` and a chunk of 64, each part of each at most `maxText` long. */
export interface TimelineOptions {
  /** The newest entries that are shown; older ones are given up. Default {@link defaultMaxEntries}. */
  readonly maxEntries?: number
  /** UTF-16 units of one text that are shown; its full length is kept beside it. Default {@link defaultMaxText}. */
  readonly maxText?: number
}

/** A timeline without entries. */
export const emptyTimeline = (options: TimelineOptions = {}): Timeline => ({
  seq: 0,
  total: 0,
  maxEntries: Math.max(1, Math.floor(options.maxEntries ?? defaultMaxEntries)),
  maxText: Math.max(1, Math.floor(options.maxText ?? defaultMaxText)),
  usage: {},
  files: noFiles,
  chunks: [],
  first: 0,
  open: {}
})

/** Folds one event in. One that is folded in already changes nothing; unknown and corrupt ones only move `seq`. */
export const evolveTimeline = (timeline: Timeline, record: EventRecord): Timeline => {
  if (record.seq <= timeline.seq) return timeline
  // A snapshot that a page puts in front of its events stands for output, and says nothing about where the reader is.
  if (record.type === "terminal.snapshot" && record.seq !== timeline.seq + 1) return timeline
  const next = { ...timeline, seq: record.seq }
  if (record.type === "terminal.output") return next
  const read = readEvent(record)
  return read.kind === "known" ? apply(next, read.event) : next
}

/** Folds a page of a log in; go on reading from the `seq` of the result. */
export const evolveTimelinePage = (timeline: Timeline, page: Page): Timeline => {
  if (page.answer === "gap") {
    return page.reason === "ahead" ? emptyTimeline(timeline) : { ...timeline, seq: page.cursor }
  }
  const next = page.events.reduce(evolveTimeline, timeline)
  return { ...next, seq: Math.max(next.seq, page.cursor) }
}

const apply = (timeline: Timeline, event: SessionEvent): Timeline => {
  switch (event.type) {
    case "item.delta":
      return addDelta(timeline, event)
    case "item.started":
      return startItem(timeline, event)
    case "item.updated":
      return updateItem(timeline, event)
    case "item.completed":
      return completeItem(timeline, event)
    case "file.changed":
      return changeFile(timeline, event)
    case "usage.reported":
      return changeTurn(
        { ...timeline, usage: addUsage(timeline.usage, event.data.usage) },
        event.data.turnId,
        (turn) => ({
          ...turn,
          usage: addUsage(turn.usage, event.data.usage)
        })
      )

    case "prompt.queued":
      return queuePrompt(timeline, event)
    case "prompt.edited":
    case "prompt.withdrawn":
    case "prompt.dispatched":
    case "prompt.delivered":
    case "prompt.returned":
      return changePrompt(timeline, event)

    case "turn.started":
      return startTurn(timeline, event)
    case "turn.interrupting":
      return changeTurn(timeline, event.data.turnId, (turn) => ({ ...turn, status: "interrupting" }))
    case "turn.retrying": {
      const { attempt, error, nextAt, turnId } = event.data
      return changeTurn(timeline, turnId, (turn) => ({ ...turn, retry: { attempt, error, nextAt: nextAt ?? null } }))
    }
    case "turn.completed":
      return completeTurn(timeline, event)

    case "permission.requested":
    case "question.asked":
      return addRequest(timeline, event)
    case "permission.resolved":
    case "question.answered":
      return resolveRequest(timeline, event)

    case "backend.opened":
    case "backend.resumed":
      return addLifecycle(timeline, event)
    case "session.moved":
    case "backend.lost":
    case "backend.suspended":
    case "backend.closed":
    case "backend.failed":
      return addLifecycle(endSandbox(timeline, event), event)
    case "sandbox.pending":
    case "sandbox.warming":
    case "sandbox.syncing":
    case "sandbox.ready":
    case "sandbox.running":
    case "sandbox.stale":
    case "sandbox.snapshotted":
    case "sandbox.stopped":
    case "sandbox.failed":
      return changeSandbox(timeline, event)
    case "terminal.marked":
      return markCommand(timeline, event)
    case "backend.noted": {
      const { code, level, message } = event.data
      return addEntry(timeline, { ...base(event), type: "note", level, message, code: code ?? null })
    }

    case "context.compacted":
      return addHistory(timeline, event, "compacted", event.data.turnId, event.data.summary)
    case "history.reverted":
      return addHistory(timeline, event, "reverted", event.data.turnId)
    case "history.restored":
      return addHistory(timeline, event, "restored")

    case "artifact.added":
    case "artifact.updated": {
      const { artifact, artifactId } = event.data
      const key = `artifact:${artifactId}`
      const position = openPosition(timeline, key)
      if (position === undefined) {
        return addEntry(timeline, { ...base(event), type: "artifact", artifactId, artifact }, key)
      }
      const before = entryAt(timeline, position)
      return before.type === "artifact" ? replaceEntry(timeline, position, { ...before, artifact }) : timeline
    }
    case "workspace.branch_created":
      return addWorkspace(timeline, event, "branch_created", { branch: event.data.branch })
    case "workspace.committed":
      return addWorkspace(timeline, event, "committed", { sha: event.data.sha, message: event.data.message })
    case "workspace.pushed":
      return addWorkspace(timeline, event, "pushed", { branch: event.data.branch, sha: event.data.sha })
    default:
      return timeline
  }
}

const base = ({ at, seq }: SessionEvent) => ({ seq, at })

const addHistory = (
  timeline: Timeline,
  event: SessionEvent,
  change: HistoryEntry["change"],
  turnId: string | null = null,
  summary: string | null = null
): Timeline => addEntry(timeline, { ...base(event), type: "history", change, turnId, summary })

const addWorkspace = (
  timeline: Timeline,
  event: SessionEvent,
  change: "branch_created" | "committed" | "pushed",
  what: { readonly branch?: string; readonly sha?: string; readonly message?: string }
): Timeline =>
  addEntry(timeline, { ...base(event), type: "workspace", change, branch: null, sha: null, message: null, ...what })

export { type Timeline, timelineEntries } from "./TimelineList.ts"
