/** Changes the files of a local workspace. */
import { createHash, randomBytes } from "node:crypto"
import { constants } from "node:fs"
import { type FileHandle, link, open, opendir, rename, rmdir, unlink } from "node:fs/promises"
import { Effect, type Scope, Semaphore, Stream } from "effect"
import type { Entry } from "./Entry.ts"
import { attempt, factsOf, hashOf, notAFile, parse, reach, type Root } from "./FilePlace.ts"
import {
  type ContentHash,
  type RemoveOptions,
  type WorkspaceError,
  type WorkspaceFiles,
  workspaceLimits,
  type WriteOptions,
  type WrittenFile
} from "./Workspace.ts"
import { pathError } from "./WorkspacePath.ts"

/** Directories in directories that one `remove` goes down: each holds a descriptor open. */
const maxRemovedDepth = 200

const { O_CREAT, O_EXCL, O_NOFOLLOW = 0, O_RDONLY, O_WRONLY } = constants

/**
 * Changes to one file take turns from the check of their condition on, so that of two who change the same content one is
 * told. It holds what is being changed now and nothing else.
 */
export interface FileTurns {
  readonly take: <A, E, R>(key: string, effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/** Makes the turns that all workspaces of a process share, since several sessions may work in one directory. */
export const makeFileTurns = (): FileTurns => {
  const turns = new Map<string, { readonly lock: Semaphore.Semaphore; users: number }>()
  return {
    take: (key, effect) =>
      Effect.acquireUseRelease(
        Effect.sync(() => {
          const turn = turns.get(key) ?? { lock: Semaphore.makeUnsafe(1), users: 0 }
          turn.users += 1
          turns.set(key, turn)
          return turn
        }),
        ({ lock }) => lock.withPermits(1)(effect),
        (turn) =>
          Effect.sync(() => {
            turn.users -= 1
            if (turn.users === 0) turns.delete(key)
          })
      )
  }
}

const keyOf = ({ stats }: Entry, name: string): string => `${stats.dev}:${stats.ino}/${name}`

/** What a file under a name has in it; null where there is none. */
const currentHash = async (parent: Entry, name: string): Promise<ContentHash | null> => {
  const entry = await parent.lookUp(name)
  if (entry === null) return null
  try {
    if (!entry.stats.isFile()) return null
    const handle = await entry.open(O_RDONLY)
    try {
      return await hashOf(handle, Number((await handle.stat()).size))
    } finally {
      await handle.close()
    }
  } finally {
    await entry.close()
  }
}

const changed = (path: string) =>
  pathError("changed", path, "is not what you have seen of it any more. Read it again, then decide")

/** A file beside the one that is to be written, under a name that nobody guesses; gone at the end unless it was moved. */
const openBeside = (
  path: string,
  parent: Entry,
  mode: number
): Effect.Effect<{ readonly handle: FileHandle; readonly name: string }, WorkspaceError, Scope.Scope> =>
  Effect.acquireRelease(
    attempt(path, async () => {
      const name = `.holdfast-${randomBytes(12).toString("hex")}.tmp`
      const handle = await open(parent.child(name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode)
      try {
        await parent.verify()
        return { handle, name }
      } catch (error) {
        await handle.close()
        await removeIfThere(parent, name)
        throw error
      }
    }),
    ({ handle, name }) => Effect.promise(() => handle.close().then(() => removeIfThere(parent, name)))
  )

const removeIfThere = async (parent: Entry, name: string): Promise<void> => {
  try {
    await unlink(parent.child(name))
  } catch (error) {
    // Moved to where it belongs, or its directory is gone: there is nothing that could be left.
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error
  }
}

const writeAll = async (handle: FileHandle, bytes: Uint8Array): Promise<void> => {
  for (let at = 0; at < bytes.byteLength;) at += (await handle.write(bytes, at, bytes.byteLength - at)).bytesWritten
}

/** Puts a new file in place only where there is none: `link` fails where there is one, in one step. */
const placeNew = async (path: string, parent: Entry, from: string, to: string): Promise<void> => {
  try {
    await link(parent.child(from), parent.child(to))
  } catch (error) {
    // A file system without links. Others may come in between there.
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error
    const there = await parent.lookUp(to)
    await there?.close()
    if (there !== null) throw pathError("exists", path, "is there already")
    await rename(parent.child(from), parent.child(to))
  }
}

/** Removes what is under a name, with all that is in it. Each directory is read and emptied by its own entry. */
const removeTree = async (path: string, parent: Entry, name: string, budget: { left: number }, depth: number) => {
  const entry = await parent.lookUp(name)
  if (entry === null) return
  try {
    if (--budget.left < 0) {
      throw pathError("too_large", path, `has more than ${workspaceLimits.maxRemoved} entries. Remove it in parts`)
    }
    if (!entry.stats.isDirectory()) return await removeIfThere(parent, name)
    if (depth > maxRemovedDepth) {
      throw pathError(
        "too_large",
        path,
        `has more than ${maxRemovedDepth} directories in each other. Remove it by a command`
      )
    }
    for (;;) {
      // Anew after each round: what is removed while a directory is read may move what is still to come.
      const names: Array<string> = []
      for await (const { name: each } of await opendir(entry.self)) {
        if (names.push(each) === workspaceLimits.maxListPage) break
      }
      await entry.verify()
      if (names.length === 0) break
      const before = budget.left
      for (const each of names) await removeTree(path, entry, each, budget, depth + 1)
      if (budget.left === before) {
        throw pathError("failed", path, "has entries whose names are no UTF-8. Remove them by a command")
      }
    }
    await rmdir(parent.child(name))
  } finally {
    await entry.close()
  }
}

/** The writing half of a local workspace's files. */
export const makeLocalWrites = (
  root: Root,
  turns: FileTurns
): Pick<WorkspaceFiles, "createDirectory" | "remove" | "write"> => {
  const write = Effect.fnUntraced(function* <E>(
    path: string,
    content: Stream.Stream<Uint8Array, E>,
    { condition, createDirectories = false }: WriteOptions
  ): Effect.fn.Return<WrittenFile, WorkspaceError | E, Scope.Scope> {
    const names = yield* parse(path)
    const walked = yield* reach(root, path, names, { make: createDirectories ? "parents" : "none" })
    const { entry, name, parent } = walked
    if (name === null) return yield* pathError("not_a_file", path, "is a directory")
    const problem = entry === null ? undefined : notAFile(entry.stats)
    if (problem !== undefined) return yield* pathError("not_a_file", path, problem)

    const was = entry?.stats
    const beside = yield* openBeside(path, parent, was === undefined ? 0o666 : 0o600)
    const { handle } = beside
    const hash = createHash("sha256")
    let size = 0
    yield* Stream.runForEach(content, (bytes) =>
      Effect.gen(function* () {
        size += bytes.byteLength
        if (size > workspaceLimits.maxFileBytes) {
          return yield* pathError("too_large", path, `may have ${workspaceLimits.maxFileBytes} bytes at most`)
        }
        hash.update(bytes)
        yield* attempt(path, () => writeAll(handle, bytes))
      })
    )
    yield* attempt(path, async () => {
      if (was !== undefined) {
        if (process.getuid?.() === 0) await handle.chown(Number(was.uid), Number(was.gid))
        await handle.chmod(Number(was.mode & 0o777n))
      }
      // Otherwise a crash of the machine could leave the name on an empty file.
      await handle.datasync()
    })

    const place = attempt(path, async () => {
      const there = await parent.lookUp(name)
      await there?.close()
      if (condition !== undefined && "ifExists" in condition && there === null) {
        throw pathError("not_found", path, "is not there")
      }
      if (condition !== undefined && "ifHash" in condition && (await currentHash(parent, name)) !== condition.ifHash) {
        throw changed(path)
      }
      if (there?.stats.isDirectory() === true) throw pathError("not_a_file", path, "is a directory")
      if (condition !== undefined && "ifMissing" in condition) await placeNew(path, parent, beside.name, name)
      else await rename(parent.child(beside.name), parent.child(name))
      await parent.verify()
      return { created: there === null, stats: await handle.stat({ bigint: true }) }
    })
    // From the check on it is a matter of moments, and is done or not done.
    const { created, stats } = yield* turns.take(keyOf(parent, name), Effect.uninterruptible(place))
    return { facts: factsOf(names, stats), hash: hash.digest("hex"), created }
  })

  const remove = Effect.fnUntraced(function* (
    path: string,
    { ifHash, recursive = false }: RemoveOptions
  ): Effect.fn.Return<void, WorkspaceError, Scope.Scope> {
    const names = yield* parse(path)
    const { entry, name, parent } = yield* reach(root, path, names, { followLast: false })
    if (name === null) return yield* pathError("invalid", path, "cannot be removed")
    if (entry === null) return yield* pathError("not_found", path, "is not there")
    const isDirectory = entry.stats.isDirectory()
    if (isDirectory && ifHash !== undefined) return yield* pathError("not_a_file", path, "is a directory")
    yield* turns.take(
      keyOf(parent, name),
      attempt(path, async () => {
        if (ifHash !== undefined && (await currentHash(parent, name)) !== ifHash) throw changed(path)
        if (!isDirectory) await unlink(parent.child(name))
        else if (recursive) await removeTree(path, parent, name, { left: workspaceLimits.maxRemoved }, 1)
        else await rmdir(parent.child(name))
      })
    )
  })

  const createDirectory = Effect.fnUntraced(function* (path: string) {
    const names = yield* parse(path)
    const { entry } = yield* reach(root, path, names, { make: "all" })
    if (entry === null) return yield* pathError("not_found", path, "was removed meanwhile. Try again")
    if (!entry.stats.isDirectory()) return yield* pathError("exists", path, "is there already, and is no directory")
    return factsOf(names, entry.stats)
  })

  return {
    write: (path, content, options = {}) => Effect.scoped(write(path, content, options)),
    remove: (path, options = {}) => Effect.scoped(remove(path, options)),
    createDirectory: (path) => Effect.scoped(createDirectory(path))
  }
}
