/** What a host says of an engine: plain data, without dockerode's types, which a host need not have. */

/** Where the engine answers. Nothing given: `DOCKER_HOST`, or the system's own socket. */
export interface DockerEngineOptions {
  /** A unix socket: `/var/run/docker.sock`, podman's. */
  readonly socketPath?: string
  readonly host?: string
  readonly port?: number
  readonly protocol?: "http" | "https"
  /** For TLS, in PEM. */
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

/** A limit of setrlimit(2) for what runs in sandboxes. */
export interface Ulimit {
  /** `nofile`, `nproc` … */
  readonly name: string
  readonly soft: number
  readonly hard: number
}

/** Something of the engine's machine that sandboxes see. What is in it is in none of their snapshots, and stays when they are gone. */
export interface SandboxMount {
  /** Where it is, as an absolute path. */
  readonly from: string
  /** Where sandboxes see it, as an absolute path. Default the same. */
  readonly to?: string
  /**
   * Whether they may write there, as far as the image's user is allowed to. Default false. All sandboxes of the provider share it:
   * what one writes, every other one reads.
   */
  readonly writable?: boolean
}
