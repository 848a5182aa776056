/** Workspaces of sessions that move from one place to another, and back again. */
import type { PackedFolder } from "@holdfast/core"
import { Effect, Exit, type Scope } from "effect"
import { cp, mkdtemp, readdir, rename, rm, rmdir, stat } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { fileStep, unlessAbsent } from "./FileStep.ts"
import { type GitError, gitError } from "./GitError.ts"
import type { PackOptions } from "./PackedWorkspace.ts"
import { packWorkspace } from "./packWorkspace.ts"
import { unpackWorkspace } from "./unpackWorkspace.ts"
import { splitNul } from "./WorkspaceChanges.ts"
import { headerLine, maxListBytes, readHeader } from "./WorkspaceManifest.ts"
import { findRepository, inRepository } from "./WorkspaceRepository.ts"

const operation = "unpack"

/** Parts of `.git` that are the user's own and never come along, so that they stay where they are. */
const ownParts = ["config", "hooks", "info/attributes"]

/** How a workspace is brought to a folder. */
export interface BringOptions {
  /** What was packed. */
  readonly packed: PackedFolder
  /** A state of the folder that need not be kept, by its fingerprint. */
  readonly known: string | undefined
}

/** Packs and brings workspaces: what `handoff.workspaces` of a runtime wants. */
export interface MovedWorkspaces {
  /** As {@link packWorkspace}. */
  readonly pack: (folder: string, file: string) => Effect.Effect<PackedFolder, GitError>
  /**
   * As {@link unpackWorkspace}, and also into a folder with something else in it, which is put aside beside it: ignored files, hooks
   * and git's configuration are taken over from there. What is aside is removed at the scope's end if it is the `known` state,
   * otherwise its path is given. A folder that has the very state that was packed stays as it is. If the scope ends with a
   * failure, the folder is as it was.
   */
  readonly unpack: (
    file: string,
    folder: string,
    options: BringOptions
  ) => Effect.Effect<{ readonly aside?: string }, GitError, Scope.Scope>
}

/** Makes it. The options hold for all of its workspaces. */
export const movedWorkspaces = (options: PackOptions = {}): MovedWorkspaces => {
  const pack = (folder: string, file: string) =>
    Effect.gen(function* () {
      const { bytes, left, prefix } = yield* packWorkspace(folder, file, options)
      return { bytes, left, prefix, fingerprint: yield* fingerprintOf(file) }
    })

  /** The state of a folder; undefined where it cannot be packed, and so is not one that is known. */
  const present = (folder: string, file: string) =>
    pack(folder, file).pipe(
      Effect.map(({ fingerprint }) => fingerprint),
      Effect.orElseSucceed(() => undefined),
      Effect.ensuring(Effect.promise(() => rm(file, { force: true })))
    )

  const unpack = Effect.fn("movedWorkspaces.unpack")(function* (
    file: string,
    folder: string,
    { known, packed }: BringOptions
  ): Effect.fn.Return<{ readonly aside?: string }, GitError, Scope.Scope> {
    const names = yield* fileStep(operation, () => readdir(folder).catch(unlessAbsent))
    if (names === undefined || names.length === 0) {
      yield* Effect.acquireRelease(unpackWorkspace(file, folder, options), (_, exit) =>
        Exit.isSuccess(exit) ? Effect.void : Effect.promise(() => empty(folder, names === undefined))
      )
      return {}
    }
    const state = yield* present(join(folder, packed.prefix), `${file}.present`)
    if (state === packed.fingerprint) return {}
    yield* refuseLinked(folder)
    const { aside } = yield* replaced(file, folder, options)
    if (state === undefined || state !== known) return { aside }
    yield* Effect.addFinalizer((exit) =>
      Exit.isSuccess(exit) ? Effect.promise(() => rm(aside, { recursive: true, force: true })) : Effect.void
    )
    return {}
  })

  return { pack, unpack }
}

/** What a packed file has in it, by its contents. */
const fingerprintOf = (file: string) => Effect.map(readHeader("pack", file), ({ header }) => headerLine(header).trim())

/** A work tree whose repository is elsewhere would be cut off from it. */
const refuseLinked = Effect.fnUntraced(function* (folder: string) {
  const own = yield* fileStep(operation, () => stat(join(folder, ".git")).catch(unlessAbsent))
  if (own === undefined || own.isDirectory()) return
  const detail = `${folder} is a linked work tree of another repository: use another folder`
  return yield* gitError(operation, "folder_taken", detail)
})

