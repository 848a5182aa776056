/** Sessions in sandboxes: which kinds there are here, and how their bridges find this server. */
import type { PlainCloud } from "@holdfast/adapter-cloud"
import { ensureBridge } from "@holdfast/example-cli/bridge"
import { serveBridgeSocket } from "@holdfast/example-cli/bridges"
import { cloudSessions } from "@holdfast/example-cli/cloud"
import { sandboxProviders } from "@holdfast/example-cli/sandboxes"
import type { SandboxProvider } from "@holdfast/core/cloud"
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import { chmodSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import { agentsFolder, agentVariables } from "./Backends.ts"

/** Kinds of sandboxes. */
export const sandboxKinds = ["process", "docker"] as const
export type SandboxKind = (typeof sandboxKinds)[number]

/** How long an engine may take to answer at the start, in milliseconds: one that is there takes ten. */
const answerMs = 2_000

/** Longest path of a socket, in bytes; past it bridges call the server itself. */
const maxSocketPath = 100

/** What to compose. */
export interface SandboxesOptions {
  /** The server's folder. */
  readonly data: string
  /** Undefined: those that can be used now. */
  readonly kinds: ReadonlyArray<SandboxKind> | undefined
  /** The server's address, once it listens. */
  readonly url: Promise<string>
  /** Tells the person who starts it what takes long. */
  readonly say: (line: string) => void
}

/** Composed, or why there are no sandboxes. */
export interface Sandboxes {
  readonly cloud: PlainCloud | undefined
  /** Kinds that were looked for and cannot be used, and why. */
  readonly missing: ReadonlyArray<{ readonly kind: SandboxKind; readonly why: string }>
}

/** Whether a provider can be used now: undefined, or why not. */
const missingWhy = ({ check }: SandboxProvider): Promise<string | undefined> =>
  Effect.runPromise(
    check.pipe(
      Effect.match({ onFailure: ({ detail }) => detail, onSuccess: () => undefined }),
      Effect.timeoutOrElse({
        duration: answerMs,
        orElse: () => Effect.succeed(`it did not answer within ${answerMs / 1_000} s`)
      })
    )
  )

/** Looks which kinds can be used, and composes them. Kinds that were asked for are there also where they cannot be used yet. */
export const openSandboxes = async ({ data, kinds, say, url }: SandboxesOptions): Promise<Sandboxes> => {
  if (kinds?.length === 0) return { cloud: undefined, missing: [] }
  await ensureBridge(() => say("Building what runs in sandboxes, which takes some seconds…"))
  const providers = sandboxProviders({ folder: join(data, "sandboxes"), agentsFolder: agentsFolder() })
  const looked = await Promise.all(
    (kinds ?? sandboxKinds).map(async (kind) => ({ kind, why: await missingWhy(providers[kind]) }))
  )
  const missing = looked.flatMap(({ kind, why }) => (why === undefined ? [] : [{ kind, why }]))
  const used = looked.filter(({ why }) => kinds !== undefined || why === undefined).map(({ kind }) => providers[kind])
  if (used.length === 0) return { cloud: undefined, missing }
  const closed = join(data, "bridges")
  mkdirSync(closed, { recursive: true })
  chmodSync(closed, 0o700)
  const socket = join(closed, "open", "socket")
  // A container finds the socket where the engine runs on this machine itself; elsewhere it can only call.
  const isReached = process.platform === "linux" && Buffer.byteLength(socket) <= maxSocketPath
  const cloud = await cloudSessions({
    owner: `server-${createHash("sha256").update(data).digest("hex").slice(0, 24)}`,
    providers: used,
    controlPlane: isReached ? `unix:${socket}` : Effect.promise(() => url),
    agentVariables: agentVariables(),
    agentsFolder: agentsFolder()
  })
  const bridges = isReached ? await serveBridgeSocket(cloud.gateway, socket) : undefined
  const close = async () => {
    await bridges?.close()
    await cloud.close()
  }
  return { cloud: { ...cloud, close }, missing }
}
