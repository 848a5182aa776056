/**
 * The lifecycle of a session's sandbox, decided purely: what follows from what happened, by a chart, a table of decisions and
 * the times of a policy. The adapter tells it inputs, one after the other, and carries out what it asks for.
 */
import type { Decision, DeadlineName, Occasion } from "./Decision.ts"
import { endingDecisions } from "./endingDecisions.ts"
import { cooldownMs, LifecycleStep } from "./LifecycleStep.ts"
import type { Lifecycle } from "./LifecycleState.ts"
import type { LifecycleAction, LifecycleInput, SandboxPolicy } from "./LifecycleTypes.ts"
import { livingDecisions } from "./livingDecisions.ts"
import { openingDecisions } from "./openingDecisions.ts"
import type { BreakerState } from "./SpawnBreaker.ts"

export { initialLifecycle, type Lifecycle } from "./LifecycleState.ts"

/** The policy unless a host says otherwise. */
export const defaultSandboxPolicy: SandboxPolicy = {
  snapshots: true,
  lookTimeoutMs: 30_000,
  connectTimeoutMs: 120_000,
  spawnTimeoutMs: 5 * 60_000,
  syncTimeoutMs: 10 * 60_000,
  heartbeatMs: 30_000,
  staleAfterMs: 90_000,
  hibernateAfterMs: 30 * 60_000,
  hibernateWatchedAfterMs: 2 * 60 * 60_000,
  snapshotEveryMs: 30 * 60_000,
  snapshotTimeoutMs: 5 * 60_000,
  maxSnapshots: 3,
  maxSpawns: 3,
  maxRestores: 2,
  spawnCooldownMs: 2_000,
  breakerFailures: 5,
  breakerCooldownMs: 30_000,
  lingerMs: 60_000,
  destroyTimeoutMs: 30_000
}

/** All decisions. Of those for a phase and an occasion the first whose condition holds counts; without one nothing happens. */
export const lifecycleDecisions: ReadonlyArray<Decision> = [...openingDecisions, ...livingDecisions, ...endingDecisions]

const byOccasion = new Map<string, Array<Decision>>()
for (const decision of lifecycleDecisions) {
  for (const phase of decision.at) {
    const key = `${phase} ${decision.on}`
    byOccasion.set(key, [...(byOccasion.get(key) ?? []), decision])
  }
}

/** A time at which something is decided although nothing happened. Undefined: not in this state. */
type Deadline = (state: Lifecycle, policy: SandboxPolicy, breaker: BreakerState) => number | undefined

const idleAfter = ({ people }: Lifecycle, policy: SandboxPolicy): number =>
  people > 0 ? policy.hibernateWatchedAfterMs : policy.hibernateAfterMs

/** By phase, in the order in which they count where several have passed. */
const deadlines: { readonly [P in Lifecycle["phase"]]?: ReadonlyArray<readonly [DeadlineName, Deadline]> } = (() => {
  const silence = ["silence", (state, policy) => state.heardAt + policy.staleAfterMs] as const satisfies [
    DeadlineName,
    Deadline
  ]
  const schedule = [
    "schedule",
    (state, policy) =>
      policy.snapshotEveryMs > 0 && policy.snapshots && !state.noSnapshots && state.dirty
        ? state.snapshotAt + policy.snapshotEveryMs
        : undefined
  ] as const satisfies [DeadlineName, Deadline]
  return {
    looking: [["look", (state, policy) => state.since + policy.lookTimeoutMs]],
    pending: [
      ["patience", (state, policy) => state.since + policy.spawnTimeoutMs],
      [
        "spawn again",
        (state, _, breaker) => (breaker.status === "open" ? Math.max(state.notBefore, breaker.until) : state.notBefore)
      ]
    ],
    warming: [["spawn", (state, policy) => state.since + policy.spawnTimeoutMs]],
    connecting: [["connect", (state, policy) => state.since + policy.connectTimeoutMs]],
    syncing: [silence, ["sync", (state, policy) => state.syncSince + policy.syncTimeoutMs]],
    ready: [
      silence,
      [
        "idle",
        (state, policy) => {
          const after = idleAfter(state, policy)
          return after > 0 ? state.idleSince + after : undefined
        }
      ],
      schedule
    ],
    running: [silence, schedule],
    snapshotting: [
      ["snapshot again", (state) => (state.notBefore > 0 ? state.notBefore : undefined)],
      ["snapshot", (state, policy) => (state.notBefore > 0 ? undefined : state.since + policy.snapshotTimeoutMs)]
    ],
    stale: [["still silent", (state, policy) => state.since + policy.heartbeatMs]],
    lingering: [["linger", (state) => state.lingerUntil]],
    destroying: [["destroy", (state, policy) => state.since + policy.destroyTimeoutMs]]
  }
})()

