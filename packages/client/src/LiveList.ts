/** The list of sessions, as it is now. */
import type { SessionSummary } from "@holdfast/core"
import type { Live } from "./Live.ts"

/** Sessions that match a query. */
export interface ListedSessions {
  /** Newest first. The same objects as long as nothing in them changes. */
  readonly sessions: ReadonlyArray<SessionSummary>
  /** The list is whole. It is not while it is being read, at first and after a reconnection. */
  readonly caughtUp: boolean
  /** Why there is no list, for people: the server refused it. */
  readonly problem: string | null
}

/** A list that stays live until it is closed, over reconnections too. */
export interface LiveList extends Live<ListedSessions> {
  /** Idempotent. `current` stays as it was last. */
  readonly close: () => void
}
