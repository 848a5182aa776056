/**
 * What the runtime has to do once events are stored: pure. Only what the runtime itself decided has an effect; what a
 * backend told needs none.
 */
import type { BackendCommand } from "./Backend.ts"
import type { Compaction } from "./EventLog.ts"
import type { EventRecord } from "./EventRecord.ts"
import { evolve, own } from "./evolve.ts"
import { type KnownType, readEvent } from "./SessionEvent.ts"
import type { SessionState, WaitingPrompt } from "./SessionState.ts"
import type { CommitAuthor } from "./WorkspaceAction.ts"

/** One thing to do. */
export type SessionEffect =
  | { readonly do: "open"; readonly generation: number; readonly resume: boolean }
  | { readonly do: "perform"; readonly command: BackendCommand; readonly seq: number }
  /** The generation is over: close its scope. */
  | { readonly do: "release" }
  /** Another backend has the session: end the generation for good, with all that it kept for it. */
  | { readonly do: "retire" }
  | { readonly do: "compact"; readonly compaction: Compaction }

const effectTypes: ReadonlySet<string> = new Set<KnownType>([
  "session.moved",
  "backend.opening",
  "prompt.dispatched",
  "turn.interrupting",
  "permission.resolved",
  "question.answered",
  "backend.configuring",
  "context.compacting",
  "history.reverting",
  "history.restoring",
  "item.stopping",
  "session.archived",
  "session.unarchived",
  "backend.suspending",
  "backend.closing",
  "terminal.resized",
  "process.signalled",
  "backend.lost",
  "backend.suspended",
  "backend.closed",
  "backend.failed",
  "item.completed"
])

/** What stored events ask for, in order. `before` is the state in front of the first. */
export const effectsOf = (before: SessionState, records: ReadonlyArray<EventRecord>): ReadonlyArray<SessionEffect> => {
  const last = records.findLastIndex((record) => effectTypes.has(record.type))
  const effects: Array<SessionEffect> = []
  for (let at = 0; at <= last; at++) {
    const record = records[at]!
    const effect = effectTypes.has(record.type) ? effectOf(before, record) : undefined
    if (effect !== undefined) effects.push(effect)
    if (at < last) before = evolve(before, record)
  }
  return effects
}

/** What one event asks for. `before` is the state in front of it. */
export const effectOf = (before: SessionState, record: EventRecord): SessionEffect | undefined => {
  const read = readEvent(record)
  if (read.kind !== "known") return undefined
  const event = read.event
  const perform = (command: BackendCommand): SessionEffect => ({ do: "perform", command, seq: event.seq })
  switch (event.type) {
    case "session.moved":
      return { do: "retire" }
    case "backend.opening":
      return { do: "open", generation: event.generation, resume: event.data.resume }
    case "prompt.dispatched": {
      const prompt = before.prompts.find((one) => one.promptId === event.data.promptId)
      if (prompt === undefined) return undefined
      const { promptId, delivery, turnId } = event.data
      const steer = turnId === undefined ? {} : { turnId }
      return perform({
        type: "prompt",
        promptId,
        content: prompt.content,
        delivery,
        ...steer,
        ...authorOf(before, prompt)
      })
    }
    case "turn.interrupting":
      return perform({ type: "interrupt", turnId: event.data.turnId })
    case "permission.resolved":
      // The backend knows: it said so itself, or has ended what the request belonged to.
      if (event.data.by === "backend" || event.data.by === "end") return undefined
      return perform({ type: "resolvePermission", requestId: event.data.requestId, outcome: event.data.outcome })
    case "question.answered":
      // The backend knows: it said so itself, or has ended what the request belonged to.
      if (event.data.by === "backend" || event.data.by === "end") return undefined
      return perform({ type: "answerQuestion", requestId: event.data.requestId, outcome: event.data.outcome })
    case "backend.configuring":
      return perform({ type: "configure", ...event.data })
    case "context.compacting":
      return perform({ type: "compact" })
    case "history.reverting":
      return perform({ type: "revert", turnId: event.data.turnId })
    case "history.restoring":
      return perform({ type: "restore" })
    case "item.stopping":
      return perform({ type: "stopItem", itemId: event.data.itemId })
    case "session.archived":
    case "session.unarchived":
      // A backend that is not open learns of it when it is opened again.
      if (before.chart.lifecycle !== "open" || before.capabilities?.archive !== true) return undefined
      return perform({ type: "archive", archived: event.type === "session.archived" })
    case "backend.suspending":
      return perform({ type: "suspend" })
    case "backend.closing":
      return perform({ type: "close", force: event.data.force, graceMs: event.data.graceMs })
    case "terminal.resized":
      // Without a cause it is the size that the backend opened with.
      return event.cause === undefined
        ? undefined
        : perform({ type: "resize", cols: event.data.cols, rows: event.data.rows })
    case "process.signalled":
      return perform({ type: "signal", signal: event.data.signal })
    case "backend.lost":
    case "backend.suspended":
    case "backend.closed":
    case "backend.failed":
      return { do: "release" }
    case "item.completed": {
      const item = own(before.items, event.data.itemId)
      if (item === undefined || event.data.partial === true) return undefined
      return {
        do: "compact",
        compaction: { kind: "item", itemId: event.data.itemId, from: item.startedSeq, by: event.seq }
      }
    }
    default:
      return undefined
  }
}

/** The participant who sent a prompt; nobody where it was the host. */
const authorOf = (state: SessionState, { actor }: WaitingPrompt): { readonly author?: CommitAuthor } => {
  const participant = actor === null ? undefined : own(state.participants, actor)
  const name = participant?.name.trim().slice(0, 1_000)
  return name === undefined || name === "" ? {} : { author: { name } }
}
