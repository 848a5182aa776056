/**
 * What a client sends on a live connection, beside keystrokes: JSON in text frames. `docs/protocol.md` tells the order
 * of things.
 */
import * as Schema from "effect/Schema"
import { CommandId, SessionId } from "../Ids.ts"
import { SessionStatus } from "../SessionStatus.ts"
import { CommandJson } from "./CommandJson.ts"

/** The version of the live protocol, named in the subprotocol `holdfast.v1`. */
export const protocolVersion = 1

/** The WebSocket subprotocol that both sides speak. */
export const subprotocol = `holdfast.v${protocolVersion}`

/**
 * A browser cannot set headers on a WebSocket, and a token does not belong into a URL: it goes into a second subprotocol,
 * this prefix and the token. The server never answers with it.
 */
export const tokenSubprotocol = "holdfast.token."

/** Most history events that a subscription may ask for: 2,000. */
export const maxHistoryEvents = 2_000

/** A subscription's number, chosen by the client: unique on its connection among those that are open. */
export const Subscription = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 0xffff_ffff }))

/** Where a subscription begins. */
export const SubscribeFrom = Schema.Union([
  /** With every event after this seq: what a client sends that knows the ones before. */
  Schema.Struct({ after: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)) }),
  /** With the state, the last events and the screen as they are now: what a client sends that knows nothing yet. */
  Schema.Struct({ latest: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: maxHistoryEvents })) })
])
export type SubscribeFrom = typeof SubscribeFrom.Type

/**
 * How output of a terminal is given: all of it (`bytes`), or as somebody watches it (`screen`): whoever is too far behind
 * gets the screen as it is, and no output from before.
 */
export const TerminalMode = Schema.Literals(["bytes", "screen"])
export type TerminalMode = typeof TerminalMode.Type

/** Which sessions a client lists. */
export const ListQuery = Schema.Struct({
  archived: Schema.optionalKey(Schema.Boolean),
  backend: Schema.optionalKey(Schema.String),
  status: Schema.optionalKey(Schema.Array(SessionStatus)),
  search: Schema.optionalKey(Schema.String.check(Schema.isMaxLength(1_000)))
})
export type ListQuery = typeof ListQuery.Type

/** What a client says. */
export const ClientMessage = Schema.Union([
  Schema.Struct({
    type: Schema.Literal("subscribe"),
    subscription: Subscription,
    sessionId: SessionId,
    from: SubscribeFrom,
    terminal: TerminalMode
  }),
  Schema.Struct({ type: Schema.Literal("unsubscribe"), subscription: Subscription }),
  /** So many bytes of the subscription's frames were taken, and as many more may be sent. */
  Schema.Struct({
    type: Schema.Literal("credit"),
    subscription: Subscription,
    bytes: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
  }),
  /** The list of sessions, and its changes. */
  Schema.Struct({ type: Schema.Literal("list"), subscription: Subscription, query: ListQuery }),
  Schema.Struct({
    type: Schema.Literal("command"),
    sessionId: SessionId,
    commandId: CommandId,
    command: CommandJson
  }),
  /** Somebody writes a prompt, or does not any more. Only told to others: it is nowhere recorded. */
  Schema.Struct({ type: Schema.Literal("typing"), sessionId: SessionId, typing: Schema.Boolean }),
  /** Another token, before the one that the connection began with expires. */
  Schema.Struct({ type: Schema.Literal("authenticate"), token: Schema.String.check(Schema.isMaxLength(16_384)) }),
  Schema.Struct({ type: Schema.Literal("ping") }),
  Schema.Struct({ type: Schema.Literal("pong") })
])
export type ClientMessage = typeof ClientMessage.Type
