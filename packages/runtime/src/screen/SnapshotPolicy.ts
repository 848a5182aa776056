/** When a session's screen is stored. Pure: counts in, decision out. */
import { defaultTerminalKeepBytes } from "./TerminalRetention.ts"

/** When a screen is stored, and how much output is kept. */
export interface SnapshotPolicy {
  /** Output between two snapshots: 1 MiB, whose replay takes 20 to 40 ms, so that joining stays under 50. */
  readonly everyBytes: number
  /** How long output has to be slow first: 150 ms, so that a flood has the processor for itself. */
  readonly quietMs: number
  /**
   * Less output than this in that time is slow: 256 KiB, that is 1.7 MB a second, more than programs draw that somebody
   * watches. A spinner that never stops does not put snapshots off.
   */
  readonly quietBytes: number
  /**
   * Past this much output without a snapshot it does not wait any more: 64 MiB, which takes two seconds to show where a
   * program draws. Where showing goes faster it waits for a second's worth: a flood of text is left alone for longer.
   */
  readonly maxLagBytes: number
  /** Output that is kept when older output gives way to snapshots; `Infinity` keeps all. */
  readonly keepBytes: number
}

/** The policy unless the host says otherwise. */
export const defaultSnapshotPolicy: SnapshotPolicy = {
  everyBytes: 1024 * 1024,
  quietMs: 150,
  quietBytes: 256 * 1024,
  maxLagBytes: 64 * 1024 * 1024,
  keepBytes: defaultTerminalKeepBytes
}

/**
 * A snapshot comes only after this many times its own size in output: a wide terminal's weighs 400 KB, and all of them
 * together must not weigh more than an eighth of the output.
 */
const outputPerSnapshotByte = 8

/** What is known of a session's output. */
export interface OutputCounts {
  /** Bytes of output so far. */
  readonly offset: number
  /** Bytes that the last snapshot shows; 0 where there is none. */
  readonly snapshotOffset: number
  /** Size of the last snapshot; 0 where it is not known. */
  readonly snapshotBytes: number
  /** Not before there is this much output: set where an attempt failed. */
  readonly notBefore: number
  /** How fast its output was shown the last time, in bytes a millisecond; 0 where it is not known. */
  readonly bytesPerMs: number
}

/** Whether enough was written since the last snapshot. */
export const isDue = (counts: OutputCounts, policy: SnapshotPolicy): boolean =>
  counts.offset >= counts.notBefore &&
  counts.offset - counts.snapshotOffset >= Math.max(policy.everyBytes, outputPerSnapshotByte * counts.snapshotBytes)

/** What joining during a flood may take: a second; and the most that waits even so, 256 MiB. */
const maxLagMs = 1000
const mostLagBytes = 256 * 1024 * 1024

/** Whether the time has come for a session that is due; `written` is its output of the last `quietMs`. */
export const isTime = (counts: OutputCounts, written: number, policy: SnapshotPolicy): boolean =>
  written < policy.quietBytes ||
  counts.offset - counts.snapshotOffset >
    Math.max(policy.maxLagBytes, Math.min(counts.bytesPerMs * maxLagMs, mostLagBytes))
