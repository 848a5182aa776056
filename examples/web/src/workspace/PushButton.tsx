/** Pushes the session's branch; where the remote has gone on, by force if somebody wants it. */
import type { ClientSession } from "@holdfast/client"
import { Upload } from "lucide-react"
import { useState } from "react"
import { ConfirmDialog } from "../dialogs/ConfirmDialog.tsx"
import { useAction } from "../timeline/SessionScope.ts"
import { Problem } from "../timeline/Request.tsx"
import { actOn } from "./useWorkspace.ts"

export interface PushButtonProps {
  readonly session: ClientSession
  readonly branch: string
  readonly onDone: () => void
}

export const PushButton = ({ branch, onDone, session }: PushButtonProps) => {
  const { forget, isPending, problem, run } = useAction()
  const [asksForce, setAsksForce] = useState(false)
  const [pushed, setPushed] = useState<string | null>(null)
  const push = async (force: boolean) => {
    setPushed(null)
    const isDone = await run(async () => {
      const { sha } = await actOn(session, { do: "push", ...(force ? { force } : {}) })
      setPushed(sha)
    })
    if (isDone) onDone()
  }
  return (
    <>
      <button className="button" type="button" disabled={isPending} onClick={() => void push(false)}>
        <Upload aria-hidden="true" />
        {isPending ? "Pushing…" : "Push"}
      </button>
      {pushed === null ? null : (
        <span className="hint" role="status">
          Pushed at <code>{pushed.slice(0, 10)}</code>
        </span>
      )}
      {problem === null ? null : (
        <div className="workspace-problem">
          <Problem text={problem} />
          <button className="button danger" type="button" onClick={() => setAsksForce(true)}>
            Push all the same
          </button>
          <button className="button quiet" type="button" onClick={forget}>
            Leave it
          </button>
        </div>
      )}
      {asksForce ? (
        <ConfirmDialog
          title="Overwrite the branch?"
          detail={`What is at “${branch}” on the remote and not here is replaced by what is here.`}
          action="Overwrite it"
          onConfirm={() => void push(true)}
          onClose={() => setAsksForce(false)}
        />
      ) : null}
    </>
  )
}
