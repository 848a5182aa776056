/**
 * What a session does by itself when its state allows: pure. Called after every batch, until it has nothing to add;
 * and the times at which it wants to be called again.
 */
import type { Capabilities } from "./Capabilities.ts"
import { opening } from "./decide.ts"
import { type Drafts } from "./accept.ts"
import { closeGeneration } from "./closings.ts"
import { draft, type Stamp } from "./draft.ts"
import type { EventRecord } from "./EventRecord.ts"
import type { PromptId, TurnId } from "./Ids.ts"
import type { EventBody } from "./SessionEvent.ts"
import { retryDelay, type SessionPolicy } from "./SessionPolicy.ts"
import type { SessionState } from "./SessionState.ts"

/** Adds what follows from the state. While it `holds`, no prompt begins a turn: the session is about to be moved. */
export const advance = (drafts: Drafts, stamp: Pick<Stamp, "at">, policy: SessionPolicy, holds = false): Drafts => {
  let state = drafts.state
  const records: Array<EventRecord> = [...drafts.records]
  for (;;) {
    const body = nextStep(state, policy, holds)
    if (body === undefined) return { state, records }
    const drafted = draft(state, body, { at: stamp.at, actor: "runtime" })
    state = drafted.state
    records.push(drafted.record)
  }
}

const nextStep = (state: SessionState, policy: SessionPolicy, holds: boolean): EventBody | undefined => {
  const spent = state.prompts.find(
    (prompt) => prompt.dispatchedAt === null && prompt.returned >= policy.maxPromptReturns
  )
  if (spent !== undefined) {
    return {
      type: "prompt.withdrawn",
      data: { promptId: spent.promptId as PromptId, reason: `the backend returned it ${spent.returned} times` }
    }
  }
  if (state.chart.lifecycle === "lost") return afterLoss(state, policy)
  if (state.chart.lifecycle === "suspended") return wakeForPrompts(state, policy)
  if (state.chart.lifecycle === "open" && state.chart.link === "connected") return nextDispatch(state, holds)
  return undefined
}

/** Prompts that came while it was being suspended wake it again; as often in a row as a lost one is opened. */
const wakeForPrompts = (state: SessionState, policy: SessionPolicy): EventBody | undefined =>
  state.prompts.length > 0 && state.capabilities !== null && state.attempts < policy.maxAttempts
    ? opening(state, state.capabilities, state.attempts + 1, "a prompt waits")
    : undefined

/** A lost backend that is not taken up again ends at once, with the reason; else its reopening is due later. */
const afterLoss = (state: SessionState, policy: SessionPolicy): EventBody | undefined => {
  const end = endAfterLoss(state, policy)
  if (end === undefined) return undefined
  // First what the end closes: there is nobody left to ask whether a prompt arrived.
  for (const closing of closeGeneration(state, end)) return closing
  return end
}

const endAfterLoss = (
  state: SessionState,
  policy: SessionPolicy
): EventBody<"backend.closed" | "backend.failed"> | undefined => {
  const reason = state.end?.reason ?? "lost"
  if (!canReopen(state)) return { type: "backend.closed", data: { reason } }
  if (state.end?.retryable === false) {
    return { type: "backend.failed", data: { reason: "not retryable", message: reason, retryable: false } }
  }
  if (state.attempts >= policy.maxAttempts) {
    const message = `${reason} (given up after ${state.attempts} ${state.attempts === 1 ? "try" : "tries"})`
    return { type: "backend.failed", data: { reason: "too many tries", message, retryable: true } }
  }
  return undefined
}

/** Whether a lost session can be opened again without losing what it was. */
export const canReopen = (state: SessionState): boolean =>
  // Not yet opened: nothing is lost by trying again. Opened: only where the provider can resume what it had.
  state.capabilities === null || (state.capabilities.resume && (state.nativeId !== null || !hasHistory(state)))

const hasHistory = (state: SessionState): boolean => state.lastTurnId !== null || (state.terminal?.offset ?? 0) > 0

/** The opening that a lost session is due for. */
export const reopening = (state: SessionState, capabilities: Capabilities): EventBody =>
  opening(state, state.capabilities ?? capabilities, state.attempts + 1, state.end?.reason)

const nextDispatch = (state: SessionState, holds: boolean): EventBody | undefined => {
  const { turn } = state
  const steering = state.prompts.find(
    (prompt) =>
      prompt.delivery === "steer" && prompt.dispatchedAt === null && turn !== null && prompt.turnId === turn.turnId
  )
  if (steering !== undefined && state.chart.turn !== "interrupting") {
    return dispatched(steering.promptId, "steer", steering.turnId)
  }
  if (holds || turn !== null || state.awaitedTurn !== null) return undefined
  if (state.prompts.some((prompt) => prompt.dispatchedAt !== null)) return undefined
  // A steering prompt whose turn has ended is a prompt like any other: nothing that was typed is lost.
  const next = state.prompts[0]
  return next === undefined ? undefined : dispatched(next.promptId, "queue", null)
}

const dispatched = (promptId: string, delivery: "queue" | "steer", turnId: string | null): EventBody => ({
  type: "prompt.dispatched",
  data: { promptId: promptId as PromptId, delivery, ...(turnId === null ? {} : { turnId: turnId as TurnId }) }
})

/** Something that is due at a time. Derived from the state alone, and so the same again after a restart. */
export type Deadline =
  | { readonly at: number; readonly due: "request"; readonly requestId: string }
  | { readonly at: number; readonly due: "reopen" | "opening" | "closing" | "suspending" | "interrupt" | "turn_start" }

/** All that the session waits for with a clock, earliest first. */
export const deadlines = (state: SessionState, policy: SessionPolicy): ReadonlyArray<Deadline> => {
  const due: Array<Deadline> = []
  const since = state.lifecycleAt
  switch (state.chart.lifecycle) {
    case "opening":
      due.push({ at: since + policy.openTimeoutMs, due: "opening" })
      break
    case "suspending":
      due.push({ at: since + policy.suspendTimeoutMs, due: "suspending" })
      break
    case "closing":
      due.push({ at: since + state.graceMs + policy.closeTimeoutMs, due: "closing" })
      break
    case "lost":
      due.push({ at: since + retryDelay(policy, state.attempts + 1), due: "reopen" })
      break
  }
  if (state.chart.turn === "interrupting") due.push({ at: state.turnAt + policy.interruptTimeoutMs, due: "interrupt" })
  if (state.awaitedTurn !== null) {
    due.push({ at: state.awaitedTurn.since + policy.turnStartTimeoutMs, due: "turn_start" })
  }
  for (const request of Object.values(state.requests)) {
    due.push({ at: request.deadline, due: "request", requestId: request.requestId })
  }
  return due.toSorted((a, b) => a.at - b.at)
}
