/**
 * Keeps joining a terminal cheap: after about every mebibyte of output it stores the screen, and lets old output go. It
 * costs the session's owner two comparisons an append. The output is read from the log, shown in a thread of its own,
 * and only while it is slow, so that a flood has the processor for itself; see {@link ./SnapshotPolicy.ts}.
 */
import type {
  EventBody,
  EventLogService,
  LogUnavailable,
  SessionId,
  SessionNotFound,
  TerminalState
} from "@holdfast/core"
import { Cause, Effect, Option, Queue, type Scope } from "effect"
import { makeScreenThread } from "./ScreenThread.ts"
import { SessionSnapshots, type SnapshotFailed } from "./SessionSnapshots.ts"
import { defaultSnapshotPolicy, isDue, isTime, type OutputCounts, type SnapshotPolicy } from "./SnapshotPolicy.ts"

/** What a snapshotter works with. */
export interface SnapshotterParts {
  readonly log: EventLogService
  /** Has the session's owner store an event; completes when it is stored or cannot be. */
  readonly record: (sessionId: SessionId, event: EventBody<"terminal.snapshot">) => Effect.Effect<void>
  readonly policy?: Partial<SnapshotPolicy>
  /** The thread's file, where it is not beside this one. */
  readonly workerUrl?: URL
}

/** Stores screens of live sessions. */
export interface Snapshotter {
  /** Tells how far a session's terminal is; for after each append. Costs two comparisons and never waits. */
  readonly note: (sessionId: SessionId, terminal: Pick<TerminalState, "offset" | "snapshot">) => void
  /** Tells that a session is not live any more. A snapshot that is due is still made. */
  readonly forget: (sessionId: SessionId) => void
}

/** Output after which a snapshot that would not be true is tried again, and how often before it is taken as it is. */
const retryBytes = 64 * 1024
const maxRetries = 8

/** Output after which a session whose snapshot failed is tried again. */
const failureBytes = 8 * 1024 * 1024

/** The thread and what it holds go after this time without work. */
const idleMs = 30_000

interface Counts extends OutputCounts {
  offset: number
  snapshotOffset: number
  snapshotBytes: number
  notBefore: number
  bytesPerMs: number
  retries: number
  /** Not live any more: to be forgotten after its last snapshot. */
  leaving: boolean
}

/** Starts a snapshotter; it ends with the scope. */
export const makeSnapshotter = (parts: SnapshotterParts): Effect.Effect<Snapshotter, never, Scope.Scope> =>
  Effect.gen(function* () {
    const policy = { ...defaultSnapshotPolicy, ...parts.policy }
    const thread = yield* Effect.acquireRelease(
      Effect.sync(() => makeScreenThread(parts.workerUrl)),
      (thread) => Effect.promise(() => thread.stop())
    )
    const snapshots = yield* Effect.acquireRelease(
      Effect.sync(() => new SessionSnapshots(parts.log, thread, policy.keepBytes)),
      (snapshots) => Effect.sync(() => snapshots.forgetAll())
    )
    // One entry for each live session that has output.
    const sessions = new Map<SessionId, Counts>()
    const due = new Set<SessionId>()
    // "Look again": more of it says nothing new.
    const wakeups = yield* Queue.sliding<void>(1)

    const drop = (sessionId: SessionId): void => {
      sessions.delete(sessionId)
      snapshots.forget(sessionId)
    }

    const snapshot = Effect.fnUntraced(function* (sessionId: SessionId, counts: Counts) {
      const made = yield* snapshots.make(sessionId)
      if (made === undefined) return
      if (made.differences.length > 0 && counts.retries < maxRetries) {
        counts.retries++
        counts.notBefore = counts.offset + retryBytes
        return
      }
      counts.retries = 0
      counts.bytesPerMs = made.bytesPerMs
      counts.snapshotOffset = made.offset
      counts.snapshotBytes = made.event.bytes?.length ?? 0
      yield* parts.record(sessionId, made.event)
      yield* snapshots.retain(sessionId)
    })

    const attempt = (sessionId: SessionId, counts: Counts): Effect.Effect<void> =>
      snapshot(sessionId, counts).pipe(
        Effect.catchCause((cause: Cause.Cause<SnapshotFailed | SessionNotFound | LogUnavailable>) => {
          if (Cause.hasInterruptsOnly(cause)) return Effect.interrupt
          counts.notBefore = counts.offset + failureBytes
          return Effect.logWarning("A terminal's screen could not be stored; joining it takes longer", cause)
        }),
        Effect.annotateLogs({ sessionId })
      )

    /** Looks at the sessions that are due until none is, once every `quietMs`. */
    const work = Effect.gen(function* () {
      while (due.size > 0) {
        const before = new Map([...due].map((sessionId) => [sessionId, sessions.get(sessionId)?.offset ?? 0]))
        yield* Effect.sleep(policy.quietMs)
        for (const [sessionId, offset] of before) {
          const counts = sessions.get(sessionId)
          if (counts === undefined || !isDue(counts, policy)) due.delete(sessionId)
          else if (isTime(counts, counts.offset - offset, policy)) {
            due.delete(sessionId)
            yield* attempt(sessionId, counts)
          }
          if (counts?.leaving === true && !due.has(sessionId)) drop(sessionId)
        }
      }
    })

    const rest = Effect.promise(async () => {
      snapshots.forgetAll()
      await thread.stop()
    })

    yield* Effect.gen(function* () {
      while (true) {
        const woken = yield* Effect.timeoutOption(Queue.take(wakeups), idleMs)
        if (Option.isSome(woken)) yield* work
        else yield* rest.pipe(Effect.andThen(Queue.take(wakeups)), Effect.andThen(work))
      }
    }).pipe(Effect.forkScoped)

    return {
      note: (sessionId, { offset, snapshot }) => {
        let counts = sessions.get(sessionId)
        if (counts === undefined) {
          counts = {
            offset,
            snapshotOffset: 0,
            snapshotBytes: 0,
            notBefore: 0,
            bytesPerMs: 0,
            retries: 0,
            leaving: false
          }
          sessions.set(sessionId, counts)
        }
        counts.offset = offset
        counts.leaving = false
        if (snapshot !== null && snapshot.offset > counts.snapshotOffset) counts.snapshotOffset = snapshot.offset
        if (!isDue(counts, policy) || due.has(sessionId)) return
        due.add(sessionId)
        Queue.offerUnsafe(wakeups, undefined)
      },
      forget: (sessionId) => {
        const counts = sessions.get(sessionId)
        if (counts !== undefined && due.has(sessionId)) counts.leaving = true
        else drop(sessionId)
      }
    }
  })
