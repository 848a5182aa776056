/** A session as people look at it: its state, its timeline and who is here, folded in the client from the log. */
import type { Present, SessionState, SessionSummary, Timeline } from "@holdfast/core"
import type { Live } from "./Live.ts"

/** How much a view begins with, and holds. */
export interface ViewOptions {
  /** Events of history that it begins with, 0 to 2,000; default 500. The server gives up to 200 KB of them. */
  readonly history?: number
}

/** What a view shows. Parts are the same objects as long as nothing in them changes. */
export interface ViewState {
  /**
   * - `opening`: what there is may be nothing yet, or what was known before the view had to be opened afresh.
   * - `live`: it is up to date, or as far as the connection brought it; see `client.connection`.
   * - `gone`: there is no such session for you (any more). What was known stays.
   */
  readonly phase: "opening" | "live" | "gone"
  /** The same state as the server's, at `state.seq`. */
  readonly state: SessionState | null
  readonly summary: SessionSummary | null
  /**
   * What happened since the oldest event that is loaded; `timelineEntries` of core gives its entries. Its usage is the whole
   * session's; `total` and `files` count from the oldest event that is loaded.
   */
  readonly timeline: Timeline
  /** Who has the session open now, this client included. Empty while it is not connected. */
  readonly present: ReadonlyArray<Present>
  /** There are older events that {@link SessionView.loadOlder} can load. */
  readonly hasOlder: boolean
  /** Why it is gone, or had to be opened afresh (events are lost or damaged), for people. */
  readonly problem: string | null
}

/** A view that stays live until it is closed, over reconnections too. */
export interface SessionView extends Live<ViewState> {
  /**
   * Loads up to 500 events from before those that are loaded, and folds the timeline anew. Does nothing where there are
   * none. Calls at the same time share one load. Rejects with {@link ClientError}.
   *
   * A view holds 20,000 events at most, without terminal output and without the pieces of items that ended.
   */
  readonly loadOlder: () => Promise<void>
  /** Idempotent. `current` stays as it was last. */
  readonly close: () => void
}
