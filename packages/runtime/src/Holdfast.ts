/** The runtime: what a host app composes from a log and backends. */
import {
  type Backend,
  type BackendLost,
  type BackendRefused,
  checkCommand,
  type Command,
  type CommandBody,
  type CommandId,
  CommandRejected,
  EventLog,
  type EventLogService,
  type GcOptions,
  type Lifecycle,
  type LogUnavailable,
  makeCommandId,
  makeSessionId,
  maxWriteBytes,
  type ParticipantId,
  roleCovers,
  type Receipt,
  type Removed,
  type SessionId,
  type SessionNotFound,
  type SessionPolicy,
  type SessionState,
  type SpecInvalid,
  WorkspaceAction,
  type WorkspaceResult,
  defaultPolicy
} from "@holdfast/core"
import { Clock, Context, Effect, Layer, Metric, Option, Result, Schema, type Scope } from "effect"
import { makeArtifactWatch } from "./ArtifactWatch.ts"
import { isKeystroke } from "./isKeystroke.ts"
import { defaultMaxLive, type LiveSessions, makeLiveSessions } from "./LiveSessions.ts"
import { forkNative } from "./NativeFork.ts"
import { sweep, type Swept } from "./Recovery.ts"
import type { CommandError, SessionOwner, Typed } from "./SessionOwner.ts"
import { makeBundles } from "./handoff/Bundles.ts"
import type { HandoffOptions } from "./handoff/HandoffOptions.ts"
import {
  defaultQuietTimeoutMs,
  type HandoffParts,
  handoffSession,
  type HandoffTarget
} from "./handoff/handoffSession.ts"
import { rejectMove } from "./handoff/packSession.ts"
import { makeSnapshotter } from "./screen/Snapshotter.ts"
import type { SnapshotPolicy } from "./screen/SnapshotPolicy.ts"
import { makeSessionReader, type SessionReader } from "./SessionReader.ts"
import * as Telemetry from "./Telemetry.ts"

/** What a runtime is made of, beside the log. */
export interface HoldfastOptions {
  /** One for each kind of session. Their names must differ. */
  readonly backends: ReadonlyArray<Backend>
  /** Overrides of {@link defaultPolicy}. */
  readonly policy?: Partial<SessionPolicy>
  /** Most sessions in use at once: 10,000. */
  readonly maxLive?: number
  /** How often screens are stored, and how much terminal output is kept; overrides of its defaults. */
  readonly snapshots?: Partial<SnapshotPolicy>
  /** How sessions are moved from one backend to another. Without it they cannot be. */
  readonly handoff?: HandoffOptions
  /** Where `ScreenWorker.js` is, for hosts whose bundler moves it: it is a file of its own, loaded in a worker thread. */
  readonly screenWorkerUrl?: URL
}

/** A session to make. */
export interface CreateSession {
  /** Name of a backend. */
  readonly backend: string
  /** What it is to run, in that backend's terms. */
  readonly spec: unknown
  readonly title?: string
  readonly labels?: { readonly [name: string]: string }
  /** False: the first prompt opens it, or a `session.open`, or somebody who begins to type. Default true. */
  readonly open?: boolean
  /** Joins as owner. Without one, only the host may act. */
  readonly owner?: { readonly participantId: ParticipantId; readonly name: string }
  /** Made by the caller, so that a repeat makes no second session; a new one unless given. */
  readonly sessionId?: SessionId
  readonly commandId?: CommandId
}

/** Who sends a command, and under which id. */
export interface CommandOptions {
  /** Made by the caller, so that a repeat has no second effect; a new one unless given. */
  readonly commandId?: CommandId
  /** Default: the host. */
  readonly actor?: ParticipantId | "host"
}

/** A branch to make. */
export interface ForkSession extends CommandOptions {
  /** The last event that the branch has in common with its parent; the head unless given. */
  readonly at?: number
  /** The branch's id; a new one unless given. Give one with `commandId` to make a repeat harmless. */
  readonly into?: SessionId
  readonly title?: string
  /** Joins the branch as owner. Without one, only the host may act there. */
  readonly owner?: CreateSession["owner"]
}

/** How a session is moved. */
export interface HandoffSession extends CommandOptions {
  /** How long the end of the running turn, and the opening of a session at rest, is waited for, in ms. Default 600,000. */
  readonly timeoutMs?: number
}

