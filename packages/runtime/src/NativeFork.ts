/** The native half of a fork: which point of the native session an event of the log is, and the branch there. */
import {
  CommandRejected,
  type EventLogService,
  type LogUnavailable,
  readEvent,
  type SessionId,
  type SessionNotFound,
  type SessionState,
  type TurnId
} from "@holdfast/core"
import { Effect } from "effect"
import type { SessionOwner } from "./SessionOwner.ts"

/**
 * Branches the native session behind the last turn that had completed at event `at`, or at its head where `at` is left out.
 * Gives the branch's native id; undefined where the backend cannot fork, or no turn had completed by then: such a branch starts
 * afresh.
 */
export const forkNative = Effect.fnUntraced(function* (
  log: EventLogService,
  owner: SessionOwner,
  before: SessionState,
  at: number | undefined
): Effect.fn.Return<string | undefined, CommandRejected | SessionNotFound | LogUnavailable> {
  const { capabilities, forkedFrom, lastTurnId, nativeId, sessionId } = before
  if (capabilities?.fork !== true || nativeId === null) return undefined
  const rejected = (reason: "busy" | "illegal_state", detail: string) =>
    new CommandRejected({ sessionId, command: "session.fork", reason, detail })
  const throughTurn = at === undefined ? undefined : (yield* turnsAt(log, sessionId, at)).at(-1)
  if (at !== undefined && throughTurn === undefined && lastTurnId !== null) {
    if (forkedFrom === null) return undefined
    return yield* rejected("illegal_state", `it has no turn of its own up to event ${at}: fork its parent instead`)
  }
  const performed = yield* owner
    .ask({ type: "fork", ...(throughTurn === undefined ? {} : { throughTurn }) })
    .pipe(
      Effect.mapError((error) =>
        error._tag === "BackendRefused" && !error.retryable
          ? rejected("illegal_state", error.message)
          : rejected("busy", `${error.message}: try the same command again`)
      )
    )
  return performed.nativeId
})

/**
 * The turns that a session had completed at an event and not taken back by then, in order. Events that cannot be read are
 * passed over.
 */
const turnsAt = (
  log: EventLogService,
  sessionId: SessionId,
  at: number
): Effect.Effect<ReadonlyArray<TurnId>, SessionNotFound | LogUnavailable> =>
  Effect.gen(function* () {
    let turns: ReadonlyArray<TurnId> = []
    let reverted: ReadonlyArray<TurnId> = []
    for (let cursor = 0; cursor < at;) {
      const page = yield* log.read(sessionId, cursor)
      for (const record of page.answer === "gap" ? [] : page.events) {
        const read = readEvent(record)
        if (record.seq > at || read.kind !== "known") continue
        const { event } = read
        switch (event.type) {
          case "turn.completed":
            turns = [...turns, event.data.turnId]
            reverted = []
            break
          case "history.reverted": {
            const from = turns.indexOf(event.data.turnId)
            if (from === -1) break
            reverted = turns.slice(from)
            turns = turns.slice(0, from)
            break
          }
          case "history.restored":
            turns = [...turns, ...reverted]
            reverted = []
        }
      }
      if (page.cursor <= cursor) break
      cursor = page.cursor
    }
    return turns
  })
