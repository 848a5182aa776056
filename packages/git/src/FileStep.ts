/** Steps on files, with errors as git's. */
import { Effect } from "effect"
import { access } from "node:fs/promises"
import { GitError, gitError } from "./GitError.ts"

/** The error of a file operation. */
const fileError = (operation: string, cause: unknown): GitError => {
  const { code, message } = cause as NodeJS.ErrnoException
  return code === "ENOSPC" || code === "EDQUOT"
    ? gitError(operation, "disk_full", `the disk is full: free space and try again (${message})`)
    : gitError(operation, "failed", message)
}

/** Does something with files. What is thrown as a {@link GitError} stays one. */
export const fileStep = <A>(operation: string, run: (abort: AbortSignal) => Promise<A>): Effect.Effect<A, GitError> =>
  Effect.tryPromise({
    try: run,
    catch: (cause) => (cause instanceof GitError ? cause : fileError(operation, cause))
  })

/** For what need not be there: undefined instead of the error. */
export const unlessAbsent = (error: NodeJS.ErrnoException): undefined => {
  if (error.code !== "ENOENT" && error.code !== "ENOTDIR") throw error
  return undefined
}

/** Whether there is a file or a folder. */
export const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false
  )
