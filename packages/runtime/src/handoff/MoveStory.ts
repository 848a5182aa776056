/** What people read of a move in the session's log while it is under way, and why where it did not happen. */
import { note, type Observed, type PackedSession } from "@holdfast/core"
import { Cause, Effect, Exit } from "effect"
import type { SessionOwner } from "../SessionOwner.ts"

/** How long a line of the story may take to be stored, in milliseconds: a log that cannot take it must not hold up the session. */
const noteTimeoutMs = 5_000

/** Most lines about what happens in the new place: a sandbox that fails again and again says so three times. */
const maxSteps = 16

/** The story of one move. */
export interface MoveStory {
  /** What goes along is packed. */
  readonly packed: (packed: PackedSession) => Effect.Effect<void>
  /** Something was told in the new place. */
  readonly onTold: (event: Observed) => Effect.Effect<void>
  /** It is over: where it failed, the session stays where it was, and this says why. */
  readonly ended: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>
}

/** Tells it as notes: `handoff_step`, and `handoff_failed` at its end where it failed. */
export const makeMoveStory = (owner: SessionOwner, backend: string): MoveStory => {
  let steps = 0
  let last: string | undefined
  const tell = (level: "info" | "warning", message: string, code: string) =>
    Effect.asVoid(Effect.timeoutOption(owner.tell([note(level, message, undefined, code)]), noteTimeoutMs))
  const step = (message: string) =>
    Effect.suspend(() => {
      if (steps >= maxSteps || message === last) return Effect.void
      steps += 1
      last = message
      return tell("info", `moving to ${backend}: ${message}`, "handoff_step")
    })

  return {
    packed: ({ workspace }) =>
      step(
        workspace === undefined ? "it is being opened there" : `its workspace is packed (${sizeOf(workspace.bytes)})`
      ),
    onTold: (event) => {
      switch (event.type) {
        case "sandbox.pending":
          return step("it waits for a sandbox")
        case "sandbox.warming":
          return step("its sandbox is being made")
        case "sandbox.syncing":
          return step("its sandbox takes up what it brings")
        case "sandbox.failed":
          return step(`its sandbox failed: ${event.data.reason ?? "no reason was given"}`)
        default:
          return Effect.void
      }
    },
    ended: (exit) => {
      if (Exit.isSuccess(exit)) return Effect.void
      const why = Cause.hasInterruptsOnly(exit.cause) ? "the move was called off" : reasonOf(Cause.squash(exit.cause))
      const stays = owner.state().chart.lifecycle === "open" ? " and goes on where it was" : ""
      return tell("warning", `it was not moved to ${backend}${stays}: ${why}`, "handoff_failed")
    }
  }
}

const reasonOf = (error: unknown): string => {
  const { detail } = error as { readonly detail?: unknown }
  if (typeof detail === "string") return detail
  return error instanceof Error ? error.message : String(error)
}

const sizeOf = (bytes: number): string =>
  bytes < 1_000_000 ? `${Math.ceil(bytes / 1_000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`
