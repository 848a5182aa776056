/**
 * Sessions as one caller may see and use them: those of another organisation do not exist, a token for one session knows
 * no other, and the caller's role bounds what they may do before `decide` is asked.
 */
import {
  type BackendLost,
  type BackendRefused,
  type ClientCommand,
  type CommandId,
  CommandRejected,
  commandRoles,
  type LogUnavailable,
  matchesQuery,
  type ParticipantId,
  type Receipt,
  type RejectionReason,
  type Role,
  roleCovers,
  type SessionId,
  type SessionListItem,
  SessionNotFound,
  type SessionPage,
  type SessionQuery,
  type SessionSummary,
  type SpecInvalid,
  type WorkspaceAction,
  type WorkspaceResult
} from "@holdfast/core"
import {
  type CommandError,
  type CreateSession,
  type ForkSession,
  type HandoffSession,
  type HandoffTarget,
  Holdfast,
  type HoldfastService
} from "@holdfast/runtime"
import { Cache, Context, Effect, Exit, Layer, Stream } from "effect"
import type { Caller } from "../auth/Authenticator.ts"

/** Labels whose names begin so are the server's: who creates a session may not give them. */
export const reservedLabels = "holdfast."

/** The label that says whose a session is; a session without it belongs to callers without an organisation. */
export const organisationLabel = `${reservedLabels}organisation`

/** A session to make; its owner is the caller, and the label of the organisation is the server's. */
export type CreateForCaller = Omit<CreateSession, "owner">

/** A branch to make; its author is the caller, who owns it where their role allows that. */
export type ForkForCaller = Omit<ForkSession, "actor" | "owner">

/** What callers may do. A session that a caller may not know of fails as `SessionNotFound`. */
export interface SessionAccessService {
  readonly list: (caller: Caller, query?: SessionQuery) => Effect.Effect<SessionPage, LogUnavailable>
  readonly followList: (caller: Caller, query?: SessionQuery) => Stream.Stream<SessionListItem, LogUnavailable>
  /**
   * The summary, where the caller may do what `role` may: the check before anything else about a session. Who was made to
   * leave it, or has a lower role there than their token's, is held to that.
   */
  readonly allow: (
    caller: Caller,
    sessionId: SessionId,
    role: Role
  ) => Effect.Effect<SessionSummary, SessionNotFound | CommandRejected | LogUnavailable>
  readonly create: (caller: Caller, create: CreateForCaller) => Effect.Effect<Receipt, CommandError | SpecInvalid>
  /**
   * Sends a command as the caller. Who does not take part yet joins first, with the role of their token; who was made to
   * leave does not. `terminal.write` is quick: its session was looked up before.
   */
  readonly command: (
    caller: Caller,
    sessionId: SessionId,
    command: ClientCommand,
    /** Undefined where the sender made none: such a command cannot be a repeat. */
    commandId: CommandId | undefined
  ) => Effect.Effect<Receipt, CommandError | SessionNotFound>
  /** Does something with the repository that a session works in, as the caller, who joins first like with a command. */
  readonly workspace: (
    caller: Caller,
    sessionId: SessionId,
    action: WorkspaceAction
  ) => Effect.Effect<WorkspaceResult, CommandError | SessionNotFound | BackendRefused | BackendLost>
  readonly fork: (
    caller: Caller,
    sessionId: SessionId,
    options?: ForkForCaller
  ) => Effect.Effect<Receipt, CommandError | SessionNotFound | SpecInvalid>
  /** Moves a session to another backend, as the caller, who joins first like with a command. */
  readonly handoff: (
    caller: Caller,
    sessionId: SessionId,
    to: HandoffTarget,
    options?: Omit<HandoffSession, "actor">
  ) => Effect.Effect<Receipt, CommandError | SessionNotFound | SpecInvalid>
  readonly remove: (
    caller: Caller,
    sessionId: SessionId
  ) => Effect.Effect<void, CommandRejected | SessionNotFound | LogUnavailable>
}

/**
 * Sessions whose organisation is remembered, so that a command need not look it up: 10,000, as many as a runtime has in
 * use, in about 3 MB. Labels never change. Past it the ones that were longest unused are looked up again.
 */
const rememberedSessions = 10_000

/** Who is known to take part, or to have done so, by session and participant: as above. */
const rememberedParticipants = 10_000

