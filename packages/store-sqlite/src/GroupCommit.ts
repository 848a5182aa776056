/**
 * How the owner writes. What arrives while a commit runs goes into the next one, of all sessions together. Little is
 * committed at once on the main thread, which takes microseconds; what would take longer goes to the writer's thread, once that
 * has started: its start would keep all sessions waiting for a tenth of a second.
 */
import { statSync } from "node:fs"
import {
  AppendConflict,
  type Appended,
  type CheckedEvent,
  type LogUnavailable,
  type SessionFeed,
  type SessionId,
  type SessionListFeed,
  type SessionSummary
} from "@holdfast/core"
import { type Draft, type LiveSession, type LiveSessions, recordsOf, sessionRow } from "./LiveSessions.ts"
import { addEvent } from "./Rows.ts"
import { failureOf, sqliteBusy } from "./SqliteErrors.ts"
import type { WriterJob } from "./SqliteWriter.ts"
import { type CheckpointRow, emptyBatch, type WriteBatch, type Writer } from "./WriteBatch.ts"
import type { JobResult, WriterThread } from "./WriterThread.ts"

/** Most events and bytes of one transaction: 4,096 and 16 MiB, so that none takes long; the rest waits for the next. */
const batchEvents = 4096
const batchBytes = 16 * 1024 * 1024

/**
 * Most events and bytes that are committed on the main thread: 128 and 32 KiB, well under a millisecond. A thread's answer
 * would take longer than the commit itself.
 */
const directEvents = 128
const directBytes = 32 * 1024

/** Milliseconds of direct commits after which the event loop has its turn. */
const directMs = 2

/**
 * Bytes of write-ahead log after which it is copied back into the file: 16 MiB. What is committed while most of it is copied
 * comes on top, each time anew; and as much again each time that a reader in the middle of a page keeps it from being emptied.
 */
const walBytes = 16 * 1024 * 1024

/**
 * Length of the write-ahead log from which on its file is cut when it is empty: 32 MiB. A shorter one is written anew from its
 * beginning, since to cut it takes several times as long as all the rest that commits wait for.
 */
const cutWalBytes = 2 * walBytes

/**
 * Milliseconds without a commit after which a piece of output is committed in its own step, and not at the end of its tick together
 * with what else comes in it: after a rest it is mostly an echo, and alone.
 */
const restMs = 4

/** Direct commits between two looks at the length of the write-ahead log. */
const walLook = 256

/** An append that waits for its commit. */
interface Append {
  readonly kind: "append"
  readonly sessionId: SessionId
  readonly expectedSeq: number
  readonly events: ReadonlyArray<CheckedEvent>
  readonly size: number
  readonly done: (outcome: Appended | AppendConflict | LogUnavailable) => void
  refusal: AppendConflict | LogUnavailable | undefined
}

/** Anything else that goes into a transaction. */
interface Addition {
  readonly kind: "addition"
  readonly join: (batch: WriteBatch) => void
  readonly done: (outcome: undefined | LogUnavailable) => void
}

/** A job between two commits that is none itself. */
interface Job {
  readonly on: WriterThread
  readonly job: WriterJob
  readonly done: (result: JobResult) => void
}

/** What a group commit is made of. */
export interface GroupCommitParts {
  readonly path: string
  /** Undefined where every commit has to wait for the disk: then the main thread makes none. */
  readonly direct: Writer | undefined
  readonly thread: WriterThread
  readonly checkpointer: WriterThread
  readonly live: LiveSessions
  readonly feed: SessionFeed
  readonly list: SessionListFeed
  readonly now: () => number
  readonly headOf: (sessionId: SessionId) => number | undefined
  /** The mark of the newest change of a summary. */
  readonly changed: number
  readonly unavailable: (operation: string, cause: unknown) => LogUnavailable
  /** Tells that the lease is gone. */
  readonly lost: () => LogUnavailable
  readonly crashed: (message: string) => LogUnavailable
}

