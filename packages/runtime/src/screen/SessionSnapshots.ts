/** Makes a session's next snapshot from its log, on a thread that holds the screens of the last few sessions. */
import type { EventBody, EventLogService, SessionId } from "@holdfast/core"
import { Effect, Schema } from "effect"
import { playJob, type ScreenThread } from "./ScreenThread.ts"
import type { ScreenAnswer, ScreenJob } from "./ScreenWorker.ts"
import { retentionTarget, type SnapshotMark } from "./TerminalRetention.ts"
import { defaultTerminalSize } from "./TerminalBounds.ts"
import { findSnapshot, readSnapshot, snapshotEvent, type TerminalSnapshot } from "./TerminalSnapshot.ts"
import { TerminalSteps } from "./TerminalSteps.ts"

/** The thread did not make a snapshot. Nothing is lost but time: the next one shows more output. */
export class SnapshotFailed extends Schema.TaggedError<SnapshotFailed>("@holdfast/runtime/SnapshotFailed")(
  "SnapshotFailed",
  { sessionId: Schema.String, detail: Schema.String }
) {
  override get message() {
    return `The screen of session ${this.sessionId} was not stored: ${this.detail}`
  }
}

/** A snapshot to be stored. */
export interface MadeSnapshot {
  readonly event: EventBody<"terminal.snapshot">
  readonly offset: number
  /** How fast the output since the last one was shown; 0 where it was too little to tell. */
  readonly bytesPerMs: number
  /** What a screen restored from it has otherwise; see {@link ./SnapshotText.ts}. */
  readonly differences: ReadonlyArray<string>
}

/** Screens that the thread keeps, by recency: 10 MB with the usual size, and few sessions write at once. */
const maxHeld = 4

/** What is read at once. Two such pages are on their way to the thread, which gathers 4 MiB, however large the lag. */
const page = { limit: 10_000, maxBytes: 512 * 1024 } as const

/** Less output says nothing about how fast it is shown. */
const measuredBytes = 8 * 1024 * 1024

/** A session whose screen the thread holds. */
interface Held {
  readonly steps: TerminalSteps
  /** Everything up to here was read. */
  cursor: number
  /** The last event that did something to the terminal. */
  through: number
}

/** Makes snapshots and removes output, one session at a time. */
export class SessionSnapshots {
  readonly #log: EventLogService
  readonly #thread: ScreenThread
  readonly #keepBytes: number
  readonly #held = new Map<SessionId, Held>()
  /** The snapshots of sessions that had output to remove: about 70 small entries each. */
  readonly #marks = new Map<SessionId, { marks: Array<SnapshotMark>; removed: number }>()
  #starts = 0

  constructor(log: EventLogService, thread: ScreenThread, keepBytes: number) {
    this.#log = log
    this.#thread = thread
    this.#keepBytes = keepBytes
  }

  /** Forgets a session that is not live any more. */
  forget(sessionId: SessionId): void {
    this.#marks.delete(sessionId)
    if (this.#held.delete(sessionId)) void this.#thread.run({ kind: "forget", key: sessionId })
  }

  /** Forgets what the thread holds, because it ends. */
  forgetAll(): void {
    this.#held.clear()
  }

  #run(sessionId: SessionId, job: ScreenJob, transfer?: ReadonlyArray<ArrayBuffer>) {
    return Effect.flatMap(
      Effect.promise(() => this.#thread.run(job, transfer)),
      (answer) => this.#accept(sessionId, answer)
    )
  }

  #accept(sessionId: SessionId, answer: ScreenAnswer) {
    if (answer.ok) return Effect.succeed(answer)
    this.#held.delete(sessionId)
    return Effect.fail(new SnapshotFailed({ sessionId, detail: answer.message }))
  }

