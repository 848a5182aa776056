/** Sandboxes at E2B (e2b.dev, or one's own installation of it), by its SDK: `npm install e2b`. */
import type { SandboxProvider } from "@holdfast/core/cloud"
import { makeE2bProvider } from "./e2b/E2bProvider.ts"

/** Options of {@link e2bSandboxes}. */
export interface E2bSandboxesOptions {
  /**
   * The template that sandboxes are made from, unless a session's spec names another as its `image`. It must have Node 22.19
   * or newer and bash, and whatever programs the sessions run; processors, memory and disk are the template's.
   */
  readonly template: string
  /** Default: the variable `E2B_API_KEY` when a call is made. It is in no error and no log. */
  readonly apiKey?: string
  /** Default `e2b.app`, or the variable `E2B_DOMAIN`. */
  readonly domain?: string
  /** Where the API is, in place of `https://api.<domain>`. */
  readonly apiUrl?: string
  /** Where sandboxes are reached, in place of the domain's own address. */
  readonly sandboxUrl?: string
  /**
   * How long a sandbox lives when nobody asks for it any more, in milliseconds: 30 minutes to 24 hours, default 1 hour, which
   * is the most that E2B's free plan takes. See `docs/sandbox-e2b.md`.
   */
  readonly lifetimeMs?: number
  /**
   * The bridge: a file of this machine that is put into each sandbox, or the words of a program that the template has.
   * Default the file of `@holdfast/bridge`, which fits Linux of the processor that it was built on.
   */
  readonly bridge?: { readonly upload: string } | { readonly installed: ReadonlyArray<string> }
  /** Node inside, a name or an absolute path. Default `node`. */
  readonly node?: string
  /** Home of the template's default user, absolute. Default `/home/user`. */
  readonly home?: string
  /**
   * Also takes control planes that are reached from this machine or its network only, or without TLS: for an E2B of one's own
   * in the same network, and for tests. Default false: such a request is refused as invalid.
   */
  readonly anyControlPlane?: boolean
}

/**
 * The provider `e2b`. Sandboxes are E2B's, named by metadata `holdfast-owner`, `holdfast-session` and `holdfast-generation`;
 * snapshots are E2B's too. The bridge dials out, so the control plane must be an `https` URL that is reached from the
 * internet. No limits: what a sandbox may use is its template's.
 *
 * Tested against a counterpart of E2B's API only, never against the service: `docs/sandbox-e2b.md` says what that leaves open.
 */
export const e2bSandboxes = (options: E2bSandboxesOptions): SandboxProvider => makeE2bProvider(options)
