/** One decision while it is made: the state as it will be, and what is asked for, in order. Lives for one call only. */
import { chartAccepts, initialChart, moveChart } from "@holdfast/core"
import { type LifecycleMove, moveLifecycle } from "./LifecycleChart.ts"
import type { AfterDestroy, Lifecycle, SnapshotPurpose } from "./LifecycleState.ts"
import type { LifecycleAction, SandboxPolicy, SandboxRegion } from "./LifecycleTypes.ts"
import { admitSpawn, type BreakerState, probeGivenUp, spawnBroke, spawnSucceeded } from "./SpawnBreaker.ts"

type Writable<T> = { -readonly [K in keyof T]: T[K] }

type Told = Omit<Extract<LifecycleAction, { readonly do: "tell" }>, "do" | "type">

/** The longest wait between two tries, in milliseconds: a person who waits for a prompt tries again after about that. */
const maxCooldownMs = 60_000

/** While somebody else's try decides for all, the breaker is looked at this often, in milliseconds. */
const breakerPollMs = 1_000

/** A file system that could not be stored is kept at least this long until the next try, in milliseconds. */
const keepMs = 10 * 60_000

/** The wait after so many tries, doubled with each. */
export const cooldownMs = (policy: SandboxPolicy, tries: number): number =>
  tries <= 0 ? 0 : Math.min(policy.spawnCooldownMs * 2 ** (tries - 1), maxCooldownMs)

/** What all decisions are made of. */
export class LifecycleStep {
  readonly state: Writable<Lifecycle>
  readonly actions: Array<LifecycleAction> = []
  readonly now: number
  readonly policy: SandboxPolicy
  breaker: BreakerState
  /** The moves that the decision at hand says that it makes. */
  allowed: ReadonlyArray<LifecycleMove> = []

  constructor(state: Lifecycle, now: number, policy: SandboxPolicy, breaker: BreakerState) {
    this.state = { ...state }
    this.now = now
    this.policy = policy
    this.breaker = breaker
  }

  /** Goes on by a move that the chart allows and the table names; anything else is a defect of the tables. */
  move(move: LifecycleMove): void {
    const { phase } = this.state
    const next = moveLifecycle(phase, move)
    if (next === undefined) throw new Error(`the chart of a sandbox has no ${move} in ${phase}`)
    if (!this.allowed.includes(move)) throw new Error(`the decision in ${phase} does not say that it makes ${move}`)
    if (phase === "warming" && this.state.probing) {
      this.breaker = probeGivenUp(this.breaker, this.now)
      this.state.probing = false
    }
    this.state.phase = next
    this.state.since = this.now
  }

  act(action: LifecycleAction): void {
    this.actions.push(action)
  }

  /** Tells the log, while a generation is open and where the session's chart allows it. */
  tell(region: Exclude<SandboxRegion, "none">, told: Told = {}): void {
    const { state } = this
    if (state.generation === null || state.region === region) return
    if (!chartAccepts({ ...initialChart, sandbox: state.region }, { type: `sandbox.${region}` })) return
    state.region = region
    this.act({ do: "tell", type: `sandbox.${region}`, ...told })
  }

  /** Tells that the sandbox is no more, unless the log has that. That it was put to rest says as much as that it stopped. */
  tellGone(how: "stopped" | "failed", reason: string): void {
    if (how === "failed" || this.state.region !== "snapshotted") this.tell(how, { reason })
  }

  note(reason: string): void {
    if (this.state.generation !== null) this.act({ do: "note", reason })
  }

  link(connected: boolean, reason: string): void {
    const { state } = this
    if (state.generation === null || state.linkDown === !connected) return
    state.linkDown = !connected
    this.act({ do: "link", connected, reason })
  }

  /** The generation is over for its session. Nothing of it is told from here on. */
  lose(reason: string, retryable: boolean): void {
    if (this.state.generation === null) return
    this.act({ do: "endGeneration", how: "lost", reason, retryable })
    // In the session's chart what was in use has stopped with the session.
    if (!retryable) {
      const chart = { ...initialChart, lifecycle: "opening", sandbox: this.state.region } as const
      this.state.region = moveChart(chart, { type: "backend.failed" }).sandbox
    }
    this.leaveGeneration()
  }

  suspend(reason: string): void {
    if (this.state.generation === null) return
    this.act({ do: "endGeneration", how: "suspended", reason })
    this.leaveGeneration()
  }

  leaveGeneration(): void {
    const { state } = this
    state.generation = null
    state.reattach = false
    state.isOpen = false
    state.busy = false
    state.linkDown = false
  }

