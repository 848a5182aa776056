/**
 * What the lifecycle of a sandbox is told, what it asks for, and by which times it lives: data only. The chart and the table
 * of decisions are beside it, the adapter carries the actions out.
 */
import type { SandboxState } from "@holdfast/core"

/** Times and counts. Milliseconds. */
export interface SandboxPolicy {
  /** How long from the provider's answer until the bridge must have dialled and said `hello`. Default 120 s. */
  readonly connectTimeoutMs: number
  /** How long a provider may take to make or restore a sandbox. Default 5 minutes. */
  readonly spawnTimeoutMs: number
  /** How long preparing the workspace and opening the inner backend may take. Default 10 minutes: a large clone. */
  readonly syncTimeoutMs: number
  /** How often a bridge tells that it lives. Default 30 s. */
  readonly heartbeatMs: number
  /** Without a word for this long the sandbox is stale, and its session lost. Default 90 s. */
  readonly staleAfterMs: number
  /** Idle for this long (no turn, no command, no output) a sandbox is put to rest. Default 30 minutes; 0 never. */
  readonly hibernateAfterMs: number
  /** The same while somebody is attached. Default 2 hours; 0 never. */
  readonly hibernateWatchedAfterMs: number
  /** A snapshot is taken this often while there was something new since the last. Default 30 minutes; 0 never. */
  readonly snapshotEveryMs: number
  /** How long a snapshot may take. Default 5 minutes. */
  readonly snapshotTimeoutMs: number
  /** Most spawns of one opening. Default 3. */
  readonly maxSpawns: number
  /** Wait between two spawns of one opening; doubles, up to 1 minute. Default 2 s. */
  readonly spawnCooldownMs: number
  /** So many failures of the provider in a row, of any sessions, open the breaker. Default 5. */
  readonly breakerFailures: number
  /** How long an open breaker lets nobody through; then one try decides. Default 30 s. */
  readonly breakerCooldownMs: number
  /** How long a sandbox without an open generation is kept for the next one. Default 60 s. */
  readonly lingerMs: number
  /** How long destroying may take before it counts as failed, and the orphan sweep takes over. Default 30 s. */
  readonly destroyTimeoutMs: number
}

/** What happens to a sandbox, as its lifecycle is told. Times come in with it. */
export type LifecycleInput =
  /** A generation wants it: made anew, or with what the log knows. */
  | { readonly type: "opened"; readonly generation: number; readonly known: SandboxState | null }
  /** What the provider says of a sandbox that the log knows. */
  | { readonly type: "looked"; readonly condition: "starting" | "running" | "stopped" | "gone" }
  | { readonly type: "spawned"; readonly sandboxId: string }
  /** `create` or `restore` failed. `missing`: the snapshot is not there any more. */
  | {
      readonly type: "spawnFailed"
      readonly reason: string
      readonly retryable: boolean
      readonly missing?: boolean
      readonly retryAfterMs?: number
    }
  /** The bridge said `hello` with the right token. `last`, `open`: see the protocol. */
  | { readonly type: "connected"; readonly open: number | null }
  /** Its connection was closed: says nothing of the sandbox. */
  | { readonly type: "disconnected" }
  | { readonly type: "heard" }
  /** The inner backend is open: the generation's `open` was performed. */
  | { readonly type: "innerOpened" }
  /** The inner backend could not be opened, or is lost: the sandbox stays. */
  | { readonly type: "innerLost"; readonly reason: string; readonly retryable: boolean }
  /** A turn runs or not, or something was told or asked just now: it is not idle. */
  | { readonly type: "active"; readonly busy: boolean }
  | { readonly type: "watched"; readonly people: number }
  | { readonly type: "snapshotTaken"; readonly snapshotId: string }
  | { readonly type: "snapshotFailed"; readonly reason: string; readonly retryable: boolean }
  | { readonly type: "destroyed" }
  | { readonly type: "destroyFailed"; readonly reason: string }
  /** The provider says that it has ended by itself. */
  | { readonly type: "exited"; readonly reason: string }
  /** The generation is over and its scope closed; the next may come soon. `detached`: this runtime leaves it running. */
  | { readonly type: "released"; readonly detached: boolean }
  /** The session is to be put to rest now. */
  | { readonly type: "suspend" }
  /** The session is over: nothing of it is to stay. */
  | { readonly type: "close" }
  /** The quota of what it may send was passed, or it spoke another protocol: it is not to be used again. */
  | { readonly type: "banned"; readonly reason: string }
  /** The time of {@link nextDue} has come. */
  | { readonly type: "tick" }

/** What the lifecycle asks for, in order. Each `do` that can fail is answered by an input. */
export type LifecycleAction =
  /** Ask the provider for the condition of a sandbox that the log knows. */
  | { readonly do: "look"; readonly sandboxId: string }
  | { readonly do: "create" }
  | { readonly do: "restore"; readonly snapshotId: string }
  /** Tell the bridge to open the inner backend of the generation. */
  | { readonly do: "openInner" }
  /** Tell the bridge to end the inner backend of a generation that is over. */
  | { readonly do: "endInner"; readonly generation: number }
  /** Freeze, take a snapshot, thaw; answered by `snapshotTaken` or `snapshotFailed`. */
  | { readonly do: "snapshot"; readonly sandboxId: string }
  | { readonly do: "removeSnapshot"; readonly snapshotId: string }
  | { readonly do: "destroy"; readonly sandboxId: string }
  /** Tell of it in the log. */
  | {
      readonly do: "tell"
      readonly type:
        | "sandbox.pending"
        | "sandbox.warming"
        | "sandbox.syncing"
        | "sandbox.ready"
        | "sandbox.running"
        | "sandbox.stale"
        | "sandbox.snapshotted"
        | "sandbox.stopped"
        | "sandbox.failed"
      readonly sandboxId?: string
      readonly snapshotId?: string
      readonly reason?: string
    }
  /** The link to the bridge, as the session's chart has it. */
  | { readonly do: "link"; readonly connected: boolean; readonly reason: string }
  /** End the generation: `backend.suspended`, or lost with a reason. Nothing of it is told any more. */
  | { readonly do: "endGeneration"; readonly how: "suspended"; readonly reason: string }
  | { readonly do: "endGeneration"; readonly how: "lost"; readonly reason: string; readonly retryable: boolean }
  /** The sandbox is gone and the session over: `backend.closed` may be told now. */
  | { readonly do: "closed" }
  /** Nothing is left to look after: forget it. */
  | { readonly do: "forget" }
