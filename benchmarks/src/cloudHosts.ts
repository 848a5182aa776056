/** Our server with a cloud backend beside the local one: sandboxes as processes of this machine. */
import { type Cloud, type CloudOptions, createCloud } from "@holdfast/adapter-cloud"
import { processSandboxes } from "@holdfast/adapter-cloud/process"
import { ptyBackend } from "@holdfast/adapter-pty"
import type { SessionId } from "@holdfast/core"
import type { SandboxProvider } from "@holdfast/core/cloud"
import { Deferred, Effect } from "effect"
import { join } from "node:path"
import { type OurHost, startOurs } from "./serverHosts.ts"

/** A host with local and cloud sessions. */
export interface CloudHost extends OurHost {
  readonly cloud: Cloud
  /** Where bridges dial from now on; the server itself unless told otherwise. */
  readonly dialThrough: (url: string) => void
}

/** Starts one on a log file in a directory. */
export const startCloudHost = async (
  directory: string,
  options: Partial<CloudOptions> & { readonly provider?: SandboxProvider } = {}
): Promise<CloudHost> => {
  const { provider = processSandboxes({ folder: join(directory, "sandboxes"), isolation: "none" }), ...rest } = options
  const url = Deferred.makeUnsafe<string>()
  let through: string | undefined
  const cloud = await createCloud({
    owner: "benchmark",
    providers: [provider],
    inner: [ptyBackend({ elsewhere: true })],
    controlPlane: Effect.suspend(() => (through === undefined ? Deferred.await(url) : Effect.succeed(through))),
    ...rest
  })
  const host = await startOurs(join(directory, `${performance.now()}.db`), [ptyBackend(), cloud.backend], {
    bridges: { gateway: cloud.gateway }
  })
  Effect.runSync(Deferred.succeed(url, host.server.url))
  return {
    ...host,
    cloud,
    dialThrough: (to) => {
      through = to
    },
    close: async () => {
      await host.close()
      await cloud.close()
    }
  }
}

/** Where a session runs. */
export type Place = "local" | "cloud"

/** Starts a program in a terminal, here or in a sandbox, and waits until it is open. */
export const startProgram = async (
  { holdfast }: OurHost,
  place: Place,
  command: string,
  args: ReadonlyArray<string>,
  more: Readonly<Record<string, unknown>> = {}
): Promise<SessionId> => {
  const terminal = { profile: "command", command, args }
  const { sessionId } = await holdfast.create(
    place === "local"
      ? { backend: "pty", spec: terminal }
      : { backend: "cloud", spec: { inner: { backend: "pty", spec: terminal }, ...more } }
  )
  const state = await holdfast.until(sessionId, ({ chart }) => chart.lifecycle !== "opening")
  if (state.chart.lifecycle === "failed") throw new Error(state.end?.reason)
  return sessionId
}
