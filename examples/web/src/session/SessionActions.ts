/** What keys can do with the session that is shown. */

export type SessionAction = "stop" | "face" | "history" | "composer"

export interface SessionActions {
  /** Whether it did something. */
  readonly act: (action: SessionAction) => boolean
}
