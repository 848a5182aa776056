/** The one word that a person sees for a session, derived from facts and never from scraped text. */
import * as Schema from "effect/Schema"

/** Where the lifecycle region of the chart is. */
export const Lifecycle = Schema.Literals([
  "created",
  "opening",
  "open",
  "suspending",
  "suspended",
  "lost",
  "closing",
  "closed",
  "failed"
])
export type Lifecycle = typeof Lifecycle.Type

/**
 * - `working`: it does something, or is being opened or closed.
 * - `needs_you`: it waits for a permission or an answer.
 * - `idle`: it is there and waits for a prompt or a keystroke.
 * - `done`: it ended by itself or was closed.
 * - `failed`: it ended with an error, or could not be opened.
 * - `offline`: it is suspended or cannot be reached; it may come back.
 */
export const SessionStatus = Schema.Literals(["working", "needs_you", "idle", "done", "failed", "offline"])
export type SessionStatus = typeof SessionStatus.Type

/** What the status is derived from. */
export interface StatusFacts {
  readonly lifecycle: Lifecycle
  /** A turn runs, or a shell said (OSC 133) that a command does. A program that says nothing of itself is not busy. */
  readonly busy: boolean
  readonly openRequests: number
  readonly linked: boolean
  /** How the last process or backend ended, where it did. */
  readonly exitCode: number | null
  readonly signal: string | null
}

/** Derives the status. */
export const statusOf = (facts: StatusFacts): SessionStatus => {
  switch (facts.lifecycle) {
    case "created":
      return "idle"
    case "opening":
    case "suspending":
    case "closing":
      return "working"
    case "suspended":
    case "lost":
      return "offline"
    case "failed":
      return "failed"
    case "closed":
      return facts.signal !== null || (facts.exitCode !== null && facts.exitCode !== 0) ? "failed" : "done"
    case "open":
      if (!facts.linked) return "offline"
      if (facts.openRequests > 0) return "needs_you"
      return facts.busy ? "working" : "idle"
  }
}
