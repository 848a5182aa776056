/** Sandboxes as containers, on Docker or on anything with Docker's API, podman for one. Needs the package `dockerode`. */
import type { SandboxLimits, SandboxProvider } from "@holdfast/core/cloud"
import { makeDockerProvider } from "./docker/DockerProvider.ts"
import { makeEngine } from "./docker/Engine.ts"
import type { DockerEngineOptions, SandboxMount, Ulimit } from "./docker/EngineOptions.ts"
import { sandboxPlaces } from "./provider/SandboxPlaces.ts"

export type { DockerEngineOptions, SandboxMount, Ulimit } from "./docker/EngineOptions.ts"
export * from "./docker/LocalImage.ts"
export * from "./docker/SandboxImage.ts"

/** Options of {@link dockerSandboxes}. */
export interface DockerSandboxesOptions {
  readonly engine?: DockerEngineOptions
  /**
   * The image of sandboxes that ask for none, default `holdfast/sandbox`: see `buildSandboxImage`. Any image will do that has
   * `/bin/sh` and coreutils, the program, and the folders of a sandbox belonging to its user. Nothing is pulled.
   */
  readonly image?: string
  /** What runs in a sandbox. Default the bridge: `node /opt/holdfast/holdfast-bridge.mjs`. */
  readonly command?: ReadonlyArray<string>
  /** The user inside, default the image's own. */
  readonly user?: string
  /**
   * The engine's network for sandboxes that may use one: `bridge`, the default, `host`, or the name of another one. With
   * `host` a sandbox is in the host's own network and reaches what listens on its loopback interface.
   */
  readonly network?: string
  /**
   * By which name or address sandboxes reach the host, where the control plane's URL has a loopback address. Default
   * `host.docker.internal` (podman: `host.containers.internal`). The control plane must listen there: on Linux that is the
   * address of the engine's bridge or `0.0.0.0`, and not `127.0.0.1`. A unix socket needs none of it.
   */
  readonly hostAddress?: string
  /** Limits of sandboxes that ask for none of their own; each one on its own. Default: 4,096 processes. */
  readonly limits?: SandboxLimits
  /** Limits of setrlimit(2), default the engine's own. */
  readonly ulimits?: ReadonlyArray<Ulimit>
  /**
   * Folders and files of the engine's machine that every sandbox sees, such as a folder of agents' programs that are in no image.
   * Default none. Only who makes the provider can give one: no request, and so no session, can ask for it. A path that is not
   * absolute, or has a comma or colon, makes requests fail as `invalid`; one that is not there is refused by Docker, and made by
   * podman.
   */
  readonly mounts?: ReadonlyArray<SandboxMount>
  /**
   * Layers of a sandbox's image from which on a snapshot is written as a single one, default 100. Each snapshot of what was
   * restored adds a layer, and engines stop at 127; writing a single one copies the whole file system.
   */
  readonly snapshotLayers?: number
}

/**
 * The provider `docker`. A sandbox is a container without capabilities or new privileges, with an init, never restarted by
 * the engine, and known again by its labels. Snapshots are images `holdfast/snapshot:<id>`, taken by commit: what is in a
 * volume is not in them. The program's environment goes in by its input and is neither in the container's settings nor in
 * snapshots. What it prints is in the engine's log of the container, 1 MiB and the 1 MiB before where the engine's log
 * driver can.
 *
 * Limits: `cpus`, `memoryBytes`, `processes` and `network`; where the engine's machine cannot hold one of them (cgroups
 * missing), a request with it is refused as unsupported. Without a network the control plane is reached by a unix socket,
 * whose folder is mounted read-only at `/run/holdfast`; the container's user must be allowed to enter it and to write to the
 * socket, and the engine must run on the same machine.
 */
export const dockerSandboxes = (options: DockerSandboxesOptions = {}): SandboxProvider =>
  makeDockerProvider(makeEngine(options.engine ?? {}), {
    image: options.image ?? "holdfast/sandbox",
    command: options.command ?? ["node", sandboxPlaces.program],
    user: options.user,
    network: options.network ?? "bridge",
    hostAddress: options.hostAddress,
    limits: { processes: 4_096, ...options.limits },
    ulimits: options.ulimits ?? [],
    mounts: options.mounts ?? [],
    snapshotLayers: options.snapshotLayers ?? 100
  })
