/** Writes what the system holds of a database file to the disk, beside its writers. */
import { fdatasyncSync, fstatSync, readdirSync, statSync } from "node:fs"

/** Descriptors that this process has open: on Linux and macOS. */
const descriptors = "/dev/fd"

/** Whether a descriptor, which may have been closed meanwhile, is of a file. */
const isOf = (fd: number, file: { readonly dev: number; readonly ino: number }): boolean => {
  try {
    const { dev, ino } = fstatSync(fd)
    return dev === file.dev && ino === file.ino
  } catch {
    return false
  }
}

/** What syncing says of a descriptor that is closed by then, or of something that cannot be synced. */
const notSynced: ReadonlySet<string | undefined> = new Set(["EBADF", "EINVAL", "EROFS", "ENOTSUP"])

/**
 * Makes a function that syncs a file which SQLite has open, through SQLite's own descriptor: to close one of ours would take the
 * process's locks off the file (https://www.sqlite.org/howtocorrupt.html, 2.2). False where it found none, as on Windows: then nothing
 * was synced. It does no harm that a descriptor may be of another file by the time it is synced. Throws what the disk says: SQLite may
 * not be told a second time.
 */
export const makeSyncOpenFile = (path: string): (() => boolean) => {
  let known: number | undefined
  const find = (): number | undefined => {
    try {
      const file = statSync(path)
      if (known === undefined || !isOf(known, file)) {
        known = readdirSync(descriptors)
          .map(Number)
          .find((fd) => isOf(fd, file))
      }
      return known
    } catch {
      return undefined
    }
  }
  return () => {
    const fd = find()
    if (fd === undefined) return false
    try {
      fdatasyncSync(fd)
      return true
    } catch (error) {
      if (notSynced.has((error as NodeJS.ErrnoException).code)) return false
      throw error
    }
  }
}
