/**
 * What has to be closed before an end may be logged, so that nothing stays "working" behind it: requests, items, the
 * turn, and prompts on their way.
 */
import type { ItemId, PromptId, RequestId, TurnId } from "./Ids.ts"
import type { EventBody } from "./SessionEvent.ts"
import type { SessionState } from "./SessionState.ts"

/** What the end of a generation closes, in order; the end itself comes after. */
export function* closeGeneration(
  state: SessionState,
  body: EventBody<"backend.lost" | "backend.suspended" | "backend.failed" | "backend.closed">
): Generator<EventBody, void, void> {
  const reason = body.data.reason
  if (state.turn !== null) {
    yield* endTurn(state, body.type === "backend.failed" ? "failed" : "interrupted", reason)
  } else {
    yield* closeRequests(state, () => true)
  }
  yield* closeItems(state, "interrupted", (turnId) => state.turn === null || turnId !== state.turn.turnId)
  // After a loss the provider is asked whether they arrived. An end leaves nobody to ask, until it is opened again.
  if (body.type === "backend.closed" || body.type === "backend.failed") {
    const inDoubt = state.capabilities?.resume === true && state.nativeId !== null
    for (const prompt of state.prompts) {
      if (prompt.dispatchedAt === null) continue
      yield {
        type: "prompt.returned",
        data: {
          promptId: prompt.promptId as PromptId,
          error: { message: reason, retryable: true },
          ...(inDoubt ? { inDoubt } : {})
        }
      }
    }
  }
}

/** What a turn leaves open, and then its end. */
export function* endTurn(
  state: SessionState,
  outcome: "interrupted" | "failed",
  reason: string
): Generator<EventBody, void, void> {
  const turnId = state.turn!.turnId as TurnId
  yield* closeRequests(state, () => true)
  yield* closeItems(state, outcome, (id) => id === turnId)
  yield { type: "turn.completed", data: { turnId, outcome, reason } }
}

/** Requests of some turns, which nobody answers any more. */
export function* closeRequests(
  state: SessionState,
  of: (turnId: string | null) => boolean
): Generator<EventBody, void, void> {
  for (const request of Object.values(state.requests)) {
    if (!of(request.turnId)) continue
    yield {
      type: request.kind === "permission" ? "permission.resolved" : "question.answered",
      data: { requestId: request.requestId as RequestId, outcome: { outcome: "cancelled" }, by: "end" }
    }
  }
}

/** Items that a backend left open. Their text so far stays in their deltas. */
export function* closeItems(
  state: SessionState,
  outcome: "completed" | "interrupted" | "failed",
  of: (turnId: string | null) => boolean
): Generator<EventBody, void, void> {
  for (const [itemId, item] of Object.entries(state.items)) {
    if (!of(item.turnId)) continue
    yield {
      type: "item.completed",
      data: {
        itemId: itemId as ItemId,
        ...(item.turnId === null ? {} : { turnId: item.turnId as TurnId }),
        kind: item.kind,
        status: outcome === "failed" ? "failed" : "interrupted",
        partial: true,
        ...(item.tool === null
          ? {}
          : { tool: { name: item.tool.name, kind: item.tool.kind as never, status: "failed" as const } })
      }
    }
  }
}
