/** What a host composes cloud sessions of. */
import type { Backend } from "@holdfast/core"
import type { SandboxProvider } from "@holdfast/core/cloud"
import type { CredentialBroker, Forge } from "@holdfast/git"
import type { Effect } from "effect"
import type { BridgeQuotas } from "./BridgeQuota.ts"
import type { SandboxPolicy } from "./lifecycle/LifecycleTypes.ts"

/**
 * What may run inside sandboxes: name, abilities and check of a backend, which is never opened here. Backends of this project
 * are made for it with `elsewhere: true`, so that their check looks at no folder of this machine.
 */
export type InnerBackend = Pick<Backend, "name" | "capabilities" | "check">

/** Options of `makeCloud`. */
export interface CloudOptions {
  /** The name by which sessions refer to the backend. Default `cloud`. */
  readonly name?: string
  /**
   * Whose sandboxes these are: a text of 1 to 64 characters of `A-Za-z0-9._-` that stays the same for a log as long as it lives,
   * and that no other log has at the same provider. What the provider lists under it and the log does not know is destroyed.
   */
  readonly owner: string
  /** Where sandboxes are made. The first is the default of specs. */
  readonly providers: ReadonlyArray<SandboxProvider>
  readonly inner: ReadonlyArray<InnerBackend>
  /**
   * Where bridges find this host: `http://127.0.0.1:4747` or `unix:/run/holdfast/bridge.sock`. An effect where it is known only
   * later; it is run for each sandbox, and may wait for a minute.
   */
  readonly controlPlane: string | Effect.Effect<string>
  /** Overrides of `defaultSandboxPolicy`. */
  readonly policy?: Partial<SandboxPolicy>
  /** Overrides of `defaultBridgeQuotas`. */
  readonly quotas?: Partial<BridgeQuotas>
  /** Who lends credentials for single operations on repositories. Default: nobody, and only public ones can be used. */
  readonly credentials?: CredentialBroker
  /** Where pull requests for a repository are opened; undefined where nowhere. Default: nowhere. */
  readonly forge?: (repository: string, sessionId: string) => Forge | undefined
  /**
   * How often the forge is asked what has become of an open pull request while somebody looks at its session, in milliseconds, from
   * 1 on. Default 60,000. It is asked as well when somebody comes to look and after a push, but never sooner than 10 s after the last
   * time, or this where it is less.
   */
  readonly pullRequestPollMs?: number
  /**
   * Connect to sandboxes whose provider says where they listen, instead of waiting for them. The secret is what the host proves
   * itself with, at least 32 characters, and stays the same for a log: the next process of the host needs it as well.
   */
  readonly dial?: { readonly secret: string }
  /** Bounds of the bridges inside. */
  readonly bridge?: {
    /** Bytes of events that a bridge keeps for a host that does not take them; past it what runs inside is held. Default 256 MiB. */
    readonly logBytes?: number
    /** How long a bridge looks for its host in vain before it stops. Default 24 hours. */
    readonly lifetimeMs?: number
  }
  /**
   * Values of `environment` for a session whose sandbox has to be made again by another process than the one that created the
   * session. The log has their names only. Default: none, and such a session fails and says which name was missing.
   */
  readonly environment?: (
    names: ReadonlyArray<string>,
    sessionId: string
  ) => Effect.Effect<Readonly<Record<string, string>>>
}
