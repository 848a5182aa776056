/** The way to a control plane by dialling out: again and again, with growing and random pauses, until told to stop. */
import { BridgeCloseCode, bridgePath, bridgeSubprotocol, endsBridge } from "@holdfast/core/cloud"
import { Clock, Effect, Random } from "effect"
import { connect } from "node:net"
import { WebSocket } from "ws"
import type { Bridge } from "./Bridge.ts"
import { type ConnectionEnd, socketOptions } from "./BridgeConnection.ts"
import type { BridgeSettings } from "./BridgeSettings.ts"
import { type BridgeOver, serveConnection } from "./serveConnection.ts"

/** Milliseconds from the first byte of a dial to the end of the upgrade. */
const handshakeMs = 10_000

/** The pause before a dial is random between 0 and a bound that doubles from 250 ms to 30 s, and starts anew after a welcome. */
const shortestPauseMs = 250
const longestPauseMs = 30_000

/** Somebody else has this bridge's place: both would throw each other out at once. At least half of the longest pause. */
const replacedPauseMs = longestPauseMs / 2

type Dialled =
  { readonly socket: WebSocket } | { readonly status: number; readonly reason: string } | { readonly error: string }

type Dial = Extract<BridgeSettings["way"], { readonly dial: unknown }>["dial"]

const dialOnce = (to: Dial, token: string): Effect.Effect<Dialled> =>
  Effect.callback<Dialled>((resume) => {
    const options = {
      ...socketOptions,
      handshakeTimeout: handshakeMs,
      headers: { authorization: `Bearer ${token}` },
      ...(to.kind === "unix" ? { createConnection: () => connect(to.path) } : {})
    }
    const base = to.kind === "unix" ? "ws://localhost" : to.url.replace(/^http/, "ws")
    const socket = new WebSocket(base + bridgePath, [bridgeSubprotocol], options)
    socket.once("open", () => {
      socket.removeAllListeners()
      resume(Effect.succeed({ socket }))
    })
    socket.once("unexpected-response", (_request, response) => {
      const { statusCode = 0, statusMessage = "" } = response
      resume(Effect.succeed({ status: statusCode, reason: statusMessage }))
      response.destroy()
    })
    socket.on("error", (error) => resume(Effect.succeed({ error: error.message })))
    return Effect.sync(() => {
      socket.removeAllListeners()
      socket.on("error", () => undefined)
      socket.terminate()
    })
  })

/** Dials until the bridge is over. */
export const dialOut = Effect.fnUntraced(function* (
  to: Dial,
  settings: BridgeSettings,
  bridge: Bridge
): Effect.fn.Return<BridgeOver> {
  let failures = 0
  let lastWelcome = yield* Clock.currentTimeMillis
  for (;;) {
    const dialled = yield* dialOnce(to, settings.token)
    let atLeast = 0
    if ("socket" in dialled) {
      const end: ConnectionEnd = yield* serveConnection(dialled.socket, settings, bridge)
      if (endsBridge(end.code))
        return { why: end.code === BridgeCloseCode.gone ? "gone" : "refused", detail: said(end) }
      if (end.wasWelcome) {
        failures = 0
        lastWelcome = yield* Clock.currentTimeMillis
      }
      if (end.code === BridgeCloseCode.replaced && !end.isOurs) atLeast = replacedPauseMs
      yield* Effect.logInfo(`the connection ended (${said(end)})`)
    } else if ("status" in dialled) {
      if (dialled.status === 410) return { why: "gone", detail: "HTTP 410" }
      yield* Effect.logInfo(`the control plane does not let the bridge in: HTTP ${dialled.status} ${dialled.reason}`)
    } else {
      yield* Effect.logInfo(`the control plane cannot be reached: ${dialled.error}`)
    }
    const left = lastWelcome + settings.lifetimeMs - (yield* Clock.currentTimeMillis)
    if (left <= 0) return { why: "alone", detail: `no control plane for ${settings.lifetimeMs} ms` }
    const bound = Math.min(longestPauseMs, shortestPauseMs * 2 ** failures)
    failures = Math.min(failures + 1, 16)
    yield* Effect.sleep(Math.min(left, Math.max(atLeast, bound * (yield* Random.next))))
  }
})

const said = ({ code, reason }: ConnectionEnd) => (reason === "" ? `${code}` : `${code} ${reason}`)
