/** What a turn came to, behind all that happened in it; and, while it runs, that it does. */
import type { TurnEntry, TurnId } from "@holdfast/core"
import { CircleCheck, CircleSlash, CircleX, LoaderCircle, RotateCcw, Undo2 } from "lucide-react"
import { useState } from "react"
import { ChangedFile, Counts } from "./Diff.tsx"
import { ErrorText } from "./Message.tsx"
import { countText, dateText, durationText, usageText } from "./Phrases.ts"
import { Problem } from "./Request.tsx"
import { isAble, useAction, useKept, useScope } from "./SessionScope.ts"
import { useNow } from "../time/useNow.ts"

const outcomes = {
  completed: [CircleCheck, "Done", "tl-good"],
  interrupted: [CircleSlash, "Interrupted", "tl-faint"],
  failed: [CircleX, "Failed", "tl-bad"]
} as const

const Running = ({ entry }: { readonly entry: TurnEntry }) => {
  const now = useNow(1_000)
  const { retry } = entry
  const untilRetry = retry?.nextAt == null ? null : Math.max(0, retry.nextAt - now)
  return (
    <div className="tl-running" role="status">
      {retry === null ? (
        <LoaderCircle className="tl-icon tl-busy spin" aria-hidden="true" />
      ) : (
        <RotateCcw className="tl-icon tl-warn" aria-hidden="true" />
      )}
      <span className="tl-thinking">{entry.status === "interrupting" ? "Stopping" : "Working"}</span>
      {/* Read out once, not each second. */}
      <span className="tl-faint" aria-hidden="true">
        {durationText(Math.max(1_000, now - entry.at))}
      </span>
      {retry !== null && (
        <span className="tl-retry">
          Attempt {retry.attempt + 1}
          {untilRetry === null || untilRetry === 0 ? " now" : ` in ${durationText(untilRetry)}`}: {retry.error.message}
        </span>
      )}
    </div>
  )
}

/** Files that a turn lists at first. */
const firstFiles = 8

const Files = ({ entry }: { readonly entry: TurnEntry }) => {
  const [showsAll, setShowsAll] = useState(false)
  const { beyond, changes } = entry.files
  const shown = showsAll ? changes : changes.slice(0, firstFiles)
  return (
    <ul className="tl-files">
      {shown.map((file) => (
        <li key={file.path}>
          <ChangedFile file={file} />
        </li>
      ))}
      {changes.length > shown.length && (
        <li>
          <button type="button" className="tl-output-more" onClick={() => setShowsAll(true)}>
            Show all {countText(changes.length, "file")}
          </button>
        </li>
      )}
      {beyond > 0 && <li className="tl-faint">and {countText(beyond, "change")} to further files</li>}
    </ul>
  )
}

/** A turn. A completed one is a line; its files unfold. */
export const Turn = ({ entry }: { readonly entry: TurnEntry }) => {
  const scope = useScope()
  const { isPending, problem, run } = useAction()
  const [showsFiles, setShowsFiles] = useKept(`turn:${entry.seq}`, false)
  const [asks, setAsks] = useState(false)
  if (entry.status === "running" || entry.status === "interrupting") {
    return scope.readOnly ? <div className="tl-running tl-faint">A turn ran here</div> : <Running entry={entry} />
  }
  const [Icon, word, tone] = outcomes[entry.status]
  const usage = usageText(entry.usage)
  const { changes } = entry.files
  const mayRevert = isAble(scope, "revert") && !scope.isBusy
  return (
    <div className="tl-turn">
      <div className="tl-turn-line">
        <Icon className={`tl-icon ${tone}`} aria-hidden="true" />
        <span title={dateText(entry.at)}>
          {word}
          {entry.duration !== null && ` after ${durationText(entry.duration)}`}
        </span>
        {usage !== "" && (
          <span className="tl-faint" title="Tokens in and out, and their price">
            {usage}
          </span>
        )}
        {changes.length > 0 && (
          <button
            type="button"
            className="tl-small"
            aria-expanded={showsFiles}
            onClick={() => setShowsFiles(!showsFiles)}
          >
            {countText(changes.length, "file")}
            <Counts
              additions={changes.reduce((sum, { additions }) => sum + (additions ?? 0), 0)}
              deletions={changes.reduce((sum, { deletions }) => sum + (deletions ?? 0), 0)}
            />
          </button>
        )}
        {mayRevert && !asks && (
          <button type="button" className="tl-small tl-quiet" onClick={() => setAsks(true)}>
            <Undo2 aria-hidden="true" /> Take back
          </button>
        )}
      </div>
      {asks && mayRevert && (
        <div className="tl-ask" role="group" aria-label="Take this turn back">
          <span>Take back this turn and all after it, with the files that they changed?</span>
          <button
            type="button"
            className="button danger"
            disabled={isPending}
            onClick={async () => {
              const turnId = entry.turnId as TurnId
              if (await run(() => scope.session.command({ type: "history.revert", data: { turnId } }))) setAsks(false)
            }}
          >
            Take back
          </button>
          <button type="button" className="button" onClick={() => setAsks(false)}>
            Keep
          </button>
        </div>
      )}
      {entry.reason !== null && entry.reason !== "" && <p className="tl-cut">{entry.reason}</p>}
      {entry.error !== undefined && <ErrorText error={entry.error} />}
      {showsFiles && <Files entry={entry} />}
      <Problem text={problem} />
    </div>
  )
}
