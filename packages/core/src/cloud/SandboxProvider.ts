/**
 * The contract of whoever makes sandboxes: a place with a file system and processes of its own, in which one bridge runs one
 * session. The testkit's suite says whether a provider keeps it. Nothing in here knows what runs inside.
 */
import * as Schema from "effect/Schema"
import type * as Effect from "effect/Effect"
import type { SessionId } from "../Ids.ts"

/** Why a provider could not do it. */
export const ProviderFailure = Schema.Literals([
  /** What was asked for is not valid: an image that does not exist, limits that are too large. */
  "invalid",
  /** The provider refuses these credentials, or has none. */
  "forbidden",
  /** There is no such sandbox or snapshot (any more). */
  "not_found",
  /** Too many requests: `retryAfterMs` says how long to wait, where the provider did. */
  "rate_limited",
  /** A quota or a disk is full: nothing changes by asking again soon. */
  "exhausted",
  /** It did not answer in time. */
  "timeout",
  /** It cannot be reached, or had an error of its own. */
  "unavailable",
  /** It answered what this version does not understand. */
  "unexpected",
  /** It cannot do this at all. */
  "unsupported"
])
export type ProviderFailure = typeof ProviderFailure.Type

/** A provider's error. `retryable` says whether the same request can succeed later. */
export class SandboxProviderError extends Schema.TaggedError<SandboxProviderError>(
  "@holdfast/core/SandboxProviderError"
)("SandboxProviderError", {
  provider: Schema.String,
  /** What was asked: `create`, `snapshot` … */
  operation: Schema.String,
  failure: ProviderFailure,
  /** What happened and what to do about it, for people. Never a credential. */
  detail: Schema.String,
  retryable: Schema.Boolean,
  /** The least wait before the next try, in milliseconds, where the provider gave one. */
  retryAfterMs: Schema.optionalKey(Schema.Number),
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message() {
    return `The sandbox provider ${this.provider} could not ${this.operation}: ${this.detail}`
  }
}

/** Failures after which the same request can succeed later. */
export const retryableFailures: ReadonlySet<ProviderFailure> = new Set<ProviderFailure>([
  "rate_limited",
  "timeout",
  "unavailable"
])

/** What a sandbox may use. Absent: the provider's default. */
export interface SandboxLimits {
  /** Processors, fractions too: 0.5 … */
  readonly cpus?: number
  readonly memoryBytes?: number
  /** Processes and threads at once. */
  readonly processes?: number
  readonly diskBytes?: number
  /** `none`: only the bridge's own way out, where the provider can arrange it. Default `open`. */
  readonly network?: "none" | "open"
}

/** A sandbox to make. */
export interface SandboxRequest {
  /** Whose sandboxes these are: the id of the host's log. Only sandboxes of the same owner are listed. */
  readonly owner: string
  readonly sessionId: SessionId
  /** The generation for which it is made; with `sessionId` it names the sandbox. */
  readonly generation: number
  /**
   * Goes into the environment of the bridge, beside what the provider adds by itself: `HOME`, `HOLDFAST_BRIDGE_DATA`,
   * `HOLDFAST_WORKSPACE`, and `HOLDFAST_BRIDGE_LISTEN` where it is to be dialled.
   */
  readonly environment: Readonly<Record<string, string>>
  /**
   * Where the bridge finds its control plane, as the host knows it: `http://127.0.0.1:4747` or `unix:/run/holdfast/bridge.sock`.
   * The provider hands it in as `HOLDFAST_BRIDGE_URL` in the form that works inside.
   */
  readonly controlPlane: string
  /** What it is made from, in the provider's terms; its own default unless given. */
  readonly image?: string
  readonly limits?: SandboxLimits
}

/** Whether it runs. `stopped` may be started again by a restore only; `gone` is unknown to the provider. */
export type SandboxCondition = "starting" | "running" | "stopped" | "gone"

/** A sandbox. */
export interface SandboxInfo {
  /** The provider's own name for it, at most 256 characters. */
  readonly sandboxId: string
  readonly owner: string
  readonly sessionId: SessionId
  readonly generation: number
  readonly condition: Exclude<SandboxCondition, "gone">
  /** Where a host may dial the bridge inside, for providers whose sandboxes accept connections: `ws://…`. */
  readonly endpoint?: string
  /** Milliseconds since 1970. */
  readonly createdAt: number
}

/** A stored state of a sandbox's file system. */
export interface SnapshotInfo {
  readonly snapshotId: string
  readonly owner: string
  readonly sessionId: SessionId
  readonly createdAt: number
  /** Where the provider knows it. */
  readonly bytes?: number
}

/** A program to run to its end inside a sandbox. */
export interface SandboxExec {
  readonly command: string
  readonly args?: ReadonlyArray<string>
  /** The workspace unless given. */
  readonly cwd?: string
  readonly environment?: Readonly<Record<string, string>>
  readonly stdin?: Uint8Array
  /** Past it the program is ended and the result says so. Default 60 s. */
  readonly timeoutMs?: number
  /** Bytes that are kept of each of stdout and stderr. Default 1 MiB. */
  readonly maxOutputBytes?: number
}

/** How it ended. */
export interface SandboxExecResult {
  /** Null where it was ended by its deadline or a signal. */
  readonly exitCode: number | null
  readonly timedOut: boolean
  readonly stdout: Uint8Array
  readonly stderr: Uint8Array
  /** Output was longer than what was kept. */
  readonly truncated: boolean
}

/** What a provider can do beyond the least. */
export interface SandboxProviderCapabilities {
  /** `snapshot` and `restore`. Without it an idle sandbox is stopped and what was not pushed is gone. */
  readonly snapshot: boolean
  /** Its sandboxes accept connections: {@link SandboxInfo.endpoint}. */
  readonly dialIn: boolean
  /** Limits that it really holds to. */
  readonly limits: ReadonlyArray<keyof SandboxLimits>
  /** What keeps the sandbox apart from the host, in a sentence for people. */
  readonly isolation: string
}

type Answer<A> = Effect.Effect<A, SandboxProviderError>

/**
 * A provider. Each call has a deadline of its own and fails with a typed error; none is retried in here. Calls are safe to
 * repeat: a `create` of a sandbox that exists (same owner, session and generation) gives that one, `destroy` of one that is
 * gone succeeds. Interrupting a call leaves nothing behind that `list` does not show.
 */
export interface SandboxProvider {
  /** The name by which specs refer to it: `process`, `docker`. At most 32 characters of `a-z0-9-`. */
  readonly name: string
  readonly capabilities: SandboxProviderCapabilities
  /** Says whether it can be used now, and what to do if not: no daemon, no credentials, no image. */
  readonly check: Answer<void>
  /** Makes a sandbox and starts the bridge in it. Returns once it starts; the bridge tells by itself when it is there. */
  readonly create: (request: SandboxRequest) => Answer<SandboxInfo>
  /** All sandboxes of an owner, stopped ones too. At most 10,000. */
  readonly list: (owner: string) => Answer<ReadonlyArray<SandboxInfo>>
  readonly status: (sandboxId: string) => Answer<SandboxCondition>
  /** Runs a program to its end as the sandbox's own user. */
  readonly exec: (sandboxId: string, run: SandboxExec) => Answer<SandboxExecResult>
  /** Writes a whole file, at most 64 MiB; the folder must exist. The path is absolute, as the sandbox sees it. */
  readonly putFile: (sandboxId: string, path: string, content: Uint8Array, mode?: number) => Answer<void>
  /** Reads a whole file, at most 64 MiB. */
  readonly getFile: (sandboxId: string, path: string) => Answer<Uint8Array>
  /** Stores the file system as it is. What runs goes on; whoever wants a quiet one stops writing first. */
  readonly snapshot: (sandboxId: string) => Answer<SnapshotInfo>
  /** Makes a new sandbox with the file system of a snapshot, and starts the bridge in it. */
  readonly restore: (snapshotId: string, request: SandboxRequest) => Answer<SandboxInfo>
  readonly snapshots: (owner: string) => Answer<ReadonlyArray<SnapshotInfo>>
  readonly removeSnapshot: (snapshotId: string) => Answer<void>
  /** Ends it with all its processes and removes its file system. Returns when nothing of it is left. */
  readonly destroy: (sandboxId: string) => Answer<void>
  /** Ends what the provider keeps for itself, such as connections. Sandboxes go on. */
  readonly release?: Effect.Effect<void>
}
