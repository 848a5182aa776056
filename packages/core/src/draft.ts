/** Puts events into envelopes. */
import type { NewEvent } from "./EventRecord.ts"
import type { Actor, CommandId, SessionId } from "./Ids.ts"
import { currentVersion, type EventBody } from "./SessionEvent.ts"
import type { EventRecord } from "./EventRecord.ts"
import { evolve } from "./evolve.ts"
import type { SessionState } from "./SessionState.ts"

/** What the envelopes of a batch have in common. */
export interface Stamp {
  /** Now, in milliseconds since 1970; a clock that ran backwards is held at the session's last time. */
  readonly at: number
  readonly actor?: Actor
  readonly cause?: CommandId
  /** Its number in the log that it was copied from. */
  readonly origin?: number
}

/** An event that has its place in the log, and the state after it. */
export interface Drafted {
  readonly state: SessionState
  readonly record: EventRecord
}

/** Drafts the next event of a session: its record as the log will have it, and the state after it. */
export const draft = (state: SessionState, body: EventBody, stamp: Stamp): Drafted => {
  const record: EventRecord = {
    sessionId: state.sessionId as SessionId,
    seq: state.seq + 1,
    at: Math.max(stamp.at, state.at),
    // Every opening is a generation of its own; all that follows belongs to it.
    generation: body.type === "backend.opening" ? state.generation + 1 : state.generation,
    type: body.type,
    version: currentVersion,
    data: body.data as NewEvent["data"],
    ...(body.bytes === undefined ? {} : { bytes: body.bytes }),
    ...(stamp.actor === undefined ? {} : { actor: stamp.actor }),
    ...(stamp.cause === undefined ? {} : { cause: stamp.cause }),
    ...(stamp.origin === undefined ? {} : { origin: stamp.origin })
  }
  return { state: evolve(state, record), record }
}
