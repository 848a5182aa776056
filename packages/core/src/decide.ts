/**
 * `decide(state, command) → events | rejection`: pure. Who may do what, what makes sense now, and what the backend can
 * do are answered here, before anything is logged or performed.
 */
import type { Capabilities } from "./Capabilities.ts"
import { type Command, type CommandBody, CommandRejected, type CommandType, type RejectionReason } from "./Command.ts"
import type { QuestionOutcome, Role } from "./Content.ts"
import { closeGeneration } from "./closings.ts"
import { own } from "./evolve.ts"
import type { Actor, PromptId, RequestId } from "./Ids.ts"
import type { EventBody } from "./SessionEvent.ts"
import type { SessionPolicy } from "./SessionPolicy.ts"
import { type SessionState, stateBounds } from "./SessionState.ts"
import { chartAccepts } from "./SessionChart.ts"

/** What deciding needs beside the state. */
export interface DecideContext {
  readonly policy: SessionPolicy
  /** What the session's backend can do at most: counts until it is open and says itself. */
  readonly capabilities: Capabilities
}

/** Accepted: the events, in order; a keystroke may have none. Or rejected: nothing happens. */
export type Decision =
  | { readonly accepted: true; readonly events: ReadonlyArray<EventBody> }
  | { readonly accepted: false; readonly rejection: CommandRejected }

/** The least role for each command. `request.expire` is the runtime's own. */
export const commandRoles: { readonly [T in CommandType]: Role } = {
  "session.create": "owner",
  "session.open": "member",
  "session.rename": "member",
  "session.archive": "owner",
  "session.unarchive": "owner",
  "session.fork": "member",
  "session.move": "owner",
  "session.suspend": "owner",
  "session.close": "owner",
  "prompt.send": "member",
  "prompt.edit": "member",
  "prompt.withdraw": "member",
  "turn.interrupt": "member",
  "permission.resolve": "member",
  "question.answer": "member",
  "request.expire": "owner",
  "context.compact": "member",
  "history.revert": "member",
  "history.restore": "member",
  "item.stop": "member",
  "backend.configure": "member",
  "participant.join": "owner",
  "participant.change": "owner",
  "participant.leave": "viewer",
  "terminal.write": "member",
  "terminal.resize": "member",
  "process.signal": "member",
  "artifact.add": "member",
  "artifact.update": "member"
}

const rank: { readonly [R in Role]: number } = { viewer: 0, member: 1, owner: 2 }

/** Whether who has `role` may do what needs `needed`: an owner may what a member may, and a member what a viewer may. */
export const roleCovers = (role: Role, needed: Role): boolean => rank[role] >= rank[needed]

/** A burst of keystrokes of one author is logged once in this time: 5 s. */
export const typedBurstMs = 5_000

/** Decides. */
export const decide = (state: SessionState, command: Command, context: DecideContext): Decision => {
  const forbidden = forbiddenBecause(state, command.actor, command)
  if (forbidden !== undefined) return reject(command, "forbidden", forbidden)
  if (command.type === "session.create") {
    if (state.seq > 0) return reject(command, "illegal_state", "this session exists already: take a new session id")
  } else if (state.seq === 0) {
    return reject(command, "illegal_state", "this session does not exist: create it first")
  }
  const decided = decideBody(state, command, context)
  return decided instanceof CommandRejected
    ? { accepted: false, rejection: decided }
    : { accepted: true, events: decided }
}

const forbiddenBecause = (state: SessionState, actor: Actor, command: CommandBody): string | undefined => {
  if (command.type === "request.expire" && actor !== "runtime") return "only the runtime lets a request expire"
  if (actor === "host" || actor === "runtime") return undefined
  if (command.type === "session.create") return undefined
  const participant = own(state.participants, actor)
  if (participant === undefined || !participant.present)
    return `${actor} does not take part in this session: let an owner add them`
  const needed = commandRoles[command.type]
  if (command.type === "participant.leave" && command.data.participantId !== actor && participant.role !== "owner") {
    return "only an owner can make somebody else leave"
  }
  if (!roleCovers(participant.role, needed)) {
    return `${actor} is ${a(participant.role)} of this session, and this needs ${a(needed)}`
  }
  return undefined
}

const a = (role: Role): string => (role === "owner" ? `an ${role}` : `a ${role}`)

const reject = (command: Command, reason: RejectionReason, detail: string, field?: string): Decision => ({
  accepted: false,
  rejection: rejection(command, reason, detail, field)
})

const rejection = (command: Command, reason: RejectionReason, detail: string, field?: string): CommandRejected =>
  new CommandRejected({
    sessionId: command.sessionId,
    command: command.type,
    reason,
    detail,
    ...(field === undefined ? {} : { field })
  })

