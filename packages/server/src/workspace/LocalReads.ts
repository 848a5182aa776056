/** Looks at the files of a local workspace. */
import { createHash } from "node:crypto"
import type { BigIntStats } from "node:fs"
import { type FileHandle, lstat, opendir, readlink } from "node:fs/promises"
import { Effect, Option, type Scope, Stream } from "effect"
import type { Entry } from "./Entry.ts"
import { attempt, factsOf, hashOf, openFile, pieceBytes, reachEntry, type Root } from "./FilePlace.ts"
import {
  type DirectoryPage,
  type FileContent,
  type FileFacts,
  type ListOptions,
  type ReadOptions,
  type WorkspaceError,
  type WorkspaceFiles,
  workspaceLimits
} from "./Workspace.ts"
import { pathError } from "./WorkspacePath.ts"

/** A file up to this size is read at once and held: 1 MiB. Then what is hashed and what is sent are the same bytes. */
const heldBytes = 1024 * 1024

/** Calls to the system that a listing has under way. */
const lookingAtOnce = 16

/** The page's names and how many there are in all. Holds twice the page's names, however large the directory is. */
const namesAfter = async (directory: Entry, after: string | undefined, limit: number) => {
  let total = 0
  let found: Array<string> = []
  const cut = () => {
    // By UTF-16 code units, as JavaScript compares.
    found.sort()
    found = found.slice(0, limit + 1)
  }
  for await (const { name } of await opendir(directory.self, { bufferSize: 256 })) {
    total += 1
    if (after !== undefined && name <= after) continue
    found.push(name)
    if (found.length > 2 * limit + 2) cut()
  }
  await directory.verify()
  cut()
  return { names: found.slice(0, limit), more: found.length > limit, total }
}

const lookAt = async (directory: Entry, above: ReadonlyArray<string>, name: string): Promise<FileFacts | undefined> => {
  try {
    const stats = await lstat(directory.child(name), { bigint: true })
    return factsOf([...above, name], stats, stats.isSymbolicLink() ? await readlink(directory.child(name)) : undefined)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    // Gone since the directory was read, or of a name that is no UTF-8.
    if (code === "ENOENT" || code === "EINVAL") return undefined
    throw error
  }
}

const isUntouched = (before: BigIntStats, after: BigIntStats): boolean =>
  before.size === after.size && before.mtimeNs === after.mtimeNs

/** A number of bytes that a caller gave. */
const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0

/** The bytes of a file from `offset` on, read piece by piece; the whole content must have this hash, where it is whole. */
const streamFile = (
  path: string,
  handle: FileHandle,
  opened: BigIntStats,
  part: Omit<FileContent, "bytes" | "facts">
) => {
  const changed = pathError("changed", path, "was changed while it was read. Read it again")
  const isWhole = part.hash !== null && part.offset === 0 && part.length === Number(opened.size)
  const end = part.offset + part.length
  return Stream.unwrap(
    Effect.sync(() => {
      const hash = createHash("sha256")
      return Stream.paginate(part.offset, (at: number) =>
        Effect.gen(function* () {
          const piece = yield* attempt(path, async () => {
            const into = Buffer.allocUnsafeSlow(Math.min(pieceBytes, end - at))
            const { bytesRead } = await handle.read(into, 0, into.byteLength, at)
            return into.subarray(0, bytesRead)
          })
          if (piece.byteLength === 0 && at < end) return yield* changed
          if (isWhole) hash.update(piece)
          const next = at + piece.byteLength
          if (next < end) return [[piece], Option.some(next)] as const
          const now = yield* attempt(path, () => handle.stat({ bigint: true }))
          if (!isUntouched(opened, now) || (isWhole && hash.digest("hex") !== part.hash)) return yield* changed
          return [[piece], Option.none()] as const
        })
      )
    })
  )
}

const readWhole = async (handle: FileHandle, size: number): Promise<Uint8Array> => {
  const into = Buffer.allocUnsafeSlow(size)
  let at = 0
  while (at < size) {
    const { bytesRead } = await handle.read(into, at, size - at, at)
    if (bytesRead === 0) break
    at += bytesRead
  }
  return into.subarray(0, at)
}

/** The reading half of a local workspace's files. */
export const makeLocalReads = (root: Root): Pick<WorkspaceFiles, "facts" | "list" | "read"> => {
  const list = Effect.fnUntraced(function* (
    path: string,
    { after, limit = workspaceLimits.maxListPage }: ListOptions
  ): Effect.fn.Return<DirectoryPage, WorkspaceError, Scope.Scope> {
    if (!Number.isInteger(limit) || limit < 1 || limit > workspaceLimits.maxListPage) {
      return yield* pathError("invalid", path, `is listed in pages of 1 to ${workspaceLimits.maxListPage} entries`)
    }
    const { entry, names } = yield* reachEntry(root, path)
    if (!entry.stats.isDirectory()) return yield* pathError("not_a_directory", path, "is no directory")
    const page = yield* attempt(path, () => namesAfter(entry, after, limit))
    const entries = yield* Effect.forEach(page.names, (name) => attempt(path, () => lookAt(entry, names, name)), {
      concurrency: lookingAtOnce
    })
    return {
      path: names.join("/"),
      entries: entries.filter((facts) => facts !== undefined),
      total: page.total,
      ...(page.more ? { next: page.names.at(-1)! } : {})
    }
  })

  const read = Effect.fnUntraced(function* (
    path: string,
    { length: wanted, offset: from = 0 }: ReadOptions
  ): Effect.fn.Return<FileContent, WorkspaceError, Scope.Scope> {
    if (!isCount(from) || (wanted !== undefined && !isCount(wanted))) {
      return yield* pathError("invalid", path, "is read from a byte on that is a whole number, and so many bytes of it")
    }
    const { entry, names } = yield* reachEntry(root, path)
    const handle = yield* openFile(path, entry)
    const stats = yield* attempt(path, () => handle.stat({ bigint: true }))
    const size = Number(stats.size)
    const offset = Math.min(from, size)
    const length = Math.min(wanted ?? size, size - offset)
    const { maxFileBytes } = workspaceLimits
    if (length > maxFileBytes) {
      return yield* pathError("too_large", path, `has ${size} bytes, and ${maxFileBytes} are read at once: read a part`)
    }
    const facts = factsOf(names, stats)
    if (size <= heldBytes) {
      const whole = yield* attempt(path, () => readWhole(handle, size))
      if (whole.byteLength !== size)
        return yield* pathError("changed", path, "was changed while it was read. Read it again")
      const hash = createHash("sha256").update(whole).digest("hex")
      return { facts, hash, offset, length, bytes: Stream.succeed(whole.subarray(offset, offset + length)) }
    }
    const hash = size > maxFileBytes ? null : yield* attempt(path, () => hashOf(handle, size))
    const part = { hash, offset, length }
    return { facts, ...part, bytes: length === 0 ? Stream.empty : streamFile(path, handle, stats, part) }
  })

  return {
    facts: (path) =>
      reachEntry(root, path).pipe(
        Effect.map(({ entry, names }) => factsOf(names, entry.stats)),
        Effect.scoped
      ),
    list: (path, options = {}) => Effect.scoped(list(path, options)),
    read: (path, options = {}) => read(path, options)
  }
}
