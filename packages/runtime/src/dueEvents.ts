/** What the clock brings to a session: pure. */
import {
  chartAccepts,
  deadlines,
  makeCommandId,
  note,
  reopening,
  type Capabilities,
  type RequestId,
  type SessionPolicy,
  type SessionState,
  turnNotStarted
} from "@holdfast/core"
import type { EventDraft } from "./Transaction.ts"

/** Everything whose time has come, and when the next thing is due (undefined: nothing waits). */
export const dueEvents = (
  state: SessionState,
  now: number,
  policy: SessionPolicy,
  capabilities: Capabilities
): ReadonlyArray<EventDraft> => {
  const due: Array<EventDraft> = []
  for (const deadline of deadlines(state, policy)) {
    if (deadline.at > now) break
    switch (deadline.due) {
      case "request":
        due.push({
          command: {
            type: "request.expire",
            data: { requestId: deadline.requestId as RequestId },
            sessionId: state.sessionId,
            commandId: makeCommandId(),
            actor: "runtime",
            at: now
          }
        })
        break
      case "reopen":
        if (chartAccepts(state.chart, { type: "backend.opening" })) due.push({ body: reopening(state, capabilities) })
        break
      case "opening":
        due.push(lost(`it was not open within ${policy.openTimeoutMs} ms`))
        break
      case "suspending":
        due.push(lost(`it was not suspended within ${policy.suspendTimeoutMs} ms`))
        break
      case "interrupt":
        due.push(lost(`its turn did not end within ${policy.interruptTimeoutMs} ms of the interrupt`))
        break
      case "closing":
        due.push({
          observed: {
            type: "backend.closed",
            data: { reason: `closed by force: it did not end within ${state.graceMs + policy.closeTimeoutMs} ms` }
          }
        })
        break
      case "turn_start":
        due.push({
          body: note(
            "warning",
            `the turn of a delivered prompt did not start within ${policy.turnStartTimeoutMs} ms`,
            { promptId: state.awaitedTurn?.promptId },
            turnNotStarted
          )
        })
    }
  }
  return due
}

const lost = (reason: string): EventDraft => ({
  observed: { type: "backend.lost", data: { reason, retryable: true } }
})

/** When the session next wants to be looked at. */
export const nextDue = (state: SessionState, policy: SessionPolicy): number | undefined =>
  deadlines(state, policy)[0]?.at
