/** A repository that is on this machine, as a session's workspace. */
import type { WorkspaceSpec } from "@holdfast/core/cloud"
import { Effect } from "effect"
import { type GitError, gitError, type PushRefused } from "./GitError.ts"
import type { GitWorkspace, PrepareOptions } from "./GitWorkspace.ts"
import { pushRemote, remoteRepository } from "./RemoteRepository.ts"
import { branchProblem, repositoryProblem } from "./RepositoryUrl.ts"
import { changesOf, diffOf } from "./WorkspaceChanges.ts"
import { commitAll } from "./WorkspaceCommit.ts"
import {
  currentBranch,
  findRepository,
  inRepository,
  resolve,
  setRefs,
  setting,
  type WorkspaceRepository
} from "./WorkspaceRepository.ts"

/** How long speaking to the server may take unless said otherwise: 30 minutes. */
export const remoteTimeoutMs = 30 * 60_000

/** Branches that are listed: 10,000. */
const maxBranches = 10_000

/** The settings of ours in a repository's configuration: where it is from, and which branch the session's began from. */
export const ownSettings = { repository: "holdfast.repository", base: "holdfast.base" } as const

/** The session's own branch. */
export const sessionBranch = (spec: WorkspaceSpec, { sessionId }: Pick<PrepareOptions, "sessionId">): string =>
  spec.branch ?? `holdfast/${sessionId}`

/** What is wrong with a spec; undefined where nothing is. */
export const specProblem = (spec: WorkspaceSpec, options: Pick<PrepareOptions, "sessionId">): string | undefined => {
  const branch = sessionBranch(spec, options)
  return (
    repositoryProblem(spec.repository) ??
    branchProblem(branch) ??
    (spec.base === undefined ? undefined : branchProblem(spec.base)) ??
    (spec.base === branch ? `a branch of the session's own, and ${branch} is the one it is to begin from` : undefined)
  )
}

/**
 * Opens a workspace that is there already, without asking any server: after `unpackWorkspace`, or on this machine. Nothing of
 * it changes.
 */
export const openWorkspace = Effect.fn("openWorkspace")(function* (
  folder: string,
  spec: WorkspaceSpec,
  options: PrepareOptions
): Effect.fn.Return<GitWorkspace, GitError> {
  const operation = "open"
  const problem = specProblem(spec, options)
  if (problem !== undefined) return yield* gitError(operation, "invalid", `expected ${problem}`)
  const repository = yield* findRepository(operation, folder, options.env ?? process.env)
  if (repository === undefined) return yield* gitError(operation, "folder_taken", `${folder} is in no repository`)
  const base = spec.base ?? (yield* setting(repository, operation, ownSettings.base))
  return makeWorkspace(repository, spec, options, { base, isNewBranch: false })
})

/** What can be done with a repository. */
export const makeWorkspace = (
  repository: WorkspaceRepository,
  spec: WorkspaceSpec,
  options: PrepareOptions,
  { base, isNewBranch }: Pick<GitWorkspace, "base" | "isNewBranch">
): GitWorkspace => {
  const branch = sessionBranch(spec, options)
  const seen = `refs/remotes/origin/${branch}`

  const mustBeOnBranch = Effect.fnUntraced(function* (operation: string) {
    const current = yield* currentBranch(repository, operation)
    if (current === branch) return
    const where = current === null ? "on no branch" : `on the branch ${current}`
    return yield* gitError(operation, "other_branch", `the workspace is ${where}: go back to ${branch} first`)
  })

  const push = Effect.fn("GitWorkspace.push")(function* ({
    force = false
  }: { readonly force?: boolean } = {}): Effect.fn.Return<
    { readonly branch: string; readonly sha: string },
    GitError | PushRefused
  > {
    const operation = "push"
    yield* mustBeOnBranch(operation)
    const sha = yield* resolve(repository, operation, `refs/heads/${branch}^{commit}`)
    if (sha === null) return yield* gitError(operation, "invalid", `there is no commit on ${branch} yet: commit first`)
    const expected = yield* resolve(repository, operation, seen)
    const timeoutMs = options.timeoutMs ?? remoteTimeoutMs
    const remote = yield* remoteRepository(operation, "push", {
      repository: spec.repository,
      env: repository.env,
      ask: options.credentials,
      timeoutMs
    })
    yield* pushRemote(remote, repository, { branch, sha, force, expected })
    yield* setRefs(repository, operation, [{ name: seen, sha }])
    return { branch, sha }
  })

  const branches = Effect.gen(function* () {
    const operation = "list branches"
    const { current, sha } = yield* head(repository, operation)
    const args = ["for-each-ref", "--format=%(refname)%00%(symref)", "refs/heads", "refs/remotes/origin"]
    const { stdout } = yield* inRepository(repository, operation, args)
    const names = stdout
      .toString()
      .split("\n")
      .filter((line) => line.endsWith("\0"))
      .map((line) => line.slice(0, -1).replace(/^refs\/(heads|remotes\/origin)\//, ""))
    return { current: current ?? sha ?? "", base, branches: [...new Set(names)].slice(0, maxBranches) }
  })

  return {
    folder: repository.folder,
    branch,
    base,
    isNewBranch,
    commit: (message, author) => Effect.andThen(mustBeOnBranch("commit"), commitAll(repository, message, author)),
    push,
    branches,
    changes: changesOf(repository, base),
    diff: (path) => diffOf(repository, base, path),
    head: Effect.map(head(repository, "read HEAD"), ({ current, sha }) => ({ sha, branch: current }))
  }
}

const head = (repository: WorkspaceRepository, operation: string) =>
  Effect.all({ current: currentBranch(repository, operation), sha: resolve(repository, operation, "HEAD^{commit}") })
