/** The fold: `evolve(state, event) → state`. Pure, total, and the same code in servers and browsers. */
import { addUsage } from "./Usage.ts"
import type { Question } from "./Content.ts"
import type { EventRecord } from "./EventRecord.ts"
import { chartAccepts, type ChartType, isChartType, moveChart } from "./SessionChart.ts"
import { readEvent, type SessionEvent } from "./SessionEvent.ts"
import {
  type SandboxState,
  type SessionState,
  stateBounds,
  type TerminalState,
  type WaitingRequest
} from "./SessionState.ts"

/** An opening that lived this long counts as a success: one minute. Later losses start counting attempts anew. */
const stableAfterMs = 60_000

/** Folds one stored event in. What is unknown, corrupt or illegal moves `seq` and `at`, and nothing else. */
export const evolve = (state: SessionState, record: EventRecord): SessionState => {
  const next: Writable<SessionState> = { ...state, seq: record.seq, at: Math.max(state.at, record.at) }
  if (record.origin !== undefined && record.origin > state.mirrored) next.mirrored = record.origin
  // The hot path, without a schema: only the count of bytes matters.
  if (record.type === "terminal.output") {
    const terminal = terminalOf(next)
    next.terminal = { ...terminal, offset: terminal.offset + (record.bytes?.byteLength ?? 0) }
    return next
  }
  const read = readEvent(record)
  if (read.kind !== "known") return next
  const event = read.event
  if (isChartType(event.type)) {
    const chartEvent = { type: event.type as ChartType, remaining: remainingAfter(state, event) }
    if (!chartAccepts(state.chart, chartEvent)) return next
    next.chart = moveChart(state.chart, chartEvent)
    if (next.chart.lifecycle !== state.chart.lifecycle || event.type === "backend.opening") next.lifecycleAt = event.at
    if (next.chart.turn !== state.chart.turn) next.turnAt = event.at
  }
  apply(next, event, state)
  if (isDecision(event)) next.decided = [...next.decided, event.seq].slice(-stateBounds.decided)
  return next
}

/** What a backend has to perform, and of which the state does not tell whether it did. */
const isDecision = (event: SessionEvent): boolean => {
  switch (event.type) {
    case "prompt.dispatched":
    case "turn.interrupting":
    case "backend.configuring":
    case "context.compacting":
    case "history.reverting":
    case "history.restoring":
    case "item.stopping":
    case "process.signalled":
      return true
    case "permission.resolved":
    case "question.answered":
      return event.data.by === "answer" || event.data.by === "deadline"
    case "terminal.resized":
      return event.cause !== undefined
    default:
      return false
  }
}

/** A new token is a new sandbox; one that has stopped is gone, and its snapshot stays. */
const sandboxAfter = (
  before: SandboxState | null,
  { data, generation, type }: Extract<SessionEvent, { readonly type: `sandbox.${string}` }>
): SandboxState => {
  const known = before ?? { provider: "", sandboxId: null, snapshotId: null, tokenHash: null, generation }
  const isNew = data.tokenHash !== undefined && data.tokenHash !== known.tokenHash
  const isOver = type === "sandbox.stopped" || type === "sandbox.failed"
  return {
    provider: data.provider ?? known.provider,
    sandboxId: isOver ? null : (data.sandboxId ?? (isNew ? null : known.sandboxId)),
    snapshotId: data.snapshotId ?? known.snapshotId,
    tokenHash: isOver ? null : (data.tokenHash ?? known.tokenHash),
    generation: isNew ? generation : known.generation
  }
}

