/** Sessions in sandboxes: their backend, and the socket on which their bridges reach the owner. */
import { type Backend, LogUnavailable } from "@holdfast/core"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { join } from "node:path"
import { askedOnceUsed } from "../sandbox/AskedOnceUsed.ts"
import { serveBridgeSocket } from "../sandbox/bridgeSocket.ts"
import { cloudSessions } from "../sandbox/cloudSessions.ts"
import { sandboxProviders } from "../sandbox/sandboxProviders.ts"
import { sandboxPlace } from "../store/StorePath.ts"
import { installedAgents, passedNames } from "./AgentBackends.ts"

/** Listens until the scope closes; sandboxes go on, and find whoever listens there next. */
export const openCloudBackend = (store: string): Effect.Effect<Backend, LogUnavailable, Scope.Scope> =>
  Effect.gen(function* () {
    const { folder, owner, socket } = sandboxPlace(store)
    const agentsFolder = installedAgents()
    const { docker, process } = sandboxProviders({ folder, agentsFolder })
    const { backend, gateway } = yield* Effect.acquireRelease(
      Effect.promise(() =>
        cloudSessions({
          owner,
          providers: [process, askedOnceUsed(docker, join(folder, "uses-docker"))],
          controlPlane: `unix:${socket}`,
          agentVariables: passedNames(),
          agentsFolder
        })
      ),
      (cloud) => Effect.promise(() => cloud.close())
    )
    yield* Effect.acquireRelease(
      Effect.tryPromise({
        try: () => serveBridgeSocket(gateway, socket),
        catch: (cause) =>
          new LogUnavailable({
            operation: "serve sandboxes",
            reason: "io",
            detail: `${socket}: ${cause instanceof Error ? cause.message : String(cause)}`,
            cause
          })
      }),
      (bridges) => Effect.promise(() => bridges.close())
    )
    return backend
  })
