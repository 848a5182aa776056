/** A session in React: made to be copied into your own app, together with `useLive.ts`. */
import type { ClientSession, HoldfastClient, ViewState } from "@holdfast/client"
import { useCallback, useMemo } from "react"
import { useLive, useOpened } from "./useLive.ts"

/** A session as it is now, and what can be done with it. */
export interface UsedSession {
  readonly session: ClientSession
  /** State, summary, timeline and who is here; null for the moment before the first of it. */
  readonly view: ViewState | null
  /** Fetches what happened before the oldest entry of the timeline. */
  readonly loadOlder: () => Promise<void>
}

/** Follows a session as long as the component is there, over reconnects and without a gap. */
export const useSession = (client: HoldfastClient, id: string): UsedSession => {
  const session = useMemo(() => client.session(id), [client, id])
  const view = useOpened(useCallback(() => session.view(), [session]))
  const loadOlder = useCallback(async () => view?.loadOlder(), [view])
  return { session, view: useLive(view), loadOlder }
}