/** Makes the access to a runtime's sessions. */
export function makeSessionAccess(holdfast: HoldfastService): Effect.Effect<SessionAccessService> {
  return Effect.gen(function* () {
    const find = Effect.fnUntraced(function* (organisation: string | null, sessionId: SessionId) {
      const summary = yield* holdfast.summary(sessionId)
      return organisationOf(summary) === organisation ? summary : yield* new SessionNotFound({ sessionId })
    })

    /** Sessions that an organisation is known to have. What it does not have is looked up each time, be it there or not. */
    const known = yield* Cache.makeWith(
      (key: string) => Effect.asVoid(find(...(JSON.parse(key) as Parameters<typeof find>))),
      {
        capacity: rememberedSessions,
        timeToLive: rememberSuccess
      }
    )
    const keyOf = ({ identity }: Caller, sessionId: SessionId) => JSON.stringify([identity.organisation, sessionId])

    /** The state as the session's owner has it: nothing is read where the session is in use. */
    const stateOf = (sessionId: SessionId) => holdfast.until(sessionId, () => true)

    const joined = yield* Cache.makeWith(
      (key: string) => {
        const [sessionId, role, participantId, name] = JSON.parse(key) as [SessionId, Role, ParticipantId, string]
        return Effect.gen(function* () {
          const isKnown = Effect.map(stateOf(sessionId), ({ participants }) =>
            Object.hasOwn(participants, participantId)
          )
          if (yield* isKnown) return
          const join = { type: "participant.join", data: { participantId, name, role } } as const
          yield* holdfast.command(sessionId, join).pipe(
            // With another token, or by an owner, they have joined meanwhile.
            Effect.catchTag("CommandRejected", (error) =>
              Effect.flatMap(isKnown, (known) => (known ? Effect.void : Effect.fail(error)))
            )
          )
        })
      },
      { capacity: rememberedParticipants, timeToLive: rememberSuccess }
    )

    const summaryFor = (caller: Caller, sessionId: SessionId) =>
      isOfAnotherSession(caller, sessionId)
        ? Effect.fail(new SessionNotFound({ sessionId }))
        : find(caller.identity.organisation, sessionId)

    /** Fails where the session is not there for the caller. */
    const check = (caller: Caller, sessionId: SessionId) =>
      isOfAnotherSession(caller, sessionId)
        ? Effect.fail(new SessionNotFound({ sessionId }))
        : Cache.get(known, keyOf(caller, sessionId))

    /** An id that the caller made for a new session: it may be a repeat, but not somebody else's. */
    const checkNew = Effect.fnUntraced(function* (caller: Caller, sessionId: SessionId | undefined, command: string) {
      if (sessionId === undefined) return
      const summary = yield* Effect.catchTag(holdfast.summary(sessionId), "SessionNotFound", () => Effect.undefined)
      if (summary !== undefined && organisationOf(summary) !== caller.identity.organisation) {
        return yield* rejection(sessionId, command, "invalid", "this id cannot be had: make another one", "sessionId")
      }
    })

    const list: SessionAccessService["list"] = (caller, query = {}) => {
      const asked = ofOrganisation(caller, query)
      const { sessionId } = caller.identity
      return sessionId === null
        ? holdfast.list(asked)
        : summaryFor(caller, sessionId).pipe(
            Effect.map((summary) => ({ sessions: matchesQuery(summary, asked) ? [summary] : [] })),
            Effect.catchTag("SessionNotFound", () => Effect.succeed<SessionPage>({ sessions: [] }))
          )
    }

    const followList: SessionAccessService["followList"] = (caller, query = {}) => {
      const { sessionId } = caller.identity
      const asked = ofOrganisation(caller, query)
      if (sessionId === null) return holdfast.followList(asked)
      return holdfast.followList({ ...asked, search: asked.search ?? sessionId }).pipe(
        Stream.map((item): SessionListItem => {
          if (item.kind === "caught-up") return item
          return item.kind === "changed"
            ? { kind: "changed", sessions: item.sessions.filter((one) => one.sessionId === sessionId) }
            : { kind: "gone", sessionIds: item.sessionIds.filter((id) => id === sessionId) }
        }),
        Stream.filter(
          (item) => item.kind === "caught-up" || (item.kind === "changed" ? item.sessions : item.sessionIds).length > 0
        )
      )
    }

    const allow: SessionAccessService["allow"] = Effect.fn("SessionAccess.allow")(function* (caller, sessionId, role) {
      const summary = yield* summaryFor(caller, sessionId)
      yield* checkRole(caller, sessionId, "access", role)
      if (role === "viewer") return summary
      const { participants } = yield* stateOf(sessionId)
      const { participantId } = caller.identity
      const participant = Object.hasOwn(participants, participantId) ? participants[participantId] : undefined
      if (participant === undefined) return summary
      if (!participant.present) {
        return yield* rejection(sessionId, "access", "forbidden", "you left this session: let an owner add you again")
      }
      if (!roleCovers(participant.role, role)) {
        const detail = `you are ${participant.role} of this session, and this needs ${role}`
        return yield* rejection(sessionId, "access", "forbidden", detail)
      }
      return summary
    })

    const create: SessionAccessService["create"] = Effect.fn("SessionAccess.create")(function* (caller, given) {
      const { organisation, sessionId: only } = caller.identity
      const sessionId = given.sessionId ?? ""
      yield* checkRole(caller, sessionId, "session.create", commandRoles["session.create"])
      if (only !== null) return yield* rejection(sessionId, "session.create", "forbidden", forOneSession)
      const reserved = Object.keys(given.labels ?? {}).find((name) => name.startsWith(reservedLabels))
      if (reserved !== undefined) {
        const detail = `labels that begin with ${reservedLabels} are the server's own`
        return yield* rejection(sessionId, "session.create", "invalid", detail, `labels.${reserved}`)
      }
      yield* checkNew(caller, given.sessionId, "session.create")
      const labels = organisation === null ? given.labels : { ...given.labels, [organisationLabel]: organisation }
      return yield* holdfast.create({
        ...given,
        ...(labels === undefined ? {} : { labels }),
        owner: { participantId: caller.identity.participantId as ParticipantId, name: caller.identity.name }
      })
    })

    const command: SessionAccessService["command"] = (caller, sessionId, given, commandId) => {
      const { name, participantId, role } = caller.identity
      const send = Effect.suspend(() =>
        holdfast.command(sessionId, given, {
          ...(commandId === undefined ? {} : { commandId }),
          actor: participantId as ParticipantId
        })
      )
      // Nobody joins to leave, or to be refused that somebody else does.
      const joinFirst =
        given.type === "participant.leave"
          ? Effect.void
          : Cache.get(joined, JSON.stringify([sessionId, role, participantId, name]))
      return Effect.andThen(
        check(caller, sessionId),
        Effect.andThen(
          checkRole(caller, sessionId, given.type, commandRoles[given.type]),
          Effect.andThen(joinFirst, send)
        )
      )
    }

    const workspace: SessionAccessService["workspace"] = Effect.fn("SessionAccess.workspace")(
      function* (caller, sessionId, action) {
        const { name, participantId, role } = caller.identity
        yield* check(caller, sessionId)
        yield* checkRole(caller, sessionId, "workspace", "member")
        yield* Cache.get(joined, JSON.stringify([sessionId, role, participantId, name]))
        return yield* holdfast.workspace(sessionId, action, { actor: participantId as ParticipantId })
      }
    )

    const fork: SessionAccessService["fork"] = Effect.fn("SessionAccess.fork")(function* (caller, sessionId, given) {
      const { name, participantId, role, sessionId: only } = caller.identity
      yield* check(caller, sessionId)
      yield* checkRole(caller, sessionId, "session.fork", commandRoles["session.fork"])
      if (only !== null) return yield* rejection(sessionId, "session.fork", "forbidden", forOneSession)
      yield* checkNew(caller, given?.into, "session.fork")
      yield* Cache.get(joined, JSON.stringify([sessionId, role, participantId, name]))
      const actor = participantId as ParticipantId
      return yield* holdfast.fork(sessionId, {
        ...given,
        actor,
        ...(role === "owner" ? { owner: { participantId: actor, name } } : {})
      })
    })

    const handoff: SessionAccessService["handoff"] = Effect.fn("SessionAccess.handoff")(
      function* (caller, sessionId, to, given) {
        const { name, participantId, role, sessionId: only } = caller.identity
        yield* check(caller, sessionId)
        yield* checkRole(caller, sessionId, "session.move", commandRoles["session.move"])
        // What is to run there is theirs to say, like that of a new session.
        if (only !== null) return yield* rejection(sessionId, "session.move", "forbidden", forOneSession)
        yield* Cache.get(joined, JSON.stringify([sessionId, role, participantId, name]))
        return yield* holdfast.handoff(sessionId, to, { ...given, actor: participantId as ParticipantId })
      }
    )

    const remove: SessionAccessService["remove"] = Effect.fn("SessionAccess.remove")(function* (caller, sessionId) {
      yield* allow(caller, sessionId, "owner")
      yield* holdfast.remove(sessionId)
      yield* Cache.invalidate(known, keyOf(caller, sessionId))
    })

    return { list, followList, allow, create, command, workspace, fork, handoff, remove }
  })
}

