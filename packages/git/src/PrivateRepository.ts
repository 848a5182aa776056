/**
 * What speaks to a server, without reading the workspace's configuration: that is the agent's to write, and could name a
 * proxy, switch off certificates, or have a program run beside the credentials. So git runs in an empty repository of our own
 * in a private folder, and only uses the workspace's objects.
 */
import { Effect, type Scope } from "effect"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileStep } from "./FileStep.ts"
import type { GitError } from "./GitError.ts"
import { type GitPlace, type GitResult, type GitRun, runGit } from "./GitProcess.ts"
import { errorOf } from "./GitWords.ts"

/** How objects are named: 40 or 64 hexadecimal digits. */
export type ObjectFormat = "sha1" | "sha256"

/** Where temporary files are, for whoever has this environment. */
export const temporary = (env: GitPlace["env"]): string => env["TMPDIR"] ?? tmpdir()

/** A folder that only this user can look into, and that is gone with the scope. */
export const privateFolder = (operation: string, below: string): Effect.Effect<string, GitError, Scope.Scope> =>
  Effect.acquireRelease(
    fileStep(operation, () => mkdtemp(join(below, ".holdfast-git-"))),
    (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }))
  )

/** Runs git and fails unless it ends with 0 or another code that says something. */
export const git = (run: GitRun, codes: ReadonlyArray<number> = [0]): Effect.Effect<GitResult, GitError> =>
  Effect.flatMap(runGit(run), (result) =>
    result.truncated || (result.exitCode !== null && codes.includes(result.exitCode))
      ? Effect.succeed(result)
      : Effect.fail(errorOf(run.operation, result, run.credentials))
  )

/** A repository without refs and settings of its own. */
export interface PrivateRepository extends GitPlace {
  /** Its own files: `shallow` is one of them. */
  readonly folder: string
}

/** Makes one; `objects` is where its objects are, if not in itself. */
export const privateRepository = Effect.fnUntraced(function* (
  operation: string,
  options: {
    readonly env: GitPlace["env"]
    readonly format: ObjectFormat
    readonly objects?: string
    readonly below?: string
    readonly values?: Readonly<Record<string, string>>
  }
): Effect.fn.Return<PrivateRepository, GitError, Scope.Scope> {
  const { env, format, objects, values } = options
  const cwd = yield* privateFolder(operation, options.below ?? temporary(env))
  const folder = join(cwd, "git")
  yield* git({
    operation,
    cwd,
    env,
    args: ["init", "--quiet", "--bare", "--template=", `--object-format=${format}`, folder]
  })
  return {
    cwd,
    folder,
    env,
    values: { GIT_DIR: folder, ...(objects === undefined ? {} : { GIT_OBJECT_DIRECTORY: objects }), ...values }
  }
})
