import { makeSessionId } from "@holdfast/core"
import { Effect, Fiber } from "effect"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, expect, it } from "vitest"
import { type WebSocket, WebSocketServer } from "ws"
import { makeBridgeLink } from "../src/BridgeLink.ts"
import { defaultBridgeQuotas } from "../src/BridgeQuota.ts"
import { dialBridge } from "../src/DialIn.ts"
import { hashToken, makeDialKey, makeSandboxToken } from "../src/SandboxTokens.ts"
import { hello } from "./support/scriptedSandboxes.ts"

const sessionId = makeSessionId()
const token = makeSandboxToken(sessionId, 1)
const key = makeDialKey("a secret of more than 32 characters", sessionId, hashToken(token))
const ends: Array<() => unknown> = []
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

/** A bridge that listens, and shows a token to who dials it. */
const listen = async (shown: string, onConnection: (socket: WebSocket, authorization: string | undefined) => void) => {
  const server = createServer()
  const sockets = new WebSocketServer({ server })
  sockets.on("headers", (headers) => headers.push(`holdfast-sandbox-token: ${shown}`))
  sockets.on("connection", (socket, request) => onConnection(socket, request.headers.authorization))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  ends.push(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const dial = (endpoint: string) => {
  const nothing = () => {}
  const link = makeBridgeLink({
    sessionId,
    generation: 1,
    mirrored: 0,
    heartbeatMs: 1_000,
    quotas: defaultBridgeQuotas,
    now: Date.now,
    listener: {
      onHello: nothing,
      onDisconnected: nothing,
      onHeard: nothing,
      onEvents: nothing,
      onGap: nothing,
      onSyncing: nothing,
      onHeld: nothing,
      onCredentials: nothing,
      onSkew: nothing,
      onBanned: nothing
    }
  })
  const fiber = Effect.runFork(dialBridge({ endpoint, key, tokenHash: hashToken(token), link }))
  ends.push(() => Effect.runPromise(Fiber.interrupt(fiber)))
  return link
}

const welcomed = (socket: WebSocket) =>
  new Promise<unknown>((resolve) => {
    socket.once("message", (data) => resolve(JSON.parse((data as Buffer).toString("utf8"))))
    socket.send(JSON.stringify(hello(sessionId)))
  })

it("A bridge that listens is dialled with the key, and again when the connection breaks", async () => {
  const { promise, resolve } = Promise.withResolvers<unknown>()
  let connections = 0
  const endpoint = await listen(token, async (socket, authorization) => {
    expect(authorization).toBe(`Bearer ${key}`)
    const welcome = await welcomed(socket)
    if (++connections === 1) socket.terminate()
    else resolve(welcome)
  })
  const link = dial(endpoint)
  expect(await promise).toMatchObject({ type: "welcome", mirrored: 0 })
  expect(link.isConnected()).toBe(true)
})

it("A bridge that shows another token than its sandbox was given is not spoken to", async () => {
  const { promise, resolve } = Promise.withResolvers<number>()
  const endpoint = await listen(makeSandboxToken(sessionId, 1), (socket) => socket.once("close", resolve))
  const link = dial(endpoint)
  expect(await promise).toBe(4400)
  expect(link.isConnected()).toBe(false)
})