  /** Ends what still runs of a generation that is over. */
  endInner(): void {
    const { state } = this
    if (state.inner !== null) this.act({ do: "endInner", generation: state.inner })
    state.inner = null
  }

  /** Whether what is waited for is made of the snapshot, by this opening. */
  get isRestored(): boolean {
    const { dirty, snapshotId, spawns } = this.state
    return spawns > 0 && !dirty && snapshotId !== null
  }

  /** Whether that is the last try to go on with the snapshot. */
  get isLastRestore(): boolean {
    const { policy, state } = this
    return this.isRestored && state.restores + 1 >= Math.min(policy.maxRestores, policy.maxSpawns)
  }

  /** A try to go on with the snapshot came to nothing. */
  restoreFailed(): void {
    if (this.isRestored) this.state.restores += 1
  }

  /** Nothing comes of the snapshot: there is one more spawn at least, without it. */
  abandon(reason: string): void {
    const { policy, state } = this
    const snapshotId = state.snapshotId!
    Object.assign(state, { abandonedId: snapshotId, snapshotId: null, loggedSnapshotId: null })
    state.spawns = Math.min(state.spawns, Math.max(1, policy.maxSpawns) - 1)
    this.note(
      `the snapshot ${snapshotId} is given up, because nothing came of it: ${reason}. The sandbox is made anew from the ` +
        "session's workspace: what was in the snapshot and was not pushed is lost, unless somebody saves it from its provider " +
        "before the next one is taken"
    )
  }

  /** The newest snapshot that the provider has, unless it was given up. */
  usable(snapshotId: string | undefined): string | undefined {
    return snapshotId === this.state.abandonedId ? undefined : snapshotId
  }

  /** Asks for one, from now on or after a cooldown. */
  want(move: "want" | "retry" | "anew", reason: string, leastMs = 0): void {
    const { policy, state } = this
    if (state.generation === null) return this.forget()
    if (state.spawns >= policy.maxSpawns) {
      return this.giveUp(`no sandbox after ${state.spawns} tries: ${reason}`, true)
    }
    this.move(move)
    Object.assign(state, {
      sandboxId: null,
      connected: false,
      inner: null,
      isOpen: false,
      dirty: false,
      exited: false,
      after: null,
      purpose: null,
      notBefore: this.now + Math.max(leastMs, cooldownMs(policy, state.spawns))
    })
    const why = reason === "" ? {} : { reason }
    if (state.snapshotId === null) this.tell("pending", why)
    else this.tellSnapshot("pending", state.snapshotId, why)
    this.trySpawn()
  }

  /** Spawns, unless a cooldown or the breaker says to wait. */
  trySpawn(): void {
    const { now, policy, state } = this
    if (now < state.notBefore) return
    const { admitted, breaker, probe } = admitSpawn(this.breaker, now, policy)
    if (!admitted) {
      if (breaker.status === "halfOpen") state.notBefore = Math.min(now + breakerPollMs, breaker.until)
      return
    }
    this.breaker = breaker
    this.move("spawn")
    state.spawns += 1
    state.probing = probe
    this.tell("warming")
    this.act(state.snapshotId === null ? { do: "create" } : { do: "restore", snapshotId: state.snapshotId })
  }

  /** What came of a spawn counts for all sessions of the provider. */
  spawnEnded(how: "succeeded" | "broke"): void {
    const { probing } = this.state
    this.breaker =
      how === "succeeded" ? spawnSucceeded(this.breaker) : spawnBroke(this.breaker, probing, this.now, this.policy)
    this.state.probing = false
  }

  /** The bridge is there: it is to open the generation. */
  openInner(move: "greet" | "renew"): void {
    const { state } = this
    if (state.inner !== state.generation) this.endInner()
    if (state.dirty) this.act({ do: "thaw" })
    this.move(move)
    // From here on something may be written.
    state.dirty = true
    state.isOpen = false
    state.purpose = null
    state.inner = state.generation
    state.syncSince = this.now
    state.heardAt = this.now
    if (state.region === "stopped" || state.region === "failed" || state.region === "none") this.tell("pending")
    this.tell("syncing", state.sandboxId === null ? {} : { sandboxId: state.sandboxId })
    this.act({ do: "openInner" })
  }

  /** The generation's inner backend is open. */
  open(move: "open" | "reattach"): void {
    const { now, state } = this
    this.move(move)
    state.isOpen = true
    state.reattach = false
    state.inner = state.generation
    state.idleSince = now
    state.snapshotAt = now
    this.goOn()
  }

