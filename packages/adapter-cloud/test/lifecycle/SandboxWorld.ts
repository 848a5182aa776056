/**
 * Everything around a lifecycle, small enough to be tried in every order: a runtime with one session and its log, a provider that
 * answers, fails and delays, sandboxes with bridges that come, go, hang and die, and a clock that only moves when it is told to.
 * Each step is checked against what a sandbox's lifecycle promises.
 */
import { type ChartValue, chartAccepts, initialChart, moveChart, type SandboxState } from "@holdfast/core"
import {
  decideLifecycle,
  initialLifecycle,
  isOver,
  type Lifecycle,
  longestOpening,
  nextDue
} from "../../src/lifecycle/SandboxLifecycle.ts"
import type { LifecycleAction, LifecycleInput, SandboxPolicy } from "../../src/lifecycle/LifecycleTypes.ts"
import { type BreakerState, closedBreaker } from "../../src/lifecycle/SpawnBreaker.ts"

/** A sandbox as the provider has it. */
interface Sandbox {
  readonly id: string
  readonly token: string
  running: boolean
  /** The lifecycle said that it gave it up, or never learnt of it: the sweep's. */
  givenUp: boolean
  frozen: boolean
  /** Something in it that no snapshot has. */
  dirty: boolean
  connected: boolean
  open: number | null
  asked: number | null
  /** Made of a damaged snapshot: its bridge never comes. */
  mute: boolean
}

/** What the session's log says. */
interface Log {
  region: ChartValue["sandbox"]
  sandboxId: string | null
  snapshotId: string | null
  tokenHash: string | null
}

/** One of the things that can happen next. */
export type Choice = string

/** What the world is made of: plain data, so that it can be copied and compared. */
interface WorldState {
  now: number
  life: Lifecycle
  breaker: BreakerState
  log: Log
  /** The generation whose scope is open; null while none is. */
  generation: number | null
  generations: number
  /** It was told its end. */
  ended: boolean
  openedAt: number
  linkDown: boolean
  closeAskedAt: number | null
  over: boolean
  suspendAsked: boolean
  busy: boolean
  people: number
  sandboxes: Array<Sandbox>
  made: number
  snapshots: Array<string>
  /** Snapshots of which nothing comes: they cannot be restored, or their bridge never comes. */
  damaged: Record<string, "whole" | "inside">
  /** By snapshot, how often nothing came of it in this opening. */
  blamed: Record<string, number>
  taken: number
  tokens: number
  /** What the provider is asked: one thing at a time, the next one gives up the one before. */
  call: { readonly what: "look" | "spawn" | "snapshot" | "destroy"; readonly of: string | null } | null
  spawns: number
  /** Answers that are under way: others may be quicker. */
  mail: Array<LifecycleInput>
  healthy: boolean
}

/** What a world lives by. */
export interface WorldOptions {
  readonly policy: SandboxPolicy
  /** Things that people and machines do which double the number of states and concern a few rows: off while exploring. */
  readonly rare?: boolean
}

/** A promise that was broken. */
export class Broken extends Error {}

const demand = (holds: boolean, what: string): void => {
  if (!holds) throw new Broken(what)
}

/** Answers at once in one order: no more than so many are under way. */
const maxMail = 2

/** The world. */
export class SandboxWorld {
  readonly options: WorldOptions
  state: WorldState
  /** The rows of the table that decided something. */
  readonly decided = new Set<unknown>()

  constructor(options: WorldOptions, state?: WorldState) {
    this.options = options
    this.state = state ?? {
      now: 1_000_000,
      life: initialLifecycle(),
      breaker: closedBreaker,
      log: { region: "none", sandboxId: null, snapshotId: null, tokenHash: null },
      generation: null,
      generations: 0,
      ended: false,
      openedAt: 0,
      linkDown: false,
      closeAskedAt: null,
      over: false,
      suspendAsked: false,
      busy: false,
      people: 0,
      sandboxes: [],
      made: 0,
      snapshots: [],
      damaged: {},
      blamed: {},
      taken: 0,
      tokens: 0,
      call: null,
      spawns: 0,
      mail: [],
      healthy: false
    }
  }

