/**
 * A thread that turns output into snapshots: it holds the screens that the snapshotter works on and does one job after
 * the other. It knows nothing of logs or sessions; see {@link ./Snapshotter.ts}.
 */
import { setPriority } from "node:os"
import { parentPort } from "node:worker_threads"
import { ScreenPlayer } from "./ScreenPlayer.ts"
import { stateDifferences } from "./ScreenState.ts"
import { TerminalScreen } from "./TerminalScreen.ts"
import type { TerminalStep } from "./TerminalSteps.ts"

/** What the thread is asked for, about the screen with a key. */
export type ScreenJob =
  /** Begin with a screen of this size that was given these bytes, in place of any that there is. */
  | {
      readonly kind: "begin"
      readonly key: string
      readonly cols: number
      readonly rows: number
      readonly bytes?: Uint8Array
    }
  | { readonly kind: "play"; readonly key: string; readonly steps: ReadonlyArray<TerminalStep> }
  | { readonly kind: "snapshot"; readonly key: string }
  | { readonly kind: "forget"; readonly key: string }

/** What it answers, once a job. */
export type ScreenAnswer =
  { readonly ok: true; readonly snapshot?: ScreenSnapshot } | { readonly ok: false; readonly message: string }

/** A screen as bytes, and what of it they do not bring back. */
export interface ScreenSnapshot {
  readonly cols: number
  readonly rows: number
  readonly bytes: Uint8Array
  /** Milliseconds that it took to show the output since the last snapshot, without the waiting for it. */
  readonly shownMs: number
  /** Names of the parts that differ in a screen restored from it: empty but for rare accidents. */
  readonly differences: ReadonlyArray<string>
}

const players = new Map<string, ScreenPlayer>()
const shown = new Map<string, number>()

/** Milliseconds that this thread has worked; where node cannot tell, milliseconds that have passed. */
const workedMs = (): number => {
  if (typeof process.threadCpuUsage !== "function") return performance.now()
  const { system, user } = process.threadCpuUsage()
  return (system + user) / 1000
}

const show = async (key: string, work: () => Promise<void>): Promise<void> => {
  const before = workedMs()
  await work()
  shown.set(key, (shown.get(key) ?? 0) + workedMs() - before)
}

const playerOf = (key: string): ScreenPlayer => {
  const player = players.get(key)
  if (player === undefined) throw new Error(`there is no screen ${key}`)
  return player
}

/** Takes a snapshot and shows it at once, to know that it is true. */
const take = async (screen: TerminalScreen, shownMs: number): Promise<ScreenSnapshot> => {
  const { cols, rows } = screen
  const bytes = screen.snapshot()
  using restored = new TerminalScreen(cols, rows)
  await restored.write([bytes])
  return { cols, rows, bytes, shownMs, differences: stateDifferences(screen.state(), restored.state()) }
}

const perform = async (job: ScreenJob): Promise<ScreenAnswer> => {
  switch (job.kind) {
    case "begin": {
      players.get(job.key)?.dispose()
      const screen = new TerminalScreen(job.cols, job.rows)
      players.set(job.key, new ScreenPlayer(screen))
      if (job.bytes !== undefined) await screen.write([job.bytes])
      return { ok: true }
    }
    case "play":
      await show(job.key, () => playerOf(job.key).play(job.steps))
      return { ok: true }
    case "snapshot": {
      const player = playerOf(job.key)
      await show(job.key, () => player.settle())
      const shownMs = shown.get(job.key) ?? 0
      shown.delete(job.key)
      return { ok: true, snapshot: await take(player.screen, shownMs) }
    }
    case "forget":
      players.get(job.key)?.dispose()
      players.delete(job.key)
      shown.delete(job.key)
      return { ok: true }
  }
}

const answer = async (job: ScreenJob): Promise<void> => {
  let answered: ScreenAnswer
  try {
    answered = await perform(job)
  } catch (error) {
    answered = { ok: false, message: String(error) }
  }
  parentPort?.postMessage(answered)
}

/** How far this thread stands back for others, as `nice` counts it. */
const niceness = 10

// Nobody waits for a snapshot, and the host's own thread is to have a core when it needs one. On Linux this is of the calling thread
// alone; elsewhere it would be of the whole process.
if (parentPort !== null && process.platform === "linux") {
  try {
    setPriority(niceness)
  } catch {
    // Where the system does not allow that, screens are made all the same, and the host's thread waits a little more.
  }
}

// Whoever asks waits for the answer before it asks again, so that jobs need no queue.
parentPort?.on("message", (job: ScreenJob) => void answer(job))
