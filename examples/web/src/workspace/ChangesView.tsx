/** The repository that a session works in: what changed, and the way from there to a pull request. */
import { timelineEntries } from "@holdfast/core"
import { GitBranch, GitPullRequest, RotateCw } from "lucide-react"
import { useState } from "react"
import { mayDo } from "../session/mayDo.ts"
import { titleOf } from "../session/names.ts"
import { ArtifactCard } from "../timeline/ArtifactCard.tsx"
import type { SessionProps } from "../timeline/props.ts"
import { Problem } from "../timeline/Request.tsx"
import { SessionContext, useNewScope } from "../timeline/SessionScope.ts"
import { ChangedFiles } from "./ChangedFiles.tsx"
import { CommitForm } from "./CommitForm.tsx"
import { PullRequestDialog } from "./PullRequestDialog.tsx"
import { PushButton } from "./PushButton.tsx"
import { useWorkspace } from "./useWorkspace.ts"
import "./workspace.css"

export const ChangesView = ({ session, view, you }: SessionProps) => {
  const { state, summary, timeline } = view
  const scope = useNewScope(session, view, you, false)
  const committed = timelineEntries(timeline).findLast(({ type }) => type === "workspace")?.seq ?? 0
  const { isAsking, problem, refresh, repository } = useWorkspace(session, state, committed)
  const [asksPullRequest, setAsksPullRequest] = useState(false)
  const isOpen = state?.chart.lifecycle === "open"
  const mayWrite = isOpen && mayDo(you, state, "prompt.send")
  const pullRequests = Object.entries(state?.artifacts ?? {}).filter(([, { kind }]) => kind === "pull_request")
  const isRequested = pullRequests.some(([, { state }]) => state === "open" || state === "draft")

  if (!isOpen && repository === null) {
    return (
      <div className="pane-empty" role="status">
        What changed can be seen while the session is open.
      </div>
    )
  }
  return (
    <SessionContext value={scope}>
      <section className="workspace" aria-label="Changes">
        <header className="workspace-head">
          {repository === null ? null : (
            <span className="workspace-branch">
              <GitBranch aria-hidden="true" />
              <code>{repository.branches.current}</code>
              {repository.branches.base === null ? null : (
                <span className="hint">
                  from <code>{repository.branches.base}</code>
                </span>
              )}
            </span>
          )}
          <span className="workspace-buttons">
            {mayWrite && repository !== null ? (
              <>
                <PushButton session={session} branch={repository.branches.current} onDone={refresh} />
                <button className="button" type="button" onClick={() => setAsksPullRequest(true)}>
                  <GitPullRequest aria-hidden="true" />
                  {isRequested ? "Update pull request" : "Open pull request"}
                </button>
              </>
            ) : null}
            <button
              className="button icon"
              type="button"
              aria-label="Look again"
              title="Look again"
              disabled={!isOpen || isAsking}
              onClick={refresh}
            >
              <RotateCw className={isAsking ? "spin" : undefined} aria-hidden="true" />
            </button>
          </span>
        </header>
        <Problem text={problem} />
        {pullRequests.map(([id, artifact]) => (
          <ArtifactCard key={id} artifact={artifact} />
        ))}
        {repository === null ? (
          problem === null ? (
            <p className="hint" role="status">
              Looking at the repository…
            </p>
          ) : null
        ) : repository.changes.changes.length === 0 ? (
          <p className="hint" role="status">
            Nothing differs from {repository.branches.base ?? "where it began"}.
          </p>
        ) : (
          <>
            {mayWrite ? <CommitForm session={session} onDone={refresh} /> : null}
            <ChangedFiles session={session} changes={repository.changes} />
          </>
        )}
        {asksPullRequest ? (
          <PullRequestDialog
            session={session}
            title={summary === null ? "" : titleOf(summary)}
            isUpdate={isRequested}
            onDone={refresh}
            onClose={() => setAsksPullRequest(false)}
          />
        ) : null}
      </section>
    </SessionContext>
  )
}