  /** A copy that goes its own way. */
  copy(): SandboxWorld {
    return new SandboxWorld(this.options, structuredClone(this.state))
  }

  /** What tells worlds apart that behave alike from here on: times count from now, names by their order. */
  key(): string {
    const { generations, life, now, ...rest } = this.state
    const since = (time: number) => (time === 0 ? 0 : Math.max(-maxAge, time - now))
    const names = new Map<string, string>()
    const name = (id: string | null) => {
      if (id === null) return null
      if (!names.has(id)) names.set(id, `${id[0]}${names.size}`)
      return names.get(id)!
    }
    const generation = (number: number | null) => (number === null ? null : number - generations)
    return JSON.stringify([
      {
        ...life,
        since: since(life.since),
        heardAt: since(life.heardAt),
        idleSince: since(life.idleSince),
        syncSince: since(life.syncSince),
        snapshotAt: since(life.snapshotAt),
        notBefore: Math.max(0, life.notBefore - now),
        lingerUntil: Math.max(0, life.lingerUntil - now),
        sandboxId: name(life.sandboxId),
        snapshotId: name(life.snapshotId),
        loggedSnapshotId: name(life.loggedSnapshotId),
        abandonedId: name(life.abandonedId),
        generation: generation(life.generation),
        inner: generation(life.inner),
        reason: ""
      },
      {
        ...rest,
        made: 0,
        taken: 0,
        tokens: 0,
        openedAt: 0,
        closeAskedAt: rest.closeAskedAt !== null,
        breaker: rest.breaker.status === "closed" ? rest.breaker : [rest.breaker.status, since(rest.breaker.until)],
        generation: generation(rest.generation),
        log: {
          ...rest.log,
          sandboxId: name(rest.log.sandboxId),
          snapshotId: name(rest.log.snapshotId),
          tokenHash: name(rest.log.tokenHash)
        },
        sandboxes: rest.sandboxes.map((one) => ({
          ...one,
          id: name(one.id),
          token: name(one.token),
          open: generation(one.open),
          asked: generation(one.asked)
        })),
        snapshots: rest.snapshots.map(name),
        damaged: rest.snapshots.map((id) => rest.damaged[id]),
        blamed: rest.snapshots.map((id) => rest.blamed[id]),
        call: rest.call && { ...rest.call, of: name(rest.call.of) },
        mail: rest.mail.map((input) => ({
          ...input,
          ...("sandboxId" in input ? { sandboxId: name(input.sandboxId ?? null) } : {}),
          ...("snapshotId" in input ? { snapshotId: name(input.snapshotId ?? null) } : {}),
          ...("generation" in input ? { generation: generation(input.generation) } : {}),
          ...("open" in input ? { open: generation(input.open) } : {})
        }))
      }
    ])
  }

