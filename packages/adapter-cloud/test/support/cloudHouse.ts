/** What a test of cloud sessions needs: a backend, a listener for its bridges, and sandboxes in a folder of their own. */
import { codexBackend } from "@holdfast/adapter-codex"
import { opencodeBackend } from "@holdfast/adapter-opencode"
import { ptyBackend } from "@holdfast/adapter-pty"
import type { SandboxProvider } from "@holdfast/core/cloud"
import { makeBridgeServer } from "@holdfast/server"
import { Deferred, Effect, Exit, type Scope } from "effect"
import { mkdtempSync, realpathSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type CloudOptions, makeCloud } from "../../src/index.ts"
import { processSandboxes, type ProcessSandboxesOptions } from "../../src/process.ts"
import { bridgeFile } from "../../../bridge/test/support/bridgeFile.ts"
import { quickPolicy, testLifetimeMs } from "./quickPolicy.ts"

/** What may run inside. */
export const innerBackends = [
  ptyBackend({ elsewhere: true }),
  codexBackend({ elsewhere: true }),
  opencodeBackend({ elsewhere: true })
]

/** A folder that goes with the scope. */
export const testFolder = Effect.acquireRelease(
  Effect.sync(() => realpathSync(mkdtempSync(join(tmpdir(), "holdfast-cloud-")))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }))
)

/** The provider `process` with the bridge from source; unless a test is about it, without isolation, which takes time. */
export const processProvider = (
  folder: string,
  options: Omit<ProcessSandboxesOptions, "folder"> = {}
): Effect.Effect<SandboxProvider> =>
  Effect.map(Effect.promise(bridgeFile), (file) =>
    processSandboxes({
      folder: join(folder, "sandboxes"),
      isolation: "none",
      program: [process.execPath, file],
      ...options
    })
  )

/** Options of a house: those of the backend, and where its bridges come in. */
export interface CloudHouseOptions extends Partial<Omit<CloudOptions, "providers">> {
  readonly provider?: SandboxProvider
  /** Where bridges are listened for. Default the loopback interface, which containers do not reach. */
  readonly host?: string
  /** Bridges come over TLS, with this certificate and its key. */
  readonly tls?: { readonly cert: string; readonly key: string }
  /** Puts something between the bridges and the listener: gives the address that bridges are told. */
  readonly way?: (port: number) => Effect.Effect<number, unknown, Scope.Scope>
}

/** Builds a house. Its end releases the backend, and so ends all sandboxes. */
export const openCloudHouse = ({ host, provider, tls, way, ...options }: CloudHouseOptions = {}) =>
  Effect.gen(function* () {
    const folder = yield* testFolder
    const url = yield* Deferred.make<string>()
    const sandboxes = provider ?? (yield* processProvider(folder))
    const cloud = yield* makeCloud({
      owner: "test",
      inner: innerBackends,
      controlPlane: Deferred.await(url),
      bridge: { lifetimeMs: testLifetimeMs },
      ...options,
      policy: { ...quickPolicy, ...options.policy },
      providers: [sandboxes]
    })
    const server = yield* makeBridgeServer({
      gateway: cloud.gateway,
      ...(host === undefined ? {} : { host }),
      ...(tls === undefined ? {} : { tls })
    })
    const port = way === undefined ? server.port : yield* way(server.port)
    yield* Deferred.succeed(url, `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}`)
    yield* Effect.addFinalizer((exit) =>
      Effect.gen(function* () {
        yield* cloud.backend.release ?? Effect.void
        // A test that failed may have left on purpose what it would have taken up again.
        if (Exit.isSuccess(exit)) return
        for (const { sandboxId } of yield* sandboxes.list("test")) yield* sandboxes.destroy(sandboxId)
      }).pipe(Effect.orDie)
    )
    return { ...cloud, folder, provider: sandboxes, server }
  })
