/** The agent's plan as a list of what is done and what is not. */
import type { PlanItemEntry } from "@holdfast/core"
import { CircleCheck, CircleDashed, CircleDot, ListChecks } from "lucide-react"
import { Markdown } from "./Markdown.tsx"

const looks = {
  completed: [CircleCheck, "Done", "tl-good"],
  in_progress: [CircleDot, "Now", "tl-busy"],
  pending: [CircleDashed, "Still to do", "tl-faint"]
} as const

/** A plan. */
export const Plan = ({ entry }: { readonly entry: PlanItemEntry }) => {
  const done = entry.entries.filter(({ status }) => status === "completed").length
  return (
    <section className="tl-card" aria-label="Plan">
      <div className="tl-card-head">
        <ListChecks className="tl-icon" aria-hidden="true" />
        <strong>Plan</strong>
        {entry.entries.length > 0 && (
          <span className="tl-faint">
            {done} of {entry.entries.length} done
          </span>
        )}
      </div>
      {entry.text !== "" && (
        <Markdown keep={`plan:${entry.seq}`} text={entry.text} isStreaming={entry.progress === "streaming"} />
      )}
      <ul className="tl-plan">
        {entry.entries.map(({ content, priority, status }, index) => {
          const [Icon, word, tone] = looks[status]
          return (
            // Steps have no identity but their place.
            <li key={index} className={`tl-step-${status}`}>
              <Icon className={`tl-mark ${tone}`} role="img" aria-label={word} />
              <span>{content}</span>
              {priority === "high" && <span className="badge">high</span>}
            </li>
          )
        })}
      </ul>
    </section>
  )
}
