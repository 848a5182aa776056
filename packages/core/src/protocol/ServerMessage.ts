/** What a server sends on a live connection, beside frames: JSON in text frames. */
import * as Schema from "effect/Schema"
import { Receipt } from "../EventLog.ts"
import { Role } from "../Content.ts"
import { CommandId, SessionId } from "../Ids.ts"
import type { SessionState } from "../SessionState.ts"
import { SessionSummary } from "../SessionSummary.ts"
import { Subscription } from "./ClientMessage.ts"
import { Problem } from "./Problem.ts"

/** Bounds of a connection, told in `welcome`. Past one, the connection is closed with the code that names it. */
export const ConnectionLimits = Schema.Struct({
  /** Bytes of one message or frame from the client. */
  maxMessageBytes: Schema.Int,
  /** Messages and frames from the client a second, on average over ten. */
  maxMessagesPerSecond: Schema.Int,
  maxSubscriptions: Schema.Int,
  /** Commands without an answer. */
  maxPendingCommands: Schema.Int,
  /** Bytes of a subscription's frames that may be under way: its first credit. */
  windowBytes: Schema.Int
})
export type ConnectionLimits = typeof ConnectionLimits.Type

/** Who a connection speaks for. */
export const Identity = Schema.Struct({
  participantId: Schema.String,
  name: Schema.String,
  /** The most that they may do in any session. */
  role: Role,
  organisation: Schema.NullOr(Schema.String),
  /** Only this session, where the token is for one. */
  sessionId: Schema.NullOr(SessionId),
  /** When the token expires, in milliseconds since 1970; null where it does not. */
  expiresAt: Schema.NullOr(Schema.Number)
})
export type Identity = typeof Identity.Type

/** Somebody who has a session open now. */
export const Present = Schema.Struct({
  participantId: Schema.String,
  name: Schema.String,
  role: Role,
  typing: Schema.Boolean
})
export type Present = typeof Present.Type

/** What a server says. */
export const ServerMessage = Schema.Union([
  /** The first message. */
  Schema.Struct({
    type: Schema.Literal("welcome"),
    protocol: Schema.Int,
    you: Identity,
    limits: ConnectionLimits,
    /** Each side says something at least this often, if only `ping`; after 2.5 times as long of silence it is closed. */
    heartbeatMs: Schema.Int,
    /** The server's clock, in milliseconds since 1970. */
    now: Schema.Number
  }),
  /** The first answer to `subscribe`, before its frames. */
  Schema.Struct({
    type: Schema.Literal("subscribed"),
    subscription: Subscription,
    /** The seq after which pages begin. */
    cursor: Schema.Int,
    /** Of a subscription to the latest: the state at `cursor`. */
    state: Schema.optionalKey(Schema.Unknown as unknown as Schema.Codec<SessionState, unknown>),
    summary: SessionSummary
  }),
  /** The subscription ends, or did not begin: there is no such session for you, or too many subscriptions. */
  Schema.Struct({ type: Schema.Literal("unsubscribed"), subscription: Subscription, problem: Problem }),
  Schema.Struct({
    type: Schema.Literal("sessions"),
    subscription: Subscription,
    changed: Schema.Array(SessionSummary),
    gone: Schema.Array(SessionId),
    caughtUp: Schema.Boolean
  }),
  Schema.Struct({ type: Schema.Literal("receipt"), commandId: CommandId, receipt: Receipt }),
  Schema.Struct({ type: Schema.Literal("rejected"), commandId: CommandId, problem: Problem }),
  /** Who has the session open: at first and at each change, to all who subscribe to it. */
  Schema.Struct({ type: Schema.Literal("presence"), sessionId: SessionId, present: Schema.Array(Present) }),
  /**
   * The new token is taken; one that is not good closes the connection. Where that cannot be told now, since the issuer's keys
   * cannot be had, the token before goes on to count: `you` is as it was, with its expiry.
   */
  Schema.Struct({ type: Schema.Literal("authenticated"), you: Identity }),
  /** The server stops: connect again after so many milliseconds. */
  Schema.Struct({ type: Schema.Literal("goodbye"), reason: Schema.String, retryAfterMs: Schema.Int }),
  Schema.Struct({ type: Schema.Literal("ping") }),
  Schema.Struct({ type: Schema.Literal("pong") })
])
export type ServerMessage = typeof ServerMessage.Type
