import {
  emptyState,
  type EventLogService,
  evolve,
  type LogUnavailable,
  type SessionId,
  type SessionNotFound,
  type SessionState,
  stateVersion
} from "@holdfast/core"
import { Effect, Option } from "effect"

/**
 * The state of a session: its newest checkpoint, and the events after it folded on top. A session without a checkpoint
 * of this version is folded from its start. Damaged events are passed over; a read says where they are.
 */
export const loadState = (
  log: EventLogService,
  sessionId: SessionId
): Effect.Effect<SessionState, SessionNotFound | LogUnavailable> =>
  Effect.gen(function* () {
    const checkpoint = yield* log.loadCheckpoint(sessionId, "session", stateVersion)
    let state = Option.isSome(checkpoint) ? (checkpoint.value.state as SessionState) : emptyState(sessionId)
    for (;;) {
      const page = yield* log.read(sessionId, state.seq)
      if (page.answer === "gap") {
        // A checkpoint from another life of the log: it does not count.
        if (page.reason === "ahead") state = emptyState(sessionId)
        else state = { ...state, seq: page.cursor }
      } else {
        for (const record of page.events) state = evolve(state, record)
        state = { ...state, seq: page.cursor }
      }
      if (page.answer !== "gap" || page.reason !== "ahead") if (page.cursor >= page.head) return state
    }
  })