/** What goes on at a client. */
export type SessionSignal = { readonly type: "typing" } | { readonly type: "watched"; readonly people: number }

/** Runs sessions. Everything that {@link SessionReader} does, and what only the owner of the log may do. */
export interface HoldfastService extends SessionReader {
  /** What sessions can run on, by name, and what their sessions can do at most. */
  readonly backends: ReadonlyArray<Pick<Backend, "name" | "capabilities" | "places">>
  /** What the start found of sessions that an earlier owner had left. */
  readonly swept: Swept
  /** Makes a session and opens it. Returns once it is recorded; follow it to see it open. */
  readonly create: (options: CreateSession) => Effect.Effect<Receipt, CommandError | SpecInvalid>
  /** Sends a command. The receipt means that it was accepted and is stored. */
  readonly command: (
    sessionId: SessionId,
    command: Exclude<
      CommandBody,
      { readonly type: "session.create" | "session.fork" | "session.move" | "request.expire" }
    >,
    options?: CommandOptions
  ) => Effect.Effect<Receipt, CommandError | SessionNotFound>
  /**
   * The plain way of a keystroke: {@link command} with a `terminal.write`, written before this returns. Undefined where it cannot be
   * decided on the spot, as for a session that nobody has used lately or that is elsewhere: then send the command.
   */
  readonly type: (sessionId: SessionId, bytes: Uint8Array, options?: CommandOptions) => Typed | undefined
  /**
   * Makes a branch: a new session on the same backend whose history is the parent's up to `at`. A backend that can fork
   * branches its native session behind the last turn that had completed at `at`, or at its head; any other starts afresh from
   * the same spec, as does a branch from before the first completed turn. It has its parent's labels. Gives the receipt of
   * the branch.
   */
  readonly fork: (
    sessionId: SessionId,
    options?: ForkSession
  ) => Effect.Effect<Receipt, CommandError | SessionNotFound | SpecInvalid>
  /**
   * Moves a session to another backend, or to another folder, once its turn has ended: its log goes on, its workspace and what the
   * agent remembers go along, and prompts that come meanwhile wait. One backend has it at any time: the old one until
   * `session.moved` is stored, the new one, which is then opened, from there on. Whatever fails before leaves it where it was, and
   * is rejected: as `busy` where it may go well another time, as `unsupported` where it cannot. Needs an owner of the session.
   */
  readonly handoff: (
    sessionId: SessionId,
    to: HandoffTarget,
    options?: HandoffSession
  ) => Effect.Effect<Receipt, CommandError | SessionNotFound | SpecInvalid>
  /**
   * Says what goes on at a client, and is no event. Somebody began to type: a session that is not opened yet or was put to rest is
   * opened, so that it is there when the prompt comes. So many people look on: what is watched is not put to rest as soon.
   * Never fails, and does nothing where it means nothing.
   */
  readonly signal: (sessionId: SessionId, signal: SessionSignal) => Effect.Effect<void>
  /**
   * Does something with the git repository that a session works in. Rejected as `unsupported` where it has none, and as
   * `illegal_state` while the session is not open. A commit without an author is the actor's.
   */
  readonly workspace: (
    sessionId: SessionId,
    action: WorkspaceAction,
    options?: Pick<CommandOptions, "actor">
  ) => Effect.Effect<WorkspaceResult, CommandError | SessionNotFound | BackendRefused | BackendLost>
  /** Deletes an ended session with its log. */
  readonly remove: (sessionId: SessionId) => Effect.Effect<void, CommandRejected | SessionNotFound | LogUnavailable>
  readonly gc: (
    options?: Omit<GcOptions, "now">
  ) => Effect.Effect<Removed & { readonly sessions: number }, LogUnavailable>
  readonly vacuum: Effect.Effect<void, LogUnavailable>
  /**
   * Waits for a state: that it is open, idle, closed. Completes at once if it is so already; with the last state, which may
   * not fit, where the session is removed or the runtime ends meanwhile. What `fits` throws fails the wait.
   */
  readonly until: (
    sessionId: SessionId,
    fits: (state: SessionState) => boolean
  ) => Effect.Effect<SessionState, SessionNotFound | LogUnavailable>
}

