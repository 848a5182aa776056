/** Keeps the beginning of what a program writes, and drops the rest without holding the program up. */
import { Writable } from "node:stream"

/** What was kept. */
export interface BoundedOutput {
  readonly sink: Writable
  readonly bytes: () => Uint8Array
  readonly isTruncated: () => boolean
}

/** Keeps at most `limit` bytes. */
export const makeBoundedOutput = (limit: number): BoundedOutput => {
  const pieces: Array<Uint8Array> = []
  let size = 0
  let truncated = false
  const sink = new Writable({
    write: (chunk: Buffer, _, done) => {
      const room = limit - size
      if (chunk.length > room) truncated = true
      if (room > 0) {
        // A copy: what is left of a chunk would keep all of it in memory.
        const piece = chunk.length > room ? Uint8Array.from(chunk.subarray(0, room)) : chunk
        pieces.push(piece)
        size += piece.length
      }
      done()
    }
  })
  return { sink, bytes: () => new Uint8Array(Buffer.concat(pieces)), isTruncated: () => truncated }
}
