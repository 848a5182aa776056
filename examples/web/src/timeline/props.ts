/** What the shell gives to the timeline and the composer. */
import type { ClientSession, SessionView } from "@holdfast/client"
import type { Identity } from "@holdfast/core"

/** A session as it is now: what `view.current` has. */
export type ViewValue = SessionView["current"]

/** A session, and who looks at it. */
export interface SessionProps {
  readonly view: ViewValue
  readonly session: ClientSession
  /** Whose page this is, as `client.connection` says; null before that is known. */
  readonly you: Identity | null
}

/** `<TimelineView>`. Fills its parent, which gives it a height, and scrolls by itself. */
export interface TimelineViewProps extends SessionProps {
  /** Fetches what happened before the oldest entry: the view's `loadOlder`. Without it there is no more to fetch. */
  readonly loadOlder?: () => Promise<void>
  /** Shows a moment of the past: nothing can be answered, edited or taken back, and nothing is announced. */
  readonly readOnly?: boolean
}

/** `<Composer>`: below the timeline. Not shown for moments of the past. */
export interface ComposerProps extends SessionProps {
  /** Whether commands reach the server now; else the composer says why not. Drafts are kept meanwhile. */
  readonly connected: boolean
}
