/** A live endpoint on a port of its own, over a runtime with real terminals and a scripted agent, as its tests use it. */
import { ptyBackend } from "@holdfast/adapter-pty"
import { type EventLogService, makeMemory, type Role, type SessionId } from "@holdfast/core"
import { type HoldfastService, makeHoldfast, type SessionSignal } from "@holdfast/runtime"
import { scriptedAgents, scriptedBackend } from "@holdfast/testkit"
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Exit, Redacted, Scope } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { SignJWT } from "jose"
import { randomBytes } from "node:crypto"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import type { Duplex } from "node:stream"
import { makeSessionAccess, type SessionAccessService } from "../../src/access/SessionAccess.ts"
import { type AuthenticatorService, makeAuthenticator } from "../../src/auth/Authenticator.ts"
import { makeRequestGuard } from "../../src/auth/RequestGuard.ts"
import { memoryRevocations } from "../../src/auth/RevocationStore.ts"
import { problemOf } from "../../src/api/ProblemOf.ts"
import { AuthUnavailable } from "../../src/auth/JwtRefusal.ts"
import { readBearer } from "../../src/auth/AuthMiddleware.ts"
import { type EventStreams, makeEventStreams } from "../../src/live/EventStream.ts"
import { type LiveEndpoint, makeLiveEndpoint } from "../../src/live/LiveEndpoint.ts"
import type { LiveLimits } from "../../src/live/LiveLimits.ts"
import { type ClientOptions, LiveTestClient } from "./LiveTestClient.ts"

/** Who a token is for. */
export interface TokenClaims {
  readonly sub?: string
  readonly name?: string
  readonly org?: string
  readonly roles?: ReadonlyArray<Role>
  readonly session?: SessionId
  readonly jti?: string
  /** Seconds from now. */
  readonly expiresIn?: number
}

/** A running endpoint. */
export interface LiveServer {
  readonly url: string
  /** Where a session's event stream is. */
  readonly streamUrl: (sessionId: SessionId) => string
  readonly streams: EventStreams
  /** The server's ends of its live connections, in the order in which they came. */
  readonly sockets: () => ReadonlyArray<Duplex>
  readonly endpoint: LiveEndpoint
  readonly holdfast: HoldfastService
  readonly log: EventLogService
  readonly access: SessionAccessService
  readonly authenticator: AuthenticatorService
  readonly run: <A, E>(effect: Effect.Effect<A, E>) => Promise<A>
  readonly token: (claims?: TokenClaims) => Promise<string>
  /** A client that is welcome: Ada, an owner, unless told otherwise. */
  readonly connect: (claims?: TokenClaims, options?: ClientOptions) => Promise<LiveTestClient>
  /** A terminal that runs a shell script, open. */
  readonly shell: (script: string) => Promise<SessionId>
  /** A session of the scripted agent, open. */
  readonly agent: () => Promise<SessionId>
}

/** What the server is made of. */
export interface LiveServerOptions {
  readonly limits?: LiveLimits
  readonly log?: EventLogService
  /** Whether the keys of tokens can be had; always unless given. */
  readonly hasKeys?: () => boolean
  /** Hears what the runtime is told of people, before it does. */
  readonly onSignal?: (sessionId: SessionId, signal: SessionSignal) => void
}

const secret = "a secret of the tests that has 32 bytes"

