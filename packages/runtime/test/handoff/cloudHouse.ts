/** A cloud backend whose sandboxes are processes of this machine. */
import { makeCloud } from "@holdfast/adapter-cloud"
import { processSandboxes } from "@holdfast/adapter-cloud/process"
import { codexBackend } from "@holdfast/adapter-codex"
import { opencodeBackend } from "@holdfast/adapter-opencode"
import { ptyBackend } from "@holdfast/adapter-pty"
import { buildBridge } from "../../../bridge/build.ts"
import { makeBridgeServer } from "@holdfast/server"
import { Deferred, Effect } from "effect"
import { join } from "node:path"

/** The owner of its sandboxes. */
export const sandboxOwner = "handoff-test"

/** Makes it, with the bridge from source; the scope's end ends all sandboxes. */
export const openCloud = Effect.fnUntraced(function* (folder: string) {
  const bridge = join(folder, "holdfast-bridge.mjs")
  yield* Effect.promise(() => buildBridge(bridge))
  const provider = processSandboxes({
    folder: join(folder, "sandboxes"),
    isolation: "none",
    program: [process.execPath, bridge]
  })
  const url = yield* Deferred.make<string>()
  const cloud = yield* makeCloud({
    owner: sandboxOwner,
    inner: [ptyBackend({ elsewhere: true }), codexBackend({ elsewhere: true }), opencodeBackend({ elsewhere: true })],
    providers: [provider],
    controlPlane: Deferred.await(url),
    policy: { heartbeatMs: 1_000, staleAfterMs: 10_000, lingerMs: 2_000, spawnCooldownMs: 100 }
  })
  const server = yield* makeBridgeServer({ gateway: cloud.gateway })
  yield* Deferred.succeed(url, server.url)
  yield* Effect.addFinalizer(() => cloud.backend.release ?? Effect.void)
  return { backend: cloud.backend, sandboxes: provider.list(sandboxOwner), provider }
})