/** Makes the queue. */
export const makeGroupCommit = (parts: GroupCommitParts) => {
  const { checkpointer, direct, feed, list, live, now, thread } = parts
  let queue: Array<Append | Addition> = []
  let jobs: Array<Job> = []
  let changed = parts.changed
  let scheduled = false
  /** A commit or a job is under way in a thread: the next one waits for it. */
  let busy = false
  let jobTurn = false
  /** Inside a commit on this thread, which tells its readers: what they append waits for the next one. */
  let committing = false
  let committedAt = 0
  let directSpent = 0
  let looks = 0
  let copying = false
  let copyAt = walBytes
  let stopped: LogUnavailable | undefined
  let idle: (() => void) | undefined

  const schedule = () => {
    if (scheduled || busy || committing) return
    if (queue.length === 0 && jobs.length === 0) {
      idle?.()
      return
    }
    scheduled = true
    if (directSpent < directMs) queueMicrotask(next)
    else {
      directSpent = 0
      setImmediate(next)
    }
  }

  const next = () => {
    scheduled = false
    if (busy || committing) return
    // Appends and jobs take turns: neither can starve the other. A thread that is still starting keeps no commit waiting.
    const mayRun = jobs.length > 0 && (jobTurn || queue.length === 0) && !jobs[0]!.on.isStarting(schedule)
    const job = mayRun ? jobs.shift() : undefined
    jobTurn = job === undefined
    if (job !== undefined) {
      busy = true
      job.on.run(job.job, (result) => {
        busy = false
        noteWal(result)
        job.done(result)
        schedule()
      })
    } else if (queue.length > 0) {
      committing = true
      committedAt = performance.now()
      try {
        commit()
      } finally {
        committing = false
        schedule()
      }
    }
  }

  const take = (): ReadonlyArray<Append | Addition> => {
    let count = 0
    let events = 0
    let bytes = 0
    for (const one of queue) {
      if (one.kind === "append") {
        events += one.events.length
        bytes += one.size
      }
      if (count > 0 && (events > batchEvents || bytes > batchBytes)) break
      count++
    }
    const taken = queue.slice(0, count)
    queue = queue.slice(count)
    return taken
  }

  const commit = () => {
    const taken = take()
    const batch = emptyBatch()
    const drafts = new Map<SessionId, Draft>()
    const changing: Array<Draft> = []
    const at = now()
    let size = 0
    let isOutput = true
    for (const one of taken) {
      if (one.kind === "addition") one.join(batch)
      else if (joinAppend(one, batch, drafts)) size += one.size
    }
    for (const draft of drafts.values()) {
      if (draft.added.length === 0) continue
      changing.push(draft)
      isOutput &&= draft.isOutput
      live.finish(draft, at)
      if (draft.saves) batch.sessions.push(sessionRow(draft.live.id, draft.summary, ++changed))
    }
    const settle = (error: LogUnavailable | undefined) => settleAll(taken, changing, at, error)
    if (batch.events.length + batch.sessions.length + batch.checkpoints.length === 0) {
      settle(undefined)
      return
    }
    const isSmall = batch.events.length <= directEvents && size <= directBytes
    if (direct !== undefined && (isSmall || thread.isStarting(schedule))) {
      const started = performance.now()
      try {
        direct.write(batch)
      } catch (cause) {
        const { errcode } = failureOf(cause)
        if (errcode !== undefined && (errcode & 0xff) === sqliteBusy) inThread(batch, drafts, settle)
        else settle(errorOf(cause))
        return
      } finally {
        directSpent += performance.now() - started
      }
      if (++looks % walLook === 0) noteWal({ ok: true, result: undefined, walBytes: walLength() })
      settleAll(taken, changing, at, undefined, isOutput)
      return
    }
    inThread(batch, drafts, settle)
  }

  const joinAppend = (append: Append, batch: WriteBatch, drafts: Map<SessionId, Draft>): boolean => {
    const { events, expectedSeq, sessionId } = append
    let draft = drafts.get(sessionId)
    if (draft === undefined) {
      try {
        draft = live.draft(sessionId, feed.isFollowed(sessionId))
      } catch (cause) {
        append.refusal = parts.unavailable("append", cause)
        return false
      }
      drafts.set(sessionId, draft)
    }
    if (draft.head !== expectedSeq) {
      append.refusal = new AppendConflict({ sessionId, expectedSeq, actualSeq: draft.head })
      return false
    }
    const { id } = draft.live
    let caused: Map<string, readonly [first: number, last: number]> | undefined
    let seq = expectedSeq
    for (const one of events) {
      seq++
      addEvent(batch, id, seq, one)
      if (one.event.cause !== undefined) {
        caused ??= new Map()
        caused.set(one.event.cause, [caused.get(one.event.cause)?.[0] ?? seq, seq])
      }
    }
    for (const [command, [first, last]] of caused ?? []) batch.receipts.push([id, command, first, last])
    live.add(draft, events)
    return true
  }

  const inThread = (
    batch: WriteBatch,
    drafts: ReadonlyMap<SessionId, Draft>,
    settle: (error: LogUnavailable | undefined) => void
  ) => {
    busy = true
    const transfer = batch.pieces.map((piece) => piece[3].buffer as ArrayBuffer)
    for (const draft of drafts.values()) {
      if (draft.followed) continue
      for (const { event, isCopied } of draft.added) {
        if (isCopied && event.bytes !== undefined && event.bytes.byteLength > 0)
          transfer.push(event.bytes.buffer as ArrayBuffer)
      }
    }
    thread.run(
      { kind: "write", batch },
      (result) => {
        busy = false
        noteWal(result)
        if (result.ok) settle(undefined)
        else if ("crashed" in result) {
          settle(parts.crashed(result.message))
          for (const sessionId of drafts.keys()) recall(sessionId)
        } else settle(result.ownerLost ? errorOf({ ownerLost: true }) : parts.unavailable("append", result))
      },
      transfer
    )
  }

  /** After a commit that nobody knows the end of, the file tells what is there. */
  const recall = (sessionId: SessionId) => {
    live.forget(sessionId)
    const head = parts.headOf(sessionId)
    if (head !== undefined) feed.advance(sessionId, head)
  }

  const errorOf = (cause: unknown): LogUnavailable => {
    if ((cause as { readonly ownerLost?: boolean }).ownerLost !== true) return parts.unavailable("append", cause)
    const error = parts.lost()
    stop(error)
    return error
  }

  const settleAll = (
    taken: ReadonlyArray<Append | Addition>,
    changing: ReadonlyArray<Draft>,
    at: number,
    error: LogUnavailable | undefined,
    readersFirst = false
  ) => {
    const committed = error === undefined ? changing : []
    for (const draft of committed) live.commit(draft, at)
    // First those who wrote, then those who read: who acts on what they see finds a writer that knows of it. A little output is
    // somebody's echo, and nothing is decided by it: it is shown at once, and the writer goes on later in the same tick.
    if (readersFirst) show(committed)
    answer(taken, error)
    if (!readersFirst) show(committed)
    schedule()
  }

  const answer = (taken: ReadonlyArray<Append | Addition>, error: LogUnavailable | undefined) => {
    for (const one of taken) {
      if (one.kind === "addition") one.done(error)
      else {
        const { events, expectedSeq, refusal } = one
        one.done(error ?? refusal ?? { firstSeq: expectedSeq + 1, lastSeq: expectedSeq + events.length })
      }
    }
  }

  const show = (committed: ReadonlyArray<Draft>) => {
    for (const draft of committed) {
      const { sessionId } = draft.live
      if (draft.followed) feed.publish(sessionId, recordsOf(draft))
      else if (feed.isFollowed(sessionId)) feed.advance(sessionId, draft.head)
      list.changed(sessionId, draft.shown)
    }
  }

  const walLength = () => statSync(`${parts.path}-wal`).size

  /** Copies a long write-ahead log back: most of it beside the commits, then the rest between two of them. */
  const noteWal = (result: JobResult) => {
    if (!result.ok || copying || stopped !== undefined || result.walBytes < copyAt) return
    copying = true
    const done = (after: JobResult) => {
      copying = false
      const length = after.ok ? after.walBytes : result.walBytes
      // Written anew, it has as much in it again once it grows. Where a reader was in the middle of a page, or it failed, the next
      // time is after as much again.
      const isEmpty = after.ok && after.result === true
      copyAt = isEmpty ? Math.max(length + 1, walBytes) : length + walBytes
    }
    checkpointer.run({ kind: "checkpoint", mode: "passive" }, (copied) => {
      if (stopped !== undefined) return
      // What may not have reached the disk stays in the log as well.
      if (!copied.ok) return done(copied)
      const mode = result.walBytes < cutWalBytes ? "restart" : "truncate"
      // The same thread: a log whose commits are all direct needs no other.
      jobs.push({ on: checkpointer, job: { kind: "checkpoint", mode }, done })
      schedule()
    })
  }

  const stop = (error: LogUnavailable) => {
    stopped ??= error
    feed.fail(error)
    list.fail(error)
  }

  return {
    append: (sessionId: SessionId, expectedSeq: number, events: ReadonlyArray<CheckedEvent>, done: Append["done"]) => {
      if (stopped !== undefined) {
        done(stopped)
        return
      }
      let size = 0
      for (const one of events) size += one.size
      queue.push({ kind: "append", sessionId, expectedSeq, events, size, done, refusal: undefined })
      const isEcho = events.length === 1 && events[0]!.event.type === "terminal.output"
      if (isEcho && !scheduled && performance.now() - committedAt >= restMs) next()
      else schedule()
    },
    saveCheckpoint: (row: CheckpointRow, done: Addition["done"]) => {
      if (stopped !== undefined) {
        done(stopped)
        return
      }
      queue.push({ kind: "addition", join: (batch) => batch.checkpoints.push(row), done })
      schedule()
    },
    /** Stores the summaries that are behind. */
    saveSummaries: (done: Addition["done"]) => {
      const saved: Array<readonly [LiveSession, SessionSummary]> = []
      queue.push({
        kind: "addition",
        join: (batch) => {
          for (const one of live.behind) {
            saved.push([one, one.summary])
            batch.sessions.push(sessionRow(one.id, one.summary, ++changed))
          }
        },
        done: (error) => {
          if (error === undefined) for (const [one, summary] of saved) live.noteSaved(one, summary, now())
          done(error)
        }
      })
      schedule()
    },
    /** Has the writer's thread do something between two commits. */
    job: (job: WriterJob, done: (result: JobResult | LogUnavailable) => void) => {
      if (stopped !== undefined) {
        done(stopped)
        return
      }
      jobs.push({
        on: thread,
        job,
        done: (result) => done(!result.ok && "ownerLost" in result && result.ownerLost ? errorOf(result) : result)
      })
      schedule()
    },
    /** Refuses what comes from now on. */
    stop,
    /** Runs when nothing is left to do. */
    whenIdle: (done: () => void) => {
      idle = () => {
        idle = undefined
        done()
      }
      schedule()
    }
  }
}

/** What {@link makeGroupCommit} makes. */
export type GroupCommit = ReturnType<typeof makeGroupCommit>
