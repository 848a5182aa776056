/** How a session's sandbox is doing, in words for people. */
import type { Lifecycle } from "@holdfast/core"

/** How it is doing, as far as people tell it apart. */
export type SandboxLook = "starting" | "ready" | "asleep" | "silent" | "stopped" | "failed"

/** What is shown. */
export interface SandboxWords {
  readonly look: SandboxLook
  readonly words: string
}

/** Where a session goes on without anybody having to wait for its sandbox. */
const openNow: ReadonlySet<Lifecycle> = new Set(["open", "suspending"])

/** Whether a list says it in place of the session's status: not of a sandbox that is as one expects. */
export const isWorthSaying = (condition: string, lifecycle: Lifecycle): boolean => {
  const { look } = sandboxWords(condition, lifecycle)
  return look !== "ready" && look !== "stopped"
}

/**
 * Reads it off the chart. A snapshot that is taken while a session works changes nothing for people, and whatever stands behind a
 * session that rests, it sleeps.
 */
export const sandboxWords = (condition: string, lifecycle: Lifecycle): SandboxWords => {
  if (lifecycle === "suspended") return { look: "asleep", words: "asleep" }
  if ((lifecycle === "closed" || lifecycle === "failed") && condition !== "failed") {
    return { look: "stopped", words: "stopped" }
  }
  switch (condition) {
    case "pending":
    case "warming":
      return { look: "starting", words: "starting" }
    case "syncing":
      return { look: "starting", words: "preparing the workspace" }
    case "stale":
      return { look: "silent", words: "not answering" }
    case "snapshotted":
      return openNow.has(lifecycle) ? { look: "ready", words: "ready" } : { look: "asleep", words: "asleep" }
    case "stopped":
      return { look: "stopped", words: "stopped" }
    case "failed":
      return { look: "failed", words: "failed" }
    default:
      return { look: "ready", words: "ready" }
  }
}
