/**
 * The row of a session in a list: an incremental fold over its events, cheap enough for every append, which a store
 * keeps beside the log and a browser can run as well.
 */
import * as Schema from "effect/Schema"
import { Artifact, Usage } from "./Content.ts"
import type { EventRecord } from "./EventRecord.ts"
import { SessionId } from "./Ids.ts"
import { chartAccepts, type ChartType, type ChartValue, isChartType, moveChart } from "./SessionChart.ts"
import { readEvent, type SessionEvent } from "./SessionEvent.ts"
import { Lifecycle, SessionStatus, statusOf } from "./SessionStatus.ts"
import { addUsage } from "./Usage.ts"

/** Raise when the fold's meaning changes: stored rows of another version are folded anew. */
export const summaryVersion = 2

/** Open requests and artifacts that a summary keeps track of: the first 64 and the newest 16. */
const maxRequests = 64
const maxArtifacts = 16

/** One row. Times are milliseconds since 1970. */
export const SessionSummary = Schema.Struct({
  sessionId: SessionId,
  /** The last event that is folded in. */
  seq: Schema.Int,
  createdAt: Schema.Number,
  updatedAt: Schema.Number,
  backend: Schema.String,
  title: Schema.String,
  /** Somebody gave the title; else it is the agent's own, or the beginning of the first prompt. */
  titleGiven: Schema.Boolean,
  workspace: Schema.NullOr(Schema.String),
  labels: Schema.Record(Schema.String, Schema.String),
  forkedFrom: Schema.NullOr(Schema.Struct({ sessionId: SessionId, seq: Schema.Int })),
  archived: Schema.Boolean,
  lifecycle: Lifecycle,
  status: SessionStatus,
  /** Why it ended, failed or was lost. */
  reason: Schema.NullOr(Schema.String),
  exitCode: Schema.NullOr(Schema.Int),
  signal: Schema.NullOr(Schema.String),
  generation: Schema.Int,
  linked: Schema.Boolean,
  /** The running turn. */
  turnId: Schema.NullOr(Schema.String),
  /** What a terminal said of itself: null where it says nothing. */
  commandRunning: Schema.NullOr(Schema.Boolean),
  /** Ids of open permissions and questions. */
  requests: Schema.Array(Schema.String),
  queuedPrompts: Schema.Int,
  model: Schema.NullOr(Schema.String),
  sandbox: Schema.NullOr(Schema.String),
  hasTerminal: Schema.Boolean,
  outputBytes: Schema.Number,
  usage: Usage,
  artifacts: Schema.Array(Schema.Struct({ artifactId: Schema.String, artifact: Artifact })),
  /** Changes that were reported; a file that changed twice counts twice. */
  filesChanged: Schema.Int
})
export type SessionSummary = typeof SessionSummary.Type

/** The row before the first event. */
export const emptySummary = (sessionId: SessionId): SessionSummary => ({
  sessionId,
  seq: 0,
  createdAt: 0,
  updatedAt: 0,
  backend: "",
  title: "",
  titleGiven: false,
  workspace: null,
  labels: {},
  forkedFrom: null,
  archived: false,
  lifecycle: "created",
  status: "idle",
  reason: null,
  exitCode: null,
  signal: null,
  generation: 0,
  linked: true,
  turnId: null,
  commandRunning: null,
  requests: [],
  queuedPrompts: 0,
  model: null,
  sandbox: null,
  hasTerminal: false,
  outputBytes: 0,
  usage: {},
  artifacts: [],
  filesChanged: 0
})

/** Folds one event in. Unknown, corrupt and illegal ones count as activity only. */
export const evolveSummary = (summary: SessionSummary, record: EventRecord): SessionSummary => {
  const base = { ...summary, seq: record.seq, updatedAt: Math.max(summary.updatedAt, record.at) }
  // The hot path: output changes nothing but the counters, and a piece of an item not even those.
  if (record.type === "terminal.output") {
    base.outputBytes += record.bytes?.byteLength ?? 0
    return base
  }
  if (record.type === "item.delta") return base
  const read = readEvent(record)
  if (read.kind !== "known") return base
  const chart = chartAfter(base, read.event)
  if (chart === undefined) return base
  const next = { ...base, ...chart, ...change(base, read.event) }
  next.status = statusOf({
    lifecycle: next.lifecycle,
    busy: next.turnId !== null || next.commandRunning === true,
    openRequests: next.requests.length,
    linked: next.linked,
    exitCode: next.exitCode,
    signal: next.signal
  })
  return next
}