const organisationOf = ({ labels }: SessionSummary): string | null =>
  Object.hasOwn(labels, organisationLabel) ? labels[organisationLabel]! : null

const ofOrganisation = (caller: Caller, query: SessionQuery): SessionQuery => ({
  ...query,
  labels: { ...query.labels, [organisationLabel]: caller.identity.organisation }
})

const isOfAnotherSession = ({ identity }: Caller, sessionId: SessionId): boolean =>
  identity.sessionId !== null && identity.sessionId !== sessionId

const rememberSuccess = <A, E>(exit: Exit.Exit<A, E>) => (Exit.isSuccess(exit) ? "1 day" : 0)

const forOneSession = "your token is for one session"

const rejection = (sessionId: string, command: string, reason: RejectionReason, detail: string, field?: string) =>
  new CommandRejected({ sessionId, command, reason, detail, ...(field === undefined ? {} : { field }) })

const checkRole = ({ identity }: Caller, sessionId: string, command: string, needed: Role) =>
  roleCovers(identity.role, needed)
    ? Effect.void
    : Effect.fail(
        rejection(sessionId, command, "forbidden", `your token makes you ${identity.role}, and this needs ${needed}`)
      )

/** Sessions behind who may use them. */
export class SessionAccess extends Context.Service<SessionAccess, SessionAccessService>()(
  "@holdfast/server/SessionAccess"
) {
  /** Over the runtime that is provided. */
  static readonly layer: Layer.Layer<SessionAccess, never, Holdfast> = Layer.effect(
    SessionAccess,
    Effect.flatMap(Holdfast, makeSessionAccess)
  )
}