  /** Ready, or running where a turn does. */
  goOn(): void {
    const { state } = this
    this.tell("ready", state.sandboxId === null ? {} : { sandboxId: state.sandboxId })
    if (!state.busy) return
    if (state.phase === "ready") this.move("work")
    this.tell("running")
  }

  /** Nobody wants it just now; the next generation may. */
  linger(ms = this.policy.lingerMs): void {
    const { state } = this
    this.endInner()
    this.move("release")
    state.purpose = null
    state.lingerUntil = this.now + ms
  }

  /** Whether there is something to store, and a way to store it. */
  get canStore(): boolean {
    return this.state.dirty && this.policy.snapshots && !this.state.noSnapshots && this.state.sandboxId !== null
  }

  /** Takes a snapshot. What is done about its answer depends on what it is for. */
  snapshot(purpose: SnapshotPurpose): void {
    const { state } = this
    this.move("snapshot")
    state.purpose = purpose
    state.failures = 0
    state.notBefore = 0
    this.act({ do: "snapshot", sandboxId: state.sandboxId! })
  }

  /** A snapshot failed: whether there is another try, after a wait. */
  retrySnapshot(retryable: boolean): boolean {
    const { now, policy, state } = this
    state.failures += 1
    if (!retryable || state.failures >= policy.maxSnapshots) return false
    state.notBefore = now + cooldownMs(policy, state.failures)
    return true
  }

  /** It could not be stored and nobody is there to tell: it is kept, and tried again. */
  keep(): void {
    this.linger(Math.max(this.policy.lingerMs, keepMs))
  }

  /** Destroys what there is. */
  discard(after: AfterDestroy, reason: string): void {
    const { state } = this
    const sandboxId = state.phase === "warming" ? null : state.sandboxId
    this.move("discard")
    state.after = after
    state.reason = reason
    state.connected = false
    state.inner = null
    state.isOpen = false
    state.purpose = null
    state.sandboxId = sandboxId
    this.act({ do: "destroy", sandboxId })
  }

  /** Stores what is in it, if there is something, before another one takes its place. */
  replace(reason: string): void {
    this.state.reason = reason
    if (this.canStore) this.snapshot("replace")
    else this.discard("respawn", reason)
  }

  /** Puts it to rest. `without`: why there is no snapshot of it. */
  rest(reason: string, without?: string): void {
    const { state } = this
    if (without === undefined && state.snapshotId !== null) {
      this.tellSnapshot("snapshotted", state.snapshotId, { reason })
    } else {
      this.tell("stopped", { reason: without === undefined ? reason : `${reason}, without a snapshot: ${without}` })
    }
    this.suspend(reason)
    this.discard("forget", reason)
  }

  /** A newer snapshot takes the place of the one before. */
  stored(snapshotId: string): void {
    const { state } = this
    const before = state.snapshotId
    state.snapshotId = snapshotId
    // A turn that runs goes on writing.
    state.dirty = state.busy
    state.snapshotAt = this.now
    if (before !== null && before !== snapshotId && before !== state.loggedSnapshotId) {
      this.act({ do: "removeSnapshot", snapshotId: before })
    }
    if (state.abandonedId !== null) this.act({ do: "removeSnapshot", snapshotId: state.abandonedId })
    state.abandonedId = null
  }

  /** Tells the log of the newest snapshot; the one that it named before is not needed from then on. */
  tellSnapshot(region: "pending" | "snapshotted", snapshotId: string, told: Told = {}): void {
    const { state } = this
    const before = state.loggedSnapshotId
    const count = this.actions.length
    this.tell(region, { snapshotId, ...told })
    if (this.actions.length === count) return
    state.loggedSnapshotId = snapshotId
    if (before !== null && before !== snapshotId) this.act({ do: "removeSnapshot", snapshotId: before })
  }

  /** There will be none: the generation is lost, and nothing is left. */
  giveUp(reason: string, retryable: boolean): void {
    this.tellGone("failed", reason)
    this.lose(reason, retryable)
    this.move("giveUp")
    this.act({ do: "forget" })
  }

  /** Nothing is left. */
  forget(): void {
    this.move("forget")
    this.leaveGeneration()
    this.act({ do: "forget" })
  }

  /** The session is over, and nothing of it is left that is known of. */
  closed(failure?: string): void {
    if (failure === undefined) this.tell("stopped", { reason: "the session is over" })
    else this.tell("failed", { reason: failure })
    this.act({ do: "closed" })
    this.forget()
  }
}
