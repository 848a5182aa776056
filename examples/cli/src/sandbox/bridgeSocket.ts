/** The unix socket on which the bridges of this machine's sandboxes reach their host. */
import type { BridgeGateway } from "@holdfast/core/cloud"
import { type PlainBridgeServer, serveBridges } from "@holdfast/server"
import { chmodSync, mkdirSync } from "node:fs"
import { dirname } from "node:path"

/**
 * Listens. The socket has its directory to itself, since sandboxes are shown that; the one above it has to be closed to others: a
 * container's user is another one, and so the socket itself is open to everybody.
 */
export const serveBridgeSocket = async (gateway: BridgeGateway, socket: string): Promise<PlainBridgeServer> => {
  mkdirSync(dirname(socket), { recursive: true })
  chmodSync(dirname(socket), 0o755)
  const bridges = await serveBridges({ gateway, socket })
  chmodSync(socket, 0o666)
  return bridges
}
