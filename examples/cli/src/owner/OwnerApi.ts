/**
 * What the owner of a store does for others: JSON lines over a unix socket, checked by these schemas on both sides.
 * Everything that only looks (list, follow, read, screens) reads the log itself and needs no owner.
 */
import {
  CommandRejected,
  EventInvalid,
  EventRecordJson,
  LogUnavailable,
  Receipt,
  SessionId,
  SessionNotFound,
  SpecInvalid,
  TerminalDimension
} from "@holdfast/core"
import { ScreenUnavailable } from "@holdfast/runtime"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as Schema from "effect/Schema"

/** Raise when an older client would misunderstand a newer owner, or the other way round. */
export const ownerProtocol = 3

/** How a session ended. */
export const SessionEnd = Schema.Struct({
  reason: Schema.String,
  exitCode: Schema.NullOr(Schema.Int),
  signal: Schema.NullOr(Schema.String),
  /** It was put to rest and goes on where it was once it is opened. */
  rests: Schema.optionalKey(Schema.Literal(true))
})
export type SessionEnd = typeof SessionEnd.Type

const size = { cols: TerminalDimension, rows: TerminalDimension }

/** What a terminal that shows a session is given. */
export const Attached = Schema.Union([
  /** Written to a fresh terminal of this size, it shows what the session shows. */
  Schema.Struct({ kind: Schema.Literal("screen"), ...size, bytes: Schema.Uint8Array }),
  /** What the program wrote next. */
  Schema.Struct({ kind: Schema.Literal("output"), bytes: Schema.Uint8Array }),
  Schema.Struct({ kind: Schema.Literal("ended"), end: SessionEnd })
])
export type Attached = typeof Attached.Type

/** What somebody who reads a session's events along is given. */
export const EventsItem = Schema.Union([
  /** The next ones. Where deltas or terminal output were compacted, what stands for them is among these. */
  Schema.Struct({ kind: Schema.Literal("events"), events: Schema.Array(EventRecordJson) }),
  /** All that there is was given; what follows is new. */
  Schema.Struct({ kind: Schema.Literal("caught-up") }),
  /** Some are gone, and why. */
  Schema.Struct({ kind: Schema.Literal("gap"), detail: Schema.String })
])
export type EventsItem = typeof EventsItem.Type

/** Why a command was not done. */
const CommandError = Schema.Union([CommandRejected, EventInvalid, LogUnavailable, SessionNotFound])

const session = { sessionId: SessionId }

/** The owner's calls. */
export class OwnerApi extends RpcGroup.make(
  Rpc.make("Hello", {
    success: Schema.Struct({
      protocol: Schema.Int,
      pid: Schema.Int,
      /** It is about to end and takes no sessions: its successor does. */
      leaving: Schema.Boolean,
      /** What its start found of an earlier owner: sessions that had been live, processes that it ended. */
      swept: Schema.Struct({ sessions: Schema.Int, orphans: Schema.Int })
    }),
    error: LogUnavailable
  }),
  /** Makes a session on a backend: `pty`, `codex`, `opencode` or `cloud`. */
  Rpc.make("Create", {
    payload: { backend: Schema.String, spec: Schema.Json, title: Schema.optionalKey(Schema.String) },
    success: Receipt,
    error: Schema.Union([CommandRejected, EventInvalid, LogUnavailable, SpecInvalid])
  }),
  /** The screen, the bytes after it, and the end; with `after`, only the bytes after that event, and the end. */
  Rpc.make("Attach", {
    payload: {
      ...session,
      after: Schema.optionalKey(Schema.Int),
      /** Of the terminal that shows it: the session's own takes it over. */
      size: Schema.optionalKey(Schema.Struct(size))
    },
    success: Attached,
    error: Schema.Union([CommandRejected, EventInvalid, LogUnavailable, SessionNotFound, ScreenUnavailable]),
    stream: true
  }),
  /** Keystrokes. Whoever types waits for each answer, which keeps their order and bounds what is under way. */
  Rpc.make("Write", { payload: { ...session, bytes: Schema.Uint8Array }, error: CommandError }),
  /** Any other command, as core has it; the runtime checks it. */
  Rpc.make("Command", {
    payload: { ...session, command: Schema.Json },
    success: Receipt,
    error: CommandError
  }),
  /** Every event after a cursor, as it is stored. */
  Rpc.make("Events", {
    payload: { ...session, after: Schema.Int },
    success: EventsItem,
    error: Schema.Union([LogUnavailable, SessionNotFound]),
    stream: true
  }),
  /** Moves a session to another backend, or to another folder, once its turn has ended. */
  Rpc.make("Handoff", {
    payload: {
      ...session,
      target: Schema.Struct({ backend: Schema.String, spec: Schema.Json }),
      restart: Schema.Boolean
    },
    success: Receipt,
    error: Schema.Union([CommandRejected, EventInvalid, LogUnavailable, SessionNotFound, SpecInvalid])
  }),
  Rpc.make("Wait", { payload: session, success: SessionEnd, error: CommandError }),
  /** Ends a session and waits until it has ended. */
  Rpc.make("Close", { payload: { ...session, force: Schema.Boolean }, success: SessionEnd, error: CommandError }),
  Rpc.make("Gc", {
    payload: { archivedOlderThanMs: Schema.optionalKey(Schema.Number) },
    success: Schema.Struct({ sessions: Schema.Int, events: Schema.Int, bytes: Schema.Number }),
    error: LogUnavailable
  }),
  Rpc.make("Vacuum", { error: LogUnavailable })
) {}
