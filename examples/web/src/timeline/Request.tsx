/** What permissions and questions have in common: their frame while they wait, their deadline, and how they ended. */
import type { PermissionEntry, QuestionEntry } from "@holdfast/core"
import { Check, Clock, X } from "lucide-react"
import { durationText } from "./Phrases.ts"
import { isYou, nameOf, type SessionScope, useScope } from "./SessionScope.ts"
import { useNow } from "../time/useNow.ts"

/** A request of either kind. */
export type RequestEntry = PermissionEntry | QuestionEntry

/** Deadlines further off than this are not counted down: ten minutes. */
const countedMs = 600_000

/** How long there is to answer; counted down towards the end. */
export const Deadline = ({ at }: { readonly at: number }) => {
  const now = useNow(1_000)
  const left = at - now
  return (
    <span className={left < 60_000 ? "tl-deadline tl-warn" : "tl-deadline"} role="timer">
      <Clock className="tl-icon" aria-hidden="true" />
      {left <= 0
        ? "time is up"
        : left < countedMs
          ? `${durationText(left)} left`
          : `until ${new Date(at).toLocaleTimeString(undefined, { timeStyle: "short" })}`}
    </span>
  )
}

/** Who should answer, where the request says it. */
export const Owner = ({ owner }: { readonly owner: string | null }) => {
  const scope = useScope()
  if (owner === null) return null
  return <span className="badge">for {isYou(scope, owner) ? "you" : nameOf(scope, owner)}</span>
}

/** Who or what ended it, as the end of a sentence. */
export const endedBy = (scope: SessionScope, entry: RequestEntry): string => {
  switch (entry.by) {
    case "answer":
      return entry.resolvedBy === null
        ? ""
        : isYou(scope, entry.resolvedBy)
          ? "by you"
          : `by ${nameOf(scope, entry.resolvedBy)}`
    case "deadline":
      return "since nobody answered in time"
    case "backend":
      return "by the agent itself"
    case "end":
      return "since what asked for it ended"
    case null:
      return ""
  }
}

/** One line about a request that has ended. */
export const Ended = ({
  children,
  isGood,
  label
}: {
  readonly isGood: boolean
  readonly label: string
  readonly children: React.ReactNode
}) => (
  <div className="tl-ended" aria-label={label}>
    {isGood ? (
      <Check className="tl-mark tl-good" aria-hidden="true" />
    ) : (
      <X className="tl-mark tl-bad" aria-hidden="true" />
    )}
    <span>{children}</span>
  </div>
)

/** Why an answer was refused: often because somebody else was quicker. */
export const Problem = ({ text }: { readonly text: string | null }) =>
  text === null ? null : (
    <p className="tl-problem" role="alert">
      {text}
    </p>
  )
