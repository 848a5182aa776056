/** What is typed, on its way into the kernel: written at once where there is room, queued in order where there is none. */
import { writeSync } from "node:fs"

/** Most bytes that wait for a program that does not read: 1 MiB, a large paste. Above it writes are refused. */
export const maxPendingInput = 1024 * 1024

/**
 * Tries without a pause while the program is reading along, then milliseconds between tries: 1, 2, 4 … 16. Nothing tells when
 * a terminal takes input again: libuv writes to it in blocking mode, which would hold the whole process.
 */
const eagerTries = 4
const longestWait = 16

/** Input of one terminal. */
export interface PtyInput {
  /** Takes all or nothing; false where {@link maxPendingInput} would be exceeded. */
  readonly write: (bytes: Uint8Array) => boolean
  readonly pending: () => number
  /** Forgets what waits. */
  readonly close: () => void
}

/** Writes to a non-blocking file descriptor as long as `isOpen` says that it is still this terminal's. */
export const makePtyInput = (
  fd: number,
  isOpen: () => boolean,
  writeTo: (fd: number, bytes: Uint8Array) => number = writeSync
): PtyInput => {
  let queue: Array<Uint8Array> = []
  let pending = 0
  let tries = 0
  let immediate: NodeJS.Immediate | undefined
  let timer: NodeJS.Timeout | undefined

  const close = () => {
    queue = []
    pending = 0
    clearImmediate(immediate)
    clearTimeout(timer)
    immediate = timer = undefined
  }

  /** How many bytes the kernel took now. */
  const offer = (bytes: Uint8Array): number => {
    try {
      return writeTo(fd, bytes)
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code
      if (code === "EAGAIN" || code === "EINTR") return 0
      // Nobody is there to read it any more. Reading finds the end, and tells it in its turn.
      if (code === "EIO") return bytes.byteLength
      throw error
    }
  }

  const drain = () => {
    immediate = timer = undefined
    if (!isOpen()) return close()
    for (let bytes = queue[0]; bytes !== undefined; bytes = queue[0]) {
      const taken = offer(bytes)
      pending -= taken
      if (taken > 0) tries = 0
      if (taken < bytes.byteLength) {
        queue[0] = bytes.subarray(taken)
        return retry()
      }
      queue.shift()
    }
  }

  const retry = () => {
    tries += 1
    if (tries <= eagerTries) immediate = setImmediate(drain)
    else timer = setTimeout(drain, Math.min(2 ** (tries - eagerTries - 1), longestWait))
  }

  return {
    write: (bytes) => {
      if (pending + bytes.byteLength > maxPendingInput) return false
      if (!isOpen()) return true
      const isWaiting = queue.length > 0
      const taken = isWaiting ? 0 : offer(bytes)
      if (taken === bytes.byteLength) return true
      // A copy: the caller may use its buffer again.
      queue.push(bytes.slice(taken))
      pending += bytes.byteLength - taken
      if (!isWaiting) retry()
      return true
    },
    pending: () => pending,
    close
  }
}
