/** What changed in a session's repository, asked anew whenever it may have changed again. */
import type { ClientSession } from "@holdfast/client"
import type { SessionState, WorkspaceAction, WorkspaceResult } from "@holdfast/core"
import { useCallback, useEffect, useState } from "react"
import { problemText } from "../timeline/SessionScope.ts"

/** The result of one action. */
export type ResultOf<D extends WorkspaceAction["do"]> = Extract<WorkspaceResult, { readonly done: D }>

/** Does something with the repository; what comes back is of what was asked. */
export const actOn = async <A extends WorkspaceAction>(
  session: ClientSession,
  action: A
): Promise<ResultOf<A["do"]>> => {
  const result = await session.workspace(action)
  if (result.done !== action.do) throw new Error(`the session answered ${result.done} to ${action.do}`)
  return result as ResultOf<A["do"]>
}

/** What is known of the repository. */
export interface RepositoryView {
  readonly branches: ResultOf<"branches">
  readonly changes: ResultOf<"changes">
}

/** The repository as it was asked last. */
export interface UsedWorkspace {
  /** Null before the first answer. */
  readonly repository: RepositoryView | null
  readonly problem: string | null
  readonly isAsking: boolean
  readonly refresh: () => void
}

/** Asks when it is first shown, after each turn, and when somebody wants it. Not while the session cannot answer. */
export const useWorkspace = (session: ClientSession, state: SessionState | null, committed: number): UsedWorkspace => {
  const [repository, setRepository] = useState<RepositoryView | null>(null)
  const [problem, setProblem] = useState<string | null>(null)
  const [isAsking, setAsking] = useState(false)
  const [asked, setAsked] = useState(0)
  const isOpen = state?.chart.lifecycle === "open"
  const turn = state?.turn?.turnId ?? null
  useEffect(() => {
    if (!isOpen) return
    let isShown = true
    const ask = async () => {
      setAsking(true)
      try {
        const [branches, changes] = await Promise.all([
          actOn(session, { do: "branches" }),
          actOn(session, { do: "changes" })
        ])
        if (!isShown) return
        setRepository({ branches, changes })
        setProblem(null)
      } catch (error) {
        if (isShown) setProblem(problemText(error))
      } finally {
        if (isShown) setAsking(false)
      }
    }
    void ask()
    return () => {
      isShown = false
    }
  }, [session, isOpen, turn, committed, asked])
  return { repository, problem, isAsking, refresh: useCallback(() => setAsked((times) => times + 1), []) }
}
