/** The main thread's end of the thread that makes snapshots: one job at a time, and an answer to each. */
import { Worker } from "node:worker_threads"
import type { ScreenAnswer, ScreenJob } from "./ScreenWorker.ts"
import type { TerminalStep } from "./TerminalSteps.ts"

/** A thread that starts with its first job and is replaced when it died. */
export interface ScreenThread {
  /** Gives it a job; buffers in `transfer` are the thread's from then on. Waits for the answer to the one before. */
  readonly run: (job: ScreenJob, transfer?: ReadonlyArray<ArrayBuffer>) => Promise<ScreenAnswer>
  /** How often it was started: what an earlier one held is gone. */
  readonly starts: () => number
  /** Ends it at once. It starts again with the next job. */
  readonly stop: () => Promise<void>
}

/** The file of the thread: source while developing, JavaScript once built. */
export const defaultScreenWorkerUrl = import.meta.url.endsWith(".ts")
  ? new URL("./ScreenWorker.ts", import.meta.url)
  : new URL("./ScreenWorker.js", import.meta.url)

/** Megabytes of heap that the thread may have: ten times what it needs. A program that finds a way past it ends the thread. */
const maxHeapMb = 512

const stopped: ScreenAnswer = { ok: false, message: "it was stopped" }

/** Prepares a thread. */
export const makeScreenThread = (url: URL = defaultScreenWorkerUrl): ScreenThread => {
  let worker: Worker | undefined
  let starts = 0
  let stops = 0
  let settle: ((answer: ScreenAnswer) => void) | undefined
  let last: Promise<unknown> = Promise.resolve()

  const done = (answer: ScreenAnswer): void => {
    const waiting = settle
    settle = undefined
    waiting?.(answer)
  }

  const start = (): Worker => {
    starts++
    const started = new Worker(url, {
      // A host's own flags are no business of this thread.
      execArgv: [],
      name: "holdfast-screens",
      resourceLimits: { maxOldGenerationSizeMb: maxHeapMb }
    })
    let reason = "it ended"
    // Snapshots are no reason for a process to stay.
    started.unref()
    started.on("message", done)
    started.on("error", (error) => {
      reason = String(error instanceof Error ? error.message : error)
    })
    started.on("exit", (code) => {
      if (worker !== started) return
      worker = undefined
      done({ ok: false, message: `${reason} (exit code ${code})` })
    })
    return started
  }

  const post = (job: ScreenJob, transfer: ReadonlyArray<ArrayBuffer>): Promise<ScreenAnswer> =>
    new Promise((resolve) => {
      settle = resolve
      worker ??= start()
      worker.postMessage(job, transfer)
    })

  return {
    run: (job, transfer = []) => {
      const asked = stops
      const next = last.then(() => (asked === stops ? post(job, transfer) : stopped))
      last = next
      return next
    },
    starts: () => starts,
    stop: async () => {
      const ending = worker
      worker = undefined
      stops++
      done(stopped)
      await ending?.terminate()
    }
  }
}

/** A play job with neighbouring output joined into buffers of its own, which are handed over without another copy. */
export const playJob = (
  key: string,
  steps: ReadonlyArray<TerminalStep>
): { readonly job: ScreenJob; readonly transfer: ReadonlyArray<ArrayBuffer> } => {
  const joined: Array<TerminalStep> = []
  const transfer: Array<ArrayBuffer> = []
  for (let at = 0; at < steps.length; at++) {
    const step = steps[at]!
    if (step.kind !== "output") {
      joined.push(step)
      continue
    }
    const parts: Array<Uint8Array> = []
    let length = 0
    let seq = step.seq
    for (; at < steps.length; at++) {
      const next = steps[at]!
      if (next.kind !== "output") break
      parts.push(next.bytes)
      length += next.bytes.length
      seq = next.seq
    }
    at--
    const bytes = new Uint8Array(length)
    let filled = 0
    for (const part of parts) {
      bytes.set(part, filled)
      filled += part.length
    }
    joined.push({ kind: "output", seq, offset: step.offset, bytes })
    transfer.push(bytes.buffer)
  }
  return { job: { kind: "play", key, steps: joined }, transfer }
}
