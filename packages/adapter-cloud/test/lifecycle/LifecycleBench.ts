/** A lifecycle that is driven by hand: what happens is told in words, and what is asked for is read as words. */
import type { SandboxState } from "@holdfast/core"
import {
  decideLifecycle,
  defaultSandboxPolicy,
  initialLifecycle,
  type Lifecycle,
  nextDue
} from "../../src/lifecycle/SandboxLifecycle.ts"
import type { Decision } from "../../src/lifecycle/Decision.ts"
import type { LifecycleAction, LifecycleInput, SandboxPolicy } from "../../src/lifecycle/LifecycleTypes.ts"
import { type BreakerState, closedBreaker } from "../../src/lifecycle/SpawnBreaker.ts"

/** What the log knows of a sandbox that ran, and was stored once. */
export const known: SandboxState = {
  provider: "test",
  sandboxId: "s1",
  snapshotId: "p1",
  tokenHash: "t1",
  generation: 1
}

const opened = (generation: number, more: Partial<Extract<LifecycleInput, { readonly type: "opened" }>> = {}) =>
  ({ type: "opened", generation, known: null, ...more }) satisfies LifecycleInput

/** What can be told to a lifecycle, in words. */
const words = {
  open: opened(1),
  "open again": opened(2),
  "open a third time": opened(3, { region: "ready" }),
  "open known": opened(2, { known, region: "running" }),
  "open snapshot": opened(2, {
    known: { ...known, sandboxId: null, tokenHash: null },
    region: "snapshotted"
  }),
  "open nameless": opened(2, { known: { ...known, sandboxId: null, snapshotId: null }, region: "warming" }),
  "open given up": opened(2, { known: { ...known, tokenHash: null }, region: "failed" }),
  reattach: opened(1, { known, region: "running", reattach: true }),
  "reattach nothing": opened(1, { reattach: true }),
  "look running": { type: "looked", condition: "running", sandboxId: "s1", snapshotId: "p1" },
  "look stopped": { type: "looked", condition: "stopped", sandboxId: "s1", snapshotId: "p1" },
  "look gone": { type: "looked", condition: "gone", snapshotId: "p1" },
  "look newer": { type: "looked", condition: "gone", snapshotId: "p2" },
  "look nothing": { type: "looked", condition: "gone" },
  "look fails": { type: "lookFailed", reason: "no answer", retryable: true },
  "look is forbidden": { type: "lookFailed", reason: "no credentials", retryable: false },
  spawned: { type: "spawned", sandboxId: "s1" },
  "spawned again": { type: "spawned", sandboxId: "s2" },
  "spawn fails": { type: "spawnFailed", reason: "busy", retryable: true },
  "spawn is refused": { type: "spawnFailed", reason: "no such image", retryable: false },
  "spawn is to wait": { type: "spawnFailed", reason: "too many", retryable: true, retryAfterMs: 7_000 },
  "spawn is to wait for an hour": {
    type: "spawnFailed",
    reason: "too many",
    retryable: true,
    retryAfterMs: 3_600_000
  },
  "spawn is in vain": { type: "spawnFailed", reason: "a layer is missing", retryable: true, damaged: true },
  "spawn can only be in vain": { type: "spawnFailed", reason: "not readable", retryable: false, damaged: true },
  "spawn misses": { type: "spawnFailed", reason: "no such snapshot", retryable: false, missing: true },
  connect: { type: "connected", open: null },
  "connect 1": { type: "connected", open: 1 },
  disconnect: { type: "disconnected" },
  hear: { type: "heard" },
  "inner opens": { type: "innerOpened" },
  "inner dies": { type: "innerLost", reason: "it crashed", retryable: true },
  "inner is refused": { type: "innerLost", reason: "no such program", retryable: false },
  work: { type: "active", busy: true },
  rest: { type: "active", busy: false },
  watch: { type: "watched", people: 1 },
  unwatch: { type: "watched", people: 0 },
  taken: { type: "snapshotTaken", snapshotId: "p2" },
  "taken again": { type: "snapshotTaken", snapshotId: "p3" },
  "not taken": { type: "snapshotFailed", reason: "busy", retryable: true },
  "not to be taken": { type: "snapshotFailed", reason: "disk full", retryable: false },
  "never taken": { type: "snapshotFailed", reason: "cannot", retryable: false, unsupported: true },
  destroyed: { type: "destroyed", sandboxId: "s1" },
  "destroyed what there was": { type: "destroyed", sandboxId: null },
  "not destroyed": { type: "destroyFailed", sandboxId: "s1", reason: "busy" },
  exit: { type: "exited", sandboxId: "s1", reason: "out of memory" },
  "exit of another": { type: "exited", sandboxId: "s9", reason: "out of memory" },
  release: { type: "released", generation: 1, detached: false },
  "release 2": { type: "released", generation: 2, detached: false },
  detach: { type: "released", generation: 1, detached: true },
  suspend: { type: "suspend" },
  close: { type: "close" },
  ban: { type: "banned", reason: "too much" }
} satisfies Record<string, LifecycleInput>

