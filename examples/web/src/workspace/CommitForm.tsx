/** Commits what changed. */
import type { ClientSession } from "@holdfast/client"
import { GitCommitHorizontal } from "lucide-react"
import { type FormEvent, useState } from "react"
import { Problem } from "../timeline/Request.tsx"
import { useAction } from "../timeline/SessionScope.ts"
import { actOn } from "./useWorkspace.ts"

export interface CommitFormProps {
  readonly session: ClientSession
  readonly onDone: () => void
}

export const CommitForm = ({ onDone, session }: CommitFormProps) => {
  const [message, setMessage] = useState("")
  const [said, setSaid] = useState<string | null>(null)
  const { isPending, problem, run } = useAction()
  const text = message.trim()
  const commit = async (event: FormEvent) => {
    event.preventDefault()
    if (text === "") return
    setSaid(null)
    const isDone = await run(async () => {
      const { sha } = await actOn(session, { do: "commit", message: text })
      setSaid(sha === null ? "Everything is committed already." : `Committed as ${sha.slice(0, 10)}`)
      if (sha !== null) setMessage("")
    })
    if (isDone) onDone()
  }
  return (
    <form className="workspace-commit" onSubmit={(event) => void commit(event)}>
      <input
        className="input"
        aria-label="Commit message"
        placeholder="What changed, in a line"
        maxLength={1_000}
        value={message}
        onChange={({ target }) => setMessage(target.value)}
      />
      <button className="button" type="submit" disabled={isPending || text === ""}>
        <GitCommitHorizontal aria-hidden="true" />
        {isPending ? "Committing…" : "Commit"}
      </button>
      {said === null ? null : (
        <p className="hint" role="status">
          {said}
        </p>
      )}
      <Problem text={problem} />
    </form>
  )
}
