/** Whether and how a prompt can be sent now. */
import type { SessionState } from "@holdfast/core"

/** Where a prompt goes. */
export interface Sending {
  /** Why nothing can be sent; null where it can. */
  readonly reason: string | null
  /** What becomes of a prompt that is sent now, where that is not plain. */
  readonly hint: string | null
  /** The turn that a prompt can be put into; null where none runs, or the backend cannot. */
  readonly steerInto: string | null
  /** The turn that can be stopped. */
  readonly stoppable: string | null
  readonly isStopping: boolean
}

const nowhere: Sending = { reason: null, hint: null, steerInto: null, stoppable: null, isStopping: false }

/** Reads it off the state: the same rules as core's `decide`, which has the last word. */
export const sendingOf = (state: SessionState | null, connected: boolean): Sending => {
  if (!connected) return { ...nowhere, reason: "Not connected: what you write is kept" }
  if (state === null) return { ...nowhere, reason: "Opening…" }
  const { capabilities, chart } = state
  if (capabilities !== null && !capabilities.prompts) {
    return { ...nowhere, reason: "It takes no prompts: type in its terminal" }
  }
  const turnId = state.turn?.turnId ?? null
  switch (chart.lifecycle) {
    case "closing":
      return { ...nowhere, reason: "The session is closing" }
    case "closed":
    case "failed":
      return capabilities?.resume === true && state.nativeId !== null
        ? { ...nowhere, hint: "A prompt opens the session again" }
        : { ...nowhere, reason: "The session has ended and cannot go on: start another one" }
    case "suspended":
      return { ...nowhere, hint: state.sandbox === null ? "A prompt wakes the session" : "It wakes as you write" }
    case "created":
      return {
        ...nowhere,
        hint: state.backend === "cloud" ? "Its sandbox starts as you write" : "The session opens as you write"
      }
    case "opening":
      return { ...nowhere, hint: "The session opens; a prompt waits until it has" }
    case "lost":
    case "suspending":
      return { ...nowhere, hint: "A prompt waits until the session is there again" }
    case "open":
      return {
        reason: null,
        hint: turnId === null ? null : "A prompt waits until this turn is over",
        steerInto: capabilities?.steer === true ? turnId : null,
        stoppable: capabilities?.interrupt === true ? turnId : null,
        isStopping: chart.turn === "interrupting"
      }
  }
}