/** Waits until something holds that nothing tells of. Fails after ten seconds. */
export const eventually = async (holds: () => boolean): Promise<void> => {
  const until = Date.now() + 10_000
  while (!holds()) {
    if (Date.now() > until) throw new Error(`it never came to: ${holds}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Runs a test against an endpoint, and ends everything after it. */
export const withLiveServer = async (
  use: (server: LiveServer) => Promise<void>,
  options: LiveServerOptions = {}
): Promise<void> => {
  const scope = Effect.runSync(Scope.make())
  const clients: Array<LiveTestClient> = []
  const within = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) => Effect.runPromise(Scope.provide(effect, scope))
  try {
    const log = options.log ?? makeMemory()
    const agents = scriptedBackend({
      name: "agent",
      capabilities: { prompts: true, interrupt: true, permissions: true, questions: true, resume: true },
      openings: scriptedAgents()
    })
    const holdfast = await within(makeHoldfast(log, { backends: [ptyBackend(), agents], snapshots: { quietMs: 10 } }))
    const access = await within(makeSessionAccess(holdfast))
    const made = await within(
      makeAuthenticator({
        auth: { kind: "secret", secret, clockSkewSeconds: 0 },
        secret: Redacted.make(randomBytes(32)),
        revocations: memoryRevocations()
      })
    )
    const hasKeys = options.hasKeys ?? (() => true)
    const authenticator: typeof made = {
      ...made,
      authenticate: (credentials) =>
        hasKeys()
          ? made.authenticate(credentials)
          : Effect.fail(new AuthUnavailable({ detail: "no keys now", retryAfterMs: 1_000, cause: undefined }))
    }
    const guard = makeRequestGuard({ host: "127.0.0.1", allowedHosts: [], allowedOrigins: ["https://app.example.org"] })
    const endpoint = await within(
      makeLiveEndpoint({
        holdfast: {
          ...holdfast,
          signal: (sessionId, signal) => {
            options.onSignal?.(sessionId, signal)
            return holdfast.signal(sessionId, signal)
          }
        },
        access,
        authenticator,
        guard,
        ...(options.limits === undefined ? {} : { limits: options.limits })
      })
    )
    const streams = await within(
      makeEventStreams({
        holdfast,
        access,
        authenticator,
        ...(options.limits === undefined ? {} : { limits: options.limits })
      })
    )
    const answer = Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest
      const url = new URL(request.url, "http://localhost")
      const bearer = readBearer(request.headers.authorization)
      const caller = yield* authenticator.authenticate({ bearer, address: "127.0.0.1" })
      const after = Number(request.headers["last-event-id"] ?? url.searchParams.get("after") ?? 0)
      return yield* streams.open(caller, url.pathname.slice(1) as SessionId, after)
    }).pipe(
      Effect.catch((error) => {
        const problem = problemOf(error)
        return Effect.succeed(HttpServerResponse.text(JSON.stringify(problem), { status: problem.status }))
      })
    )
    const server = createServer(await within(NodeHttpServer.makeHandler(answer, { scope })))
    const sockets = new Set<Duplex>()
    server.on("upgrade", (request, socket, head) => {
      sockets.add(socket)
      socket.once("close", () => sockets.delete(socket))
      endpoint.handleUpgrade(request, socket, head)
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    await within(
      Effect.addFinalizer(() =>
        Effect.callback<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
      )
    )
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/live`

    const token = async (claims: TokenClaims = {}) => {
      const { expiresIn = 3_600, ...rest } = claims
      return new SignJWT({ sub: "ada", name: "Ada", roles: ["owner"], ...rest })
        .setProtectedHeader({ alg: "HS256" })
        .setExpirationTime(Math.floor(Date.now() / 1000) + expiresIn)
        .sign(new TextEncoder().encode(secret))
    }
    const connect = async (claims?: TokenClaims, how: ClientOptions = {}) => {
      const client = new LiveTestClient(url, await token(claims), how)
      clients.push(client)
      await client.until(() => client.messages.length > 0 || client.closed)
      if (client.closed !== undefined) throw new Error(`refused: ${JSON.stringify(client.closed)}`)
      return client
    }
    const ownerOf = { owner: { participantId: "ada" as never, name: "Ada" } }
    const shell = async (script: string) => {
      const spec = { profile: "command", command: "bash", args: ["-c", script] }
      const { sessionId } = await within(holdfast.create({ backend: "pty", spec, ...ownerOf }))
      await within(holdfast.until(sessionId, ({ chart }) => chart.lifecycle !== "opening"))
      return sessionId
    }
    const agent = async () => {
      const { sessionId } = await within(holdfast.create({ backend: "agent", spec: {}, ...ownerOf }))
      await within(holdfast.until(sessionId, ({ chart }) => chart.lifecycle === "open"))
      return sessionId
    }
    const streamUrl = (sessionId: SessionId) => url.replace("ws:", "http:").replace("/api/v1/live", `/${sessionId}`)
    await use({
      url,
      sockets: () => [...sockets],
      streamUrl,
      streams,
      endpoint,
      holdfast,
      log,
      access,
      authenticator,
      run: within,
      token,
      connect,
      shell,
      agent
    })
  } finally {
    for (const client of clients) client.end()
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
}
