/** Situations that a lifecycle comes into, by what happened before. */
import type { SandboxPolicy } from "../../src/lifecycle/LifecycleTypes.ts"
import type { BreakerState } from "../../src/lifecycle/SpawnBreaker.ts"
import { LifecycleBench, type Word } from "./LifecycleBench.ts"

interface Situation {
  readonly by: ReadonlyArray<Word>
  readonly policy?: Partial<SandboxPolicy>
  readonly breaker?: BreakerState
}

const warming: ReadonlyArray<Word> = ["open"]
const connecting: ReadonlyArray<Word> = [...warming, "spawned"]
const syncing: ReadonlyArray<Word> = [...connecting, "connect"]
const ready: ReadonlyArray<Word> = [...syncing, "inner opens"]
const found: ReadonlyArray<Word> = ["open known", "look running"]
/** Alive for as long as it takes until it is idle. */
const idled: ReadonlyArray<Word> = [...ready, "wait 1800000", "hear"]
const rest: ReadonlyArray<Word> = [...idled, "time"]
const stale: ReadonlyArray<Word> = [...ready, "time"]
const lingering: ReadonlyArray<Word> = [...ready, "release"]
const leave: ReadonlyArray<Word> = [...lingering, "time"]
const destroying: ReadonlyArray<Word> = [...leave, "taken"]
const replacing: ReadonlyArray<Word> = [...found, "time"]
const restoring: ReadonlyArray<Word> = ["open snapshot", "look gone"]
const lastRestore: ReadonlyArray<Word> = [...restoring, "spawn is in vain", "time"]
const anew: ReadonlyArray<Word> = [...lastRestore, "spawn is in vain", "time", "spawned", "connect", "inner opens"]
/** Tries of a snapshot, but for the last. */
const lastTry: ReadonlyArray<Word> = ["not taken", "time", "not taken", "time"]
const schedule: ReadonlyArray<Word> = [...ready, "work", "wait 1800000", "hear", "time"]
const openBreaker: BreakerState = { status: "open", until: 1_030_000 }

/** By name. */
const situations = {
  nothing: { by: [] },
  warming: { by: warming },
  "the bridge was quicker": { by: [...warming, "connect"] },
  restoring: { by: restoring },
  "restoring for the last time": { by: lastRestore },
  restored: { by: [...restoring, "spawned"] },
  "restored for the last time": { by: [...lastRestore, "spawned"] },
  "destroying what came of a snapshot that was given up": { by: [...lastRestore, "spawned", "time"] },
  "ready without the snapshot that was given up": { by: anew },
  "snapshot to suspend, after one was given up": { by: [...anew, "suspend"] },
  "looking, after a snapshot was given up": { by: [...anew, "disconnect", "release 2", "open a third time"] },
  "the last spawn": { by: [...warming, "spawn fails", "time", "spawn fails", "time"] },
  cooling: { by: [...warming, "spawn fails"] },
  "the breaker is open": { by: warming, breaker: openBreaker },
  "the breaker stays shut": {
    by: [...warming],
    breaker: { status: "halfOpen", until: Number.MAX_SAFE_INTEGER },
    policy: { spawnTimeoutMs: 500 }
  },
  connecting: { by: connecting },
  syncing: { by: syncing },
  "syncing while a turn is asked for": { by: [...syncing, "work"] },
  "syncing for too long": { by: [...syncing], policy: { staleAfterMs: 86_400_000 } },
  "syncing without a link": { by: [...syncing, "disconnect"] },
  ready: { by: ready },
  "ready without a link": { by: [...ready, "disconnect"] },
  "ready for half an hour": { by: idled },
  "ready, without snapshots": { by: idled, policy: { snapshots: false } },
  running: { by: [...ready, "work"] },
  "running for half an hour": { by: schedule.slice(0, -1) },
  stale: { by: stale },
  "stale while a turn runs": { by: [...ready, "work", "time"] },
  "stale without a link": { by: [...ready, "disconnect", "time"] },
  "stale while it was opened": { by: [...syncing, "time"] },
  "snapshot on schedule": { by: schedule },
  "snapshot on schedule, the turn ended": { by: [...schedule, "rest"] },
  "snapshot to rest": { by: rest },
  "snapshot to rest, without a link": { by: [...rest, "disconnect"] },
  "snapshot to rest, the last try": { by: [...rest, ...lastTry] },
  "snapshot to rest, between two tries": { by: [...rest, "not taken"] },
  "snapshot to suspend": { by: [...ready, "suspend"] },
  "snapshot to replace": { by: replacing },
  "snapshot to replace, the last try": { by: [...replacing, ...lastTry] },
  "snapshot to leave": { by: leave },
  "snapshot to leave, wanted again": { by: [...leave, "open again"] },
  "snapshot to leave, wanted again without a link": { by: [...leave, "disconnect", "open again"] },
  "snapshot to leave, wanted again after it ended": { by: [...leave, "exit", "open again"] },
  "snapshot to leave, the last try": { by: [...leave, ...lastTry] },
  "snapshot to leave what has ended": { by: [...lingering, "exit", "time"] },
  looking: { by: ["open known"] },
  "looking for what was given up": { by: ["open given up"] },
  "looking for what has no name": { by: ["open nameless"] },
  "looking, to reattach": { by: ["reattach"] },
  found: { by: found },
  "found, to reattach": { by: ["reattach", "look running"] },
  lingering: { by: lingering },
  "lingering without a link": { by: [...lingering, "disconnect"] },
  "lingering after it ended": { by: [...lingering, "exit"] },
  "lingering, and nothing is new": { by: [...connecting, "release"] },
  "lingering because it could not be stored": { by: [...leave, ...lastTry, "not taken"] },
  destroying: { by: destroying },
  "destroying, and wanted again": { by: [...destroying, "open again"] },
  "destroying to replace": { by: [...replacing, "taken"] },
  "destroying what there was": { by: [...warming, "time"] },
  closing: { by: [...ready, "close"] }
} satisfies Record<string, Situation>

/** The name of a situation. */
export type Given = keyof typeof situations

/** Brings a lifecycle into a situation. */
export const given = (name: Given): LifecycleBench => {
  const { breaker, by, policy }: Situation = situations[name]
  const bench = new LifecycleBench(policy)
  if (breaker !== undefined) bench.breaker = breaker
  bench.go(...by)
  return bench
}