/** The chart's word, so that a list and a session never differ; undefined where it calls the event illegal. */
const chartAfter = (
  { lifecycle, linked, sandbox, turnId }: SessionSummary,
  event: SessionEvent
): Partial<SessionSummary> | undefined => {
  if (!isChartType(event.type)) return {}
  const chartEvent = { type: event.type as ChartType }
  const before: ChartValue = {
    lifecycle,
    turn: turnId === null ? "idle" : "running",
    link: linked ? "connected" : "disconnected",
    sandbox: (sandbox ?? "none") as ChartValue["sandbox"]
  }
  if (!chartAccepts(before, chartEvent)) return undefined
  const after = moveChart(before, chartEvent)
  return {
    lifecycle: after.lifecycle,
    linked: after.link === "connected",
    sandbox: after.sandbox === "none" ? null : after.sandbox
  }
}

const ended = { turnId: null, commandRunning: null, requests: [], exitCode: null, signal: null } as const

const change = (summary: SessionSummary, event: SessionEvent): Partial<SessionSummary> => {
  switch (event.type) {
    case "session.created":
      return {
        createdAt: event.at,
        backend: event.data.backend,
        title: event.data.title ?? "",
        titleGiven: event.data.title !== undefined,
        workspace: event.data.workspace ?? null,
        labels: event.data.labels ?? {},
        forkedFrom: event.data.forkedFrom ?? null
      }
    case "session.renamed":
      return { title: event.data.title, titleGiven: true }
    case "agent.titled":
      return summary.titleGiven ? {} : { title: event.data.title }
    case "session.moved":
      return {
        ...ended,
        backend: event.data.backend,
        workspace: event.data.workspace ?? null,
        model: null,
        reason: null
      }
    case "session.archived":
      return { archived: true }
    case "session.unarchived":
      return { archived: false }
    case "backend.opening":
      return { generation: event.generation, reason: null, exitCode: null, signal: null }
    case "backend.opened":
    case "backend.resumed":
      return { hasTerminal: event.data.capabilities.terminal }
    case "backend.suspended":
    case "backend.lost":
      return { ...ended, reason: event.data.reason }
    case "backend.closed":
      return {
        ...ended,
        reason: event.data.reason,
        exitCode: event.data.exitCode ?? null,
        signal: event.data.signal ?? null
      }
    case "backend.failed":
      return { ...ended, reason: event.data.message }
    case "backend.configured":
      return event.data.model === undefined ? {} : { model: event.data.model }
    case "prompt.queued":
      return {
        queuedPrompts: summary.queuedPrompts + 1,
        ...(summary.title === "" ? { title: titleFrom(event.data.content) } : {})
      }
    case "prompt.withdrawn":
    case "prompt.delivered":
      return { queuedPrompts: Math.max(0, summary.queuedPrompts - 1) }
    case "turn.started":
      return { turnId: event.data.turnId }
    case "turn.completed":
      return { turnId: null }
    case "permission.requested":
    case "question.asked":
      return summary.requests.length < maxRequests ? { requests: [...summary.requests, event.data.requestId] } : {}
    case "permission.resolved":
    case "question.answered":
      return { requests: summary.requests.filter((id) => id !== event.data.requestId) }
    case "usage.reported":
      return { usage: addUsage(summary.usage, event.data.usage) }
    case "file.changed":
      return { filesChanged: summary.filesChanged + 1 }
    case "terminal.marked":
      return { commandRunning: event.data.mark === "running" }
    case "artifact.added":
    case "artifact.updated": {
      const { artifactId, artifact } = event.data
      const others = summary.artifacts.filter((one) => one.artifactId !== artifactId)
      return { artifacts: [...others, { artifactId, artifact }].slice(-maxArtifacts) }
    }
    default:
      return {}
  }
}

const titleFrom = (content: ReadonlyArray<{ readonly type: string; readonly text?: string | undefined }>): string => {
  const text = content.find((block) => block.type === "text")?.text ?? ""
  const line = text.trim().split("\n", 1)[0] ?? ""
  return line.length > 80 ? `${line.slice(0, 79)}…` : line
}
