/**
 * What a bridge and its control plane say to each other in text frames, as JSON. `docs/bridge.md` tells the order of things.
 * The bridge is never trusted: whatever comes from it is decoded, bounded and counted.
 */
import * as Schema from "effect/Schema"
import { Capabilities } from "../Capabilities.ts"
import { PromptId, SessionId, TurnId } from "../Ids.ts"
import { TerminalDimension } from "../SessionEvent.ts"
import { WorkspaceResult } from "../WorkspaceAction.ts"
import { BackendCommandJson } from "./BackendCommandJson.ts"
import { BridgeBundle } from "./BridgeBundle.ts"

/** The version of the bridge protocol. */
export const bridgeProtocolVersion = 1

/** The WebSocket subprotocol that both sides speak. */
export const bridgeSubprotocol = `holdfast.bridge.v${bridgeProtocolVersion}`

/** Where a control plane takes bridges: an upgrade with `Authorization: Bearer <sandbox token>`. */
export const bridgePath = "/api/v1/bridge"

/** Bounds of the bridge protocol. */
export const bridgeBounds = {
  /** Bytes of one frame, either way: 4 MiB. */
  frameBytes: 4 * 1024 * 1024,
  /** Bytes of events that a bridge has sent and that are not acknowledged yet; past it, it waits: 8 MiB. */
  unacknowledgedBytes: 8 * 1024 * 1024,
  /** Commands that are not performed yet; past it the control plane refuses new ones as busy: 1,024. */
  commands: 1_024,
  /** Decisions that a bridge remembers to have taken: 1,024. */
  taken: 1_024
} as const

const optional = Schema.optionalKey
const text = Schema.String
const count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const reason = text.check(Schema.isMaxLength(10_000))

/** Number of a command, given by the control plane: 1, 2, 3 … in a bridge's life, never used twice. */
export const CommandNumber = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))

/** A repository to work in. No credentials in it: those are asked for when they are needed. */
export const WorkspaceSpec = Schema.Struct({
  /** `https://…`, `http://…` or a path; never with a user or password. */
  repository: text.check(
    Schema.isMinLength(1),
    Schema.isMaxLength(2_000),
    Schema.makeFilter((url: string) =>
      /^[a-z+]+:\/\/[^/]*@/i.test(url) ? "a URL without credentials: they are brokered" : undefined
    )
  ),
  /** The branch to begin from; the remote's default unless given. */
  base: optional(text.check(Schema.isMinLength(1), Schema.isMaxLength(255))),
  /** The session's own branch; `holdfast/<session id>` unless given. */
  branch: optional(text.check(Schema.isMinLength(1), Schema.isMaxLength(255))),
  /** Commits of history to fetch; all unless given. */
  depth: optional(Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))),
  /** Only the base branch is fetched. Default true. */
  singleBranch: optional(Schema.Boolean)
})
export type WorkspaceSpec = typeof WorkspaceSpec.Type

/** How the inner backend is opened. */
export const BridgeOpen = Schema.Struct({
  do: Schema.Literal("open"),
  generation: count,
  /** Name of the inner backend: `pty`, `codex`, `opencode`. */
  backend: text,
  spec: Schema.Unknown,
  secrets: optional(Schema.Unknown),
  nativeId: optional(text),
  forkOf: optional(text),
  inDoubt: Schema.Array(PromptId).check(Schema.isMaxLength(1_000)),
  size: optional(Schema.Struct({ cols: TerminalDimension, rows: TerminalDimension })),
  workspace: optional(WorkspaceSpec),
  /** The session comes from elsewhere: its pieces are in the folder that `receive` gave, and are taken up first. */
  bundle: optional(BridgeBundle)
})
export type BridgeOpen = typeof BridgeOpen.Type

/** What a control plane asks of a bridge. */
export const BridgeCommand = Schema.Union([
  /** Prepares the workspace where it is not there yet, then opens the inner backend. A generation before is ended first. */
  BridgeOpen,
  Schema.Struct({ do: Schema.Literal("perform"), command: BackendCommandJson }),
  /** Ends a generation of the inner backend by force, with all that it started. Nothing of it is told any more. */
  Schema.Struct({ do: Schema.Literal("end"), generation: count }),
  /** Everything is on disk and nothing is written until `thaw`: a snapshot may be taken. */
  /** Packs what is open, between turns, and says where the pieces are; it goes on afterwards. See `PackRequest.restart`. */
  Schema.Struct({ do: Schema.Literal("pack"), restart: Schema.Boolean }),
  /** Makes an empty folder for the pieces of a bundle, and says where it is. */
  Schema.Struct({ do: Schema.Literal("receive") }),
  Schema.Struct({ do: Schema.Literal("freeze") }),
  Schema.Struct({ do: Schema.Literal("thaw") }),
  /** Ends the inner backend politely, tells the rest, and exits with status 0. */
  Schema.Struct({ do: Schema.Literal("shutdown"), graceMs: Schema.Finite })
])
export type BridgeCommand = typeof BridgeCommand.Type

/** What opening brought: as a backend's session says it. */
export const BridgeOpened = Schema.Struct({
  capabilities: Capabilities,
  nativeId: optional(text),
  version: optional(text),
  arrived: optional(Schema.Array(PromptId)),
  size: optional(Schema.Struct({ cols: TerminalDimension, rows: TerminalDimension }))
})
export type BridgeOpened = typeof BridgeOpened.Type

