/** Bounds of live connections and event streams, each with its default. */
import type { ConnectionLimits } from "@holdfast/core"

/** Overrides of the bounds of live connections. */
export interface LiveLimits {
  /** Live connections at once; past it an upgrade is answered with 503. Default 10,000, which cost some 400 MB. */
  readonly maxConnections?: number
  /** Of one participant; past it an upgrade is answered with 429. Default 100: everybody's tabs, and no flood. */
  readonly maxConnectionsPerParticipant?: number
  /** Subscriptions that a connection may have open; one more is not begun. Default 100. */
  readonly maxSubscriptions?: number
  /** Bytes of one message or frame from a client. Default 8 MiB: a prompt with a picture. */
  readonly maxMessageBytes?: number
  /**
   * Messages and frames from a client a second, on average over ten: a burst may have ten times as many. Default 200: somebody who
   * types and moves a mouse in a full-screen program makes about 60.
   */
  readonly maxMessagesPerSecond?: number
  /** Commands of a connection without an answer, keystrokes among them. Default 256. Together at most `maxMessageBytes` × 2. */
  readonly maxPendingCommands?: number
  /** Bytes of a subscription's frames that may be under way. Default 256 KiB. */
  readonly windowBytes?: number
  /** How often each side says something, at least. Default 15 s; after 2.5 × as long of silence a connection is closed. */
  readonly heartbeatMs?: number
  /** How long a client may take nothing of what waits for it, before its connection is closed. Default 30 s. */
  readonly stalledMs?: number
  /** Event streams (SSE) at once. Default 1,000. */
  readonly maxEventStreams?: number
  /** Event streams of one participant. Default 20. */
  readonly maxEventStreamsPerParticipant?: number
}

/** The bounds with nothing overridden. */
export const defaultLiveLimits: Required<LiveLimits> = {
  maxConnections: 10_000,
  maxConnectionsPerParticipant: 100,
  maxSubscriptions: 100,
  maxMessageBytes: 8 * 1024 * 1024,
  maxMessagesPerSecond: 200,
  maxPendingCommands: 256,
  windowBytes: 256 * 1024,
  heartbeatMs: 15_000,
  stalledMs: 30_000,
  maxEventStreams: 1_000,
  maxEventStreamsPerParticipant: 20
}

/** Seconds over which messages are counted. */
export const burstSeconds = 10

/** A connection is closed after this many heartbeats without a word. */
export const silentHeartbeats = 2.5

/** What `welcome` tells of the bounds. */
export const limitsForClient = (limits: Required<LiveLimits>): ConnectionLimits => ({
  maxMessageBytes: limits.maxMessageBytes,
  maxMessagesPerSecond: limits.maxMessagesPerSecond,
  maxSubscriptions: limits.maxSubscriptions,
  maxPendingCommands: limits.maxPendingCommands,
  windowBytes: limits.windowBytes
})
