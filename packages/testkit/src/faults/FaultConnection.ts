/** One connection through a fault proxy: two sockets, a lane in each direction, and what becomes of them at an end. */
import type { Socket } from "node:net"
import { type FaultLane, makeFaultLane } from "./FaultLane.ts"
import type { FaultReorder } from "./FaultReorder.ts"
import type { ConnectionFaults, FaultEnding } from "./FaultSchedule.ts"

/** `up`: from the client to the target. */
export type FaultDirection = "up" | "down"

/** What is between the two sockets. */
export interface FaultConnection {
  readonly lanes: { readonly up: FaultLane; readonly down: FaultLane }
  /** Each direction that is named gets these faults for its old ones; the other stays as it is. */
  readonly setFaults: (faults: ConnectionFaults) => void
  /** Ends it now. */
  readonly cut: (how: "fin" | "rst") => void
  readonly destroy: () => void
}

/** What a connection is made of. Both sockets are open, and allow one direction to end before the other. */
export interface ConnectionEnds {
  readonly client: Socket
  readonly target: Socket
  readonly reorder: FaultReorder | undefined
  readonly onEnding: (direction: FaultDirection, how: FaultEnding, passed: number) => void
  readonly onPassed: () => void
  readonly onClose: () => void
}

/** Joins the two. */
export const joinSockets = (ends: ConnectionEnds, faults: ConnectionFaults): FaultConnection => {
  const { client, onClose, onEnding, onPassed, reorder, target } = ends
  let open = 2

  const cut = (how: "fin" | "rst") => {
    lanes.up.close()
    lanes.down.close()
    for (const socket of [client, target]) {
      if (how === "rst") socket.resetAndDestroy()
      else {
        // What still comes is taken and dropped: with bytes that nobody has read, the system would send a reset.
        socket.resume()
        socket.end()
      }
    }
  }

  const ending = (direction: FaultDirection) => (how: FaultEnding, passed: number) => {
    onEnding(direction, how, passed)
    if (how === "fin" || how === "rst") cut(how)
  }

  const lanes = {
    up: makeFaultLane({ from: client, to: target, reorder, onPassed, onEnding: ending("up") }),
    down: makeFaultLane({ from: target, to: client, reorder, onPassed, onEnding: ending("down") })
  }

  const watch = (socket: Socket, other: Socket, outgoing: FaultDirection, incoming: FaultDirection) => {
    // The close that follows says all of it.
    socket.on("error", () => undefined)
    socket.once("close", (hadError) => {
      lanes[incoming].close()
      open -= 1
      if (open === 0) onClose()
      else if (lanes[outgoing].isSilent()) {
        // The other side talks on into nothing until it ends by itself.
        other.resume()
        if (other.readableEnded) other.destroy()
        else other.once("end", () => other.destroy())
      } else if (hadError) {
        lanes[outgoing].close()
        other.resetAndDestroy()
      }
    })
  }
  watch(client, target, "up", "down")
  watch(target, client, "down", "up")

  const setFaults = ({ down, up }: ConnectionFaults) => {
    if (up !== undefined) lanes.up.setFaults(up)
    if (down !== undefined) lanes.down.setFaults(down)
  }
  setFaults(faults)

  return {
    lanes,
    setFaults,
    cut,
    destroy: () => {
      lanes.up.close()
      lanes.down.close()
      client.destroy()
      target.destroy()
    }
  }
}
