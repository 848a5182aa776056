/**
 * Sessions as one caller may see and use them: those of another organisation do not exist, a token for one session knows
 * no other, and the caller's role bounds what they may do before `decide` is asked.
 */
import type {
  ClientCommand,
  CommandId,
  CommandRejected,
  LogUnavailable,
  Receipt,
  Role,
  SessionId,
  SessionListItem,
  SessionNotFound,
  SessionPage,
  SessionQuery,
  SessionSummary,
  SpecInvalid
} from "@holdfast/core"
import type { CommandError, CreateSession, ForkSession } from "@holdfast/runtime"
import { Context, type Effect, type Stream } from "effect"
import type { Caller } from "../auth/Authenticator.ts"

/** A session to make; its owner is the caller, and the label of the organisation is the server's. */
export type CreateForCaller = Omit<CreateSession, "owner">

/** What callers may do. A session that a caller may not know of fails as `SessionNotFound`. */
export interface SessionAccessService {
  readonly list: (caller: Caller, query?: SessionQuery) => Effect.Effect<SessionPage, LogUnavailable>
  readonly followList: (caller: Caller, query?: SessionQuery) => Stream.Stream<SessionListItem, LogUnavailable>
  /** The summary, where the caller may do what `role` may: the check before anything else about a session. */
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
    commandId: CommandId
  ) => Effect.Effect<Receipt, CommandError | SessionNotFound>
  readonly fork: (
    caller: Caller,
    sessionId: SessionId,
    options?: Omit<ForkSession, "actor">
  ) => Effect.Effect<Receipt, CommandError | SessionNotFound | SpecInvalid>
  readonly remove: (
    caller: Caller,
    sessionId: SessionId
  ) => Effect.Effect<void, CommandRejected | SessionNotFound | LogUnavailable>
}

/** Sessions behind who may use them. */
export class SessionAccess extends Context.Service<SessionAccess, SessionAccessService>()(
  "@holdfast/server/SessionAccess"
) {}
