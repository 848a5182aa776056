/** The beginning of an id that a person can type: as short as it can be, and no other session's. */
import type { LogUnavailable, SessionId } from "@holdfast/core"
import * as Effect from "effect/Effect"
import { idWidth } from "../output/SessionTable.ts"
import type { Reader } from "./Reader.ts"

/** Sessions whose ids are looked at: ids sort by the time of their making, so the newest are its neighbours. */
const neighbours = 100

/** Shortens the id of a new session, or of one that is found by it. */
export const shortId = (reader: Reader, sessionId: SessionId): Effect.Effect<string, LogUnavailable> =>
  Effect.map(reader.sessions({ search: sessionId.slice(0, 8), limit: neighbours }), ({ sessions }) =>
    sessionId.slice(0, idWidth([...new Set([sessionId, ...sessions.map((one) => one.sessionId)])]))
  )
