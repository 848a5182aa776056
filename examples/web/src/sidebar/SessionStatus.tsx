/** How a session is doing, as an icon and a word: never as a colour alone. */
import type { SessionSummary } from "@holdfast/core"
import { Ban, BellRing, CircleCheck, CircleDot, CircleX, CloudOff, LoaderCircle } from "lucide-react"
import type { ComponentType } from "react"

type Status = SessionSummary["status"]

const looks: { readonly [S in Status]: { readonly word: string; readonly Icon: ComponentType } } = {
  working: { word: "Working", Icon: LoaderCircle },
  needs_you: { word: "Needs you", Icon: BellRing },
  idle: { word: "Idle", Icon: CircleDot },
  done: { word: "Done", Icon: CircleCheck },
  failed: { word: "Failed", Icon: CircleX },
  offline: { word: "Offline", Icon: CloudOff }
}

/** The word for a status; one that this page does not know is shown as it is. */
export const statusWord = (status: Status): string => looks[status]?.word ?? status

/** The icon alone: its word stands beside it, or is given to screen readers. */
export const StatusIcon = ({ status }: { readonly status: Status }) => {
  const Icon = looks[status]?.Icon ?? Ban
  return (
    <span className="status-icon" data-status={status} aria-hidden="true">
      <Icon />
    </span>
  )
}

/** Icon and word. */
export const SessionStatus = ({ status }: { readonly status: Status }) => (
  <span className="status" data-status={status}>
    <StatusIcon status={status} />
    {statusWord(status)}
  </span>
)
