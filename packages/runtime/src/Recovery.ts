/**
 * The boot sweep: every session that was live when the last owner of the log ended is resumed or ended with a reason,
 * and what it had spawned is killed. A crash is a normal event.
 */
import {
  type EventLogService,
  type Observed,
  type LogUnavailable,
  type SessionId,
  type SessionNotFound,
  type SessionState
} from "@holdfast/core"
import { processMarker, terminateTree } from "@holdfast/process"
import { Effect } from "effect"
import type { SessionOwner } from "./SessionOwner.ts"

/** Sessions that are looked after at once. Killing a tree mostly waits. */
const concurrency = 8

/** How long an orphan may take to end by itself: it had no terminal any more anyway. In milliseconds. */
const orphanGraceMs = 500

/** What a sweep did. */
export interface Swept {
  /** Sessions that were live. */
  readonly sessions: number
  /** Processes that were still running and were ended. */
  readonly orphans: number
}

const wasLive = new Set(["opening", "open", "suspending", "closing", "lost"])

/**
 * Sweeps the whole log. `ownerOf` starts the owner of a session, which then resumes or ends it. Of those `onTheirWay` to another
 * backend the next generation may have been opened without a word in the log.
 */
export const sweep = Effect.fn("Holdfast.sweep")(function* (
  log: EventLogService,
  ownerOf: (sessionId: SessionId) => Effect.Effect<SessionOwner, SessionNotFound | LogUnavailable>,
  onTheirWay: ReadonlySet<SessionId>
) {
  let sessions = 0
  let orphans = 0
  let cursor: string | undefined
  do {
    const page = yield* log.sessions({ limit: 1_000, ...(cursor === undefined ? {} : { cursor }) })
    cursor = page.next
    const live = page.sessions.filter((summary) => wasLive.has(summary.lifecycle))
    sessions += live.length
    yield* Effect.forEach(
      live,
      ({ sessionId }) =>
        Effect.gen(function* () {
          const owner = yield* ownerOf(sessionId)
          const isElsewhere = owner.backend().capabilities.reattach === true
          orphans += yield* endOrphans(owner.state(), isElsewhere, onTheirWay.has(sessionId))
          yield* settle(owner)
        }),
      { concurrency, discard: true }
    )
  } while (cursor !== undefined)
  return { sessions, orphans } satisfies Swept
})

/** Tells the session that its generation is over. What follows (resume, close) is decided as at any other loss. */
const settle = (owner: SessionOwner): Effect.Effect<void> => {
  const { capabilities, chart } = owner.state()
  if (chart.lifecycle === "open" && capabilities?.reattach === true && owner.backend().capabilities.reattach === true) {
    const away: Observed = { type: "link.reconnecting", data: { attempt: 0, reason: "the runtime was restarted" } }
    return Effect.andThen(owner.tell([away]), owner.reattach)
  }
  if (chart.lifecycle === "closing") {
    return owner.tell([{ type: "backend.closed", data: { reason: "the runtime ended while it was closing" } }])
  }
  // Cut off in its first opening, it may have started and done something: only what can be resumed is opened again.
  const retryable = (capabilities ?? owner.backend().capabilities).resume
  if (chart.lifecycle === "lost") {
    if (retryable) return Effect.void
    const message = "the runtime ended before it could be opened again"
    return owner.tell([{ type: "backend.failed", data: { reason: "not retryable", message, retryable } }])
  }
  return owner.tell([{ type: "backend.lost", data: { reason: "the runtime ended", retryable } }])
}

/**
 * Ends what a dead owner left running; gives how many processes there were. What runs elsewhere is its backend's to end: there only
 * what the session had on this machine before it was moved is looked for.
 */
const endOrphans = (state: SessionState, isElsewhere: boolean, isOnItsWay: boolean): Effect.Effect<number> =>
  Effect.gen(function* () {
    const isHere = ({ generation, host }: SessionState["processes"][number]) =>
      !isElsewhere || (generation < state.generation && !host.startsWith("sandbox:"))
    const targets = [
      ...state.processes.filter(isHere).map(({ pid, startTime, host, generation, marker }) => ({
        root: { pid, startTime, host },
        marker: marker ?? processMarker(state.sessionId, generation)
      })),
      // Spawned, and the crash came before it was logged: only the marker tells.
      ...(isElsewhere ? [] : [{ marker: processMarker(state.sessionId, state.generation) }]),
      ...(isOnItsWay ? [{ marker: processMarker(state.sessionId, state.generation + 1) }] : [])
    ]
    const ended = yield* Effect.forEach(targets, (target) =>
      terminateTree(target, { graceMs: orphanGraceMs }).pipe(
        Effect.map(({ processes }) => processes.length),
        Effect.catch((error) =>
          Effect.as(Effect.logError("an orphan could not be ended", { sessionId: state.sessionId, error }), 0)
        )
      )
    )
    return ended.reduce((sum, count) => sum + count, 0)
  })
