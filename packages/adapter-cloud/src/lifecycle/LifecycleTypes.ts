/**
 * What the lifecycle of a sandbox is told, what it asks for, and by which times it lives: data only. The chart and the table
 * of decisions are beside it, the adapter carries the actions out.
 */
import type { ChartValue, SandboxState } from "@holdfast/core"

/** Where the sandbox is in the session's own chart: what the log was told last. */
export type SandboxRegion = ChartValue["sandbox"]

/** Times and counts. Milliseconds. */
export interface SandboxPolicy {
  /** The provider can store a file system and make a sandbox of it. Without it what was not pushed goes with the sandbox. */
  readonly snapshots: boolean
  /** How long a provider may take to say what became of a sandbox. Default 30 s. */
  readonly lookTimeoutMs: number
  /** How long from the provider's answer until the bridge must have dialled and said `hello`. Default 120 s. */
  readonly connectTimeoutMs: number
  /** How long a provider may take to make or restore a sandbox; also how long to wait for the breaker. Default 5 minutes. */
  readonly spawnTimeoutMs: number
  /** How long preparing the workspace and opening the inner backend may take. Default 10 minutes: a large clone. */
  readonly syncTimeoutMs: number
  /** How often a bridge tells that it lives. Default 30 s. */
  readonly heartbeatMs: number
  /**
   * Without a word for this long the sandbox is stale: the provider is asked, and unless it speaks within one more
   * `heartbeatMs` its session is lost. Default 90 s. (The second wait is for a host that slept: its own clock jumped.)
   */
  readonly staleAfterMs: number
  /** Idle for this long (no turn, no command, no output) a sandbox is put to rest. Default 30 minutes; 0 never. */
  readonly hibernateAfterMs: number
  /** The same while somebody is attached. Default 2 hours; 0 never. */
  readonly hibernateWatchedAfterMs: number
  /** A snapshot is taken this often while there was something new since the last. Default 30 minutes; 0 never. */
  readonly snapshotEveryMs: number
  /** How long a snapshot may take. Default 5 minutes. */
  readonly snapshotTimeoutMs: number
  /** Most tries of a snapshot that something waits for. Default 3. */
  readonly maxSnapshots: number
  /** Most spawns of one opening; one more where the last of them gave its snapshot up. Default 3. */
  readonly maxSpawns: number
  /**
   * Most tries of one opening to go on with a snapshot, at least 1. One that could not be restored so often, or whose restored
   * bridge never came, is given up: the sandbox is made anew. Default 2; `maxSpawns` where that is less.
   */
  readonly maxRestores: number
  /** Wait between two spawns of one opening, or two tries of a snapshot; doubles, up to 1 minute. Default 2 s. */
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
  | {
      readonly type: "opened"
      readonly generation: number
      readonly known: SandboxState | null
      /** What the log was told last, where it is known: only what its chart allows is told. */
      readonly region?: SandboxRegion
      /** The generation itself goes on: nothing is made anew, and where it is not there any more it is lost. */
      readonly reattach?: boolean
    }
  /** What the provider says of the session's sandbox, and which snapshot of the session is the newest that it has. */
  | {
      readonly type: "looked"
      readonly condition: "starting" | "running" | "stopped" | "gone"
      /** Its name, where the log did not know it. */
      readonly sandboxId?: string
      readonly snapshotId?: string
    }
  | { readonly type: "lookFailed"; readonly reason: string; readonly retryable: boolean }
  | { readonly type: "spawned"; readonly sandboxId: string }
  /**
   * `create` or `restore` failed. `missing`: the snapshot is not there any more. `damaged`: it may be the snapshot that is
   * wrong, and not the provider or what was asked for.
   */
  | {
      readonly type: "spawnFailed"
      readonly reason: string
      readonly retryable: boolean
      readonly missing?: boolean
      readonly damaged?: boolean
      readonly retryAfterMs?: number
    }
  /** The bridge said `hello` with the right token. `open`: the generation of its inner backend. */
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
  /** `unsupported`: this provider cannot take one of it at all. */
  | {
      readonly type: "snapshotFailed"
      readonly reason: string
      readonly retryable: boolean
      readonly unsupported?: boolean
    }
  /** What was to be destroyed, as the action named it. */
  | { readonly type: "destroyed"; readonly sandboxId: string | null }
  | { readonly type: "destroyFailed"; readonly sandboxId: string | null; readonly reason: string }
  /** The provider says that it has ended by itself. */
  | { readonly type: "exited"; readonly sandboxId: string; readonly reason: string }
  /** The generation is over and its scope closed; the next may come soon. `detached`: this runtime leaves it running. */
  | { readonly type: "released"; readonly generation: number; readonly detached: boolean }
  /** The session is to be put to rest now. Where no generation is open any more: do not linger. */
  | { readonly type: "suspend" }
  /** The session is over: nothing of it is to stay. */
  | { readonly type: "close" }
  /** The quota of what it may send was passed, or it spoke another protocol: it is not to be used again. */
  | { readonly type: "banned"; readonly reason: string }
  /** The time of `nextDue` has come. */
  | { readonly type: "tick" }

/**
 * What the lifecycle asks for, in order. Each `do` that can fail is answered by an input. The provider is asked one thing at a
 * time: a `look`, `create`, `restore`, `snapshot` or `destroy` gives up what it was asked before, of which nothing is told from
 * then on but what was told already. `removeSnapshot` goes beside.
 */
export type LifecycleAction =
  /**
   * Ask the provider what became of the session's sandbox, and for its newest snapshot; answered by `looked` or `lookFailed`.
   * Null: the log does not know its name, so look among those that the provider lists for the session.
   */
  | { readonly do: "look"; readonly sandboxId: string | null }
  /** Answered by `spawned` or `spawnFailed`. `sandbox.warming`, which was told before, has the token of this one alone. */
  | { readonly do: "create" }
  | { readonly do: "restore"; readonly snapshotId: string }
  /** Tell the bridge to open the inner backend of the generation. */
  | { readonly do: "openInner" }
  /** Tell the bridge to end the inner backend of a generation that is over. */
  | { readonly do: "endInner"; readonly generation: number }
  /**
   * Freeze, where the bridge can be reached, and take a snapshot; answered by `snapshotTaken` or `snapshotFailed`. It stays
   * frozen until `thaw`, so that nothing is begun that the snapshot does not have.
   */
  | { readonly do: "snapshot"; readonly sandboxId: string }
  /** Let the bridge go on, whether or not it is frozen. */
  | { readonly do: "thaw" }
  | { readonly do: "removeSnapshot"; readonly snapshotId: string }
  /**
   * Answered by `destroyed` or `destroyFailed`. Null: a spawn was under way, so destroy whatever the provider lists for the
   * session.
   */
  | { readonly do: "destroy"; readonly sandboxId: string | null }
  /** Tell of it in the log. */
  | {
      readonly do: "tell"
      readonly type: `sandbox.${Exclude<SandboxRegion, "none">}`
      readonly sandboxId?: string
      readonly snapshotId?: string
      readonly reason?: string
    }
  /** Something for people to know that changes nothing: `backend.noted`. */
  | { readonly do: "note"; readonly reason: string }
  /** The link to the bridge, as the session's chart has it. */
  | { readonly do: "link"; readonly connected: boolean; readonly reason: string }
  /** End the generation: `backend.suspended`, or lost with a reason. Nothing of it is told any more. */
  | { readonly do: "endGeneration"; readonly how: "suspended"; readonly reason: string }
  | { readonly do: "endGeneration"; readonly how: "lost"; readonly reason: string; readonly retryable: boolean }
  /** The sandbox is gone and the session over: `backend.closed` may be told now. */
  | { readonly do: "closed" }
  /** Nothing is left to look after: forget it. Always the last action. */
  | { readonly do: "forget" }
