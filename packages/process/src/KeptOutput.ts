/** The beginning of what a program writes. What follows is dropped, so that the program is not held up. */
export interface KeptOutput {
  /** Takes the next bytes: the listener of a stream's `data`. They are the output's own from here on. */
  readonly take: (bytes: Uint8Array) => void
  /** What was kept, in one piece. */
  readonly bytes: () => Buffer
  /** Whether there was more than is kept. */
  readonly isTruncated: () => boolean
}

/** Keeps at most `maxBytes` of an output. `onTruncated` is called once, at the first byte that is dropped. */
export const keepOutput = (maxBytes: number, onTruncated: () => void = () => {}): KeptOutput => {
  const kept: Array<Uint8Array> = []
  let room = maxBytes
  let isTruncated = false
  return {
    take: (bytes) => {
      const fits = bytes.byteLength <= room
      // A copy: what is left of a chunk would keep all of it in memory.
      if (room > 0 && bytes.byteLength > 0) kept.push(fits ? bytes : bytes.slice(0, room))
      if (fits) room -= bytes.byteLength
      else room = 0
      if (fits || isTruncated) return
      isTruncated = true
      onTruncated()
    },
    bytes: () => Buffer.concat(kept),
    isTruncated: () => isTruncated
  }
}
