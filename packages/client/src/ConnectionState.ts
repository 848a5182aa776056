/** How the connection to the server is, as people should see it. */
import type { Identity } from "@holdfast/core"

/**
 * - `connecting`: for the first time, or after the app asked for it.
 * - `connected`
 * - `reconnecting`: it was lost or could not be made; the next attempt is at `retryAt`, or goes on now.
 * - `offline`: the same, and the browser says that there is no network.
 * - `refused`: the server does not let this client in. Nothing is tried until `reconnectNow`.
 * - `closed`: by `close`. Nothing can be done with the client any more.
 */
export type ConnectionPhase = "connecting" | "connected" | "reconnecting" | "offline" | "refused" | "closed"

/** A connection's state. */
export interface ConnectionState {
  readonly phase: ConnectionPhase
  /** Attempts since it was connected last: 0 while it is, 1 at the first. */
  readonly attempt: number
  /** When the next attempt begins, in milliseconds since 1970; null where none waits. */
  readonly retryAt: number | null
  /** Why it is not connected, for people; null where that is not known, or it is. */
  readonly problem: string | null
  /** Who the server says that the client speaks for; the last known while it is not connected. */
  readonly you: Identity | null
}
