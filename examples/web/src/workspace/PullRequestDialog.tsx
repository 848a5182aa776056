/** Opens a pull request for the session's branch, or changes the one that it has. */
import type { ClientSession } from "@holdfast/client"
import { LoaderCircle } from "lucide-react"
import { type FormEvent, useState } from "react"
import { Dialog } from "../dialogs/Dialog.tsx"
import { Field, Problem } from "../dialogs/Field.tsx"
import { useAction } from "../timeline/SessionScope.ts"
import { actOn } from "./useWorkspace.ts"

export interface PullRequestDialogProps {
  readonly session: ClientSession
  /** The title to begin with. */
  readonly title: string
  readonly isUpdate: boolean
  readonly onDone: () => void
  readonly onClose: () => void
}

export const PullRequestDialog = ({ isUpdate, onClose, onDone, session, ...given }: PullRequestDialogProps) => {
  const [title, setTitle] = useState(given.title)
  const [body, setBody] = useState("")
  const [draft, setDraft] = useState(false)
  const { isPending, problem, run } = useAction()
  const submit = async (event: FormEvent) => {
    event.preventDefault()
    const isDone = await run(() =>
      actOn(session, {
        do: "pullRequest",
        title: title.trim(),
        ...(body.trim() === "" ? {} : { body }),
        ...(draft ? { draft } : {})
      })
    )
    if (!isDone) return
    onDone()
    onClose()
  }
  return (
    <Dialog title={isUpdate ? "Update the pull request" : "Open a pull request"} onClose={onClose} wide>
      <form onSubmit={(event) => void submit(event)}>
        <div className="dialog-body">
          <Field label="Title" hint="What it changes, in a line" problem={null}>
            {(aria) => (
              <input
                {...aria}
                className="input"
                maxLength={1_000}
                value={title}
                onChange={({ target }) => setTitle(target.value)}
              />
            )}
          </Field>
          <Field label="Description" hint="Markdown; why, and how it was tried" problem={null}>
            {(aria) => (
              <textarea
                {...aria}
                className="input"
                rows={6}
                maxLength={65_536}
                value={body}
                onChange={({ target }) => setBody(target.value)}
              />
            )}
          </Field>
          <label className="check">
            <input type="checkbox" checked={draft} onChange={({ target }) => setDraft(target.checked)} />
            <span>
              A draft
              <span className="hint">Nobody is asked to look at it yet.</span>
            </span>
          </label>
          <p className="hint">The branch is pushed first. What is not committed stays here.</p>
          <Problem words={problem} />
        </div>
        <footer className="dialog-foot">
          <button className="button" type="button" onClick={onClose}>
            Cancel
          </button>
          <button className="button primary" type="submit" disabled={isPending || title.trim() === ""}>
            {isPending ? <LoaderCircle className="spin" aria-hidden="true" /> : null}
            {isUpdate ? "Update it" : "Open it"}
          </button>
        </footer>
      </form>
    </Dialog>
  )
}