/** Folds many, in order. */
export const fold = (state: SessionState, records: Iterable<EventRecord>): SessionState => {
  for (const record of records) state = evolve(state, record)
  return state
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

/** Requests that stay open once this event has resolved one. */
const remainingAfter = (state: SessionState, event: SessionEvent): number => {
  const open = Object.keys(state.requests).length
  if (event.type !== "permission.resolved" && event.type !== "question.answered") return open
  return own(state.requests, event.data.requestId) === undefined ? open : open - 1
}

const apply = (next: Writable<SessionState>, event: SessionEvent, before: SessionState): void => {
  switch (event.type) {
    case "session.created":
      next.backend = event.data.backend
      next.spec = event.data.spec
      next.title = event.data.title ?? ""
      next.titleGiven = event.data.title !== undefined
      next.forkedFrom = event.data.forkedFrom ?? null
      next.nativeId = event.data.nativeId ?? null
      next.lifecycleAt = event.at
      return
    case "session.renamed":
      next.title = event.data.title
      next.titleGiven = true
      return
    case "agent.titled":
      if (!next.titleGiven) next.title = event.data.title
      return
    case "session.archived":
      next.archived = true
      return
    case "session.unarchived":
      next.archived = false
      return
    case "session.moved":
      endGeneration(next, null)
      next.backend = event.data.backend
      next.spec = event.data.spec
      next.nativeId = event.data.nativeId ?? null
      next.left = event.data.left ?? next.left
      next.capabilities = null
      next.sandbox = null
      // Another sandbox numbers what it tells from 1 on.
      next.mirrored = 0
      next.model = null
      next.effort = null
      next.mode = null
      next.offer = null
      return
    case "backend.opening":
      next.decided = []
      next.generation = event.generation
      next.attempts = event.data.attempt
      next.end = null
      return
    case "backend.opened":
    case "backend.resumed":
      next.capabilities = event.data.capabilities
      next.nativeId = event.data.nativeId ?? next.nativeId
      return
    case "backend.identified":
      next.nativeId = event.data.nativeId
      return
    case "backend.closing":
      next.graceMs = event.data.graceMs
      return
    case "sandbox.pending":
    case "sandbox.warming":
    case "sandbox.syncing":
    case "sandbox.ready":
    case "sandbox.running":
    case "sandbox.stale":
    case "sandbox.snapshotted":
    case "sandbox.stopped":
    case "sandbox.failed":
      next.sandbox = sandboxAfter(before.sandbox, event)
      return
    case "backend.configured": {
      const { effort, mode, model } = event.data
      // Efforts are a model's own: another model's is not known until it is said.
      next.effort = effort ?? (model === undefined || model === next.model ? next.effort : null)
      next.model = model ?? next.model
      next.mode = mode ?? next.mode
      return
    }
    case "agent.offered":
      next.offer = { ...next.offer, ...event.data }
      return
    case "backend.noted":
      if (event.data.code === turnNotStarted) next.awaitedTurn = null
      return
    case "backend.lost":
      // How long it was open, not how long it took to open.
      if (before.chart.lifecycle === "open" && event.at - before.lifecycleAt >= stableAfterMs) next.attempts = 0
      endGeneration(next, { reason: event.data.reason, exitCode: null, signal: null, retryable: event.data.retryable })
      return
    case "backend.suspended":
      endGeneration(next, { reason: event.data.reason, exitCode: null, signal: null, retryable: true })
      return
    case "backend.failed":
      endGeneration(next, {
        reason: event.data.message,
        exitCode: null,
        signal: null,
        retryable: event.data.retryable
      })
      return
    case "backend.closed":
      endGeneration(next, {
        reason: event.data.reason,
        exitCode: event.data.exitCode ?? null,
        signal: event.data.signal ?? null,
        retryable: false
      })
      return

    case "prompt.queued":
      next.prompts = [
        ...next.prompts,
        {
          promptId: event.data.promptId,
          content: event.data.content,
          delivery: event.data.delivery,
          turnId: event.data.turnId ?? null,
          actor: event.actor ?? null,
          dispatchedAt: null,
          returned: 0,
          inDoubt: false
        }
      ]
      return
    case "prompt.edited":
      next.prompts = next.prompts.map((prompt) =>
        // Other words have not arrived, whatever became of those before.
        prompt.promptId === event.data.promptId ? { ...prompt, content: event.data.content, inDoubt: false } : prompt
      )
      return
    case "prompt.withdrawn":
      next.prompts = next.prompts.filter((prompt) => prompt.promptId !== event.data.promptId)
      return
    case "prompt.dispatched":
      next.prompts = next.prompts.map((prompt) =>
        prompt.promptId === event.data.promptId
          ? {
              ...prompt,
              dispatchedAt: event.at,
              inDoubt: false,
              // A steering prompt whose turn has ended goes out like any other.
              delivery: event.data.delivery,
              turnId: event.data.turnId ?? null
            }
          : prompt
      )
      return
    case "prompt.returned":
      next.prompts = next.prompts.map((prompt) =>
        prompt.promptId === event.data.promptId
          ? {
              ...prompt,
              dispatchedAt: null,
              delivery: "queue",
              turnId: null,
              // Of one in doubt it had been said before; now it is known.
              returned: prompt.returned + (prompt.dispatchedAt === null ? 0 : 1),
              inDoubt: event.data.inDoubt === true
            }
          : prompt
      )
      return
    case "prompt.delivered": {
      const prompt = next.prompts.find((one) => one.promptId === event.data.promptId)
      next.prompts = next.prompts.filter((one) => one !== prompt)
      const turnId = event.data.turnId ?? null
      // The turn may have started, or even ended, before the provider said that it took the prompt.
      const known = turnId === null ? next.turn !== null : turnId === next.turn?.turnId || turnId === next.lastTurnId
      const started = next.turn?.promptId === event.data.promptId
      // Found to have arrived while the backend is resumed: its turn, if it had one, ended with the last generation.
      const resumed = next.chart.lifecycle !== "open"
      if (prompt?.delivery !== "steer" && !known && !started && !resumed) {
        next.awaitedTurn = { promptId: event.data.promptId, turnId, since: event.at }
      }
      return
    }

    case "turn.started":
      next.turn = { turnId: event.data.turnId, promptId: event.data.promptId ?? null }
      next.lastTurnId = event.data.turnId
      next.awaitedTurn = null
      return
    case "turn.completed":
      next.turn = null
      if (event.data.outcome === "completed") next.attempts = 0
      return

    case "item.started":
      next.items = {
        ...next.items,
        [event.data.itemId]: {
          kind: event.data.kind,
          startedSeq: event.seq,
          turnId: event.data.turnId ?? null,
          tool: event.data.tool === undefined ? null : { name: event.data.tool.name, kind: event.data.tool.kind }
        }
      }
      return
    case "item.updated": {
      const item = own(next.items, event.data.itemId)
      // Without its turn, the turn's end does not end it; the end of the generation does.
      if (item !== undefined && event.data.background === true) {
        next.items = { ...next.items, [event.data.itemId]: { ...item, turnId: null } }
      }
      return
    }
    case "item.completed":
      next.items = without(next.items, event.data.itemId)
      return
    case "usage.reported":
      next.usage = addUsage(next.usage, event.data.usage)
      return

    case "permission.requested":
      next.requests = { ...next.requests, [event.data.requestId]: openRequest("permission", event.data) }
      return
    case "question.asked":
      next.requests = { ...next.requests, [event.data.requestId]: openRequest("question", event.data) }
      return
    case "permission.resolved":
    case "question.answered":
      next.requests = without(next.requests, event.data.requestId)
      return

    case "terminal.resized":
      next.terminal = { ...terminalOf(next), cols: event.data.cols, rows: event.data.rows }
      return
    case "terminal.titled":
      next.terminal = { ...terminalOf(next), title: event.data.title }
      return
    case "terminal.marked":
      next.terminal = { ...terminalOf(next), commandRunning: event.data.mark === "running" }
      return
    case "terminal.snapshot":
      next.terminal = {
        ...terminalOf(next),
        snapshot: { seq: event.seq, through: event.data.through, offset: event.data.offset }
      }
      return
    case "terminal.typed":
      next.typed = { actor: event.actor ?? "host", at: event.at }
      return

    case "process.spawned":
      next.processes = [
        ...next.processes,
        {
          pid: event.data.pid,
          startTime: event.data.startTime,
          host: event.data.host,
          generation: event.generation,
          marker: event.data.marker ?? null,
          shared: event.data.shared ?? false
        }
      ].slice(-stateBounds.processes)
      return
    case "process.exited":
      next.processes = next.processes.filter((one) => one.pid !== event.data.pid)
      return

    case "artifact.added":
    case "artifact.updated":
      next.artifacts = { ...next.artifacts, [event.data.artifactId]: event.data.artifact }
      return
    case "participant.joined":
      next.participants = {
        ...next.participants,
        [event.data.participantId]: { name: event.data.name, role: event.data.role, present: true }
      }
      return
    case "participant.changed": {
      const before = own(next.participants, event.data.participantId)
      if (before === undefined) return
      next.participants = {
        ...next.participants,
        [event.data.participantId]: {
          ...before,
          name: event.data.name ?? before.name,
          role: event.data.role ?? before.role
        }
      }
      return
    }
    case "participant.left": {
      const before = own(next.participants, event.data.participantId)
      if (before === undefined) return
      next.participants = { ...next.participants, [event.data.participantId]: { ...before, present: false } }
      return
    }
  }
}

/** The code of the note that ends the wait for a turn that never started. */
export const turnNotStarted = "turn_not_started"

const endGeneration = (next: Writable<SessionState>, end: SessionState["end"]): void => {
  next.end = end
  next.turn = null
  next.awaitedTurn = null
  next.items = {}
  next.requests = {}
  // Its own were told to exit; one that it shared lives on without it, and has its other sessions to answer for it.
  next.processes = next.processes.filter((one) => !one.shared)
  if (next.terminal !== null) next.terminal = { ...next.terminal, commandRunning: null }
}

const openRequest = (
  kind: WaitingRequest["kind"],
  data: {
    readonly requestId: string
    readonly deadline: number
    readonly owner?: string
    readonly turnId?: string
    readonly options?: WaitingRequest["options"]
    readonly questions?: ReadonlyArray<Question>
    readonly default: WaitingRequest["default"]
  }
): WaitingRequest => ({
  requestId: data.requestId,
  kind,
  deadline: data.deadline,
  owner: data.owner ?? null,
  turnId: data.turnId ?? null,
  options: data.options ?? [],
  secret: (data.questions ?? []).flatMap(({ questionId, secret }) => (secret === true ? [questionId] : [])),
  default: data.default
})

const terminalOf = (state: SessionState): TerminalState =>
  state.terminal ?? { cols: 80, rows: 24, offset: 0, title: null, commandRunning: null, snapshot: null }

/** The value of a map's own key: identifiers come from outside and may be called `constructor`. */
export const own = <T>(all: { readonly [key: string]: T }, key: string): T | undefined =>
  Object.hasOwn(all, key) ? all[key] : undefined

const without = <T>(all: { readonly [key: string]: T }, key: string): { readonly [key: string]: T } => {
  const { [key]: _removed, ...rest } = all
  return rest
}
