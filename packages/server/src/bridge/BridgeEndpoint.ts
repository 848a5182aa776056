/**
 * Where bridges come in: `Authorization: Bearer <sandbox token>` is looked at before the upgrade, and the connection handed to
 * the gateway after it. `docs/bridge.md` says what is spoken on it.
 */
import { type Problem, problem } from "@holdfast/core"
import {
  type BridgeAdmission,
  bridgeBounds,
  BridgeCloseCode,
  type BridgeGateway,
  bridgePath,
  BridgeRefused,
  bridgeSubprotocol
} from "@holdfast/core/cloud"
import { Cause, Effect, Exit, FiberSet, type Scope } from "effect"
import type { IncomingMessage } from "node:http"
import type { Duplex } from "node:stream"
import { WebSocketServer } from "ws"
import { readBearer } from "../auth/AuthMiddleware.ts"
import type { FailureLimit } from "../auth/FailureLimit.ts"
import { refuseUpgrade } from "../http/refuseUpgrade.ts"
import { BridgeConnection } from "./BridgeConnection.ts"

/** How long the gateway may take to say whether a token is good, in milliseconds. */
const admitMs = 5_000

/** Longest token: one has some 130 characters. */
const maxTokenLength = 512

/** After how long a bridge that cannot be taken now is told to dial again, in milliseconds. */
const retryMs = 2_000

/** Bounds of the endpoint. */
export interface BridgeLimits {
  /** Connections of bridges; past it new ones are told to dial again (503). Default 1,000. */
  readonly maxConnections?: number
  /** Connections whose token is being looked at; past it the same. Default 100. */
  readonly maxAdmitting?: number
}

/** What the endpoint is made of. */
export interface BridgeEndpointParts {
  readonly gateway: BridgeGateway
  /** Who guesses tokens is told to wait. */
  readonly failures: FailureLimit
  readonly limits?: BridgeLimits
}

/** The endpoint. */
export interface BridgeEndpoint {
  /** Takes over the socket of a request to upgrade, and answers it whatever it is. */
  readonly handleUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
  /** Accepts nothing any more, tells bridges to dial again (1001), and completes when all connections are closed. */
  readonly drain: (reason: string) => Effect.Effect<void>
  /** Connections that are open. */
  readonly connections: () => number
}

/** Whether a request to upgrade is for the endpoint. */
export const isBridgePath = (url: string | undefined): boolean => (url ?? "/").split("?", 1)[0] === bridgePath

/** A version of the bridge protocol, this one or another. */
const isOurs = (offered: string): boolean => /^holdfast\.bridge\.v\d+$/.test(offered)

const offered = (request: IncomingMessage): ReadonlyArray<string> =>
  (request.headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim())

const later = (detail: string): Problem => problem("unavailable", detail, { retryAfterMs: retryMs })

const fault = problem("internal", "something went wrong in the control plane; its log says what")

/** What a bridge is told that is not let in. */
const refusal = ({ detail, why }: BridgeRefused): Problem => {
  switch (why) {
    case "unknown":
      return problem("unauthenticated", detail)
    case "gone":
      return { ...problem("not_found", detail), status: 410 }
    case "not_ready":
      return later(detail)
  }
}

/** What is wrong with a request before its token is looked at. */
const checkRequest = (request: IncomingMessage): Problem | undefined => {
  // The name by which a sandbox calls its host may be any, and is not checked: no page can send this header with a token.
  if (request.headers.origin !== undefined) {
    return problem("forbidden", "this is for the bridges of sandboxes, and for no page", { field: "origin" })
  }
  const protocols = offered(request)
  if (protocols.includes(bridgeSubprotocol)) return undefined
  const wanted = `offer the subprotocol ${bridgeSubprotocol}`
  return protocols.some(isOurs)
    ? { ...problem("invalid", `${wanted}: other versions are not spoken here`), status: 426 }
    : problem("invalid", wanted, { field: "sec-websocket-protocol" })
}

const ignoreError = (): void => undefined

