/** The files that differ from the base branch, each with its diff where somebody unfolds it. */
import type { ClientSession } from "@holdfast/client"
import type { FileDiff, WorkspaceChange } from "@holdfast/core"
import { LoaderCircle } from "lucide-react"
import { useEffect, useState } from "react"
import { ChangedFile, Diff } from "../timeline/Diff.tsx"
import { Fold } from "../timeline/Fold.tsx"
import { Problem } from "../timeline/Request.tsx"
import { problemText, useKept } from "../timeline/SessionScope.ts"
import { actOn, type ResultOf } from "./useWorkspace.ts"

/** Files that are listed; the rest is counted. */
const maxListed = 500

const changeOf: { readonly [C in WorkspaceChange["change"]]: FileDiff["change"] } = {
  added: "created",
  untracked: "created",
  modified: "modified",
  deleted: "deleted",
  renamed: "moved"
}

const fileOf = ({ added, change, from, path, removed }: WorkspaceChange): FileDiff => ({
  path,
  change: changeOf[change],
  ...(from === undefined ? {} : { from }),
  ...(added === undefined ? {} : { additions: added }),
  ...(removed === undefined ? {} : { deletions: removed })
})

/** Fetched anew with each list of changes: the file may be another one since. */
const FileChanges = ({ file, of, session }: FileChangesProps) => {
  const [diff, setDiff] = useState<ResultOf<"diff"> | null>(null)
  const [problem, setProblem] = useState<string | null>(null)
  useEffect(() => {
    let isShown = true
    const ask = async () => {
      try {
        const answer = await actOn(session, { do: "diff", path: file.path })
        if (!isShown) return
        setDiff(answer)
        setProblem(null)
      } catch (error) {
        if (isShown) setProblem(problemText(error))
      }
    }
    void ask()
    return () => {
      isShown = false
    }
  }, [file.path, of, session])
  if (problem !== null) return <Problem text={problem} />
  if (diff === null) {
    return (
      <p className="hint">
        <LoaderCircle className="tl-icon spin" aria-hidden="true" /> Reading the changes…
      </p>
    )
  }
  return (
    <>
      {diff.diff === "" ? <p className="hint">Nothing of it can be shown as text.</p> : null}
      <Diff file={{ ...file, diff: diff.diff }} keep={`workspace-diff:${file.path}`} named={false} />
      {diff.truncated ? <p className="hint">It is longer than what is shown.</p> : null}
    </>
  )
}

interface FileChangesProps {
  readonly session: ClientSession
  readonly file: FileDiff
  /** The answer that the file was found in. */
  readonly of: object
}

const FileRow = ({ file, of, session }: FileChangesProps) => {
  const [isOpen, setOpen] = useKept(`workspace:${file.path}`, false)
  return (
    <li className="tl-tool">
      <Fold isOpen={isOpen} onToggle={setOpen} line={<ChangedFile file={file} />}>
        <FileChanges file={file} of={of} session={session} />
      </Fold>
    </li>
  )
}

export interface ChangedFilesProps {
  readonly session: ClientSession
  readonly changes: ResultOf<"changes">
}

export const ChangedFiles = ({ changes, session }: ChangedFilesProps) => {
  const rest = changes.changes.length - maxListed
  return (
    <ul className="workspace-files" aria-label="Changed files">
      {changes.changes.slice(0, maxListed).map((change) => (
        <FileRow key={change.path} file={fileOf(change)} of={changes} session={session} />
      ))}
      {rest > 0 || changes.truncated ? (
        <li className="hint">
          and {rest > 0 ? `${rest.toLocaleString("en")}${changes.truncated ? " or " : " "}` : ""}more
        </li>
      ) : null}
    </ul>
  )
}
