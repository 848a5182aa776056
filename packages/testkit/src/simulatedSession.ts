/**
 * A session without a runtime, a log or a clock: the pure functions of core, driven step by step. For tests of folds and
 * views, and for making logs as a runtime would write them.
 */
import {
  accept,
  advance,
  type Actor,
  type Capabilities,
  type CommandBody,
  type Command,
  type CommandId,
  deadlines,
  type Deadline,
  decide,
  type Decision,
  defaultPolicy,
  draft,
  type Drafts,
  emptyState,
  type EventBody,
  type EventRecord,
  evolve,
  note,
  noCapabilities,
  type Observed,
  reopening,
  type RequestId,
  type SessionId,
  type SessionPolicy,
  type SessionState,
  turnNotStarted
} from "@holdfast/core"

/** A backend that can do everything. */
export const everyCapability: Capabilities = Object.fromEntries(
  Object.keys(noCapabilities).map((name) => [name, true])
) as Capabilities

/** The n-th of a row of ids that are the same in every run: version 7 UUIDs, as sessions and commands have them. */
export const numberedId = (n: number): string => `00000000-0000-7000-8000-${n.toString(16).padStart(12, "0")}`

/** Most deadlines that one wait fires: far more than a session can have without going round in a circle. */
const maxFired = 10_000

/** What a simulated session may be told at its start. */
export interface SimulatedSessionOptions {
  readonly sessionId?: SessionId
  readonly policy?: Partial<SessionPolicy>
  /** What the backend can do; everything unless given. */
  readonly capabilities?: Capabilities
  /** The time at which it starts, in milliseconds since 1970. */
  readonly at?: number
  /** Called with each record as it is drafted, and the states before and after it. */
  readonly onRecord?: (record: EventRecord, before: SessionState, after: SessionState) => void
}

/** A session that lives by core's pure functions alone. Each call is one append: what is decided, then what follows. */
export interface SimulatedSession {
  readonly policy: SessionPolicy
  readonly capabilities: Capabilities
  readonly state: () => SessionState
  readonly records: () => ReadonlyArray<EventRecord>
  readonly now: () => number
  /** Decides a command of `host`, unless another actor is named. The n-th command has the id `numberedId(n)`. */
  readonly command: (body: CommandBody, actor?: Actor) => Decision
  /** The id that the next command will have, and so a prompt that it queues. */
  readonly nextCommandId: () => CommandId
  /** Takes in what the current generation, or another one, tells. */
  readonly tell: (events: ReadonlyArray<Observed>, generation?: number) => void
  /** Lets time go by and does all that became due, the earliest first, as a runtime would. */
  readonly wait: (milliseconds: number) => void
  /** Lets time go by until the next thing is due and does it; false when nothing waits. */
  readonly waitForNext: () => boolean
}

/** Makes a session that has no event yet. */
export const makeSimulatedSession = (options: SimulatedSessionOptions = {}): SimulatedSession => {
  const sessionId = options.sessionId ?? (numberedId(0xfff) as SessionId)
  const policy = { ...defaultPolicy, ...options.policy }
  const capabilities = options.capabilities ?? everyCapability
  const records: Array<EventRecord> = []
  let state = emptyState(sessionId)
  let at = options.at ?? 1_700_000_000_000
  let commands = 0

  const keep = (record: EventRecord, after: SessionState): void => {
    options.onRecord?.(record, state, after)
    records.push(record)
    state = after
  }

  const add = (body: EventBody, stamp: { readonly actor?: Actor; readonly cause?: CommandId }): void => {
    const drafted = draft(state, body, { at, ...stamp })
    keep(drafted.record, drafted.state)
  }

  const keepAll = (drafts: Drafts): void => {
    for (const record of drafts.records) keep(record, evolve(state, record))
    state = drafts.state
  }

  const observe = (generation: number, events: ReadonlyArray<Observed>): void =>
    keepAll(accept(state, generation, events, { at }, policy))

  const follow = (): void => {
    if (state.seq > 0) keepAll(advance({ state, records: [] }, { at }, policy))
  }

  const run = (body: CommandBody, actor: Actor): Decision => {
    commands += 1
    const command = { ...body, sessionId, commandId: numberedId(commands) as CommandId, actor, at } as Command
    const decision = decide(state, command, { policy, capabilities })
    if (decision.accepted) for (const one of decision.events) add(one, { actor, cause: command.commandId })
    return decision
  }

  const fire = (deadline: Deadline): void => {
    switch (deadline.due) {
      case "request":
        run({ type: "request.expire", data: { requestId: deadline.requestId as RequestId } }, "runtime")
        return
      case "reopen":
        add(reopening(state, capabilities), { actor: "runtime" })
        return
      case "closing":
        observe(state.generation, [{ type: "backend.closed", data: { reason: "it did not end in time" } }])
        return
      case "turn_start":
        add(note("warning", "the turn did not start in time", undefined, turnNotStarted), { actor: "runtime" })
        return
      default:
        observe(state.generation, [
          { type: "backend.lost", data: { reason: `late: ${deadline.due}`, retryable: true } }
        ])
    }
  }

  const waitForNext = (until = Number.POSITIVE_INFINITY): boolean => {
    const next = deadlines(state, policy)[0]
    if (next === undefined || next.at > until) return false
    at = Math.max(at, next.at)
    fire(next)
    follow()
    return true
  }

  return {
    policy,
    capabilities,
    state: () => state,
    records: () => records,
    now: () => at,
    command: (body, actor = "host") => {
      const decision = run(body, actor)
      follow()
      return decision
    },
    nextCommandId: () => numberedId(commands + 1) as CommandId,
    tell: (events, generation = state.generation) => {
      observe(generation, events)
      follow()
    },
    wait: (milliseconds) => {
      const until = at + milliseconds
      for (let fired = 0; waitForNext(until); fired++) {
        if (fired === maxFired) throw new Error(`After ${maxFired} deadlines the session still has one that is due`)
      }
      at = until
    },
    waitForNext: () => waitForNext()
  }
}