/** When the lifecycle wants a `tick`, in milliseconds since 1970; undefined: never. Changes with the breaker too. */
export const nextDue = (state: Lifecycle, policy: SandboxPolicy, breaker: BreakerState): number | undefined => {
  let next: number | undefined
  for (const [, due] of deadlines[state.phase] ?? []) {
    const at = due(state, policy, breaker)
    if (at !== undefined && (next === undefined || at < next)) next = at
  }
  return next
}

const passed = (state: Lifecycle, now: number, policy: SandboxPolicy, breaker: BreakerState) =>
  deadlines[state.phase]?.find(([, due]) => {
    const at = due(state, policy, breaker)
    return at !== undefined && at <= now
  })?.[0]

/** What an input says beside what is decided about it. */
const note = ({ now, state }: LifecycleStep, input: LifecycleInput): void => {
  switch (input.type) {
    case "connected":
      state.connected = true
      state.heardAt = now
      return
    case "disconnected":
      state.connected = false
      return
    case "heard":
    case "innerOpened":
      state.heardAt = now
      return
    case "active":
      state.busy = input.busy
      state.dirty = true
      state.idleSince = now
      return
    case "watched":
      // Whoever leaves may come back: the shorter time begins now.
      if (state.people > 0 && input.people <= 0) state.idleSince = now
      state.people = input.people
  }
}

/** Whether nothing is left to look after. */
export const isOver = ({ phase }: Lifecycle): boolean => phase === "stopped" || phase === "failed"

/** What was decided. */
export interface LifecycleDecision {
  readonly state: Lifecycle
  /** What is asked for, in order. */
  readonly actions: ReadonlyArray<LifecycleAction>
  /** The breaker of the provider, as it is from then on. */
  readonly breaker: BreakerState
  /** The row of the table that decided; undefined where none did. */
  readonly by: Decision | undefined
}

/**
 * Decides. `now` is in milliseconds since 1970 and may jump; `breaker` is shared by all sessions of a provider. After
 * {@link isOver} nothing is decided any more: a later generation begins with a new lifecycle.
 */
export const decideLifecycle = (
  state: Lifecycle,
  input: LifecycleInput,
  now: number,
  policy: SandboxPolicy,
  breaker: BreakerState
): LifecycleDecision => {
  if (isOver(state)) return { state, actions: [], breaker, by: undefined }
  const step = new LifecycleStep(state, now, policy, breaker)
  const occasion: Occasion | undefined = input.type === "tick" ? passed(state, now, policy, breaker) : input.type
  if (occasion === undefined) return { state, actions: [], breaker, by: undefined }
  note(step, input)
  const by = byOccasion
    .get(`${state.phase} ${occasion}`)
    ?.find(({ holds }) => holds === undefined || holds(step, input as never))
  if (by !== undefined) {
    step.allowed = by.moves
    by.decide(step, input as never)
  }
  return { state: step.state, actions: step.actions, breaker: step.breaker, by }
}

/**
 * The longest that an opening can take under this policy until the generation is open or told its end, in milliseconds: what
 * a backend's `openTimeoutMs` has to be above. It is far more than any opening takes: each part fails at the last moment.
 */
export const longestOpening = (policy: SandboxPolicy): number => {
  const storing = policy.maxSnapshots * policy.snapshotTimeoutMs + storingWaits(policy)
  const spawning = 2 * policy.spawnTimeoutMs + policy.connectTimeoutMs + policy.destroyTimeoutMs
  return (
    2 * (storing + policy.destroyTimeoutMs + policy.lookTimeoutMs + policy.connectTimeoutMs) +
    (policy.maxSpawns + 1) * spawning +
    policy.syncTimeoutMs +
    policy.staleAfterMs +
    policy.heartbeatMs
  )
}

const storingWaits = (policy: SandboxPolicy): number => {
  let sum = 0
  for (let tries = 1; tries < policy.maxSnapshots; tries += 1) sum += cooldownMs(policy, tries)
  return sum
}
