/** How a session's sandbox is doing, in words for people. */
import type { Lifecycle } from "@holdfast/core"

/** How it is doing, as far as people tell it apart. */
export type SandboxLook = "starting" | "ready" | "resting" | "asleep" | "silent" | "stopped" | "failed"

/** What is shown. */
export interface SandboxWords {
  readonly look: SandboxLook
  readonly words: string
}

/** Whether a list says it in place of the session's status: not of a sandbox that is as one expects. */
export const isWorthSaying = (condition: string, lifecycle: Lifecycle): boolean => {
  const { look } = sandboxWords(condition, lifecycle)
  return look !== "ready" && look !== "stopped"
}

/**
 * Reads it off the chart. A snapshot that is taken while a session works changes nothing for people, and whatever stands behind a
 * session that rests, it sleeps; behind one that could not be opened, a start that nobody goes on with has failed. `restored`: the
 * start goes on from a snapshot. Null for a sandbox that was never asked for.
 */
export const sandboxWords = (condition: string | null, lifecycle: Lifecycle, restored = false): SandboxWords => {
  if (lifecycle === "suspended") return { look: "asleep", words: "asleep" }
  if (lifecycle === "closed" || lifecycle === "failed") {
    const isFailed = condition === "failed" || (lifecycle === "failed" && isStart(condition))
    return isFailed ? { look: "failed", words: "failed" } : { look: "stopped", words: "stopped" }
  }
  if (lifecycle === "suspending") return { look: "resting", words: "falling asleep" }
  switch (condition) {
    case null:
      if (lifecycle === "created") return { look: "stopped", words: "not started" }
      return lifecycle === "open" ? { look: "ready", words: "ready" } : { look: "starting", words: "waiting to start" }
    case "pending":
      return { look: "starting", words: restored ? "waking" : "waiting to start" }
    case "warming":
      return { look: "starting", words: restored ? "waking" : "starting" }
    case "syncing":
      return { look: "starting", words: restored ? "waking" : "preparing the workspace" }
    case "stale":
      return { look: "silent", words: "not answering" }
    case "snapshotted":
      return lifecycle === "open" ? { look: "ready", words: "ready" } : { look: "asleep", words: "asleep" }
    case "stopped":
      return { look: "stopped", words: "stopped" }
    case "failed":
      return { look: "failed", words: "failed" }
    default:
      return { look: "ready", words: restored ? "ready, restored" : "ready" }
  }
}

const isStart = (condition: string | null): boolean =>
  condition === "pending" || condition === "warming" || condition === "syncing"