type Decided = ReadonlyArray<EventBody> | CommandRejected

const decideBody = (state: SessionState, command: Command, context: DecideContext): Decided => {
  const can = state.capabilities ?? context.capabilities
  const lifecycle = state.chart.lifecycle
  const no = (reason: RejectionReason, detail: string, field?: string) => rejection(command, reason, detail, field)
  const unsupported = (what: string) => no("unsupported", `the ${state.backend} backend cannot ${what}`)
  const notOpen = () =>
    no(
      "illegal_state",
      `the session is ${lifecycle}${lifecycle === "opening" ? ": wait until it is open" : ", not open"}`
    )

  switch (command.type) {
    case "session.create": {
      const { open = true, owner, ...created } = command.data
      const events: Array<EventBody> = [{ type: "session.created", data: created }]
      if (owner !== undefined) events.push({ type: "participant.joined", data: { ...owner, role: "owner" } })
      // In the same append: a crash leaves either nothing, or a session that the next start knows to be opening.
      if (open) {
        events.push({ type: "backend.opening", data: { attempt: 1, resume: command.data.nativeId !== undefined } })
      }
      return events
    }
    case "session.open":
      if (!chartAccepts(state.chart, { type: "backend.opening" })) {
        return no("illegal_state", `the session is ${lifecycle} already`)
      }
      return [opening(state, can, 1)]
    case "session.rename":
      return [{ type: "session.renamed", data: command.data }]
    case "session.archive":
      return state.archived
        ? no("illegal_state", "the session is archived already")
        : [{ type: "session.archived", data: {} }]
    case "session.unarchive":
      return state.archived
        ? [{ type: "session.unarchived", data: {} }]
        : no("illegal_state", "the session is not archived")
    case "session.fork": {
      const at = command.data.at ?? state.seq
      if (at > state.seq) return no("invalid", `the session's last event is ${state.seq}`, "data.at")
      if (command.data.into === state.sessionId) return no("invalid", "a session cannot fork into itself", "data.into")
      return [{ type: "session.forked", data: { into: command.data.into, at } }]
    }
    case "session.move":
      return moved(state, command)
    case "session.suspend":
      if (!can.suspend) return unsupported("be suspended")
      if (lifecycle !== "open") return notOpen()
      if (state.turn !== null) return no("illegal_state", "a turn is running: interrupt it or wait for its end")
      return [{ type: "backend.suspending", data: { reason: command.data.reason ?? "asked for" } }]
    case "session.close": {
      const reason = command.data.reason ?? "closed"
      switch (lifecycle) {
        case "closed":
        case "failed":
          return no("illegal_state", `the session has ended already (${lifecycle})`)
        case "created":
        case "suspended":
        case "lost":
          return closed(state, reason)
        case "closing":
          return command.data.force === true
            ? [{ type: "backend.closing", data: { reason, force: true, graceMs: 0 } }]
            : no("illegal_state", "the session is closing already: force it if it takes too long")
        default: {
          const force = command.data.force ?? false
          const graceMs = force ? 0 : (command.data.graceMs ?? context.policy.closeGraceMs)
          return [{ type: "backend.closing", data: { reason, force, graceMs } }]
        }
      }
    }

    case "prompt.send": {
      if (!can.prompts) return unsupported("take prompts: write to its terminal instead")
      if (state.prompts.length >= stateBounds.prompts) {
        return no("busy", `${stateBounds.prompts} prompts are waiting already: withdraw some or wait`)
      }
      const delivery = command.data.delivery ?? "queue"
      const queued: EventBody = {
        type: "prompt.queued",
        data: {
          promptId: command.commandId as string as PromptId,
          content: command.data.content,
          delivery,
          ...(command.data.turnId === undefined ? {} : { turnId: command.data.turnId })
        }
      }
      if (delivery === "steer") {
        if (!can.steer) return unsupported("be steered: queue the prompt")
        const turnId = command.data.turnId
        if (turnId === undefined) return no("invalid", "name the turn that you mean", "data.turnId")
        if (state.turn?.turnId !== turnId) {
          const running = state.turn === null ? "no turn is running" : `the running turn is ${state.turn.turnId}`
          return no("not_found", `${running}: queue the prompt or name that turn`, "data.turnId")
        }
      }
      switch (lifecycle) {
        case "closing":
          return no("illegal_state", "the session is closing")
        case "created":
        case "suspended":
          return [queued, opening(state, can, 1)]
        case "closed":
        case "failed":
          return can.resume && state.nativeId !== null
            ? [queued, opening(state, can, 1)]
            : no("illegal_state", `the session is ${lifecycle} and cannot be resumed: start a new one or fork it`)
        default:
          return [queued]
      }
    }
    case "prompt.edit": {
      const waits = waitingPrompt(state, command, command.data.promptId)
      return waits instanceof CommandRejected ? waits : [{ type: "prompt.edited", data: command.data }]
    }
    case "prompt.withdraw": {
      const waits = waitingPrompt(state, command, command.data.promptId)
      return waits instanceof CommandRejected ? waits : [{ type: "prompt.withdrawn", data: command.data }]
    }
    case "turn.interrupt": {
      if (!can.interrupt) return unsupported("be interrupted")
      if (state.turn === null) return no("illegal_state", "no turn is running")
      if (command.data.turnId !== undefined && command.data.turnId !== state.turn.turnId) {
        return no("not_found", `the running turn is ${state.turn.turnId}`, "data.turnId")
      }
      const interrupting: EventBody = { type: "turn.interrupting", data: { turnId: state.turn.turnId as never } }
      return chartAccepts(state.chart, interrupting)
        ? [interrupting]
        : no("illegal_state", "the turn is being interrupted already")
    }

    case "permission.resolve": {
      const { requestId, outcome } = command.data
      const request = own(state.requests, requestId)
      if (request === undefined || request.kind !== "permission") return noRequest(command, requestId)
      if (outcome.outcome === "selected" && !request.options.some((one) => one.optionId === outcome.optionId)) {
        const options = request.options.map((one) => one.optionId).join(", ")
        return no("invalid", `the options are ${options}`, "data.outcome.optionId")
      }
      return [{ type: "permission.resolved", data: { requestId, outcome, by: "answer" } }]
    }
    case "question.answer": {
      const { requestId, outcome } = command.data
      const request = own(state.requests, requestId)
      if (request?.kind !== "question") return noRequest(command, requestId)
      return [{ type: "question.answered", data: { requestId, by: "answer", ...withhold(outcome, request.secret) } }]
    }
    case "request.expire": {
      const { requestId } = command.data
      const request = own(state.requests, requestId)
      if (request === undefined) return noRequest(command, requestId)
      if (command.at < request.deadline) return no("illegal_state", "its deadline has not passed")
      return [
        request.kind === "permission"
          ? { type: "permission.resolved", data: { requestId, outcome: request.default as never, by: "deadline" } }
          : { type: "question.answered", data: { requestId, outcome: request.default as never, by: "deadline" } }
      ]
    }

    case "context.compact":
      if (can.compact !== true) return unsupported("compact its context")
      return betweenTurns(state, command, notOpen()) ?? [{ type: "context.compacting", data: {} }]
    case "history.revert":
      if (can.revert !== true) return unsupported("take turns back")
      return betweenTurns(state, command, notOpen()) ?? [{ type: "history.reverting", data: command.data }]
    case "history.restore":
      if (can.revert !== true) return unsupported("take turns back")
      return betweenTurns(state, command, notOpen()) ?? [{ type: "history.restoring", data: {} }]
    case "item.stop": {
      if (can.stopItems !== true) return unsupported("stop a single tool call: interrupt the turn")
      const item = own(state.items, command.data.itemId)
      if (item?.kind !== "tool_call") return no("not_found", "no such tool call is running", "data.itemId")
      return [{ type: "item.stopping", data: command.data }]
    }

    case "backend.configure":
      if (!can.configure) return unsupported("be configured")
      return lifecycle === "open" ? [{ type: "backend.configuring", data: command.data }] : notOpen()

    case "participant.join": {
      const before = own(state.participants, command.data.participantId)
      if (before?.present === true) return no("illegal_state", "they take part already: change their role instead")
      if (before === undefined && Object.keys(state.participants).length >= stateBounds.participants) {
        return no("busy", `a session has at most ${stateBounds.participants} participants`)
      }
      return [{ type: "participant.joined", data: command.data }]
    }
    case "participant.change":
    case "participant.leave": {
      const participant = own(state.participants, command.data.participantId)
      if (participant === undefined || !participant.present) {
        return no("not_found", `${command.data.participantId} does not take part`, "data.participantId")
      }
      return command.type === "participant.leave"
        ? [{ type: "participant.left", data: command.data }]
        : [{ type: "participant.changed", data: command.data }]
    }

    case "terminal.write": {
      if (!can.terminal) return unsupported("be typed into: it has no terminal")
      if (lifecycle !== "open") return notOpen()
      const again =
        state.typed !== null && state.typed.actor === command.actor && command.at - state.typed.at < typedBurstMs
      return again ? [] : [{ type: "terminal.typed", data: { bytes: command.data.bytes.byteLength } }]
    }
    case "terminal.resize":
      if (!can.terminal) return unsupported("be resized: it has no terminal")
      if (lifecycle !== "open") return notOpen()
      return [{ type: "terminal.resized", data: command.data }]
    case "process.signal":
      if (!can.signals) return unsupported("be sent signals")
      return lifecycle === "open" ? [{ type: "process.signalled", data: command.data }] : notOpen()

    case "artifact.add":
      if (own(state.artifacts, command.data.artifactId) !== undefined) {
        return no("illegal_state", "there is such an artifact already: update it", "data.artifactId")
      }
      if (Object.keys(state.artifacts).length >= stateBounds.artifacts) {
        return no("busy", `a session keeps at most ${stateBounds.artifacts} artifacts`)
      }
      return [{ type: "artifact.added", data: command.data }]
    case "artifact.update":
      return own(state.artifacts, command.data.artifactId) === undefined
        ? no("not_found", "there is no such artifact: add it", "data.artifactId")
        : [{ type: "artifact.updated", data: command.data }]
  }
}

