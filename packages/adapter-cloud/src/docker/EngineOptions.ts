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
