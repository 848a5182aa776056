/** Which old terminal output goes. Pure: what is kept, what there is, and out comes what to remove. */

/** A snapshot, as far as it matters here. */
export interface SnapshotMark {
  readonly seq: number
  readonly through: number
  readonly offset: number
}

/**
 * Bytes of output that every session keeps unless the host says otherwise: 64 MiB, about a million lines. Screens further
 * back than that cannot be had; the screen itself and everything after it always can.
 */
export const defaultTerminalKeepBytes = 64 * 1024 * 1024

/** An eighth of what is kept goes at once, so that a store does not remove a little all the time. */
const batchPart = 1 / 8

/** Sizes of a session's output. */
export interface TerminalExtent {
  /** Bytes of output so far. */
  readonly offset: number
  /** Bytes that are known to be gone already; 0 where nothing is known. */
  readonly removed: number
}

/**
 * The snapshot to compact with: the newest that leaves at least `keepBytes` of output after it. Compacting with it
 * removes all output that it shows, and the snapshots before it. Undefined where that would remove too little.
 */
export const retentionTarget = (
  snapshots: ReadonlyArray<SnapshotMark>,
  { offset, removed }: TerminalExtent,
  keepBytes: number = defaultTerminalKeepBytes
): SnapshotMark | undefined => {
  const target = snapshots.findLast((snapshot) => offset - snapshot.offset >= keepBytes)
  if (target === undefined || target.offset - removed < keepBytes * batchPart || target.offset === 0) return undefined
  return target
}
