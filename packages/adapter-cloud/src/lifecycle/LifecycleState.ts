/** What is known of a sandbox while somebody looks after it: plain data, of a bounded size. */
import type { LifecyclePhase } from "./LifecycleChart.ts"
import type { SandboxRegion } from "./LifecycleTypes.ts"

/** What a snapshot is for. */
export type SnapshotPurpose =
  /** It is time for one. What runs goes on. */
  | "schedule"
  /** It has been idle: given up where something happens meanwhile. */
  | "rest"
  /** Somebody asked that it is put to rest. */
  | "suspend"
  /** It lingered long enough. */
  | "leave"
  /** It has stopped or does not answer: another one takes over from there. */
  | "replace"

/** What follows once it is destroyed. */
export type AfterDestroy = "forget" | "respawn" | "close"

/** The lifecycle. Times are in milliseconds since 1970. */
export interface Lifecycle {
  readonly phase: LifecyclePhase
  /** When the phase began, or its present try. */
  readonly since: number
  /** The open generation that wants it; null once that was told its end, or has left. */
  readonly generation: number | null
  /** That generation goes on in the sandbox: there is nothing to open. */
  readonly reattach: boolean
  /** The generation whose inner backend the bridge has, as far as is known. */
  readonly inner: number | null
  /** When opening it was asked for. */
  readonly syncSince: number
  /** The generation's inner backend is open. */
  readonly isOpen: boolean
  readonly sandboxId: string | null
  /** The newest snapshot. */
  readonly snapshotId: string | null
  /** The one that the log names: the same, unless the newest was taken while nobody was there to tell. */
  readonly loggedSnapshotId: string | null
  /** What the log was told last. */
  readonly region: SandboxRegion
  readonly connected: boolean
  /** The log was told that the link is down. */
  readonly linkDown: boolean
  readonly heardAt: number
  readonly busy: boolean
  readonly people: number
  /** There may be something in it that no snapshot has. */
  readonly dirty: boolean
  /** It has ended by itself; its file system may still be there. */
  readonly exited: boolean
  readonly idleSince: number
  readonly snapshotAt: number
  readonly purpose: SnapshotPurpose | null
  /** Tries of the present snapshot that failed. */
  readonly failures: number
  /** The provider turned out not to take snapshots of it. */
  readonly noSnapshots: boolean
  /** Spawns of this opening. */
  readonly spawns: number
  /** Of these, tries to go on with the newest snapshot that came to nothing. */
  readonly restores: number
  /** A snapshot that was given up. Kept for people until another one takes its place, and never restored again. */
  readonly abandonedId: string | null
  /** A spawn, or the next try of a snapshot, waits until then. */
  readonly notBefore: number
  /** Its spawn is the breaker's one try. */
  readonly probing: boolean
  /** For how long it lingers. */
  readonly lingerUntil: number
  readonly after: AfterDestroy | null
  /** Why it is destroyed or made again, for people. */
  readonly reason: string
}

/** A lifecycle before anything was asked. */
export const initialLifecycle = (): Lifecycle => ({
  phase: "idle",
  since: 0,
  generation: null,
  reattach: false,
  inner: null,
  syncSince: 0,
  isOpen: false,
  sandboxId: null,
  snapshotId: null,
  loggedSnapshotId: null,
  region: "none",
  connected: false,
  linkDown: false,
  heardAt: 0,
  busy: false,
  people: 0,
  dirty: false,
  exited: false,
  idleSince: 0,
  snapshotAt: 0,
  purpose: null,
  failures: 0,
  noSnapshots: false,
  spawns: 0,
  restores: 0,
  abandonedId: null,
  notBefore: 0,
  probing: false,
  lingerUntil: 0,
  after: null,
  reason: ""
})
