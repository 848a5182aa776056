/**
 * Reads of terminals without an allocation for each. Node gives every read a buffer of its own outside the heap, and in a
 * flood those start one full garbage collection after the other. Its `onread` option reads into a given buffer instead;
 * node-pty has no way to ask for it, so the stream that node-pty makes is given it here.
 */
import tty from "node:tty"

/**
 * What Linux gives with one read of a full terminal. A read that fills its buffer is followed by the next one at once, without
 * waiting for the event loop to find the terminal readable: with a larger buffer a flood costs a fifth more of the processor.
 */
const readBytes = 4095

/** One for all terminals: what was read is taken before anything else is read. */
const buffer = Buffer.allocUnsafeSlow(readBytes)

/**
 * Runs `spawn`, which makes one terminal, and has all that is read from it told to `onRead`. The next read overwrites the
 * chunk. `isShared` is false where the terminal's stream was not made as expected: then `onRead` hears nothing, and the
 * terminal tells its `data` as ever.
 */
export const withSharedReads = <A>(
  spawn: () => A,
  onRead: (chunk: Buffer) => void
): { readonly made: A; readonly isShared: boolean } => {
  const { ReadStream } = tty
  let streams = 0
  class SharedReadStream extends ReadStream {
    #isPaused = false

    constructor(fd: number) {
      const callback = (bytes: number) => {
        onRead(buffer.subarray(0, bytes))
        return true
      }
      super(fd, { onread: { buffer, callback } })
      streams++
    }

    override pause() {
      this.#isPaused = true
      return super.pause()
    }

    override resume() {
      this.#isPaused = false
      return super.resume()
    }

    /** A resume that a pause has overtaken still reads, and what is read here would be told at once. */
    override read(size?: number): unknown {
      return this.#isPaused ? null : super.read(size)
    }
  }
  // `spawn` is synchronous, so nobody else comes across it.
  tty.ReadStream = SharedReadStream
  try {
    const made = spawn()
    return { made, isShared: streams === 1 }
  } finally {
    tty.ReadStream = ReadStream
  }
}
