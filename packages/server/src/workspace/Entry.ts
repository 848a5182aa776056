/**
 * Something in a file system that was looked up without following a link, and by which all further calls are made, so that
 * nobody can put another thing in its place meanwhile.
 *
 * On Linux an entry is a descriptor (`O_PATH`, which opens neither pipes nor devices), and names in a directory are looked
 * up by `/proc/self/fd/<descriptor>/<name>` with `O_NOFOLLOW`: what `openat` does. Elsewhere Node has no such call. There an
 * entry is a path without links in it, and after each use it is checked that the path is still real and still leads to the
 * same inode. Between a use and its check somebody who may write into the workspace can have a read or a new file go
 * astray; the result is then refused, but a temporary file with a random name may have been made elsewhere.
 */
import { type BigIntStats, constants, existsSync } from "node:fs"
import { type FileHandle, lstat, open, readlink, realpath, stat } from "node:fs/promises"
import { join } from "node:path"

/** Something that was looked up. Whoever has it closes it. */
export interface Entry {
  readonly stats: BigIntStats
  /** For system calls about it itself: not to be shown to anybody. */
  readonly self: string
  /** Of a directory: for system calls about a name in it that do not follow a link at the end. */
  readonly child: (name: string) => string
  /** Looks up a name in a directory; null where there is none. */
  readonly lookUp: (name: string) => Promise<Entry | null>
  /** Opens a file. Never waits, whatever it is. */
  readonly open: (flags: number) => Promise<FileHandle>
  /** Fails where it is not what it was any more: to be asked after calls by `self` or `child`. */
  readonly verify: () => Promise<void>
  /** Where it is now. */
  readonly where: () => Promise<string>
  readonly close: () => Promise<void>
}

/** Opens the root of a workspace. Links in its own path are the host's, and followed. */
export type OpenRoot = (path: string) => Promise<Entry>

/** Not among Node's constants. The number is the same on all machines that Node runs on. */
const O_PATH = 0o10000000

const { O_DIRECTORY, O_NOCTTY = 0, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === "ENOENT"

const byDescriptor = async (handle: FileHandle): Promise<Entry> => {
  const self = `/proc/self/fd/${handle.fd}`
  const child = (name: string) => `${self}/${name}`
  try {
    return {
      stats: await handle.stat({ bigint: true }),
      self,
      child,
      lookUp: async (name) => {
        try {
          return await byDescriptor(await open(child(name), O_PATH | O_NOFOLLOW))
        } catch (error) {
          if (isMissing(error)) return null
          throw error
        }
      },
      open: (flags) => open(self, flags | O_NONBLOCK | O_NOCTTY),
      verify: () => Promise.resolve(),
      where: () => readlink(self),
      close: () => handle.close()
    }
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** Entries by descriptors: Linux. */
export const openRootByDescriptor: OpenRoot = async (path) => byDescriptor(await open(path, O_PATH | O_DIRECTORY))

const isSame = (one: BigIntStats, other: BigIntStats): boolean => one.dev === other.dev && one.ino === other.ino

const byPath = (path: string, stats: BigIntStats): Entry => {
  const changed = () => Object.assign(new Error(`${path} was changed while it was used`), { code: "ESTALE" })
  const verify = async () => {
    const [real, now] = await Promise.all([realpath(path), lstat(path, { bigint: true })])
    if (real !== path || !isSame(stats, now)) throw changed()
  }
  const child = (name: string) => join(path, name)
  return {
    stats,
    self: path,
    child,
    lookUp: async (name) => {
      try {
        return byPath(child(name), await lstat(child(name), { bigint: true }))
      } catch (error) {
        if (isMissing(error)) return null
        throw error
      }
    },
    open: async (flags) => {
      const handle = await open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
      try {
        if (!isSame(stats, await handle.stat({ bigint: true }))) throw changed()
        await verify()
        return handle
      } catch (error) {
        await handle.close()
        throw error
      }
    },
    verify,
    where: () => Promise.resolve(path),
    close: () => Promise.resolve()
  }
}

/** Entries by paths: everywhere else. */
export const openRootByPath: OpenRoot = async (path) => {
  const real = await realpath(path)
  return byPath(real, await stat(real, { bigint: true }))
}

/** What this system can do. Some containers have no `/proc`. */
export const openRoot: OpenRoot =
  process.platform === "linux" && existsSync("/proc/self/fd") ? openRootByDescriptor : openRootByPath
