/** A cloud backend whose sandboxes are processes of this machine. */
import { makeCloud, type SandboxPolicy } from "@holdfast/adapter-cloud"
import { processSandboxes } from "@holdfast/adapter-cloud/process"
import { codexBackend } from "@holdfast/adapter-codex"
import { opencodeBackend } from "@holdfast/adapter-opencode"
import { ptyBackend } from "@holdfast/adapter-pty"
import { buildBridge } from "../../../bridge/build.ts"
import type { SandboxProvider } from "@holdfast/core/cloud"
import { makeBridgeServer } from "@holdfast/server"
import { Deferred, Effect } from "effect"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { HandoffPlace } from "./handoffHouse.ts"

/** The owner of its sandboxes. */
export const sandboxOwner = "handoff-test"

/** What tests do with a cloud. */
export interface CloudHouseOptions {
  /** What the cloud is given in the place of the provider. */
  readonly provider?: (provider: SandboxProvider) => SandboxProvider
  readonly policy?: Partial<SandboxPolicy>
  /** The same for each process of a host: its bridges find the next one there. Default: a port of its own. */
  readonly socket?: string
}

/** Where the bridge of a folder's clouds is. */
export const bridgeIn = (folder: string): string => join(folder, "holdfast-bridge.mjs")

/** Builds the bridge from source, once for all clouds of a folder. */
export const buildBridgeIn = (folder: string): Effect.Effect<void> =>
  Effect.promise(() => buildBridge(bridgeIn(folder)))

/** Makes it; the scope's end ends all sandboxes. */
export const openCloud = Effect.fnUntraced(function* (folder: string, options: CloudHouseOptions = {}) {
  const bridge = bridgeIn(folder)
  if (!existsSync(bridge)) yield* buildBridgeIn(folder)
  const provider = processSandboxes({
    folder: join(folder, "sandboxes"),
    isolation: "none",
    program: [process.execPath, bridge]
  })
  const url = yield* Deferred.make<string>()
  const cloud = yield* makeCloud({
    owner: sandboxOwner,
    inner: [ptyBackend({ elsewhere: true }), codexBackend({ elsewhere: true }), opencodeBackend({ elsewhere: true })],
    providers: [options.provider?.(provider) ?? provider],
    controlPlane: Deferred.await(url),
    policy: { heartbeatMs: 1_000, staleAfterMs: 10_000, lingerMs: 2_000, spawnCooldownMs: 100, ...options.policy }
  })
  const { socket } = options
  const server = yield* makeBridgeServer({ gateway: cloud.gateway, ...(socket === undefined ? {} : { socket }) })
  yield* Deferred.succeed(url, server.url)
  yield* Effect.addFinalizer(() => cloud.backend.release ?? Effect.void)
  return { backend: cloud.backend, sandboxes: provider.list(sandboxOwner), provider }
})

/** Codex in a sandbox, whose home is not the one of this machine. */
export const codexInCloud = ({ environments }: Pick<HandoffPlace, "environments">) => ({
  inner: { backend: "codex", spec: { approvalPolicy: "never", sandbox: "danger-full-access" } },
  environment: { ...environments.there, HOLDFAST_AGENTS: process.env["HOLDFAST_AGENTS"]! }
})

/** The processes of the bridges of a folder's clouds. */
export const bridgesOf = (folder: string): ReadonlyArray<string> =>
  readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(join("/proc", pid, "cmdline"), "latin1").includes(bridgeIn(folder))
    } catch (error) {
      if (["ENOENT", "ESRCH", "EACCES"].includes((error as NodeJS.ErrnoException).code ?? "")) return false
      throw error
    }
  })

/** Kills the bridges of a session, wherever they are in what they do. */
export const killBridges = (sessionId: string): Effect.Effect<void> =>
  Effect.sync(() => {
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      try {
        const isBridge = readFileSync(join("/proc", pid, "cmdline"), "latin1").includes("holdfast-bridge.mjs")
        const environment = isBridge ? readFileSync(join("/proc", pid, "environ"), "latin1") : ""
        if (environment.includes(`HOLDFAST_BRIDGE_SESSION=${sessionId}`)) process.kill(Number(pid), "SIGKILL")
      } catch (error) {
        if (!["ENOENT", "ESRCH", "EACCES"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error
      }
    }
  })