/** What performing a command brought. */
export const BridgeResult = Schema.Struct({
  turnId: optional(TurnId),
  nativeId: optional(text),
  opened: optional(BridgeOpened),
  workspace: optional(WorkspaceResult),
  /** Of `pack` and `receive`: the folder of the pieces, as the sandbox sees it. */
  folder: optional(text.check(Schema.isMaxLength(4_096))),
  /** Of `pack`. */
  bundle: optional(BridgeBundle)
})
export type BridgeResult = typeof BridgeResult.Type

/** Why a command was not performed: as the inner backend's errors say it. */
export const BridgeFailure = Schema.Struct({
  kind: Schema.Literals(["refused", "lost", "invalid"]),
  reason,
  retryable: Schema.Boolean,
  /** The bad field of a spec. */
  field: optional(text)
})
export type BridgeFailure = typeof BridgeFailure.Type

/** What a bridge says. */
export const BridgeMessage = Schema.Union([
  /** The first message of a connection. */
  Schema.Struct({
    type: Schema.Literal("hello"),
    protocol: Schema.Int,
    sessionId: SessionId,
    /** The generation for which the sandbox was made. */
    generation: count,
    /** The bridge's own version. */
    bridge: text.check(Schema.isMaxLength(100)),
    /** The last number in its log; 0 while it is empty. */
    last: count,
    /** The generation of the inner backend that is open; null while none is. */
    open: Schema.NullOr(count),
    /** The highest command number that it has taken. */
    commands: count,
    /** The decisions (seq in the host's log) of commands that it has taken, the newest of them. */
    taken: Schema.Array(count).check(Schema.isMaxLength(bridgeBounds.taken)),
    /** Its clock, in milliseconds since 1970. */
    at: Schema.Finite
  }),
  Schema.Struct({ type: Schema.Literal("performed"), id: CommandNumber, result: BridgeResult }),
  Schema.Struct({ type: Schema.Literal("failed"), id: CommandNumber, failure: BridgeFailure }),
  /** It lives. `disk` are bytes where its workspace is. */
  Schema.Struct({
    type: Schema.Literal("heartbeat"),
    at: Schema.Finite,
    disk: optional(Schema.Struct({ free: count, total: count }))
  }),
  /** How far opening is: the workspace is being prepared, with a line for people. */
  Schema.Struct({ type: Schema.Literal("syncing"), detail: reason }),
  /** Credentials for one operation on one repository; answered with the same `id`, and never written anywhere. */
  Schema.Struct({
    type: Schema.Literal("credentials"),
    id: CommandNumber,
    operation: Schema.Literals(["fetch", "push"]),
    repository: text.check(Schema.isMaxLength(2_000))
  }),
  /** Its log is full or its disk is: the inner backend is paused. Told again, with `full: false`, when it goes on. */
  Schema.Struct({ type: Schema.Literal("held"), full: Schema.Boolean, detail: reason })
])
export type BridgeMessage = typeof BridgeMessage.Type

/** What a control plane says. */
export const ControlMessage = Schema.Union([
  /** The answer to `hello`: everything up to `mirrored` is in the host's log. Unanswered commands follow, then new ones. */
  Schema.Struct({
    type: Schema.Literal("welcome"),
    protocol: Schema.Int,
    mirrored: count,
    /** Send a heartbeat this often. */
    heartbeatMs: Schema.Finite
  }),
  Schema.Struct({
    type: Schema.Literal("command"),
    id: CommandNumber,
    /** Where it was decided in the host's log, where it was. */
    seq: optional(count),
    command: BridgeCommand
  }),
  /** Everything up to here is in the host's log: the bridge may forget it. */
  Schema.Struct({ type: Schema.Literal("ack"), through: count }),
  Schema.Struct({
    type: Schema.Literal("credentials"),
    id: CommandNumber,
    /** Null: there are none for this repository, or not for this operation. */
    credentials: Schema.NullOr(Schema.Struct({ username: text, password: text }))
  })
])
export type ControlMessage = typeof ControlMessage.Type

/** Why a bridge's connection was closed, in the range that RFC 6455 leaves to applications. */
export const BridgeCloseCode = {
  /** The control plane stops, and comes back: dial again. */
  goingAway: 1001,
  tooLarge: 1009,
  /** What was sent is not the protocol's: the reason names the field. Dial again, with backoff. */
  malformed: 4400,
  /** The session or this generation of its sandbox is over: stop for good. The same as HTTP 410 before the upgrade. */
  gone: 4410,
  /** Another connection of the same bridge took this one's place. Dial again only if it was not you. */
  replaced: 4409,
  /** No heartbeat came in time. Dial again. */
  silent: 4408,
  /** More than a quota allows, of rate, size or total. Stop for good: the session has failed. */
  quota: 4429,
  /** Another version of the protocol: stop for good. */
  version: 4426
} as const
export type BridgeCloseCode = (typeof BridgeCloseCode)[keyof typeof BridgeCloseCode]

/** Close codes after which a bridge stops for good. */
export const endsBridge = (code: number): boolean =>
  code === BridgeCloseCode.gone || code === BridgeCloseCode.quota || code === BridgeCloseCode.version
