/**
 * What goes wrong on the connections through a fault proxy, as data: a schedule can be stored, printed and played again.
 * Within one connection and direction bytes keep their order and none is changed, since TCP guarantees both.
 */
import { Schema } from "effect"

const count = (maximum: number) => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum }))
const size = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1024 * 1024 }))

/** No time in a schedule is longer: 60 s. */
const maxMs = 60_000

/**
 * How a connection, or one direction of it, ends before its time.
 *
 * - `fin`: both sides are told that it ends, as by a proxy that is stopped.
 * - `rst`: both sides get a reset, as from a process that was killed; what is on its way is lost.
 * - `swallow`: half-open. What is sent in this direction vanishes, its end too; the sender notices nothing.
 * - `stall`: half-open. Nothing is taken from the sender any more, who fills the buffers and then waits.
 */
export const FaultEnding = Schema.Literals(["fin", "rst", "swallow", "stall"])
export type FaultEnding = typeof FaultEnding.Type

/** What goes wrong in one direction of a connection. Lists are gone through again and again. */
export const LaneFaults = Schema.Struct({
  /** Most bytes of the first, second … piece that is written at once. Default: as they come. */
  split: Schema.optionalKey(Schema.Array(size)),
  /** Milliseconds from the arrival of the first, second … piece until it is written. Pieces do not overtake each other. */
  delayMs: Schema.optionalKey(Schema.Array(count(maxMs))),
  bytesPerSecond: Schema.optionalKey(size),
  /** After so many bytes of this direction, from the time on at which the fault is set. */
  end: Schema.optionalKey(Schema.Struct({ after: count(2 ** 40), how: FaultEnding }))
})
export type LaneFaults = typeof LaneFaults.Type

/** What goes wrong on one connection. */
export const ConnectionFaults = Schema.Struct({
  /** It is reset before it reaches the target, and so are all others that come within so many milliseconds. */
  refuseMs: Schema.optionalKey(count(maxMs)),
  /** From the client to the target. */
  up: Schema.optionalKey(LaneFaults),
  /** From the target to the client. */
  down: Schema.optionalKey(LaneFaults)
})
export type ConnectionFaults = typeof ConnectionFaults.Type

/**
 * What arrives within a window, on all connections and in both directions, is written in another order than it arrived in:
 * of the `n` lanes that have something the one numbered `pick % n` comes first, then the next pick decides.
 */
export const Reordering = Schema.Struct({
  windowMs: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000 })),
  picks: Schema.Array(count(2 ** 31)).check(Schema.isMinLength(1))
})
export type Reordering = typeof Reordering.Type

/** What goes wrong from the start of a proxy on. */
export const FaultSchedule = Schema.Struct({
  /** For the first, second … connection. Those after the last are spared: who connects again often enough gets through. */
  connections: Schema.Array(ConnectionFaults),
  reorder: Schema.optionalKey(Reordering)
})
export type FaultSchedule = typeof FaultSchedule.Type

/** Checks faults; throws an error that names what is wrong with which field. */
export const checkSchedule = Schema.decodeUnknownSync(FaultSchedule)
export const checkConnectionFaults = Schema.decodeUnknownSync(ConnectionFaults)

const describeLane = ({ bytesPerSecond, delayMs, end, split }: LaneFaults): string =>
  [
    split === undefined || split.length === 0 ? undefined : `pieces of ${split.join(", ")} bytes`,
    delayMs === undefined || delayMs.length === 0 ? undefined : `late by ${delayMs.join(", ")} ms`,
    bytesPerSecond === undefined ? undefined : `${bytesPerSecond} bytes a second`,
    end === undefined ? undefined : `${end.how} after ${end.after} bytes`
  ]
    .filter((part) => part !== undefined)
    .join("; ") || "nothing"

/** A schedule in words, a line for each connection. */
export const describeSchedule = ({ connections, reorder }: FaultSchedule): string =>
  [
    ...connections.map(({ down, refuseMs, up }, index) =>
      refuseMs === undefined
        ? `connection ${index + 1}: up ${describeLane(up ?? {})} | down ${describeLane(down ?? {})}`
        : `connection ${index + 1}: refused, for ${refuseMs} ms`
    ),
    ...(reorder === undefined ? [] : [`reordered within ${reorder.windowMs} ms by ${reorder.picks.join(", ")}`]),
    "further connections: nothing"
  ].join("\n")