/** Why the history cannot be changed now; undefined where it can. */
const betweenTurns = (state: SessionState, command: Command, notOpen: CommandRejected): CommandRejected | undefined => {
  if (state.chart.lifecycle !== "open") return notOpen
  return state.turn === null && state.awaitedTurn === null
    ? undefined
    : rejection(command, "illegal_state", "a turn is running: interrupt it or wait for its end")
}

/** The end of a session whose backend is not there, after what it closes: prompts of which nobody knows whether they arrived. */
const closed = (state: SessionState, reason: string): ReadonlyArray<EventBody> => {
  const end: EventBody<"backend.closed"> = { type: "backend.closed", data: { reason } }
  return [...closeGeneration(state, end), end]
}

/** An open session goes to another backend, between two of its turns. */
const moved = (state: SessionState, command: Command<"session.move">): Decided => {
  const { generation, lastTurnId, ...data } = command.data
  const no = (detail: string) => rejection(command, "illegal_state", detail)
  if (generation !== state.generation) return no("it was opened again while it was being moved: try again")
  if (!isQuiet(state) || lastTurnId !== state.lastTurnId) return no("a turn began while it was being moved: try again")
  if (state.chart.lifecycle !== "open") return no(`the session is ${state.chart.lifecycle}`)
  if (!chartAccepts(state.chart, { type: "session.moved" })) return no(`the session is ${state.chart.lifecycle}`)
  const reason = `moved from ${state.backend} to ${data.backend}`
  return [
    ...closeGeneration(state, { type: "backend.suspended", data: { reason } }),
    { type: "session.moved", data: { ...data, from: state.backend } },
    { type: "backend.opening", data: { attempt: 1, resume: data.nativeId !== undefined, reason } }
  ]
}

