/** What the engine is asked for when a sandbox is made. */
import type { SandboxLimits, SandboxRequest } from "@holdfast/core/cloud"
import type Dockerode from "dockerode"
import { createHash } from "node:crypto"
import { isAbsolute } from "node:path"
import { type ControlPlane, socketUrl } from "../provider/CheckRequest.ts"
import { sandboxPlaces } from "../provider/SandboxPlaces.ts"
import { labels } from "./EngineAnswers.ts"
import type { SandboxMount, Ulimit } from "./EngineOptions.ts"

/** What sandboxes of a provider have in common. */
export interface ContainerOptions {
  readonly image: string
  readonly command: ReadonlyArray<string>
  readonly user: string | undefined
  readonly network: string
  readonly hostAddress: string | undefined
  readonly limits: SandboxLimits
  readonly ulimits: ReadonlyArray<Ulimit>
  readonly mounts: ReadonlyArray<SandboxMount>
  readonly snapshotLayers: number
}

/** The name of a sandbox's container: one for one owner, session and generation. */
export const containerNameOf = ({ generation, owner, sessionId }: SandboxRequest): string => {
  const digest = createHash("sha256")
    .update(JSON.stringify([owner, sessionId, generation]))
    .digest("hex")
  return `holdfast-${digest.slice(0, 32)}`
}

/** What precedes the environment on the program's input. */
const handOver = "#holdfast"

/**
 * The program's environment comes by its input, so that no secret is in the container's settings, which everybody who may
 * ask the engine can read, and which every snapshot would repeat. Whatever comes before the line is not ours: the engine's
 * API lets what opened the connection through. Without the last word of it nothing is started.
 */
const receive = `
while IFS= read -r line; do [ "$line" = "${handOver}" ] && break; done
eval "$(cat)"
[ "$HOLDFAST_HANDED_OVER" = all ] || exit 125
unset HOLDFAST_HANDED_OVER line
exec "$@" </dev/null`

const quoted = (value: string) => `'${value.replaceAll("'", `'\\''`)}'`

/** What is written to the program's input. */
export const environmentText = (environment: Readonly<Record<string, string>>): string =>
  [
    "",
    handOver,
    ...Object.entries(environment).map(([name, value]) => `export ${name}=${quoted(value)}`),
    "HOLDFAST_HANDED_OVER=all",
    ""
  ].join("\n")

const isLoopback = (hostname: string) =>
  hostname === "localhost" ||
  hostname.endsWith(".localhost") ||
  hostname === "[::1]" ||
  /^127(\.\d+){3}$/.test(hostname)

/** How the bridge reaches its control plane from inside. */
export const bridgeUrlOf = (controlPlane: ControlPlane, network: string, hostAddress: string): string => {
  if (controlPlane.kind === "socket") return socketUrl(controlPlane.name)
  const url = new URL(controlPlane.url)
  if (network !== "host" && isLoopback(url.hostname)) url.hostname = hostAddress
  return url.href.replace(/\/$/, "")
}

/** What is wrong with the paths of mounts, in words; undefined where nothing is. */
export const mountProblem = (mounts: ReadonlyArray<SandboxMount>): string | undefined => {
  const paths = mounts.flatMap(({ from, to = from }) => [from, to])
  // Engines make one text of them, with commas and colons in between.
  const wrong = paths.find((path) => !isAbsolute(path) || path === "/" || /[,:]/.test(path))
  return wrong && `${wrong} cannot be mounted: an absolute path is wanted, without commas and colons, and not the root`
}

/** What is asked for. `isPodman`: it names the host by itself, and does not understand Docker's word for it. */
export const containerSettings = (
  options: ContainerOptions,
  request: SandboxRequest,
  image: string,
  controlPlane: ControlPlane,
  isPodman: boolean,
  now: number
): { readonly settings: Dockerode.ContainerCreateOptions; readonly environment: Readonly<Record<string, string>> } => {
  const limits = { ...options.limits, ...request.limits }
  const network = limits.network === "none" ? "none" : options.network
  const hostAddress = options.hostAddress ?? (isPodman ? "host.containers.internal" : "host.docker.internal")
  return {
    settings: {
      name: containerNameOf(request),
      Image: image,
      Entrypoint: ["/bin/sh", "-c", receive, "sh"],
      Cmd: [...options.command],
      ...(options.user === undefined ? {} : { User: options.user }),
      WorkingDir: sandboxPlaces.workspace,
      OpenStdin: true,
      StdinOnce: true,
      Env: [
        `HOME=${sandboxPlaces.home}`,
        `HOLDFAST_WORKSPACE=${sandboxPlaces.workspace}`,
        `HOLDFAST_BRIDGE_DATA=${sandboxPlaces.data}`
      ],
      Labels: {
        [labels.owner]: request.owner,
        [labels.session]: request.sessionId,
        [labels.generation]: String(request.generation),
        [labels.created]: String(now)
      },
      HostConfig: {
        // Somebody has to take in what loses its parent.
        Init: true,
        NetworkMode: network,
        ...(isPodman || network === "none" || network === "host"
          ? {}
          : { ExtraHosts: ["host.docker.internal:host-gateway"] }),
        ...(controlPlane.kind === "socket"
          ? { Binds: [`${controlPlane.folder}:${sandboxPlaces.controlPlane}:ro`] }
          : {}),
        Mounts: options.mounts.map(({ from, to = from, writable = false }) => ({
          Type: "bind" as const,
          Source: from,
          Target: to,
          ReadOnly: !writable
        })),
        CapDrop: ["ALL"],
        SecurityOpt: ["no-new-privileges"],
        RestartPolicy: { Name: "no" },
        LogConfig: { Type: "json-file", Config: { "max-size": "1m", "max-file": "2" } },
        ...(limits.cpus === undefined ? {} : { NanoCpus: Math.round(limits.cpus * 1e9) }),
        // The same with swap: no more of that.
        ...(limits.memoryBytes === undefined ? {} : { Memory: limits.memoryBytes, MemorySwap: limits.memoryBytes }),
        ...(limits.processes === undefined ? {} : { PidsLimit: limits.processes }),
        Ulimits: options.ulimits.map(({ hard, name, soft }) => ({ Name: name, Soft: soft, Hard: hard }))
      }
    },
    environment: {
      ...request.environment,
      HOLDFAST_BRIDGE_URL: bridgeUrlOf(controlPlane, network, hostAddress)
    }
  }
}