/** The runtime as a service. */
export class Holdfast extends Context.Service<Holdfast, HoldfastService>()("@holdfast/runtime/Holdfast") {
  /** The runtime over the {@link EventLog} that is provided. Building it sweeps the log; see {@link Swept}. */
  static readonly layer = (options: HoldfastOptions): Layer.Layer<Holdfast, LogUnavailable, EventLog> =>
    Layer.effect(
      Holdfast,
      Effect.flatMap(EventLog, (log) => makeHoldfast(log, options))
    )
}

/** Makes a runtime in a scope. Closing the scope ends the sessions that cannot outlive it, politely, then by force. */
export const makeHoldfast = (
  log: EventLogService,
  options: HoldfastOptions
): Effect.Effect<HoldfastService, LogUnavailable, Scope.Scope> =>
  Effect.gen(function* () {
    const policy: SessionPolicy = { ...defaultPolicy, ...options.policy }
    const clock = yield* Clock.Clock
    const context = yield* Effect.context<never>()
    const byName = new Map(options.backends.map((backend) => [backend.name, backend]))
    // First, and so run last: once the scope of every session is closed.
    yield* Effect.addFinalizer(() =>
      Effect.forEach(options.backends, (backend) => releaseBackend(backend, policy), {
        concurrency: "unbounded",
        discard: true
      })
    )
    const bundles = options.handoff === undefined ? undefined : makeBundles(options.handoff.folder)
    const moving: HandoffParts | undefined =
      options.handoff === undefined || bundles === undefined
        ? undefined
        : {
            log,
            backends: byName,
            policy,
            workspaces: options.handoff.workspaces,
            bundles,
            now: () => clock.currentTimeMillisUnsafe()
          }
    const live = yield* makeLiveSessions({
      log,
      backends: options.backends,
      policy,
      maxLive: options.maxLive ?? defaultMaxLive,
      onStored: (events, before, after) => {
        Telemetry.eventsStored.updateUnsafe(events, context)
        if (after.terminal === null) return
        const bytes = after.terminal.offset - (before.terminal?.offset ?? 0)
        if (bytes > 0) Telemetry.outputStored.updateUnsafe(bytes, context)
        snapshotter.note(after.sessionId, after.terminal)
      },
      onDropped: (sessionId) => snapshotter.forget(sessionId),
      people: (sessionId) => people.get(sessionId) ?? 0
    })
    /** Sessions that somebody looks on: as many as there are watchers at most. */
    const people = new Map<SessionId, number>()
    const snapshotter = yield* makeSnapshotter({
      log,
      record: (sessionId, event) =>
        live.get(sessionId).pipe(
          Effect.flatMap((owner) => owner.tell([event])),
          Effect.catch((error) => Effect.logWarning("a terminal's screen could not be stored", error))
        ),
      ...(options.snapshots === undefined ? {} : { policy: options.snapshots }),
      ...(options.screenWorkerUrl === undefined ? {} : { workerUrl: options.screenWorkerUrl })
    })
    yield* Effect.addFinalizer(() => settleAll(live, policy, () => clock.currentTimeMillisUnsafe()))
    yield* Effect.forEach(
      options.backends,
      (backend) =>
        backend.start?.({
          state: (sessionId) =>
            Effect.map(live.get(sessionId), (owner) => owner.state()).pipe(
              Effect.catchTag("SessionNotFound", () => Effect.succeed(undefined))
            )
        }) ?? Effect.void,
      { discard: true }
    )
    const onTheirWay = bundles === undefined ? new Set<SessionId>() : yield* bundles.sweep
    const swept = yield* sweep(log, live.get, onTheirWay).pipe(Effect.catchTag("SessionNotFound", Effect.die))
    const reader = makeSessionReader(log)

    const submit = (command: Command, justMade: boolean) =>
      Effect.flatMap(live.get(command.sessionId), (owner) => owner.submit(command, justMade)).pipe(countOutcome)

    const envelope = (sessionId: SessionId, given: CommandOptions | undefined) => ({
      sessionId,
      commandId: given?.commandId ?? makeCommandId(),
      actor: given?.actor ?? "host",
      at: clock.currentTimeMillisUnsafe()
    })

    /** Its id is made when somebody asks for it: not before it is written. */
    const keystroke = (
      sessionId: SessionId,
      bytes: Uint8Array,
      given: CommandOptions | undefined
    ): Command<"terminal.write"> => {
      const actor = given?.actor ?? "host"
      const at = clock.currentTimeMillisUnsafe()
      let commandId = given?.commandId
      if (commandId !== undefined) return { type: "terminal.write", data: { bytes }, sessionId, actor, at, commandId }
      return {
        type: "terminal.write",
        data: { bytes },
        sessionId,
        actor,
        at,
        get commandId() {
          return (commandId ??= makeCommandId())
        }
      }
    }

    const make = (
      create: CreateSession,
      extra: {
        readonly forkedFrom?: { readonly sessionId: SessionId; readonly seq: number }
        readonly nativeId?: string
      }
    ): Effect.Effect<Receipt, CommandError | SpecInvalid> =>
      Effect.gen(function* () {
        const sessionId = create.sessionId ?? makeSessionId()
        const commandId = create.commandId ?? makeCommandId()
        const done = yield* log.receipt(sessionId, commandId)
        if (Option.isSome(done)) return done.value
        const backend = byName.get(create.backend)
        if (backend === undefined) {
          return yield* new CommandRejected({
            sessionId,
            command: "session.create",
            reason: "invalid",
            field: "backend",
            detail: `this runtime has ${options.backends.map(({ name }) => name).join(", ") || "no backends"}`
          })
        }
        const checked = yield* backend.check(create.spec)
        const title = create.title ?? checked.title
        const body = checkCommand({
          type: "session.create",
          data: {
            backend: backend.name,
            spec: checked.spec,
            ...(title === undefined ? {} : { title }),
            ...(checked.workspace === undefined ? {} : { workspace: checked.workspace }),
            ...(create.labels === undefined ? {} : { labels: create.labels }),
            ...(create.open === undefined ? {} : { open: create.open }),
            ...(create.owner === undefined ? {} : { owner: create.owner }),
            ...extra
          }
        })
        if (!("body" in body)) return yield* malformed(sessionId, "session.create", body)
        const owner = yield* live.make(sessionId, backend.name, checked.secrets)
        return yield* owner.submit({
          ...body.body,
          sessionId,
          commandId,
          actor: create.owner?.participantId ?? "host",
          at: clock.currentTimeMillisUnsafe()
        })
      })

    const create = Effect.fn("Holdfast.create")(
      (given: CreateSession) => make(given, {}),
      (effect) => countOutcome(effect)
    )

    const type: HoldfastService["type"] = (sessionId, bytes, how) => {
      if (bytes.byteLength > maxWriteBytes) return undefined
      return live.peek(sessionId)?.type(keystroke(sessionId, bytes, how), how?.commandId === undefined)
    }

    const command: HoldfastService["command"] = (sessionId, given, how) => {
      if (!isKeystroke(given)) return decided(sessionId, given, how)
      return Effect.suspend(() => {
        const typed = type(sessionId, given.data.bytes, how)
        if (typed === undefined) return decided(sessionId, given, how)
        return typed.accepted ? Effect.succeed(typed.receipt) : Effect.fail(typed.rejection)
      })
    }

    const decided: HoldfastService["command"] = Effect.fnUntraced(function* (sessionId, given, how) {
      const checked = checkCommand(given)
      if (!("body" in checked)) return yield* malformed(sessionId, String(given?.type), checked)
      const call = calls.get(checked.body.type)
      if (call !== undefined) {
        return yield* malformed(sessionId, checked.body.type, {
          field: "type",
          expected: `a call of ${call}() instead`
        })
      }
      return yield* submit({ ...checked.body, ...envelope(sessionId, how) } as Command, how?.commandId === undefined)
    })

    const fork: HoldfastService["fork"] = Effect.fn("Holdfast.fork")(function* (sessionId, given) {
      const into = given?.into ?? makeSessionId()
      const checked = checkCommand({
        type: "session.fork",
        data: { into, ...(given?.at === undefined ? {} : { at: given.at }) }
      })
      if (!("body" in checked)) return yield* malformed(sessionId, "session.fork", checked)
      const owner = yield* live.get(sessionId)
      const envelop = envelope(sessionId, given)
      const before = owner.state()
      const receipt = yield* owner.submit({ ...checked.body, ...envelop } as Command)
      const existing = yield* Effect.option(log.head(into))
      if (Option.isSome(existing)) {
        // The repeat of a fork that went through.
        const first = yield* log.receipt(into, envelop.commandId)
        if (Option.isSome(first)) return first.value
      }
      const { labels } = yield* log.summary(sessionId)
      const native = yield* forkNative(log, owner, before, given?.at)
      return yield* make(
        {
          backend: before.backend,
          spec: before.spec,
          sessionId: into,
          commandId: envelop.commandId,
          title: given?.title ?? before.title,
          labels,
          ...(given?.owner === undefined ? {} : { owner: given.owner })
        },
        {
          forkedFrom: { sessionId, seq: Math.min(given?.at ?? receipt.firstSeq - 1, receipt.firstSeq - 1) },
          ...(native === undefined ? {} : { nativeId: native })
        }
      )
    })

    const handoff: HoldfastService["handoff"] = Effect.fn("Holdfast.handoff")(
      function* (sessionId, to, given) {
        const owner = yield* live.get(sessionId)
        const { actor, commandId } = envelope(sessionId, given)
        const done = yield* log.receipt(sessionId, commandId)
        if (Option.isSome(done)) return done.value
        if (moving === undefined) {
          return yield* rejectMove(sessionId)("unsupported", "this runtime was not told how sessions are moved")
        }
        const timeoutMs = given?.timeoutMs ?? defaultQuietTimeoutMs
        return yield* handoffSession(moving, owner, to, { sessionId, commandId, actor, timeoutMs })
      },
      (effect) => countOutcome(effect)
    )

    const artifacts = yield* makeArtifactWatch({
      summary: reader.summary,
      owner: live.get,
      canRefresh: (backend) => byName.get(backend)?.refresh !== undefined,
      people: (sessionId) => people.get(sessionId) ?? 0,
      now: () => clock.currentTimeMillisUnsafe()
    })

    const signal: HoldfastService["signal"] = (sessionId, given) => {
      if (given.type === "watched") {
        const before = people.get(sessionId) ?? 0
        if (given.people > 0) people.set(sessionId, given.people)
        else people.delete(sessionId)
        if (given.people > before) artifacts.look(sessionId)
        const owner = live.peek(sessionId)
        return owner === undefined || owner.backend().capabilities.reattach !== true
          ? Effect.void
          : Effect.ignore(owner.ask({ type: "watched", people: given.people }))
      }
      return Effect.gen(function* () {
        const owner = yield* live.get(sessionId)
        const { lifecycle } = owner.state().chart
        if (lifecycle !== "created" && lifecycle !== "suspended") return
        yield* owner.submit({ type: "session.open", data: {}, ...envelope(sessionId, undefined), actor: "runtime" })
      }).pipe(
        // Somebody else opened it meanwhile, or it is gone: the prompt itself will tell.
        Effect.catch((error) => Effect.logDebug("a session was not opened early", error))
      )
    }

    const workspace: HoldfastService["workspace"] = Effect.fn("Holdfast.workspace")(
      function* (sessionId, action, given) {
        const owner = yield* live.get(sessionId)
        const state = owner.state()
        const rejected = (reason: "unsupported" | "invalid" | "forbidden", detail: string, field?: string) =>
          new CommandRejected({
            sessionId,
            command: "workspace",
            reason,
            detail,
            ...(field === undefined ? {} : { field })
          })
        const actor = given?.actor ?? "host"
        const participant = actor === "host" ? undefined : state.participants[actor]
        if (actor !== "host" && (participant?.present !== true || !roleCovers(participant.role, "member"))) {
          return yield* rejected("forbidden", `${actor} is no member of this session`)
        }
        const checked = decodeAction(action)
        if (Result.isFailure(checked)) return yield* rejected("invalid", checked.failure.message, "action")
        if ((state.capabilities ?? owner.backend().capabilities).workspace !== true) {
          return yield* rejected("unsupported", "it does not work in a git repository that the host knows of")
        }
        const wanted = checked.success
        const isTheirs = wanted.do === "commit" && wanted.author === undefined && participant !== undefined
        const author = isTheirs ? { author: { name: participant.name } } : {}
        const performed = yield* owner.ask({ type: "workspace", action: { ...wanted, ...author } })
        if (wanted.do === "push" || wanted.do === "pullRequest") artifacts.look(sessionId)
        if (performed.workspace !== undefined) return performed.workspace
        return yield* rejected("unsupported", `its backend does not ${action.do}`)
      }
    )

    const remove: HoldfastService["remove"] = Effect.fnUntraced(function* (sessionId) {
      const { lifecycle } = (yield* live.get(sessionId)).state().chart
      if (lifecycle !== "closed" && lifecycle !== "failed" && lifecycle !== "suspended") {
        return yield* new CommandRejected({
          sessionId,
          command: "remove",
          reason: "illegal_state",
          detail: `the session is ${lifecycle}: close it first`
        })
      }
      yield* live.drop(sessionId)
      yield* log.remove(sessionId)
    })

    return {
      ...reader,
      backends: options.backends.map(({ capabilities, name, places }) => ({
        name,
        capabilities,
        ...(places === undefined ? {} : { places })
      })),
      swept,
      create,
      command,
      type,
      fork,
      handoff,
      signal,
      workspace,
      remove,
      gc: (given) => log.gc({ ...given, now: clock.currentTimeMillisUnsafe() }),
      vacuum: log.vacuum,
      until: (sessionId, fits) => Effect.flatMap(live.get(sessionId), (owner) => owner.until(fits))
    }
  })