/** Makes the endpoint in a scope. Closing the scope cuts every connection. */
export const makeBridgeEndpoint = (parts: BridgeEndpointParts): Effect.Effect<BridgeEndpoint, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { failures, gateway } = parts
    const { maxAdmitting = 100, maxConnections = 1_000 } = parts.limits ?? {}
    const run = yield* FiberSet.makeRuntime<never, BridgeAdmission, Problem>()
    const log = yield* FiberSet.makeRuntime<never>()
    const connections = new Set<BridgeConnection>()
    let admitting = 0
    let draining: string | undefined
    let emptied: (() => void) | undefined

    const server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: bridgeBounds.frameBytes,
      // Bounded by the connection.
      autoPong: false,
      handleProtocols: () => bridgeSubprotocol
    })

    const busy = (): Problem | undefined => {
      if (draining !== undefined) return later(draining)
      if (connections.size >= maxConnections)
        return later(`${maxConnections} bridges are connected, which is the limit`)
      return undefined
    }

    /** A failure, unless its address has had too many. */
    const refused = (error: BridgeRefused, address: string): Effect.Effect<never, Problem> =>
      error.why === "not_ready"
        ? Effect.fail(refusal(error))
        : Effect.flatMap(failures.count("token", address), (retryAfterMs) =>
            Effect.fail(
              // Whoever is told to stop must hear it, however often it asked before.
              retryAfterMs === undefined || error.why === "gone"
                ? refusal(error)
                : problem("busy", "too many failures: wait before you try again", { retryAfterMs })
            )
          )

    const admit = (token: string | undefined, address: string): Effect.Effect<BridgeAdmission, Problem> =>
      token === undefined || token.length > maxTokenLength
        ? refused(new BridgeRefused({ why: "unknown", detail: "send the sandbox's token in Authorization" }), address)
        : gateway.admit(token).pipe(
            Effect.catch((error) => refused(error, address)),
            Effect.timeoutOrElse({
              duration: admitMs,
              orElse: () => Effect.fail(later("it could not be found out in time whether the token is good"))
            })
          )

    const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer, { connect }: BridgeAdmission): void => {
      server.handleUpgrade(request, socket, head, (ws) => {
        const connection = new BridgeConnection(
          ws,
          connect,
          (error) => log(Effect.logError("the gateway of bridges has a fault", error)),
          () => {
            connections.delete(connection)
            if (connections.size === 0) emptied?.()
          }
        )
        connections.add(connection)
      })
    }

    const handleUpgrade: BridgeEndpoint["handleUpgrade"] = (request, socket, head) => {
      // Until the library listens: a bridge may go away while its token is looked at.
      socket.on("error", ignoreError)
      const wrong =
        busy() ??
        checkRequest(request) ??
        (admitting < maxAdmitting ? undefined : later(`the tokens of ${maxAdmitting} bridges are being looked at`))
      if (wrong !== undefined) return refuseUpgrade(socket, wrong)
      admitting++
      const known = admit(readBearer(request.headers.authorization), request.socket.remoteAddress ?? "")
      run(known).addObserver((exit) => {
        admitting--
        if (socket.destroyed) return
        if (Exit.isFailure(exit)) {
          const why = exit.cause.reasons.find(Cause.isFailReason)?.error
          if (why === undefined && !Cause.hasInterruptsOnly(exit.cause)) {
            log(Effect.logError("the gateway of bridges has a fault", exit.cause))
          }
          return refuseUpgrade(socket, why ?? fault)
        }
        const late = busy()
        if (late !== undefined) return refuseUpgrade(socket, late)
        socket.off("error", ignoreError)
        upgrade(request, socket, head, exit.value)
      })
    }

    const drain: BridgeEndpoint["drain"] = (reason) =>
      Effect.callback<void>((resume) => {
        draining = reason
        emptied = () => resume(Effect.void)
        for (const connection of connections) connection.close(BridgeCloseCode.goingAway, reason)
        if (connections.size === 0) emptied()
        return Effect.sync(() => (emptied = undefined))
      })

    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        draining ??= "the server stops"
        for (const connection of connections) connection.cut()
        server.close()
      })
    )
    return { handleUpgrade, drain, connections: () => connections.size }
  })