  /** The sandbox whose bridge would be let in. */
  get #ours(): Sandbox | undefined {
    const { log, sandboxes } = this.state
    return sandboxes.findLast(({ givenUp, running, token }) => running && !givenUp && token === log.tokenHash)
  }

  /** Everything that can happen now. */
  choices(): Array<Choice> {
    const { options, state } = this
    const { call, generation, healthy, life, mail } = state
    const asked = call?.what
    const choices: Array<Choice> = []
    const add = (holds: boolean, ...some: ReadonlyArray<Choice>) => {
      if (holds) choices.push(...some)
    }
    const idle = isOver(life) || life.phase === "idle"
    const ours = this.#ours
    const wanted = generation !== null && !state.ended
    // An answer that has arrived is taken before any time passes.
    add(mail.length === 0 && nextDue(life, options.policy, state.breaker) !== undefined, "time")
    add(mail.length > 0, "mail")
    const free = mail.length < maxMail
    if (free) {
      add(asked === "look", "look ok")
      add(asked === "look" && !healthy, "look fails")
      add(asked === "spawn", "spawn ok")
      add(asked === "spawn" && !healthy, "spawn fails", "spawn never")
      add(asked === "spawn" && !healthy && options.rare === true, "spawn fails for long", "spawn limited")
      add(asked === "spawn" && call?.of != null && !healthy, "spawn misses")
      add(asked === "snapshot", "snapshot ok")
      add(asked === "snapshot" && !healthy, "snapshot fails")
      add(asked === "snapshot" && !healthy && options.rare === true, "snapshot unsupported", "snapshot never")
      add(asked === "destroy", "destroy ok")
      add(asked === "destroy" && !healthy, "destroy fails")
      add(ours !== undefined && !healthy, "exit")
      add(ours !== undefined && !ours.connected && !ours.mute && !idle, "connect")
      add(ours?.connected === true && !healthy, "disconnect")
      add(ours?.connected === true && !idle, "hear")
      add(ours?.connected === true && ours.asked !== null && !ours.frozen, "inner opens")
      add(ours?.connected === true && ours.asked !== null && !healthy && options.rare === true, "inner fails")
      add(ours?.open != null && !healthy, "inner dies")
      add(ours !== undefined && !healthy && options.rare === true, "bridge restarts")
    }
    add(generation === null && (!state.over || options.rare === true) && !healthy, "open")
    add(!healthy && options.rare === true, "others fail", "others try")
    const newest = state.snapshots.at(-1)
    add(newest !== undefined && state.damaged[newest] === undefined && !healthy && options.rare === true, "damage")
    add(generation === null && !state.over && !healthy && options.rare === true && state.generations > 0, "reattach")
    add(generation !== null && (state.ended || !healthy), "release")
    add(wanted && life.isOpen && state.busy, "rest")
    add(wanted && life.isOpen && !healthy, "work")
    add(wanted && state.closeAskedAt === null && !healthy, "close")
    add(wanted && life.isOpen && !healthy, "suspend")
    add(wanted && !healthy && options.rare === true && state.closeAskedAt === null, "suspend", "open again")
    add(!healthy && options.rare === true && !idle, "watch", "crash")
    add(!healthy && options.rare === true && wanted && life.isOpen, "detach", "ban")
    add(!healthy && options.rare === true && life.phase === "lingering", "leave")
    return choices
  }

  /** Lets one of them happen. */
  apply(choice: Choice): void {
    const { state } = this
    const ours = this.#ours
    switch (choice) {
      case "time": {
        const due = nextDue(state.life, this.options.policy, state.breaker)!
        state.now = Math.max(state.now, due)
        this.#decide({ type: "tick" })
        const next = nextDue(state.life, this.options.policy, state.breaker)
        demand(next === undefined || next > state.now, `a tick in ${state.life.phase} leaves something due`)
        return
      }
      case "mail":
        return this.#decide(state.mail.shift()!)
      case "look ok": {
        const id = this.#answered()
        const found = state.sandboxes.find((one) =>
          id === null ? one.token === state.log.tokenHash && !one.givenUp : one.id === id
        )
        const newest = state.snapshots.at(-1)
        this.#post({
          type: "looked",
          condition: found === undefined ? "gone" : found.running ? "running" : "stopped",
          ...(found === undefined ? {} : { sandboxId: found.id }),
          ...(newest === undefined ? {} : { snapshotId: newest })
        })
        return
      }
      case "look fails":
        this.#answered()
        return this.#post({ type: "lookFailed", reason: "no answer", retryable: true })
      case "spawn ok": {
        const from = this.#answered()
        if (from !== null && !state.snapshots.includes(from)) {
          return this.#post({ type: "spawnFailed", reason: "no such snapshot", retryable: false, missing: true })
        }
        const damage = from === null ? undefined : state.damaged[from]
        if (damage !== undefined) state.blamed[from!] = (state.blamed[from!] ?? 0) + 1
        if (damage === "whole") {
          // Some providers know that it cannot be read, others fail at it each time.
          const retryable = Number(from!.slice(1)) % 2 === 0
          return this.#post({ type: "spawnFailed", reason: "a layer is missing", retryable, damaged: true })
        }
        return this.#post({ type: "spawned", sandboxId: this.#make(damage === "inside") })
      }
      case "damage":
        state.damaged[state.snapshots.at(-1)!] = state.spawns % 2 === 0 ? "whole" : "inside"
        return
      case "spawn fails":
        this.#answered()
        return this.#post({ type: "spawnFailed", reason: "busy", retryable: true })
      case "spawn fails for long":
        this.#answered()
        return this.#post({ type: "spawnFailed", reason: "no such image", retryable: false })
      case "spawn limited":
        this.#answered()
        return this.#post({
          type: "spawnFailed",
          reason: "too many requests",
          retryable: true,
          retryAfterMs: this.options.policy.spawnTimeoutMs * (state.made % 2 === 0 ? 2 : 0.5)
        })
      case "spawn never":
        // It is made, and the answer is lost.
        this.#make()
        this.#answered()
        return
      case "spawn misses": {
        const from = this.#answered()
        state.snapshots = state.snapshots.filter((id) => id !== from)
        return this.#post({ type: "spawnFailed", reason: "no such snapshot", retryable: false, missing: true })
      }
      case "snapshot ok": {
        const of = this.#answered()
        const one = state.sandboxes.find(({ id }) => id === of)
        if (one === undefined) {
          return this.#post({ type: "snapshotFailed", reason: "no such sandbox", retryable: false })
        }
        one.dirty = false
        const snapshotId = `p${++state.taken}`
        state.snapshots.push(snapshotId)
        return this.#post({ type: "snapshotTaken", snapshotId })
      }
      case "snapshot fails":
        this.#answered()
        return this.#post({ type: "snapshotFailed", reason: "busy", retryable: true })
      case "snapshot unsupported":
        this.#answered()
        for (const one of state.sandboxes) one.dirty = false
        return this.#post({ type: "snapshotFailed", reason: "cannot", retryable: false, unsupported: true })
      case "snapshot never":
        this.#answered()
        return
      case "destroy ok": {
        const id = this.#answered()
        state.sandboxes = state.sandboxes.filter((one) => id !== null && one.id !== id)
        return this.#post({ type: "destroyed", sandboxId: id })
      }
      case "destroy fails": {
        const id = this.#answered()
        return this.#post({ type: "destroyFailed", sandboxId: id, reason: "busy" })
      }
      case "exit": {
        const one = ours!
        one.running = false
        one.connected = false
        one.open = null
        one.asked = null
        if (!isOver(state.life)) this.#post({ type: "exited", sandboxId: one.id, reason: "out of memory" })
        return
      }
      case "connect":
        ours!.connected = true
        return this.#post({ type: "connected", open: ours!.open })
      case "disconnect":
        ours!.connected = false
        return this.#post({ type: "disconnected" })
      case "hear":
        return this.#post({ type: "heard" })
      case "inner opens":
        ours!.open = ours!.asked
        ours!.asked = null
        ours!.dirty = true
        return ours!.open === state.generation ? this.#post({ type: "innerOpened" }) : undefined
      case "inner fails":
        ours!.asked = null
        return this.#post({ type: "innerLost", reason: "no such program", retryable: false })
      case "inner dies":
        ours!.open = null
        return this.#post({ type: "innerLost", reason: "it crashed", retryable: true })
      case "bridge restarts":
        ours!.open = null
        ours!.asked = null
        ours!.frozen = false
        ours!.connected = true
        return this.#post({ type: "connected", open: null })
      case "others fail":
        state.breaker = { status: "open", until: state.now + this.options.policy.breakerCooldownMs }
        return
      case "others try":
        state.breaker = { status: "halfOpen", until: state.now + this.options.policy.spawnTimeoutMs }
        return
      case "open":
        state.generations++
        state.over = false
        return this.#open(state.generations, false)
      case "open again":
        // Nothing that a runtime does: the one before is as good as released.
        state.generations++
        state.generation = null
        state.mail = state.mail.filter(({ type }) => type !== "innerOpened" && type !== "innerLost")
        return this.#open(state.generations, false)
      case "reattach":
        return this.#open(state.generations, true)
      case "release":
        return this.#release(false)
      case "detach":
        return this.#release(true)
      case "rest":
      case "work":
        state.busy = choice === "work"
        if (ours?.frozen === false) ours.dirty = true
        return this.#decide({ type: "active", busy: state.busy })
      case "watch":
        state.people = 1 - state.people
        return this.#decide({ type: "watched", people: state.people })
      case "suspend":
        state.suspendAsked = true
        return this.#decide({ type: "suspend" })
      case "leave":
        return this.#decide({ type: "suspend" })
      case "close":
        state.closeAskedAt = state.now
        return this.#decide({ type: "close" })
      case "ban":
        for (const one of state.sandboxes) one.dirty = false
        return this.#decide({ type: "banned", reason: "too much" })
      case "crash":
        // The runtime is killed. Calls under way end with it; the log stays, and so do sandboxes.
        Object.assign(state, {
          call: null,
          life: initialLifecycle(),
          breaker: closedBreaker,
          over: state.over || state.closeAskedAt !== null,
          generation: null,
          ended: false,
          mail: [],
          busy: false,
          people: 0,
          suspendAsked: false,
          closeAskedAt: null,
          linkDown: false
        })
        // What the log gave up or never had is the sweep's, and what a session has that is over.
        for (const one of state.sandboxes) {
          one.connected = false
          one.givenUp ||= state.over || one.token !== state.log.tokenHash
        }
        return
      default:
        throw new Error(`no such choice: ${choice}`)
    }
  }

  /** What it was about, of what the provider was asked. */
  #answered(): string | null {
    const { of } = this.state.call!
    this.state.call = null
    return of
  }

  #make(mute = false): string {
    const { state } = this
    const id = `s${++state.made}`
    state.sandboxes.push({
      id,
      token: state.log.tokenHash!,
      running: true,
      givenUp: false,
      frozen: false,
      dirty: false,
      connected: false,
      open: null,
      asked: null,
      mute
    })
    return id
  }

  #post(input: LifecycleInput): void {
    this.state.mail.push(input)
  }

  #open(generation: number, reattach: boolean): void {
    const { state } = this
    if (isOver(state.life)) state.life = initialLifecycle()
    Object.assign(state, {
      generation,
      ended: false,
      openedAt: state.now,
      suspendAsked: false,
      busy: false,
      linkDown: false,
      spawns: 0,
      blamed: {}
    })
    const { region, ...log } = state.log
    const known: SandboxState | null = region === "none" ? null : { provider: "test", generation: 1, ...log }
    this.#decide({ type: "opened", generation, known, region, reattach })
  }

  /** The session is over for good: its sandbox is not in use any more, whatever could still be told. */
  #end(type: "backend.closed" | "backend.failed"): void {
    const { log } = this.state
    log.region = moveChart({ ...initialChart, lifecycle: "opening", sandbox: log.region }, { type }).sandbox
    demand(["none", "snapshotted", "stopped", "failed"].includes(log.region), `${type} leaves it ${log.region}`)
  }

  #release(detached: boolean): void {
    const { state } = this
    const generation = state.generation!
    if (state.closeAskedAt !== null && !state.over) this.#end("backend.closed")
    Object.assign(state, { over: state.over || state.closeAskedAt !== null, generation: null, busy: false })
    state.closeAskedAt = null
    // What a bridge says of a generation that is over is dropped before anybody hears of it.
    state.mail = state.mail.filter(({ type }) => type !== "innerOpened" && type !== "innerLost")
    if (isOver(state.life) || state.life.phase === "idle") return
    this.#decide({ type: "released", generation, detached })
  }

  #decide(input: LifecycleInput): void {
    const { options, state } = this
    if (isOver(state.life)) return
    const before = state.life
    const {
      actions,
      breaker,
      by,
      state: life
    } = decideLifecycle(before, input, state.now, options.policy, state.breaker)
    state.life = life
    state.breaker = breaker
    if (by !== undefined) this.decided.add(by)
    if (input.type === "disconnected") {
      demand(
        actions.every((action) => action.do === "link"),
        "a closed connection is not the end of anything"
      )
    }
    // One that could not be destroyed is the sweep's from then on.
    if (by?.on === "destroyFailed" || by?.on === "destroy") {
      for (const one of state.sandboxes) one.givenUp ||= before.sandboxId === null || one.id === before.sandboxId
    }
    for (const action of actions) this.#carryOut(action, before)
    const forgets = actions.findIndex((action) => action.do === "forget")
    demand(forgets === -1 || forgets === actions.length - 1, "nothing is asked for after it is forgotten")
    demand(isOver(life) === forgets >= 0, "it is over when it is forgotten")
    this.#check()
  }

  /** What holds between any two things that happen. */
  #check(): void {
    const { options, state } = this
    const { life, now } = state
    const due = nextDue(life, options.policy, state.breaker)
    demand(
      isOver(life) || life.phase === "idle" || due !== undefined,
      `${life.phase} would wait for ever if nothing happened`
    )
    if (state.generation !== null && !state.ended && !life.isOpen) {
      demand(
        now - state.openedAt <= longestOpening(options.policy) || state.closeAskedAt !== null,
        "an opening ends in time"
      )
      demand(!isOver(life), "an opening is told its end")
    }
    if (life.phase === "ready" || life.phase === "running" || life.phase === "syncing") {
      demand(life.generation !== null && life.sandboxId !== null, "what is open is somebody's, and somewhere")
      const one = state.sandboxes.find(({ id }) => id === life.sandboxId)
      demand(one?.frozen !== true, `nothing stays frozen in ${life.phase}`)
      demand(life.phase === "syncing" || (life.phase === "running") === life.busy, "it runs while a turn does")
    }
    demand(life.phase !== "lingering" || life.generation === null, "what lingers is nobody's")
  }

  #carryOut(action: LifecycleAction, before: Lifecycle): void {
    const { state } = this
    const told = state.generation !== null && !state.ended
    switch (action.do) {
      case "look":
        state.call = { what: "look", of: action.sandboxId }
        return
      case "create":
      case "restore": {
        demand(state.call?.what !== "spawn", "one spawn at a time")
        for (const { givenUp, id, running } of state.sandboxes) {
          demand(!running || givenUp, `no second sandbox while ${id} runs`)
        }
        state.spawns++
        demand(state.spawns <= this.options.policy.maxSpawns + 1, "spawns of an opening are bounded")
        if (action.do === "restore") {
          const { snapshotId } = action
          demand(snapshotId === state.log.snapshotId, "the log names what is restored")
          demand(snapshotId !== before.abandonedId, "what was given up is not restored")
          demand(
            (state.blamed[snapshotId] ?? 0) < this.options.policy.maxRestores,
            "restores of a snapshot are bounded"
          )
        }
        demand(state.log.region === "warming", "the log knows of a sandbox before it is made")
        state.call = { what: "spawn", of: action.do === "create" ? null : action.snapshotId }
        return
      }
      case "openInner": {
        const one = state.sandboxes.find(({ id }) => id === state.life.sandboxId)
        if (one !== undefined) one.asked = state.generation
        demand(told, "nothing is opened for nobody")
        return
      }
      case "endInner":
        for (const one of state.sandboxes) {
          if (one.open === action.generation) one.open = null
          if (one.asked === action.generation) one.asked = null
        }
        return
      case "snapshot":
        state.call = { what: "snapshot", of: action.sandboxId }
        for (const one of state.sandboxes) if (one.id === action.sandboxId) one.frozen = true
        return
      case "thaw":
        for (const one of state.sandboxes) {
          one.frozen = false
          one.dirty ||= state.busy && one.open !== null
        }
        return
      case "removeSnapshot":
        state.snapshots = state.snapshots.filter((id) => id !== action.snapshotId)
        return
      case "destroy": {
        this.#mayDestroy(
          state.sandboxes.find(({ id }) => id === action.sandboxId),
          before
        )
        state.call = { what: "destroy", of: action.sandboxId }
        return
      }
      case "tell": {
        demand(told, `${action.type} is told to nobody`)
        demand(
          chartAccepts({ ...initialChart, sandbox: state.log.region }, { type: action.type }),
          `${action.type} is not allowed while the log has ${state.log.region}`
        )
        const region = action.type.slice("sandbox.".length) as ChartValue["sandbox"]
        const gone = region === "stopped" || region === "failed"
        // A token of its own for each, as the adapter stores it with `sandbox.warming`.
        const isNew = region === "warming"
        Object.assign(state.log, {
          region,
          sandboxId: gone ? null : (action.sandboxId ?? (isNew ? null : state.log.sandboxId)),
          snapshotId: action.snapshotId ?? state.log.snapshotId,
          tokenHash: gone ? null : isNew ? `t${++state.tokens}` : state.log.tokenHash
        })
        return
      }
      case "note":
        demand(told, "a note is told to nobody")
        return
      case "link":
        demand(told && state.linkDown === action.connected, "the link is told when it changes")
        state.linkDown = !action.connected
        return
      case "endGeneration":
        demand(told, "a generation ends once")
        state.ended = true
        if (action.how === "suspended" && !state.suspendAsked) {
          demand(!state.busy, "it is not put to rest while a turn runs")
          const { hibernateAfterMs, hibernateWatchedAfterMs } = this.options.policy
          const after = state.people > 0 ? hibernateWatchedAfterMs : hibernateAfterMs
          demand(after > 0, "0 is never")
        }
        if (action.how === "lost") demand(action.reason !== "", "what is lost has a reason")
        if (action.how === "lost" && !action.retryable) this.#end("backend.failed")
        return
      case "closed":
        demand(state.generation === null || state.closeAskedAt !== null, "only who closes is told that it is closed")
        state.ended = true
        state.over = state.closeAskedAt !== null
        if (state.over) this.#end("backend.closed")
        if (state.over) {
          const { destroyTimeoutMs } = this.options.policy
          demand(state.now - state.closeAskedAt! <= destroyTimeoutMs, "closing ends in time")
        }
        return
      case "forget": {
        const kept = state.life.phase === "failed" || before.generation === null || state.ended
        demand(kept || state.generation === null, "what is wanted is not forgotten")
        // Whoever comes next has an inbox of its own.
        Object.assign(state, { call: null, mail: [] })
        return
      }
    }
  }

  /** What was not stored goes only with a reason that the log or the policy has. */
  #mayDestroy(one: Sandbox | undefined, before: Lifecycle): void {
    const { life } = this.state
    if (one === undefined || !one.dirty || !this.options.policy.snapshots || life.noSnapshots) return
    const tried = before.phase === "snapshotting" && (before.purpose === "replace" || before.exited)
    demand(life.after === "close" || tried, `what is new in ${one.id} is stored before it is destroyed`)
  }

  /** Sandboxes that somebody still has to look after. */
  lookedAfter(): ReadonlyArray<string> {
    return this.state.sandboxes.filter(({ givenUp }) => !givenUp).map(({ id }) => id)
  }
}

/** Ages beyond this are alike. */
const maxAge = 10_000_000
