/** A host app in a process of its own, for tests that kill it: a runtime with cloud sessions over one log. */
import { processSandboxes } from "../../src/process.ts"
import { ptyBackend } from "@holdfast/adapter-pty"
import { makeHoldfast } from "@holdfast/runtime"
import { makeBridgeServer } from "@holdfast/server"
import { SqliteEventLog } from "@holdfast/store-sqlite"
import { EventLog } from "@holdfast/core"
import { Effect, Layer } from "effect"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { makeCloud } from "../../src/index.ts"
import { quickPolicy, testLifetimeMs } from "./quickPolicy.ts"

/** Opens a host over the log and the sandboxes of a folder. The scope's end stops it gracefully. */
export const openHost = (folder: string, bridge: string, lifetimeMs = testLifetimeMs) =>
  Effect.gen(function* () {
    // Sandboxes see the whole folder of the socket.
    mkdirSync(join(folder, "control"), { recursive: true })
    const socket = join(folder, "control", "bridge.sock")
    const cloud = yield* makeCloud({
      owner: "host",
      inner: [ptyBackend({ elsewhere: true })],
      controlPlane: `unix:${socket}`,
      policy: quickPolicy,
      bridge: { lifetimeMs },
      providers: [
        processSandboxes({ folder: join(folder, "sandboxes"), isolation: "none", program: [process.execPath, bridge] })
      ]
    })
    yield* makeBridgeServer({ gateway: cloud.gateway, socket })
    const services = yield* Layer.build(SqliteEventLog.layer({ path: join(folder, "log.db") }))
    const log = yield* Effect.provide(EventLog, services)
    const holdfast = yield* makeHoldfast(log, { backends: [cloud.backend] })
    return { ...cloud, log, holdfast }
  })

/** As a program: opens a host, creates a session of this spec unless one is there, says so, and waits to be killed. */
if (import.meta.main) {
  const [folder, bridge, spec, lifetime] = process.argv.slice(2) as [string, string, string, string?]
  await Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const { holdfast, log } = yield* openHost(folder, bridge, lifetime === undefined ? undefined : Number(lifetime))
        const { sessions } = yield* log.sessions({ limit: 1 })
        const sessionId =
          sessions[0]?.sessionId ?? (yield* holdfast.create({ backend: "cloud", spec: JSON.parse(spec) })).sessionId
        yield* holdfast.until(sessionId, ({ chart }) => chart.lifecycle === "open" && chart.link === "connected")
        process.stdout.write(`${sessionId}\n`)
        yield* Effect.never
      })
    )
  )
}
