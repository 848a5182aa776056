/**
 * The WebSocket endpoint: who may come in, how many, and what becomes of them when the server stops. `docs/protocol.md` says what
 * is spoken on a connection.
 */
import { CloseCode, problem, type Problem, protocolVersion, subprotocol, tokenSubprotocol } from "@holdfast/core"
import type { HoldfastService } from "@holdfast/runtime"
import { Cause, Clock, Effect, Exit, FiberSet, Schedule, type Scope } from "effect"
import type { IncomingMessage } from "node:http"
import type { Duplex } from "node:stream"
import { WebSocketServer } from "ws"
import { problemOf } from "../api/ProblemOf.ts"
import { Refused } from "../api/Problems.ts"
import type { SessionAccessService } from "../access/SessionAccess.ts"
import type { AuthenticatorService, Caller, Credentials } from "../auth/Authenticator.ts"
import type { RequestGuard } from "../auth/RequestGuard.ts"
import { readCredentials } from "../auth/AuthMiddleware.ts"
import { refuseUpgrade } from "../http/refuseUpgrade.ts"
import { LiveConnection, type LiveParts } from "./LiveConnection.ts"
import { defaultLiveLimits, type LiveLimits } from "./LiveLimits.ts"
import { makePresence } from "./Presence.ts"
import { makeSessionOpenings } from "./SessionOpenings.ts"
import { makeSessionSignals } from "./SessionSignals.ts"

/** Where clients connect. */
export const livePath = "/api/v1/live"

/** Milliseconds between two looks at every connection, and so the time for which changes of presence are joined. */
const tickMs = 250

/** How long it may take to learn who connects: 10 s. An identity provider may have to be asked for its keys. */
const authenticateMs = 10_000

/** What an endpoint is made of. */
export interface LiveEndpointParts {
  readonly holdfast: HoldfastService
  readonly access: SessionAccessService
  readonly authenticator: Pick<AuthenticatorService, "authenticate" | "onEnd">
  /** Refuses wrong hosts and foreign origins, before and after it is known who connects. */
  readonly guard: Pick<RequestGuard, "checkUpgrade">
  /** Overrides of {@link defaultLiveLimits}. */
  readonly limits?: LiveLimits
}

/** The endpoint. */
export interface LiveEndpoint {
  /** Takes over the socket of a request to upgrade, and answers it whatever it is. */
  readonly handleUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
  /** Accepts nothing any more, tells clients when to come back, and completes when all connections are closed. */
  readonly drain: (reason: string, retryAfterMs: number) => Effect.Effect<void>
  /** Connections that are open. */
  readonly connections: () => number
  /** Subscriptions that are open, over all connections. */
  readonly subscriptions: () => number
}

/** What a request brings as proof: as any request does, or the token in a subprotocol, since browsers can set no header. */
const credentialsOf = (request: IncomingMessage, protocols: ReadonlyArray<string>): Credentials => {
  const { headers, socket, url = "/" } = request
  const credentials = readCredentials(headers, url, socket.remoteAddress ?? "", true)
  const offered = protocols.find((name) => name.startsWith(tokenSubprotocol))
  return { ...credentials, bearer: credentials.bearer ?? offered?.slice(tokenSubprotocol.length) }
}

/** A version of the protocol, this one or another. */
const isOurs = (offered: string): boolean => /^holdfast\.v\d+$/.test(offered)

const offeredProtocols = (request: IncomingMessage): ReadonlyArray<string> =>
  (request.headers["sec-websocket-protocol"] ?? "").split(",").map((offered) => offered.trim())

const tooSlow = problem("unavailable", "it could not be found out in time who you are: try again", {
  retryAfterMs: 1_000
})

const ignoreError = (): void => undefined

