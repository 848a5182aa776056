/** One thread of a session, its own or a sub-agent's: turns, what happens in them, and what they cost. */
import {
  type BackendEvent,
  boundRaw,
  type DataOf,
  type ItemId,
  note,
  own,
  type PlanEntry,
  type PromptId,
  type TurnId
} from "@holdfast/core"
import type { Askable } from "./Askable.ts"
import { reportError } from "./CodexErrors.ts"
import type { CodexReply, OpenCommand } from "./CodexNormaliser.ts"
import { makeCodexUsage } from "./CodexUsage.ts"
import {
  type Notification,
  type ParamsOf,
  readItem,
  type Request,
  type ThreadItem,
  type TurnError
} from "./CodexWire.ts"
import { readTurnDiff } from "./FileDiffs.ts"
import type { PendingRequests } from "./PendingRequests.ts"
import { itemIdOf, makeThreadItems, planIdOf, type ThreadItems } from "./ThreadItems.ts"

/** Turns that are over and remembered as such: their commands may still speak, in the background. */
const maxFinished = 32

/** Prompts whose turns were announced and have not started. One is on its way at a time; the oldest is forgotten. */
const maxExpected = 16

/** What one message meant for a thread. */
export interface ThreadTold {
  readonly events: ReadonlyArray<BackendEvent>
  readonly replies: ReadonlyArray<CodexReply>
  /** Threads of sub-agents, with the items that started them. */
  readonly children: ReadonlyArray<readonly [threadId: string, parentId: ItemId]>
}

/** A thread. */
export interface CodexThread {
  readonly take: (notification: ThreadNotification) => ThreadTold
  readonly ask: (
    id: string | number,
    turnId: string | undefined,
    itemId: ItemId | undefined,
    askable: Askable
  ) => ThreadTold
  readonly resolved: (id: string | number) => ReadonlyArray<BackendEvent>
  /** The open item that a request is about. */
  readonly itemOf: (request: Request) => ReturnType<ThreadItems["find"]>
  readonly expectTurn: (turnId: TurnId, promptId: PromptId) => void
  readonly activeTurn: () => TurnId | undefined
  readonly commands: () => ReadonlyArray<OpenCommand>
  /** The last item that can have started a sub-agent. */
  readonly spawning: () => ItemId | undefined
}

/** What a thread is told of. */
export type ThreadNotification = Exclude<
  Notification,
  { readonly method: "thread/started" | "thread/name/updated" | "serverRequest/resolved" }
>

/** The turn that runs. */
interface Running {
  readonly turnId: string
  retries: number
  error: TurnError | undefined
  plan:
    | { readonly itemId: ItemId; readonly entries: ReadonlyArray<PlanEntry>; readonly text: string | undefined }
    | undefined
  diff: string
  /** Files whose changes were told with their items. */
  readonly files: Set<string>
}

