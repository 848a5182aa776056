/** The folder of this machine that a session is brought to. */
import { SpecInvalid } from "@holdfast/core"
import { Effect, Exit, type Scope } from "effect"
import { existsSync, realpathSync } from "node:fs"
import { mkdir, rmdir } from "node:fs/promises"
import { isAbsolute, join, relative, resolve, sep } from "node:path"

/** Whether two paths are one folder. */
export const isSameFolder = (one: string, other: string): boolean => real(one) === real(other)

/** A path without links, as far as it is there. */
const real = (path: string): string => {
  try {
    return realpathSync(path)
  } catch {
    return resolve(path)
  }
}

/**
 * The folder that a spec names, made where it is absent so that the spec can be checked; gone again, if it is still empty, where
 * the scope ends with a failure. The session's present folder must not be inside of it: it would be replaced with it.
 */
export const makeTargetFolder = Effect.fnUntraced(function* (
  backend: string,
  spec: unknown,
  present: string | null
): Effect.fn.Return<string, SpecInvalid, Scope.Scope> {
  const cwd: unknown = (spec as { readonly cwd?: unknown } | null | undefined)?.cwd
  const invalid = (expected: string) => new SpecInvalid({ backend, field: "cwd", expected })
  if (typeof cwd !== "string" || cwd === "") return yield* invalid("the folder to bring the workspace to")
  // What is in it is replaced: from where the runtime happens to run is not good enough.
  if (!isAbsolute(cwd)) return yield* invalid(`an absolute path, not ${cwd}`)
  const folder = resolve(cwd)
  if (present !== null && isInside(real(present), real(folder))) {
    return yield* invalid(`a folder that the session's present one, ${present}, is not inside of`)
  }
  if (existsSync(folder)) return folder
  yield* Effect.acquireRelease(
    Effect.tryPromise({
      try: () => mkdir(folder, { recursive: true }),
      catch: (error) => invalid(`a folder that can be made: ${error instanceof Error ? error.message : String(error)}`)
    }),
    // The first that was made, and what was made in it.
    (first, exit) =>
      Exit.isSuccess(exit) || first === undefined ? Effect.void : Effect.promise(() => removeEmpty(folder, first))
  )
  return folder
})

const isInside = (path: string, folder: string): boolean => {
  const way = relative(folder, path)
  return way !== "" && way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}

const removeEmpty = async (folder: string, first: string): Promise<void> => {
  for (let path = folder; path === first || isInside(path, first); path = join(path, "..")) {
    try {
      await rmdir(path)
    } catch {
      // Somebody has put something into it meanwhile: it is theirs.
      return
    }
  }
}

/**
 * Where a packed workspace has to be unpacked so that its working folder is `folder`: a repository is packed as a whole, and the
 * session may have worked in a part of it.
 */
export const rootOf = (backend: string, folder: string, prefix: string): Effect.Effect<string, SpecInvalid> => {
  if (prefix === "") return Effect.succeed(folder)
  const tail = `${sep}${prefix.split("/").join(sep)}`
  return folder.endsWith(tail)
    ? Effect.succeed(folder.slice(0, -tail.length))
    : Effect.fail(
        new SpecInvalid({
          backend,
          field: "cwd",
          expected: `a folder that ends in ${prefix}, as in the repository that the session works in`
        })
      )
}
