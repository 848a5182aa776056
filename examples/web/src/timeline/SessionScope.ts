/** What every part of a timeline knows: the session, who looks at it, and what was unfolded or typed in it. */
import type { ClientSession, ViewState } from "@holdfast/client"
import type { Actor, Capabilities, Identity, Participant } from "@holdfast/core"
import { createContext, useCallback, useContext, useEffect, useMemo, useRef, useState } from "react"

/** The session that a timeline is of. */
export interface SessionScope {
  readonly session: ClientSession
  /** The directory that it works in: paths below it are shown without it. */
  readonly workspace: string | null
  readonly participants: { readonly [participantId: string]: Participant }
  /** What the backend can do; null before its first opening. */
  readonly capabilities: Capabilities | null
  readonly isOpen: boolean
  /** A turn runs. */
  readonly isBusy: boolean
  readonly you: Identity | null
  readonly readOnly: boolean
  /**
   * What parts keep while they are scrolled out of sight, and so not there: what is unfolded, half-given answers. As many
   * as people touch: bounded by the timeline's entries, and gone with it.
   */
  readonly kept: Map<string, unknown>
}

/** The scope. {@link TimelineView} provides it. */
export const SessionContext = createContext<SessionScope | null>(null)

const nobody = {}

/** Makes a scope: the same one as long as nothing in it changes, since all parts are drawn again with it. */
export const useNewScope = (
  session: ClientSession,
  { state, summary }: Pick<ViewState, "state" | "summary">,
  you: Identity | null,
  readOnly: boolean
): SessionScope => {
  const workspace = summary?.workspace ?? null
  const participants = state?.participants ?? nobody
  const capabilities = state?.capabilities ?? null
  const isOpen = state?.chart.lifecycle === "open"
  const isBusy = state !== null && state.turn !== null
  const kept = useMemo(() => new Map<string, unknown>(), [session.sessionId])
  return useMemo(
    () => ({ session, workspace, participants, capabilities, isOpen, isBusy, you, readOnly, kept }),
    [session, workspace, participants, capabilities, isOpen, isBusy, you, readOnly, kept]
  )
}

/** The scope that a part is in. */
export const useScope = (): SessionScope => {
  const scope = useContext(SessionContext)
  if (scope === null) throw new Error("a part of a timeline is used outside of it")
  return scope
}

/** `useState` that outlives being scrolled out of sight. */
export const useKept = <A>(key: string, initial: A): readonly [A, (value: A) => void] => {
  const { kept } = useScope()
  const [value, setValue] = useState<A>(() => (kept.has(key) ? (kept.get(key) as A) : initial))
  const keep = useCallback(
    (next: A) => {
      kept.set(key, next)
      setValue(next)
    },
    [kept, key]
  )
  // What was never touched follows its default: a tool that fails unfolds.
  return [kept.has(key) ? value : initial, keep]
}

/** A name for an author. `host` is the app itself, `runtime` Holdfast. */
export const nameOf = (scope: SessionScope, actor: Actor | null): string => {
  if (actor === null) return "Somebody"
  const participant = Object.hasOwn(scope.participants, actor) ? scope.participants[actor] : undefined
  if (participant !== undefined) return participant.name
  if (actor === scope.you?.participantId) return scope.you.name
  return actor === "host" ? "Host" : actor === "runtime" ? "Holdfast" : actor
}

/** Whether this page's person is meant. */
export const isYou = (scope: SessionScope, actor: Actor | null): boolean =>
  actor !== null && actor === scope.you?.participantId

/** Whether this page's person may prompt and answer. */
export const mayAct = ({ participants, readOnly, you }: SessionScope): boolean => {
  if (readOnly) return false
  if (you === null) return true
  return you.role !== "viewer" && participants[you.participantId]?.role !== "viewer"
}

/** Whether the backend can do something now. */
export const isAble = (scope: SessionScope, capability: keyof Capabilities): boolean =>
  mayAct(scope) && scope.isOpen && scope.capabilities?.[capability] === true

/** What a refused command says. */
export const problemText = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** A command that a button sends. */
export interface Action {
  readonly run: (command: () => Promise<unknown>) => Promise<boolean>
  readonly isPending: boolean
  /** Why the last one was refused. */
  readonly problem: string | null
  readonly forget: () => void
}

/** Sends commands one at a time, and tells what became of the last. */
export const useAction = (): Action => {
  const [isPending, setPending] = useState(false)
  const [problem, setProblem] = useState<string | null>(null)
  const isThere = useRef(true)
  const isRunning = useRef(false)
  useEffect(() => {
    isThere.current = true
    return () => {
      isThere.current = false
    }
  }, [])
  const run = useCallback(async (command: () => Promise<unknown>) => {
    if (isRunning.current) return false
    isRunning.current = true
    setPending(true)
    setProblem(null)
    try {
      await command()
      return true
    } catch (error) {
      if (isThere.current) setProblem(problemText(error))
      return false
    } finally {
      isRunning.current = false
      if (isThere.current) setPending(false)
    }
  }, [])
  return { run, isPending, problem, forget: useCallback(() => setProblem(null), []) }
}