/** Commands that are calls of their own. */
const calls: ReadonlyMap<string, string> = new Map([
  ["session.create", "create"],
  ["session.fork", "fork"],
  ["session.move", "handoff"]
])

const decodeAction = Schema.decodeUnknownResult(WorkspaceAction)

const malformed = (
  sessionId: SessionId,
  command: string,
  problem: { readonly field: string; readonly expected: string }
) =>
  Effect.fail(
    new CommandRejected({
      sessionId,
      command,
      reason: "invalid",
      field: problem.field,
      detail: `expected ${problem.expected}`
    })
  )

const countOutcome = <A, E extends { readonly _tag: string }>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.onExit(effect, (exit) =>
    Metric.update(exit._tag === "Success" ? Telemetry.commandsAccepted : Telemetry.commandsRefused, 1)
  )

/**
 * The end of the runtime. What cannot be taken up again (a terminal) is closed, politely and then by force; what can is
 * left as lost and resumed at the next start. All at once, within the policy's grace and timeout.
 */
const settleAll = (live: LiveSessions, policy: SessionPolicy, now: () => number): Effect.Effect<void> =>
  Effect.forEach(live.all(), (owner) => settle(owner, live, policy, now), { concurrency: "unbounded", discard: true })

/** Ends what a backend keeps for all of its sessions; one that does not come to an end is left behind. */
const releaseBackend = ({ name, release }: Backend, policy: SessionPolicy): Effect.Effect<void> =>
  release === undefined
    ? Effect.void
    : Effect.interruptible(release).pipe(
        Effect.timeoutOrElse({
          duration: policy.closeGraceMs + policy.closeTimeoutMs,
          orElse: () => Effect.logWarning(`the backend ${name} was not released in time`)
        }),
        Effect.catchCause((cause) => Effect.logWarning(`the backend ${name} could not be released`, cause))
      )