/** Makes the endpoint in a scope. Closing the scope cuts every connection. */
export const makeLiveEndpoint = (parts: LiveEndpointParts): Effect.Effect<LiveEndpoint, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { access, authenticator, guard, holdfast } = parts
    const limits = { ...defaultLiveLimits, ...parts.limits }
    const clock = yield* Clock.Clock
    const fibers = yield* FiberSet.make()
    const fork = Effect.runForkWith(yield* Effect.context<never>())
    // What has ended by then, as a keystroke's has, is not put among those to be ended.
    const run: LiveParts["run"] = (effect) => {
      const fiber = fork(effect)
      if (fiber.pollUnsafe() === undefined) FiberSet.addUnsafe(fibers, fiber)
      return fiber
    }
    const signals = makeSessionSignals(holdfast.signal, run)
    const presence = makePresence(signals.watched)
    const openings = yield* makeSessionOpenings(holdfast)
    const live: LiveParts = {
      holdfast,
      access,
      authenticator,
      openings,
      presence,
      signals,
      limits,
      clock,
      run
    }
    const connections = new Set<LiveConnection>()
    const perParticipant = new Map<string, number>()
    let upgrading = 0
    let draining: { readonly reason: string; readonly retryAfterMs: number } | undefined
    let emptied: (() => void) | undefined

    const server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: limits.maxMessageBytes,
      // Counted with the messages.
      autoPong: false,
      handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : ([...offered].find(isOurs) ?? false))
    })

    const countOf = ({ identity }: Caller): string => JSON.stringify([identity.organisation, identity.participantId])

    const stops = (): Problem | undefined =>
      draining === undefined
        ? undefined
        : problem("unavailable", draining.reason, { retryAfterMs: draining.retryAfterMs })

    const full = (): Problem | undefined =>
      connections.size + upgrading < limits.maxConnections
        ? undefined
        : problem("unavailable", `${limits.maxConnections} connections are open, which is this server's limit`, {
            retryAfterMs: 10_000
          })

    const tooManyOf = (caller: Caller): Problem | undefined =>
      (perParticipant.get(countOf(caller)) ?? 0) < limits.maxConnectionsPerParticipant
        ? undefined
        : problem("busy", `you have ${limits.maxConnectionsPerParticipant} connections, which is the limit`, {
            retryAfterMs: 10_000
          })

    const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer, caller: Caller): void => {
      server.handleUpgrade(request, socket, head, (ws) => {
        const key = countOf(caller)
        perParticipant.set(key, (perParticipant.get(key) ?? 0) + 1)
        const address = request.socket.remoteAddress ?? ""
        const connection = new LiveConnection(live, { ws, socket, caller, address }, () => {
          connections.delete(connection)
          const left = perParticipant.get(key)! - 1
          if (left === 0) perParticipant.delete(key)
          else perParticipant.set(key, left)
          if (connections.size === 0) emptied?.()
        })
        connections.add(connection)
        if (ws.protocol !== subprotocol) {
          connection.close(CloseCode.version, `this server speaks ${subprotocol}`)
        }
      })
    }

    const handleUpgrade: LiveEndpoint["handleUpgrade"] = (request, socket, head) => {
      // Until the library listens: a client may go away while it is asked who it is.
      socket.on("error", ignoreError)
      // A request's target may be anything, also what is no URL.
      const [path] = (request.url ?? "/").split("?", 1)
      const protocols = offeredProtocols(request)
      const wrong =
        path === livePath
          ? (stops() ?? guard.checkUpgrade(request.headers) ?? full())
          : problem("not_found", `there is nothing to upgrade to here: live connections are at ${livePath}`)
      if (wrong !== undefined) return refuseUpgrade(socket, wrong)
      if (!protocols.some(isOurs)) {
        return refuseUpgrade(
          socket,
          problem("invalid", `offer the subprotocol ${subprotocol}: this is version ${protocolVersion}`, {
            field: "sec-websocket-protocol"
          })
        )
      }
      upgrading++
      const known = authenticator.authenticate(credentialsOf(request, protocols)).pipe(
        Effect.timeoutOrElse({
          duration: authenticateMs,
          orElse: () => Effect.fail(new Refused({ problem: tooSlow }))
        })
      )
      run(known).addObserver((exit) => {
        upgrading--
        if (socket.destroyed) return
        const caller = Exit.isSuccess(exit) ? (exit.value as Caller) : undefined
        const why =
          caller === undefined
            ? problemOf(Cause.squash((exit as Exit.Failure<unknown, unknown>).cause))
            : (stops() ?? guard.checkUpgrade(request.headers, caller) ?? tooManyOf(caller))
        if (why !== undefined) return refuseUpgrade(socket, why)
        socket.off("error", ignoreError)
        upgrade(request, socket, head, caller!)
      })
    }

    const drain: LiveEndpoint["drain"] = (reason, retryAfterMs) =>
      Effect.callback<void>((resume) => {
        draining = { reason, retryAfterMs }
        emptied = () => resume(Effect.void)
        for (const connection of connections) connection.goodbye(reason, retryAfterMs)
        if (connections.size === 0) emptied()
        return Effect.sync(() => (emptied = undefined))
      })

    const tick = Effect.sync(() => {
      const now = clock.currentTimeMillisUnsafe()
      for (const connection of connections) connection.tick(now)
      presence.tick(now)
      signals.tick(now)
    })
    const looked = Effect.catchCause(tick, (cause) =>
      Effect.logError("live connections could not be looked after", cause)
    )
    yield* Effect.forkScoped(Effect.repeat(looked, Schedule.spaced(Math.min(tickMs, limits.heartbeatMs / 4))))
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        draining ??= { reason: "the server stops", retryAfterMs: 1_000 }
        for (const connection of connections) connection.cut()
        server.close()
      }).pipe(Effect.andThen(signals.end))
    )

    return {
      handleUpgrade,
      drain,
      connections: () => connections.size,
      subscriptions: () => {
        let open = 0
        for (const connection of connections) open += connection.subscriptions
        return open
      }
    }
  })
