/** Gathers compactions, so that those of all sessions within a tenth of a second are one message and one transaction. */
import { LogUnavailable } from "@holdfast/core"
import type { CompactSlice } from "./Maintenance.ts"
import type { WriterJob } from "./SqliteWriter.ts"
import type { JobResult } from "./WriterThread.ts"

/** Compactions that are gathered at most: 256. What would be more starts those that wait. */
const maxGathered = 256

/** What became of one: the result of a job is that of its own slice. */
type Outcome = JobResult | LogUnavailable

interface Waiting {
  readonly slice: CompactSlice
  readonly done: (outcome: Outcome) => void
}

/** Compactions that wait. */
export interface Compactions {
  /** Takes one; `hurried` does not wait for others. */
  readonly add: (slice: CompactSlice, done: Waiting["done"], hurried: boolean) => void
  /** Starts those that wait. */
  readonly flush: () => void
}

/** Starts with none; `job` has the writer's thread do something. */
export const makeCompactions = (
  job: (job: WriterJob, done: (outcome: Outcome) => void) => void,
  afterMs: number
): Compactions => {
  let waiting: Array<Waiting> = []
  let timer: NodeJS.Timeout | undefined

  const run = (taken: ReadonlyArray<Waiting>) =>
    job({ kind: "compact", slices: taken.map(({ slice }) => slice) }, (outcome) => {
      if (!(outcome instanceof LogUnavailable) && outcome.ok) {
        const results = outcome.result as ReadonlyArray<unknown>
        taken.forEach(({ done }, index) => done({ ...outcome, result: results[index] }))
      } else if (taken.length > 1 && mayBeOneOfThem(outcome)) for (const one of taken) run([one])
      else for (const { done } of taken) done(outcome)
    })

  const flush = () => {
    clearTimeout(timer)
    timer = undefined
    const taken = waiting
    waiting = []
    if (taken.length > 0) run(taken)
  }

  return {
    add: (slice, done, hurried) => {
      if (hurried || afterMs <= 0) return run([{ slice, done }])
      waiting.push({ slice, done })
      if (waiting.length >= maxGathered) flush()
      else timer ??= setTimeout(flush, afterMs)
    },
    flush
  }
}

/** Whether the others may succeed without the one that failed. */
const mayBeOneOfThem = (outcome: Outcome): boolean =>
  !(outcome instanceof LogUnavailable) && !outcome.ok && !("crashed" in outcome) && !outcome.ownerLost
