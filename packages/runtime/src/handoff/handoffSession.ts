/**
 * Moves a session to another backend, between two of its turns. Until `session.moved` is stored the old backend has it, and
 * nothing of the new one is left if anything fails; by then it is open in the new one. docs/handoff.md has the whole order.
 */
import {
  type Backend,
  type Command,
  type CommandId,
  decide,
  type EventLogService,
  isQuiet,
  makeCommandId,
  type ParticipantId,
  type Receipt,
  type SessionId,
  type SessionNotFound,
  type SessionPolicy,
  type SessionState,
  type SpecInvalid
} from "@holdfast/core"
import { Effect, Option } from "effect"
import type { CommandError, SessionOwner } from "../SessionOwner.ts"
import type { Bundles } from "./Bundles.ts"
import type { WorkspacePacker } from "./HandoffOptions.ts"
import { makeMoveStory } from "./MoveStory.ts"
import { isElsewhere, packSession, rejectMove } from "./packSession.ts"
import { takeSession } from "./takeSession.ts"
import { isSameFolder } from "./TargetFolder.ts"

/** How long the end of the running turn is waited for unless the caller says otherwise, in milliseconds: 10 minutes. */
export const defaultQuietTimeoutMs = 600_000

/** Where a session is to go. */
export interface HandoffTarget {
  /** Name of a backend; the session's own, to go to another folder. */
  readonly backend: string
  /**
   * What it is to run there, in that backend's terms. A backend of this machine needs its `cwd`: the workspace is brought there. It
   * is made if absent; what is in it is replaced, and kept beside it where it is not what the session had left there.
   */
  readonly spec: unknown
  /** Starts the program anew, without what it remembers: the one way to move what runs in a terminal. Default false. */
  readonly restart?: boolean
}

/** What handoffs are made from. */
export interface HandoffParts {
  readonly log: EventLogService
  readonly backends: ReadonlyMap<string, Backend>
  readonly policy: SessionPolicy
  readonly workspaces: WorkspacePacker
  readonly bundles: Bundles
  readonly now: () => number
}

/** Who asks, and how long the end of a turn may take. */
export interface HandoffRequest {
  readonly sessionId: SessionId
  readonly commandId: CommandId
  readonly actor: ParticipantId | "host"
  readonly timeoutMs: number
}

/** Moves it. The receipt is that of `session.moved`. */
export const handoffSession = Effect.fnUntraced(function* (
  parts: HandoffParts,
  owner: SessionOwner,
  to: HandoffTarget,
  request: HandoffRequest
): Effect.fn.Return<Receipt, CommandError | SpecInvalid | SessionNotFound> {
  const { log, workspaces } = parts
  const { sessionId } = request
  const backend = parts.backends.get(to.backend)
  if (backend === undefined) {
    const detail = `this runtime has ${[...parts.backends.keys()].join(", ")}`
    return yield* rejectMove(sessionId)("invalid", detail, "backend")
  }
  yield* mayMove(parts, owner, request)
  const move = Effect.gen(function* () {
    const hold = yield* owner.hold
    yield* untilQuiet(parts, owner, request)
    yield* hold.seal
    const before = owner.state()
    if (!isReady(before)) return yield* rejectMove(sessionId)("busy", "a turn has just begun: try again")
    const restart = to.restart ?? false
    const { workspace } = yield* log.summary(sessionId)
    const present = isElsewhere(owner.backend()) ? null : workspace
    const stays = !isElsewhere(backend) && present !== null && isSameFolder(present, cwdOf(to.spec) ?? "")
    const story = makeMoveStory(owner, backend.name)
    const way = Effect.gen(function* () {
      const bundle = yield* packSession({
        owner,
        hold,
        bundles: parts.bundles,
        workspaces,
        workspace: present === null || stays ? undefined : present,
        restart
      })
      yield* story.packed(bundle.packed)
      const envelope = { sessionId, commandId: request.commandId, actor: request.actor, at: parts.now() }
      const from = { before, workspace: present, bundle, restart }
      const { onTold } = story
      const untilGone = Effect.flatMap(
        owner.until((state) => state.generation !== before.generation || state.chart.lifecycle !== "open"),
        ({ chart }) =>
          rejectMove(sessionId)("illegal_state", `meanwhile the session is ${chart.lifecycle} where it was`)
      )
      const how = { spec: to.spec, envelope, untilGone, onTold }
      return yield* takeSession({ log, hold, workspaces, backend, ...how, ...from })
    })
    return yield* Effect.onExit(Effect.scoped(way), story.ended)
  })
  const { aside, receipt } = yield* Effect.scoped(move)
  if (aside !== undefined) {
    const message = `what had been in the folder is in ${aside} now`
    yield* owner.tell([{ type: "backend.noted", data: { level: "info", message, code: "kept_aside" } }])
  }
  return receipt
})

/** As the backends of this machine call the folder that a session works in. */
const cwdOf = (spec: unknown): string | undefined => {
  const cwd = (spec as { readonly cwd?: unknown } | null | undefined)?.cwd
  return typeof cwd === "string" && cwd !== "" ? cwd : undefined
}

/** Who may not move it learns so before anything is done. */
const mayMove = (parts: HandoffParts, owner: SessionOwner, { actor, commandId, sessionId }: HandoffRequest) => {
  const state = owner.state()
  const { generation, lastTurnId } = state
  const data = { backend: "", spec: null, generation, lastTurnId }
  const command: Command = { type: "session.move", data, sessionId, commandId, actor, at: parts.now() }
  const { capabilities } = owner.backend()
  const decision = decide(state, command, { policy: parts.policy, capabilities })
  return decision.accepted || decision.rejection.reason !== "forbidden" ? Effect.void : Effect.fail(decision.rejection)
}

/** Not while its sandbox is away, as right after a restart of the host. */
const isReady = (state: SessionState) =>
  isQuiet(state) && state.chart.lifecycle === "open" && state.chart.link === "connected"

const isOver = ({ chart: { lifecycle } }: SessionState) =>
  lifecycle === "closed" || lifecycle === "closing" || lifecycle === "failed"

/** Waits until the session is open and no turn runs in it. One at rest is opened. */
const untilQuiet = Effect.fnUntraced(function* (
  parts: HandoffParts,
  owner: SessionOwner,
  { sessionId, timeoutMs }: HandoffRequest
): Effect.fn.Return<void, CommandError> {
  const no = rejectMove(sessionId)
  const { chart } = owner.state()
  if (chart.lifecycle === "created" || chart.lifecycle === "suspended") {
    const by = { sessionId, commandId: makeCommandId(), actor: "runtime", at: parts.now() } as const
    yield* owner.submit({ type: "session.open", data: {}, ...by }, true)
  }
  const reached = yield* Effect.timeoutOption(
    owner.until((state) => isOver(state) || isReady(state)),
    timeoutMs
  )
  if (Option.isNone(reached)) {
    const { chart: now, turn } = owner.state()
    const isAway = now.lifecycle === "open" && now.link !== "connected"
    const what = turn !== null ? "its turn did not end" : isAway ? "it was not connected" : "it was not open"
    const hint = turn === null ? "try again later" : "interrupt the turn, or try again later"
    return yield* no("busy", `${what} within ${timeoutMs} ms: ${hint}`)
  }
  const { lifecycle } = reached.value.chart
  if (!isReady(reached.value)) return yield* no("illegal_state", `the session is ${lifecycle}`)
})