/** Makes a thread; one of a sub-agent has the item that started it as its parent, and tells no turns. */
export const makeCodexThread = (options: {
  readonly cwd: string
  readonly pending: PendingRequests
  readonly takeCompaction: () => boolean
  readonly parentId?: ItemId
}): CodexThread => {
  const { cwd, parentId, pending, takeCompaction } = options
  const isChild = parentId !== undefined
  const usage = makeCodexUsage()
  const finished = new Set<string>()
  const expected = new Map<string, PromptId>()
  let running: Running | undefined
  let spawning: ItemId | undefined
  /** Replies that what was taken last called for. */
  let replies: ReadonlyArray<CodexReply> = []

  const endSilent = (turnId: string, item: ThreadItem): ReadonlyArray<BackendEvent> => {
    if (item.type === "contextCompaction" && !isChild) {
      return [{ type: "context.compacted", data: { turnId: turnId as TurnId, automatic: !takeCompaction() } }]
    }
    return item.type === "enteredReviewMode"
      ? [note("info", `Codex reviews: ${item.review ?? ""}`, undefined, "enteredReviewMode")]
      : []
  }
  const items = makeThreadItems({ cwd, endSilent, ...(isChild ? { parentId } : {}) })

  /** What an event names its turn by: those of a sub-agent name none. */
  const ofTurn = (turnId: string): { readonly turnId?: TurnId } => (isChild ? {} : { turnId: turnId as TurnId })

  const start = (turnId: string): ReadonlyArray<BackendEvent> => {
    if (running?.turnId === turnId || finished.has(turnId)) return []
    const events = running === undefined ? [] : finish(running, "interrupted", undefined, "the next turn began")
    running = { turnId, retries: 0, error: undefined, plan: undefined, diff: "", files: new Set() }
    const promptId = expected.get(turnId)
    expected.delete(turnId)
    if (isChild) return events
    return [
      ...events,
      { type: "turn.started", data: { turnId: turnId as TurnId, ...(promptId === undefined ? {} : { promptId }) } }
    ]
  }

  const finish = (
    turn: Running,
    outcome: DataOf<"turn.completed">["outcome"],
    error: TurnError | undefined,
    reason: string | undefined
  ): ReadonlyArray<BackendEvent> => {
    running = undefined
    finished.add(turn.turnId)
    for (const oldest of finished) {
      if (finished.size <= maxFinished) break
      finished.delete(oldest)
    }
    const ended = items.endTurn(turn.turnId, outcome, pending.isWaiting)
    const planned = turn.plan === undefined ? [] : [endPlan(turn, turn.plan)]
    if (isChild) return [...ended, ...planned, ...(error === undefined ? [] : [childFailed(error)])]
    const closed = pending.endTurn(turn.turnId as TurnId)
    replies = [...replies, ...closed.replies]
    return [
      ...closed.events,
      ...ended,
      ...planned,
      ...untold(turn),
      {
        type: "turn.completed",
        data: {
          turnId: turn.turnId as TurnId,
          outcome,
          ...(reason === undefined ? {} : { reason }),
          ...(error === undefined ? {} : { error: reportError(error) })
        }
      }
    ]
  }

  /** A sub-agent has no turn in the log that could fail. */
  const childFailed = (error: TurnError): BackendEvent => {
    const { code, message, raw } = reportError(error)
    return note("warning", `A sub-agent failed: ${message}`, raw, code)
  }

  const endPlan = (turn: Running, { entries, itemId, text = "" }: NonNullable<Running["plan"]>): BackendEvent => ({
    type: "item.completed",
    data: { ...planIds(itemId, turn), kind: "plan", status: "completed", text, entries }
  })

  const planIds = (itemId: ItemId, turn: Running) => ({ itemId, ...(isChild ? { parentId } : ofTurn(turn.turnId)) })

  /** Files of the turn's diff that no item told: a patch within a script. The diff names them from the repository's root. */
  const untold = (turn: Running): ReadonlyArray<BackendEvent> =>
    readTurnDiff(turn.diff)
      .filter(({ path }) => ![...turn.files].some((told) => told === path || told.endsWith(`/${path}`)))
      .map((file) => ({ type: "file.changed", data: { ...file, ...ofTurn(turn.turnId) } }))

  const complete = ({ turn }: ParamsOf<"turn/completed">): ReadonlyArray<BackendEvent> => {
    if (running?.turnId !== turn.id && finished.has(turn.id)) return []
    if (running !== undefined && running.turnId !== turn.id) {
      return [note("warning", `Codex ended turn ${turn.id}, which was not running`)]
    }
    const events = [...start(turn.id)]
    // The last message is repeated here: what was missed of it is made up for.
    for (const raw of turn.items ?? []) {
      const item = readItem(raw)
      if (typeof item !== "string") events.push(...end(turn.id, item))
    }
    const outcome = own(outcomes, turn.status ?? "") ?? (turn.error === undefined ? "completed" : "failed")
    const error = turn.error ?? (outcome === "failed" ? running?.error : undefined)
    return [...events, ...finish(running!, outcome, error, undefined)]
  }

  /** Whether a message of this turn comes after its end: or of one of which nothing is known while another runs. */
  const isLate = (turnId: string) => finished.has(turnId) || (running !== undefined && running.turnId !== turnId)

  const begin = (turnId: string, item: ThreadItem): ReadonlyArray<BackendEvent> => {
    const late = isLate(turnId)
    return [...(late ? [] : start(turnId)), ...items.begin(turnId, item, late)]
  }

  const end = (turnId: string, item: ThreadItem): ReadonlyArray<BackendEvent> => {
    const events = items.end(turnId, item)
    if (running?.turnId === turnId) {
      for (const event of events) {
        if (event.type === "file.changed") running.files.add(event.data.path)
      }
    }
    return events
  }

  const fail = ({ error, turnId, willRetry }: ParamsOf<"error">): ReadonlyArray<BackendEvent> => {
    const reported = reportError(error)
    if (running === undefined || running.turnId !== turnId) {
      return [note("error", reported.message, boundRaw(error), reported.code ?? "error")]
    }
    if (willRetry !== true) {
      running.error = error
      return []
    }
    running.retries += 1
    const cut = items.cutStreams(turnId, { status: "failed", error: reported })
    if (isChild) return cut
    const retrying: BackendEvent = {
      type: "turn.retrying",
      data: { turnId: turnId as TurnId, attempt: running.retries, error: reported }
    }
    return [...cut, retrying]
  }

  const plan = ({ explanation, plan: steps, turnId }: ParamsOf<"turn/plan/updated">): ReadonlyArray<BackendEvent> => {
    if (isLate(turnId)) return []
    const events = [...start(turnId)]
    const turn = running!
    const entries = steps.map(({ status, step }): PlanEntry => ({
      content: step,
      status: own(planStatuses, status ?? "") ?? "pending"
    }))
    const itemId = turn.plan?.itemId ?? planIdOf(turnId)
    if (turn.plan === undefined) events.push({ type: "item.started", data: { ...planIds(itemId, turn), kind: "plan" } })
    turn.plan = { itemId, entries, text: explanation ?? turn.plan?.text }
    return [...events, { type: "item.updated", data: { itemId, entries } }]
  }

  const count = (params: ParamsOf<"thread/tokenUsage/updated">): ReadonlyArray<BackendEvent> => {
    const added = usage.report(params)
    // After a resume the totals come once more, for a turn of the past: then they are what the next report is compared with.
    const isPast = running?.turnId !== params.turnId && !finished.has(params.turnId)
    return added === undefined || isPast
      ? []
      : [{ type: "usage.reported", data: { ...ofTurn(params.turnId), ...added } }]
  }

  const childrenOf = (turnId: string, item: ThreadItem): ThreadTold["children"] => {
    if (item.type !== "collabAgentToolCall" && item.type !== "subAgentActivity") return []
    spawning = items.find(turnId, item.id)?.itemId ?? itemIdOf(turnId, item.id)
    const ids = item.type === "collabAgentToolCall" ? (item.receiverThreadIds ?? []) : [item.agentThreadId ?? ""]
    return ids.filter((id) => id !== "").map((id) => [id, spawning!] as const)
  }

  const tell = (notification: ThreadNotification): ReadonlyArray<BackendEvent> => {
    switch (notification.method) {
      case "turn/started":
        return start(notification.params.turn.id)
      case "turn/diff/updated":
        if (running?.turnId === notification.params.turnId) running.diff = notification.params.diff
        return []
      case "turn/plan/updated":
        return plan(notification.params)
      case "item/agentMessage/delta":
        return items.delta(notification.params, "agentMessage", "text")
      case "item/plan/delta":
        return items.delta(notification.params, "plan", "text")
      case "item/commandExecution/outputDelta":
        return items.delta(notification.params, "commandExecution", "output")
      case "item/reasoning/summaryPartAdded":
        return items.part(notification.params, `s${notification.params.summaryIndex}`)
      case "item/reasoning/summaryTextDelta":
        return items.delta(notification.params, "reasoning", "text", `s${notification.params.summaryIndex}`)
      case "item/reasoning/textDelta":
        return items.delta(notification.params, "reasoning", "text", `c${notification.params.contentIndex}`)
      case "item/commandExecution/terminalInteraction": {
        const { itemId, processId, stdin, turnId } = notification.params
        const raw = boundRaw({ stdin, processId })
        return update(turnId, itemId, { raw })
      }
      case "item/mcpToolCall/progress": {
        const { itemId, message, turnId } = notification.params
        return update(turnId, itemId, { title: message.slice(0, 1_000) })
      }
      case "item/fileChange/patchUpdated": {
        const { changes, itemId, turnId } = notification.params
        const item = items.find(turnId, itemId)?.item
        return item?.type === "fileChange" ? items.replace(turnId, { ...item, changes }) : []
      }
      case "thread/tokenUsage/updated":
        return count(notification.params)
      case "error":
        return fail(notification.params)
    }
    return []
  }

  const update = (
    turnId: string,
    wireId: string,
    data: Omit<DataOf<"item.updated">, "itemId">
  ): ReadonlyArray<BackendEvent> => {
    const itemId = items.find(turnId, wireId)?.itemId
    return itemId === undefined ? [] : [{ type: "item.updated", data: { itemId, ...data } }]
  }

  const told = (events: ReadonlyArray<BackendEvent>, children: ThreadTold["children"] = []): ThreadTold => {
    const due = replies
    replies = []
    return { events, replies: due, children }
  }

  return {
    take: (notification) => {
      switch (notification.method) {
        case "turn/completed":
          return told(complete(notification.params))
        case "item/started":
        case "item/completed": {
          const { item: raw, turnId } = notification.params
          const item = readItem(raw)
          if (typeof item === "string") {
            return told([note("warning", `Codex sent a malformed item: ${item}`, boundRaw(raw), "malformed")])
          }
          const events = notification.method === "item/started" ? begin(turnId, item) : end(turnId, item)
          return told(events, childrenOf(turnId, item))
        }
        default:
          return told(tell(notification))
      }
    },
    ask: (id, turnId, itemId, askable) => {
      const begun = turnId === undefined || isLate(turnId) ? [] : start(turnId)
      const owner = {
        child: isChild,
        ...(turnId === undefined ? {} : ofTurn(turnId)),
        ...(itemId === undefined ? {} : { itemId })
      }
      const added = pending.add(id, owner, askable)
      if (added === undefined) return told(begun)
      if ("rejected" in added) {
        replies = [...replies, added.rejected]
        return told(begun)
      }
      const waits: ReadonlyArray<BackendEvent> =
        itemId === undefined ? [] : [{ type: "item.updated", data: { itemId, status: "pending" } }]
      return told([...begun, ...waits, added.event])
    },
    resolved: (id) => {
      const { allowed, events } = pending.resolved(id)
      if (allowed === undefined || !items.isOpen(allowed)) return events
      return [...events, { type: "item.updated", data: { itemId: allowed, status: "in_progress" } }]
    },
    itemOf: ({ method, params }) => {
      if (params.turnId === undefined) return undefined
      if (method !== "mcpServer/elicitation/request") return items.find(params.turnId, params.itemId)
      const tool = params._meta?.["tool_name"]
      return typeof tool === "string" ? items.findMcp(params.turnId, params.serverName ?? "", tool) : undefined
    },
    expectTurn: (turnId, promptId) => {
      if (running?.turnId === turnId || finished.has(turnId)) return
      expected.set(turnId, promptId)
      for (const oldest of expected.keys()) {
        if (expected.size <= maxExpected) break
        expected.delete(oldest)
      }
    },
    activeTurn: () => running?.turnId as TurnId | undefined,
    commands: items.commands,
    spawning: () => spawning
  }
}

const outcomes: { readonly [status: string]: DataOf<"turn.completed">["outcome"] } = {
  completed: "completed",
  interrupted: "interrupted",
  failed: "failed"
}

const planStatuses: { readonly [status: string]: PlanEntry["status"] } = {
  pending: "pending",
  inProgress: "in_progress",
  completed: "completed"
}