const settle = (
  owner: SessionOwner,
  live: LiveSessions,
  policy: SessionPolicy,
  now: () => number
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { sessionId, chart, capabilities, nativeId } = owner.state()
    if (!isOpen(chart.lifecycle)) return
    if (chart.lifecycle === "open" && capabilities?.reattach === true) {
      yield* owner.detach
      yield* owner.tell([{ type: "link.reconnecting", data: { attempt: 0, reason: "the runtime was stopped" } }])
      return yield* live.drop(sessionId)
    }
    if (capabilities?.resume === true && nativeId !== null && chart.lifecycle !== "closing") {
      yield* owner.tell([{ type: "backend.lost", data: { reason: "the runtime was stopped", retryable: true } }])
      return yield* live.drop(sessionId)
    }
    if (chart.lifecycle !== "closing") {
      const close: Command<"session.close"> = {
        type: "session.close",
        data: { reason: "the runtime was stopped" },
        sessionId,
        commandId: makeCommandId(),
        actor: "runtime",
        at: now()
      }
      yield* owner
        .submit(close)
        .pipe(Effect.catch((error) => Effect.logWarning("a session could not be closed", error)))
    }
    yield* owner
      .until((state) => !isOpen(state.chart.lifecycle))
      .pipe(Effect.timeoutOption(policy.closeGraceMs + policy.closeTimeoutMs))
  })

const isOpen = (lifecycle: Lifecycle): boolean =>
  lifecycle === "opening" || lifecycle === "open" || lifecycle === "suspending" || lifecycle === "closing"
