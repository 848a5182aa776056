/** A bridge's work over one connection, and how a bridge is over. */
import { Effect } from "effect"
import type { WebSocket } from "ws"
import type { Bridge } from "./Bridge.ts"
import { type BridgeConnection, type ConnectionEnd, workConnection } from "./BridgeConnection.ts"
import type { BridgeSettings } from "./BridgeSettings.ts"

/**
 * Why a bridge stops dialling or listening for good: the session is `gone`; it was `refused` for its version or a quota; it was
 * `alone` for its lifetime.
 */
export interface BridgeOver {
  readonly why: "gone" | "refused" | "alone"
  readonly detail: string
}

/** Works a connection until it ends. Only the one that was welcomed last is spoken over. */
export const serveConnection = (
  socket: WebSocket,
  { workspace }: Pick<BridgeSettings, "workspace">,
  bridge: Bridge,
  onWelcome: () => void = () => undefined
): Effect.Effect<ConnectionEnd> => {
  let welcomed: BridgeConnection | undefined
  const listener = {
    ...bridge,
    onWelcome: (mirrored: number, connection: BridgeConnection) => {
      welcomed = connection
      onWelcome()
      bridge.onWelcome(mirrored, connection)
    }
  }
  return workConnection(socket, listener, workspace).pipe(
    Effect.ensuring(
      Effect.sync(() => {
        if (welcomed !== undefined) bridge.onEnd(welcomed)
      })
    )
  )
}
