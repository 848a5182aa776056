/** The main thread's end of a writer's thread: one job at a time, and an answer to each, also when the thread dies. */
import { Worker } from "node:worker_threads"
import type { WriterAnswer, WriterJob, WriterSetup, WriterStarted } from "./SqliteWriter.ts"

/** The answer to a job. `crashed` means that nobody knows whether it was done. */
export type JobResult = WriterAnswer | { readonly ok: false; readonly crashed: true; readonly message: string }

/** A thread that starts when it is needed. */
export interface WriterThread {
  /**
   * Starts it unless it runs, and gives whether it is still starting, which takes a tenth of a second where the processor is busy: for
   * who can do without it until then. `ended` is called once when it has started, or could not: it gives false from then on.
   */
  readonly isStarting: (ended: () => void) => boolean
  /** Gives it a job, once it has answered the one before; buffers in `transfer` are the thread's from then on. */
  readonly run: (job: WriterJob, done: (result: JobResult) => void, transfer?: ReadonlyArray<ArrayBuffer>) => void
  /** Ends it when its job is done. */
  readonly close: () => Promise<void>
}

/** The file of the thread beside this one: source while developing, JavaScript once built. */
export const defaultWriterUrl = import.meta.url.endsWith(".ts")
  ? new URL("./SqliteWriter.ts", import.meta.url)
  : new URL("./SqliteWriter.js", import.meta.url)

/** Prepares a thread. A crashed one is replaced when it is needed again; one that could not start, when the next job comes. */
export const makeWriterThread = (url: URL | string, setup: WriterSetup): WriterThread => {
  let worker: Worker | undefined
  let done: ((result: JobResult) => void) | undefined
  let state: "none" | "starting" | "started" | "failed" = "none"
  let startEnded: (() => void) | undefined

  const settle = (result: JobResult) => {
    const settled = done
    done = undefined
    settled?.(result)
  }

  const endStart = (to: typeof state) => {
    state = to
    const ended = startEnded
    startEnded = undefined
    ended?.()
  }

  const start = () => {
    // A host's own flags and its console are no business of this thread.
    const started = new Worker(url, { workerData: setup, execArgv: [], name: "holdfast-sqlite" })
    let reason = "it ended"
    started.on("message", (said: WriterAnswer | WriterStarted) => {
      if ("started" in said) endStart("started")
      else settle(said)
    })
    started.on("error", (error) => {
      reason = String(error instanceof Error ? error.message : error)
    })
    started.on("exit", (code) => {
      if (worker === started) worker = undefined
      endStart(state === "starting" ? "failed" : "none")
      settle({ ok: false, crashed: true, message: `${reason} (exit code ${code})` })
    })
    state = "starting"
    worker = started
  }

  return {
    isStarting: (ended) => {
      if (state === "none") start()
      if (state !== "starting") return false
      startEnded = ended
      return true
    },
    run: (job, callback, transfer = []) => {
      done = callback
      if (worker === undefined) start()
      worker!.postMessage(job, transfer)
    },
    close: async () => {
      const ending = worker
      if (ending === undefined) return
      const ended = new Promise<void>((resolve) => ending.once("exit", () => resolve()))
      ending.postMessage({ kind: "close" } satisfies WriterJob)
      await ended
    }
  }
}
