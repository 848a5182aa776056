/** A repository that a session brings into a sandbox, as its workspace there. */
import type { WorkspaceSpec } from "@holdfast/core/cloud"
import { Effect } from "effect"
import { type GitError, gitError } from "./GitError.ts"
import type { GitWorkspace, PrepareOptions } from "./GitWorkspace.ts"
import { makeWorkspace, ownSettings, sessionBranch, specProblem } from "./openWorkspace.ts"
import { currentBranch, findRepository, inRepository, resolve, setting } from "./WorkspaceRepository.ts"

const operation = "adopt"

/**
 * Makes a repository that is there already the session's workspace, as `prepareWorkspace` would have left it, and asks no server:
 * the spec's repository is where it is fetched from and pushed to from now on, whatever its remotes are. Where it does not have the
 * session's branch, that begins where HEAD is, and what is not committed stays as it is; else it stays on the branch that it is on.
 * A folder that is in no repository is `folder_taken`.
 */
export const adoptWorkspace = Effect.fn("adoptWorkspace")(function* (
  folder: string,
  spec: WorkspaceSpec,
  options: PrepareOptions
): Effect.fn.Return<GitWorkspace, GitError> {
  const problem = specProblem(spec, options)
  if (problem !== undefined) return yield* gitError(operation, "invalid", `expected ${problem}`)
  const repository = yield* findRepository(operation, folder, options.env ?? process.env)
  if (repository === undefined) return yield* gitError(operation, "folder_taken", `${folder} is in no repository`)
  const branch = sessionBranch(spec, options)
  const current = yield* currentBranch(repository, operation)
  const isNewBranch = current !== branch && (yield* resolve(repository, operation, `refs/heads/${branch}`)) === null
  const known = spec.base ?? (yield* setting(repository, operation, ownSettings.base))
  const base = known ?? (isNewBranch && current !== null && (yield* isFetched(current)) ? current : null)
  if (isNewBranch) yield* inRepository(repository, operation, ["checkout", "--quiet", "--no-track", "-b", branch])
  const settings = [[ownSettings.repository, spec.repository], ...(base === null ? [] : [[ownSettings.base, base]])]
  for (const [name, value] of settings) {
    yield* inRepository(repository, operation, ["config", "--local", name!, value!])
  }
  return makeWorkspace(repository, spec, options, { base, isNewBranch })

  function isFetched(name: string) {
    return Effect.map(resolve(repository!, operation, `refs/remotes/origin/${name}`), (sha) => sha !== null)
  }
})
