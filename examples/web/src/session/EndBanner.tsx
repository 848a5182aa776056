/** Below a session that has ended or rests: why, and a way on. */
import type { SessionState } from "@holdfast/core"
import { Play } from "lucide-react"

const endWords = (state: SessionState, reason: string | null): string => {
  switch (state.chart.lifecycle) {
    case "suspended":
      if (state.sandbox !== null) {
        const wakes = state.capabilities?.prompts === true ? "It wakes as you write" : "It wakes where it was"
        return `Asleep${reason === null ? "" : `: ${reason}`}. ${wakes}`
      }
      return `Suspended${reason === null ? "" : `: ${reason}`}`
    case "lost":
      return `The connection to it was lost${reason === null ? "" : `: ${reason}`}`
    case "failed":
      return `It failed${reason === null ? "" : `: ${reason}`}`
    default:
      return `It has ended${reason === null ? "" : `: ${reason}`}`
  }
}

export const EndBanner = ({
  onOpen,
  reason,
  state
}: {
  readonly state: SessionState
  readonly reason: string | null
  readonly onOpen: (() => void) | undefined
}) => (
  <div className="end-banner" role="status" data-lifecycle={state.chart.lifecycle}>
    <span>{endWords(state, reason)}</span>
    {onOpen === undefined ? null : (
      <button className="button" type="button" onClick={onOpen}>
        <Play aria-hidden="true" />
        {state.chart.lifecycle === "suspended" && state.sandbox !== null ? "Wake it" : "Open again"}
      </button>
    )}
  </div>
)
