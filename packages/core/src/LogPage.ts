/**
 * How a page of a log is answered: one walk over what a store has after a cursor, which finds every seq that is not
 * there and says why. Every store uses it, so that all of them give the same three answers.
 */
import type { GapReason, Page } from "./EventLog.ts"
import type { EventRecord } from "./EventRecord.ts"

/** A run of seqs that a compaction took, and the event that stands for them. */
export interface Hole {
  readonly kind: "item" | "terminal"
  readonly first: number
  readonly last: number
  readonly by: number
}

/** A row that cannot be read as an event. */
export interface CorruptRow {
  readonly seq: number
  /** What is wrong with it. */
  readonly corrupt: string
}

/** What a store has after a cursor. */
export interface StoredRun {
  readonly after: number
  /** Seq of the session's last event. */
  readonly head: number
  /** What is there after the cursor, in order; at least one row unless nothing is there. */
  readonly rows: ReadonlyArray<EventRecord | CorruptRow>
  /** Whether the rows reach the head, that is were not cut by a bound. */
  readonly complete: boolean
  /** The holes that overlap what is asked for, in order. */
  readonly holes: ReadonlyArray<Hole>
  /** Finds the snapshot at a seq; undefined where it is not there. */
  readonly snapshotAt: (seq: number) => EventRecord | undefined
}

/** The answer to a read of a run. */
export const answerPage = ({ after, complete, head, holes, rows, snapshotAt }: StoredRun): Page => {
  if (after > head) {
    const detail = `this log ends at seq ${head}; your cursor is from another log or a later copy: start again from 0`
    return { answer: "gap", reason: "ahead", from: head + 1, to: after, detail, cursor: 0, head }
  }
  const events: Array<EventRecord> = []
  const covering = new Map<number, EventRecord>()
  let cursor = after
  let wholeAt = 0
  let hole = 0

  const gap = (reason: GapReason, to: number, detail: string): Page => ({
    answer: "gap",
    reason,
    from: cursor + 1,
    to,
    detail,
    cursor: to,
    head
  })
  const page = (): Page =>
    wholeAt === 0
      ? { answer: "exact", events, cursor, head }
      : { answer: "snapshot", wholeAt, covering: [...covering.values()], events, cursor, head }

  /** Goes over the seqs up to `through` that have no row; the answer where one of them is not accounted for. */
  const skip = (through: number): Page | undefined => {
    while (cursor < through) {
      while (hole < holes.length && holes[hole]!.last <= cursor) hole++
      const at = holes[hole]
      if (at === undefined || at.first > cursor + 1) {
        if (cursor > after) return page()
        const to = Math.min(through, at === undefined ? through : at.first - 1)
        return gap("missing", to, `events ${cursor + 1} to ${to} are gone from the store: restore it from a backup`)
      }
      const last = Math.min(at.last, through)
      if (at.kind === "terminal" && !covering.has(at.by)) {
        const snapshot = snapshotAt(at.by)
        if (snapshot === undefined) {
          if (cursor > after) return page()
          return gap("missing", last, `the snapshot at seq ${at.by} that stands for these events is gone`)
        }
        // A reader past the output that the snapshot stands for has lost nothing, and must not be set back by it.
        if (Number(snapshot.data["through"]) > after) covering.set(at.by, snapshot)
      }
      wholeAt = Math.max(wholeAt, at.by)
      cursor = last
    }
    return undefined
  }

  for (const row of rows) {
    const answer = skip(row.seq - 1)
    if (answer !== undefined) return answer
    if ("corrupt" in row) {
      if (cursor > after) return page()
      return gap("corrupt", row.seq, `event ${row.seq} is damaged (${row.corrupt}); the others can be read`)
    }
    events.push(row)
    cursor = row.seq
  }
  return (complete ? skip(head) : undefined) ?? page()
}

/** Adds runs of one compaction to the holes of a session, joining neighbours, and returns them in order. */
export const addHoles = (holes: ReadonlyArray<Hole>, added: ReadonlyArray<Hole>): ReadonlyArray<Hole> => {
  const joined: Array<Hole> = []
  for (const hole of [...holes, ...added].toSorted((a, b) => a.first - b.first)) {
    const last = joined.at(-1)
    if (last !== undefined && last.kind === hole.kind && last.last + 1 === hole.first) {
      // Two items that streamed at once: the run is whole when the later one is.
      joined[joined.length - 1] = { ...last, last: hole.last, by: Math.max(last.by, hole.by) }
    } else joined.push(hole)
  }
  return joined
}