const empty = async (folder: string, isOurs: boolean): Promise<void> => {
  if (isOurs) return rm(folder, { recursive: true, force: true })
  for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true, force: true })
}

/** Puts what is in a folder aside, and the unpacked workspace in its place. Put back where the scope ends with a failure. */
const replaced = Effect.fnUntraced(function* (
  file: string,
  folder: string,
  options: PackOptions
): Effect.fn.Return<{ readonly aside: string }, GitError, Scope.Scope> {
  const beside = (what: string) =>
    fileStep(operation, () => mkdtemp(join(dirname(folder), `${basename(folder)}.${what}-`)))
  const fresh = yield* Effect.acquireRelease(beside("new"), (made) =>
    Effect.promise(() => rm(made, { recursive: true, force: true }))
  )
  yield* unpackWorkspace(file, fresh, options)
  const ignored = yield* ignoredIn(folder, options)
  // Only ever removed empty: where it could not be put back, it is all that there is.
  const aside = yield* Effect.acquireRelease(beside("before"), (made, exit) =>
    Exit.isSuccess(exit) ? Effect.void : Effect.promise(() => rmdir(made).catch(() => undefined))
  )
  const branches = yield* branchSettings(fresh, options)
  const moved: Array<string> = []
  yield* Effect.acquireRelease(
    fileStep(operation, async () => {
      // Onto an empty folder: one step each, so that the folder is missing for less than a millisecond.
      await rename(folder, aside)
      await rename(fresh, folder)
      for (const part of ownParts) {
        const from = join(aside, ".git", part)
        const there = await stat(from).catch(unlessAbsent)
        if (there !== undefined) await cp(from, join(folder, ".git", part), { recursive: true, force: true })
      }
      for (const name of ignored) {
        if ((await stat(join(folder, name)).catch(unlessAbsent)) !== undefined) continue
        if ((await stat(dirname(join(folder, name))).catch(unlessAbsent)) === undefined) continue
        await rename(join(aside, name), join(folder, name))
        moved.push(name)
      }
    }).pipe(Effect.onError(() => Effect.promise(() => putBack(folder, aside, moved)))),
    (_, exit) => (Exit.isSuccess(exit) ? Effect.void : Effect.promise(() => putBack(folder, aside, moved)))
  )
  for (const { name, value } of branches) {
    yield* inRepository(placeOf(folder, options), operation, ["config", "--local", name, value])
  }
  return { aside }
})

const placeOf = (folder: string, { env = process.env }: PackOptions) => ({ cwd: folder, env })

/** What a repository knows of its branches' counterparts: the one part of its configuration that the session may have changed. */
const branchSettings = Effect.fnUntraced(function* (folder: string, options: PackOptions) {
  const repository = yield* findRepository(operation, folder, options.env ?? process.env)
  if (repository === undefined) return []
  const args = ["config", "--local", "--null", "--get-regexp", "^branch\\."]
  const { stdout } = yield* inRepository(repository, operation, args, { codes: [0, 1] })
  return splitNul(stdout).map((line) => {
    const [name = "", ...value] = Buffer.from(line, "latin1").toString().split("\n")
    return { name, value: value.join("\n") }
  })
})

const putBack = async (folder: string, aside: string, moved: ReadonlyArray<string>): Promise<void> => {
  // Nothing was moved yet.
  if ((await readdir(aside)).length === 0) return
  for (const name of moved.toReversed()) await rename(join(folder, name), join(aside, name))
  await rm(folder, { recursive: true, force: true })
  await rename(aside, folder)
}

/** Files and folders that git ignores: they are on no way to anywhere. Of a folder that is no repository none. */
const ignoredIn = Effect.fnUntraced(function* (folder: string, { env = process.env }: PackOptions) {
  const repository = yield* findRepository(operation, folder, env)
  if (repository === undefined || repository.prefix !== "") return []
  const args = ["ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory"]
  const { stdout } = yield* inRepository(repository, operation, args, { maxOutput: maxListBytes })
  return splitNul(stdout).map((name) => Buffer.from(name, "latin1").toString().replace(/\/$/, ""))
})
