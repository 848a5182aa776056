/** A listener with nothing but the endpoint of bridges, for hosts that have sandboxes and no server: a command, a test. */
import { problem } from "@holdfast/core"
import { type BridgeGateway, bridgePath } from "@holdfast/core/cloud"
import type { Closing } from "@holdfast/runtime"
import { Cause, Effect, Exit, Scope } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Duplex } from "node:stream"
import { makeFailureLimit } from "../auth/FailureLimit.ts"
import { listen, type ListenFailed } from "../http/Listener.ts"
import { refuseUpgrade } from "../http/refuseUpgrade.ts"
import { decodeServerOptions, type ServerOptions, ServerOptionsInvalid } from "../ServerOptions.ts"
import { type BridgeLimits, isBridgePath, makeBridgeEndpoint } from "./BridgeEndpoint.ts"

/** Where bridges are taken, and for whom. */
export interface BridgeServerOptions extends BridgeLimits {
  readonly gateway: BridgeGateway
  /**
   * Address or name to listen on. Default `127.0.0.1`. Without `tls` a token goes over any other in plain: only for networks
   * that nobody else is on, such as that between a machine and its containers.
   */
  readonly host?: string
  /** Default 0: the system chooses one that is free. */
  readonly port?: number
  /**
   * Path of a Unix socket to listen on instead, at most 100 bytes. Only its user may connect (0600); one that an earlier
   * process left behind is replaced, one that is listened on is not.
   */
  readonly socket?: string
  readonly tls?: NonNullable<ServerOptions["tls"]>
  /** How long bridges may take to close once the listener stops; then they are cut. Default 2 s. */
  readonly stopDeadlineMs?: number
}

/** A listener for bridges. */
export interface RunningBridgeServer {
  /** What a sandbox's bridge is told as its control plane: `http://127.0.0.1:4747`, or `unix:/run/holdfast/bridge.sock`. */
  readonly url: string
  /** 0 for a Unix socket. */
  readonly port: number
  /** Bridges that are connected. */
  readonly connections: () => number
}

/** The system's limit is 108 bytes on Linux and 104 elsewhere, with the 0 at the end. */
const maxSocketPath = 100

const stops = "the control plane stops"

const nothing = problem("not_found", `there is nothing here but the upgrade at ${bridgePath}`)

const answer = (_: IncomingMessage, response: ServerResponse): void => {
  const body = JSON.stringify(nothing)
  response.writeHead(nothing.status, { "content-type": "application/problem+json" }).end(body)
}

/**
 * Listens for bridges until the scope closes: then they are told to dial again (1001), since the sandboxes go on for whoever
 * takes them up next.
 */
export const makeBridgeServer = (
  options: BridgeServerOptions
): Effect.Effect<RunningBridgeServer, ListenFailed | ServerOptionsInvalid, Scope.Scope> =>
  Effect.gen(function* () {
    const { gateway, host = "127.0.0.1", maxAdmitting, maxConnections, port = 0, socket, tls } = options
    if (socket !== undefined && Buffer.byteLength(socket) > maxSocketPath) {
      return yield* new ServerOptionsInvalid({ field: "socket", expected: `a path of at most ${maxSocketPath} bytes` })
    }
    // Without the host, which a server without other auth may not choose: here the token decides, wherever it is listened.
    const { bridges, limits, stopDeadlineMs } = yield* decodeServerOptions({
      port,
      stopDeadlineMs: options.stopDeadlineMs ?? 2_000,
      bridges: {
        gateway,
        ...(maxAdmitting === undefined ? {} : { maxAdmitting }),
        ...(maxConnections === undefined ? {} : { maxConnections })
      },
      ...(tls === undefined ? {} : { tls })
    })
    const endpoint = yield* makeBridgeEndpoint({ gateway, failures: yield* makeFailureLimit, limits: bridges! })
    const upgrade = (request: IncomingMessage, duplex: Duplex, head: Buffer): void => {
      if (isBridgePath(request.url)) return endpoint.handleUpgrade(request, duplex, head)
      duplex.on("error", () => undefined)
      refuseUpgrade(duplex, nothing)
    }
    const listener = yield* listen(
      {
        host,
        port,
        limits: {
          ...limits,
          maxConnections: bridges!.maxConnections + bridges!.maxAdmitting + spareConnections
        },
        ...(socket === undefined ? {} : { socket }),
        ...(tls === undefined ? {} : { tls })
      },
      { request: answer, upgrade }
    )
    yield* Effect.addFinalizer(() =>
      Effect.interruptible(
        Effect.all([listener.drain, endpoint.drain(stops)], { concurrency: "unbounded", discard: true })
      ).pipe(
        Effect.timeoutOrElse({ duration: stopDeadlineMs, orElse: () => Effect.void }),
        Effect.andThen(listener.cut)
      )
    )
    return { url: listener.url, port: listener.port, connections: endpoint.connections }
  })

/** Connections beside those of bridges, such as somebody who calls the wrong port. */
const spareConnections = 50

/** A listener for bridges, plainly. `close` stops it gracefully. */
export interface PlainBridgeServer extends Closing, RunningBridgeServer {}

/** Listens for bridges. Rejects with what kept it from listening, and then leaves nothing open. */
export const serveBridges = async (options: BridgeServerOptions): Promise<PlainBridgeServer> => {
  const scope = Scope.makeUnsafe()
  const opened = await makeBridgeServer(options).pipe(Scope.provide(scope), Effect.runPromiseExit)
  if (Exit.isFailure(opened)) {
    await Effect.runPromise(Scope.close(scope, opened))
    throw Cause.squash(opened.cause)
  }
  let closed: Promise<void> | undefined
  const close = () => (closed ??= Effect.runPromise(Scope.close(scope, Exit.void)))
  return { ...opened.value, close, [Symbol.asyncDispose]: close }
}