/** Something that happens: an input, `time` (the next deadline comes), or `wait` and milliseconds. */
export type Word = keyof typeof words | "time" | `wait ${number}`

const said = (action: LifecycleAction): string => {
  switch (action.do) {
    case "look":
    case "snapshot":
    case "destroy":
      return `${action.do} ${action.sandboxId ?? "whatever"}`
    case "restore":
    case "removeSnapshot":
      return `${action.do} ${action.snapshotId}`
    case "endInner":
      return `endInner ${action.generation}`
    case "tell":
      return [
        action.type.slice("sandbox.".length),
        ...(action.sandboxId === undefined ? [] : [action.sandboxId]),
        ...(action.snapshotId === undefined ? [] : [action.snapshotId]),
        ...(action.reason === undefined ? [] : [`(${action.reason})`])
      ].join(" ")
    case "note":
      return `note (${action.reason})`
    case "link":
      return action.connected ? "link up" : "link down"
    case "endGeneration":
      return action.how === "suspended"
        ? `suspended (${action.reason})`
        : `${action.retryable ? "lost" : "lost for good"} (${action.reason})`
    default:
      return action.do
  }
}

/** What came of the last thing that happened. */
export interface Answer {
  readonly phase: Lifecycle["phase"]
  readonly actions: ReadonlyArray<string>
  readonly by: Decision | undefined
}

/** The bench. */
export class LifecycleBench {
  now = 1_000_000
  state = initialLifecycle()
  breaker: BreakerState = closedBreaker
  readonly policy: SandboxPolicy

  constructor(policy: Partial<SandboxPolicy> = {}) {
    this.policy = { ...defaultSandboxPolicy, ...policy }
  }

  /** Lets things happen; gives what came of the last. */
  go(...happenings: ReadonlyArray<Word>): Answer {
    let answer: Answer = { phase: this.state.phase, actions: [], by: undefined }
    for (const happening of happenings) {
      if (happening.startsWith("wait ")) {
        this.now += Number(happening.slice("wait ".length))
        continue
      }
      if (happening === "time") this.now = Math.max(this.now, this.due ?? this.now)
      const input = happening === "time" ? ({ type: "tick" } as const) : words[happening as keyof typeof words]
      const decided = decideLifecycle(this.state, input, this.now, this.policy, this.breaker)
      this.state = decided.state
      this.breaker = decided.breaker
      answer = { phase: decided.state.phase, actions: decided.actions.map(said), by: decided.by }
    }
    return answer
  }

  /** When it wants to be told of the time. */
  get due(): number | undefined {
    return nextDue(this.state, this.policy, this.breaker)
  }

  /** The same, from now. */
  get dueIn(): number | undefined {
    return this.due === undefined ? undefined : this.due - this.now
  }
}
