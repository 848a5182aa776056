/** Steps that all operations on a workspace's files share. */
import { createHash } from "node:crypto"
import { type BigIntStats, constants } from "node:fs"
import type { FileHandle } from "node:fs/promises"
import { Effect, type Scope } from "effect"
import type { Entry, OpenRoot } from "./Entry.ts"
import { walk, type Walked, type WalkOptions } from "./walk.ts"
import { type ContentHash, type FileFacts, WorkspaceError } from "./Workspace.ts"
import { type Names, namesOf, pathError, pathOf, systemError } from "./WorkspacePath.ts"

/** Where a workspace is, and how entries of it are opened. */
export interface Root {
  readonly path: string
  readonly open: OpenRoot
}

/** Bytes that are read from a file at once. */
export const pieceBytes = 256 * 1024

/** Calls the system; what it refuses becomes a `WorkspaceError` about the path. */
export const attempt = <A>(path: string, evaluate: () => Promise<A>): Effect.Effect<A, WorkspaceError> =>
  Effect.tryPromise({ try: evaluate, catch: (error) => error }).pipe(
    Effect.catch((error) => Effect.suspend(() => Effect.fail(systemError(path, error))))
  )

/** A path's names, where it is valid. */
export const parse = (path: string): Effect.Effect<Names, WorkspaceError> => {
  const names = namesOf(path)
  return names instanceof WorkspaceError ? Effect.fail(names) : Effect.succeed(names)
}

/** Walks to a path, and stays there until the scope closes. */
export const reach = (
  root: Root,
  path: string,
  names: Names,
  options?: WalkOptions
): Effect.Effect<Walked, WorkspaceError, Scope.Scope> =>
  Effect.acquireRelease(
    attempt(path, () => walk(root.open, root.path, names, options)),
    (walked) => Effect.promise(() => walked.close())
  )

/** Walks to something that is there. */
export const reachEntry = Effect.fnUntraced(function* (
  root: Root,
  path: string
): Effect.fn.Return<{ readonly names: Names; readonly entry: Entry }, WorkspaceError, Scope.Scope> {
  const names = yield* parse(path)
  const { entry } = yield* reach(root, path, names)
  if (entry === null) return yield* pathError("not_found", path, "is not there")
  return { names, entry }
})

/** Why something is no file; undefined where it is one. */
export const notAFile = (stats: BigIntStats): string | undefined => {
  if (stats.isFile()) return undefined
  if (stats.isDirectory()) return "is a directory"
  if (stats.isFIFO()) return "is a pipe and no file"
  if (stats.isSocket()) return "is a socket and no file"
  return stats.isSymbolicLink() ? "is a link" : "is a device and no file"
}

/** Opens what must be a file. */
export const openFile = (path: string, entry: Entry): Effect.Effect<FileHandle, WorkspaceError, Scope.Scope> => {
  const problem = notAFile(entry.stats)
  if (problem !== undefined) return Effect.fail(pathError("not_a_file", path, problem))
  return Effect.acquireRelease(
    attempt(path, () => entry.open(constants.O_RDONLY)),
    (handle) => Effect.promise(() => handle.close())
  )
}

/** SHA-256 of the first `size` bytes, from the start. Fewer are there only if somebody cuts the file off meanwhile. */
export const hashOf = async (handle: FileHandle, size: number): Promise<ContentHash> => {
  const hash = createHash("sha256")
  const piece = Buffer.allocUnsafe(Math.max(1, Math.min(pieceBytes, size)))
  for (let at = 0; at < size;) {
    const { bytesRead } = await handle.read(piece, 0, Math.min(piece.byteLength, size - at), at)
    if (bytesRead === 0) break
    hash.update(piece.subarray(0, bytesRead))
    at += bytesRead
  }
  return hash.digest("hex")
}

/** Facts about what is at names. */
export const factsOf = (names: Names, stats: BigIntStats, target?: string): FileFacts => ({
  path: pathOf(names),
  name: names.at(-1) ?? "",
  kind: stats.isFile() ? "file" : stats.isDirectory() ? "directory" : stats.isSymbolicLink() ? "link" : "other",
  size: Number(stats.size),
  modifiedAt: Number(stats.mtimeNs / 1_000_000n),
  executable: stats.isFile() && (stats.mode & 0o111n) !== 0n,
  ...(target === undefined ? {} : { target })
})
