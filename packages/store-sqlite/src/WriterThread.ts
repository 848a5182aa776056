/** The main thread's end of a writer's thread: one job at a time, and an answer to each, also when the thread dies. */
import { Worker } from "node:worker_threads"
import type { WriterAnswer, WriterJob, WriterSetup } from "./SqliteWriter.ts"

/** The answer to a job. `crashed` means that nobody knows whether it was done. */
export type JobResult = WriterAnswer | { readonly ok: false; readonly crashed: true; readonly message: string }

/** A thread that starts with its first job. */
export interface WriterThread {
  /** Gives it a job, once it has answered the one before; buffers in `transfer` are the thread's from then on. */
  readonly run: (job: WriterJob, done: (result: JobResult) => void, transfer?: ReadonlyArray<ArrayBuffer>) => void
  /** Ends it when its job is done. */
  readonly close: () => Promise<void>
}

/** The file of the thread beside this one: source while developing, JavaScript once built. */
export const defaultWriterUrl = import.meta.url.endsWith(".ts")
  ? new URL("./SqliteWriter.ts", import.meta.url)
  : new URL("./SqliteWriter.js", import.meta.url)

/** Prepares a thread. A crashed one is replaced when the next job comes. */
export const makeWriterThread = (url: URL | string, setup: WriterSetup): WriterThread => {
  let worker: Worker | undefined
  let done: ((result: JobResult) => void) | undefined

  const settle = (result: JobResult) => {
    const settled = done
    done = undefined
    settled?.(result)
  }

  const start = (): Worker => {
    // A host's own flags and its console are no business of this thread.
    const started = new Worker(url, { workerData: setup, execArgv: [], name: "holdfast-sqlite" })
    let reason = "it ended"
    started.on("message", settle)
    started.on("error", (error) => {
      reason = String(error instanceof Error ? error.message : error)
    })
    started.on("exit", (code) => {
      if (worker === started) worker = undefined
      settle({ ok: false, crashed: true, message: `${reason} (exit code ${code})` })
    })
    return started
  }

  return {
    run: (job, callback, transfer = []) => {
      done = callback
      worker ??= start()
      worker.postMessage(job, transfer)
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