  /** Has the thread begin with a snapshot, or with a blank screen. */
  readonly #begin = Effect.fnUntraced(
    { self: this },
    function* (this: SessionSnapshots, sessionId: SessionId, from: TerminalSnapshot | undefined) {
      const size = from ?? defaultTerminalSize
      const bytes = from === undefined ? {} : { bytes: from.bytes.slice() }
      yield* this.#run(sessionId, { kind: "begin", key: sessionId, cols: size.cols, rows: size.rows, ...bytes })
      const place = { seq: from?.through ?? 0, offset: from?.offset ?? 0 }
      const held = { steps: new TerminalSteps(place), cursor: place.seq, through: place.seq }
      this.#held.delete(sessionId)
      this.#held.set(sessionId, held)
      return held
    }
  )

  readonly #hold = Effect.fnUntraced(
    { self: this },
    function* (this: SessionSnapshots, sessionId: SessionId, head: number) {
      // What a thread held that is gone is gone.
      if (this.#starts !== this.#thread.starts()) this.#held.clear()
      const held = this.#held.get(sessionId)
      if (held !== undefined) {
        this.#held.delete(sessionId)
        this.#held.set(sessionId, held)
        return held
      }
      const begun = yield* this.#begin(sessionId, yield* findSnapshot(this.#log, sessionId, head, "backward"))
      this.#starts = this.#thread.starts()
      for (const oldest of this.#held.keys()) {
        if (this.#held.size <= maxHeld) break
        this.#held.delete(oldest)
        yield* this.#run(oldest, { kind: "forget", key: oldest })
      }
      return begun
    }
  )

  /** The snapshot of a session as its log is now; undefined where there is nothing new to show. */
  readonly make = Effect.fnUntraced({ self: this }, function* (this: SessionSnapshots, sessionId: SessionId) {
    const head = yield* this.#log.head(sessionId)
    let held = yield* this.#hold(sessionId, head)
    const began = held.through
    const from = held.steps.place.offset
    let playing: Promise<ScreenAnswer> = Promise.resolve({ ok: true })
    while (held.cursor < head) {
      const read = yield* this.#log.read(sessionId, held.cursor, page)
      if (read.answer === "gap") {
        if (read.cursor <= held.cursor) break
        held.steps.skipTo(read.to)
        held.cursor = read.cursor
        continue
      }
      const { seq } = held.steps.place
      const newer = read.answer === "snapshot" ? read.covering.map(readSnapshot) : []
      const covering = newer.findLast((one) => one !== undefined && one.through > seq)
      if (covering !== undefined) {
        yield* this.#accept(sessionId, yield* Effect.promise(() => playing))
        held = yield* this.#begin(sessionId, covering)
        continue
      }
      const steps = held.steps.take(read.events)
      held.cursor = read.cursor
      const last = steps.at(-1)
      if (last === undefined) continue
      held.through = last.seq
      // The next page is read while the thread shows this one, and no further.
      yield* this.#accept(sessionId, yield* Effect.promise(() => playing))
      const { job, transfer } = playJob(sessionId, steps)
      playing = this.#thread.run(job, transfer)
    }
    yield* this.#accept(sessionId, yield* Effect.promise(() => playing))
    if (held.through === began) return undefined
    const { snapshot } = yield* this.#run(sessionId, { kind: "snapshot", key: sessionId })
    if (snapshot === undefined) return yield* new SnapshotFailed({ sessionId, detail: "the thread made none" })
    const { offset } = held.steps.place
    const event = snapshotEvent(held.through, offset, snapshot, snapshot.bytes)
    const bytesPerMs = offset - from < measuredBytes ? 0 : (offset - from) / Math.max(snapshot.shownMs, 1)
    return { event, offset, bytesPerMs, differences: snapshot.differences } satisfies MadeSnapshot as MadeSnapshot
  })

  /** Removes old output of a session, now that there is a new snapshot. */
  readonly retain = Effect.fnUntraced({ self: this }, function* (this: SessionSnapshots, sessionId: SessionId) {
    const head = yield* this.#log.head(sessionId)
    const newest = yield* findSnapshot(this.#log, sessionId, head, "backward")
    if (newest === undefined || newest.offset < this.#keepBytes) return
    const known = this.#marks.get(sessionId) ?? { marks: [], removed: 0 }
    this.#marks.set(sessionId, known)
    let after = known.marks.at(-1)?.seq ?? 0
    while (after < newest.seq) {
      const next = yield* findSnapshot(this.#log, sessionId, after + 1, "forward")
      if (next === undefined) break
      known.marks.push({ seq: next.seq, through: next.through, offset: next.offset })
      after = next.seq
    }
    const target = retentionTarget(known.marks, { offset: newest.offset, removed: known.removed }, this.#keepBytes)
    if (target === undefined) return
    yield* this.#log.compact(sessionId, { kind: "terminal", through: target.through, by: target.seq })
    known.marks = known.marks.filter((mark) => mark.seq >= target.seq)
    known.removed = target.offset
  })
}
