/** The server: a runtime's HTTP API, live connections and page on one port. */
import type { EventLog } from "@holdfast/core"
import { Holdfast } from "@holdfast/runtime"
import { Context, Effect, Layer, type Scope } from "effect"
import { access } from "node:fs/promises"
import { join } from "node:path"
import { SessionAccess } from "./access/SessionAccess.ts"
import { Sharing } from "./access/Sharing.ts"
import { Authenticator } from "./auth/Authenticator.ts"
import { makeFailureLimit } from "./auth/FailureLimit.ts"
import { layerAuthenticator } from "./auth/AuthState.ts"
import type { RevocationsUnreadable } from "./auth/FileRevocationStore.ts"
import { makeRequestGuard } from "./auth/RequestGuard.ts"
import type { RevocationFailed } from "./auth/RevocationStore.ts"
import type { SecretUnusable } from "./auth/SecretFile.ts"
import { isBridgePath, makeBridgeEndpoint } from "./bridge/BridgeEndpoint.ts"
import { gaugeLive } from "./Metrics.ts"
import { listen, type ListenFailed } from "./http/Listener.ts"
import { makeServerApp } from "./http/ServerApp.ts"
import { makeEventStreams } from "./live/EventStream.ts"
import { makeLiveEndpoint } from "./live/LiveEndpoint.ts"
import { decodeServerOptions, type ServerConfig, type ServerOptions, ServerOptionsInvalid } from "./ServerOptions.ts"
import { layerTelemetry } from "./Telemetry.ts"
import { layerLocalWorkspaces } from "./workspace/LocalWorkspaces.ts"

/** A server that listens. */
export interface RunningServer {
  /** `http://127.0.0.1:4747`. */
  readonly url: string
  readonly port: number
  /**
   * A link that signs a browser in as the server's owner: once, within 10 minutes. Its token is behind `#`, and so in no log of
   * any server or proxy.
   */
  readonly startLink: Effect.Effect<string>
  /**
   * Refuses a token from now on, and closes its live connections: one for a session by the `tokenId` that it was made with, one
   * from outside by its `jti`. It is remembered until `until` (milliseconds since 1970), which must not be before its expiry; 30
   * days unless given, as long as any token of the server's own lives.
   */
  readonly revoke: (tokenId: string, until?: number) => Effect.Effect<void, RevocationFailed>
  /** Live connections that are open. */
  readonly connections: () => number
}

/** Why no server could be opened. */
export type ServeError = ListenFailed | RevocationsUnreadable | SecretUnusable | ServerOptionsInvalid

const checkPage = (folder: string) =>
  Effect.tryPromise({
    try: () => access(join(folder, "index.html")),
    catch: () =>
      new ServerOptionsInvalid({
        field: "page",
        expected: `a folder with an index.html, which ${folder} has not: build it`
      })
  })

const compose = (config: ServerConfig): Effect.Effect<RunningServer, ServeError, EventLog | Holdfast | Scope.Scope> =>
  Effect.gen(function* () {
    if (config.page !== undefined) yield* checkPage(config.page)
    const guard = makeRequestGuard(config)
    const services = yield* Sharing.layer.pipe(
      Layer.provideMerge(SessionAccess.layer),
      Layer.provideMerge(
        layerAuthenticator(
          { auth: config.auth, ...(config.owner === undefined ? {} : { owner: config.owner }) },
          config.dataFolder
        )
      ),
      Layer.merge(layerLocalWorkspaces),
      Layer.build
    )
    const holdfast = yield* Holdfast
    const authenticator = Context.get(services, Authenticator)
    const parts = { holdfast, access: Context.get(services, SessionAccess), authenticator, limits: config.live }
    const live = yield* makeLiveEndpoint({ ...parts, guard })
    const streams = yield* makeEventStreams(parts)
    const bridges =
      config.bridges === undefined
        ? undefined
        : yield* makeBridgeEndpoint({
            gateway: config.bridges.gateway,
            failures: yield* makeFailureLimit,
            limits: config.bridges
          })
    let stopping = false
    const request = yield* makeServerApp({ config, guard, isStopping: () => stopping, streams }).pipe(
      Effect.provideContext(services)
    )
    yield* gaugeLive({
      connections: live.connections,
      subscriptions: live.subscriptions,
      streams: streams.count,
      bridges: () => bridges?.connections() ?? 0
    })
    const listener = yield* listen(config, {
      request,
      upgrade: (asked, socket, head) =>
        (bridges !== undefined && isBridgePath(asked.url) ? bridges : live).handleUpgrade(asked, socket, head)
    })

    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        stopping = true
        const { retryAfterMs } = config
        const drained = Effect.all(
          [
            listener.drain,
            live.drain(whyStopping, retryAfterMs),
            streams.drain(whyStopping, retryAfterMs),
            bridges?.drain(whyStopping) ?? Effect.void
          ],
          { concurrency: "unbounded", discard: true }
        )
        return Effect.interruptible(drained).pipe(
          Effect.timeoutOrElse({ duration: config.stopDeadlineMs, orElse: () => Effect.void }),
          Effect.andThen(listener.cut)
        )
      })
    )
    return {
      url: listener.url,
      port: listener.port,
      startLink: Effect.map(authenticator.issueStart, ({ token }) => `${listener.url}/#start=${token}`),
      revoke: authenticator.revoke,
      connections: live.connections
    }
  })

const whyStopping = "the server stops"

/**
 * Opens a server, and stops it gracefully when the scope closes: it takes no new connections, tells live clients when to come
 * back, lets requests end within `stopDeadlineMs`, then cuts what is left. Sessions go on as long as the runtime does.
 */
export const serveHoldfast = (
  options: ServerOptions = {}
): Effect.Effect<RunningServer, ServeError, EventLog | Holdfast | Scope.Scope> =>
  Effect.gen(function* () {
    const config = yield* decodeServerOptions(options)
    const telemetry = yield* Layer.build(layerTelemetry)
    return yield* Effect.provideContext(compose(config), telemetry)
  })

/** The server as a service. */
export class HoldfastServer extends Context.Service<HoldfastServer, RunningServer>()(
  "@holdfast/server/HoldfastServer"
) {
  static readonly layer = (options: ServerOptions = {}): Layer.Layer<HoldfastServer, ServeError, EventLog | Holdfast> =>
    Layer.effect(HoldfastServer, serveHoldfast(options))
}