/** Between turns: none runs or is about to, and no prompt is on its way. */
export const isQuiet = (state: SessionState): boolean =>
  state.turn === null && state.awaitedTurn === null && state.prompts.every(({ dispatchedAt }) => dispatchedAt === null)

/** An opening of the backend: it takes up the native session where there is one to take up. */
export const opening = (state: SessionState, can: Capabilities, attempt: number, reason?: string): EventBody => ({
  type: "backend.opening",
  data: {
    attempt,
    resume: can.resume && state.nativeId !== null,
    ...(reason === undefined ? {} : { reason })
  }
})

/** The outcome as it may be logged: secret answers are left out, and said to be. */
const withhold = (
  outcome: QuestionOutcome,
  secret: ReadonlyArray<string>
): { readonly outcome: QuestionOutcome; readonly withheld?: ReadonlyArray<string> } => {
  if (outcome.outcome !== "answered") return { outcome }
  const withheld = secret.filter((questionId) => own(outcome.answers, questionId) !== undefined)
  if (withheld.length === 0) return { outcome }
  const answers = Object.fromEntries(Object.entries(outcome.answers).filter(([id]) => !withheld.includes(id)))
  return { outcome: { ...outcome, answers }, withheld }
}

const waitingPrompt = (state: SessionState, command: Command, promptId: string): CommandRejected | undefined => {
  const prompt = state.prompts.find((one) => one.promptId === promptId)
  if (prompt === undefined) {
    return rejection(command, "not_found", "no such prompt waits: it was delivered or withdrawn", "data.promptId")
  }
  if (prompt.dispatchedAt !== null) {
    return rejection(command, "illegal_state", "the prompt is on its way to the backend already", "data.promptId")
  }
  return undefined
}

const noRequest = (command: Command, requestId: RequestId): CommandRejected =>
  rejection(
    command,
    "not_found",
    `${requestId} does not wait: it was answered, has expired, or never was`,
    "data.requestId"
  )
