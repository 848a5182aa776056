/** Makes a session's workspace: a clone of a repository, on a branch of its own. */
import type { WorkspaceSpec } from "@holdfast/core/cloud"
import { Effect, Exit } from "effect"
import { mkdir, readdir, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { fileStep, isThere, unlessAbsent } from "./FileStep.ts"
import { type GitError, gitError } from "./GitError.ts"
import type { GitWorkspace, PrepareOptions } from "./GitWorkspace.ts"
import { makeWorkspace, ownSettings, remoteTimeoutMs, sessionBranch, specProblem } from "./openWorkspace.ts"
import { withProgress } from "./PrepareProgress.ts"
import { git } from "./PrivateRepository.ts"
import { fetchRemote, listRemote, type RemoteRepository, remoteRepository } from "./RemoteRepository.ts"
import { parentBranches } from "./RepositoryUrl.ts"
import { findRepository, inRepository, resolve, setting, type WorkspaceRepository } from "./WorkspaceRepository.ts"

const operation = "prepare"

/** Milliseconds that writing the work tree may take: 10 minutes. */
const checkoutTimeoutMs = 10 * 60_000

/** A file in `.git` for as long as the clone is not whole: nobody has worked in it, and it is made anew. */
const unfinishedMark = "holdfast-unfinished"

/** What a git that was killed leaves behind. Nobody else works in the folder while it is prepared. */
const locks = ["index.lock", "HEAD.lock", "config.lock", "packed-refs.lock", "shallow.lock"]

/**
 * Clones into an absent or empty folder, or fetches where the folder is a clone of the repository already, and goes on the
 * session's branch: the one the folder has, else the one the remote has, else a new one from the base. Repeating it is safe:
 * local branches, commits and changes are kept as they are. Nobody else may work in the folder meanwhile.
 */
export const prepareWorkspace = Effect.fn("prepareWorkspace")(function* (
  folder: string,
  spec: WorkspaceSpec,
  options: PrepareOptions
): Effect.fn.Return<GitWorkspace, GitError> {
  const problem = specProblem(spec, options)
  if (problem !== undefined) return yield* gitError(operation, "invalid", `expected ${problem}`)
  const timeoutMs = options.timeoutMs ?? remoteTimeoutMs
  const remote = yield* remoteRepository(operation, "fetch", {
    repository: spec.repository,
    env: options.env ?? process.env,
    ask: options.credentials,
    timeoutMs
  })
  return yield* prepare(folder, spec, options, remote).pipe(
    Effect.timeoutOrElse({
      duration: timeoutMs + checkoutTimeoutMs,
      orElse: () => Effect.fail(gitError(operation, "timeout", "the workspace was not ready in time"))
    })
  )
})

const prepare = Effect.fnUntraced(function* (
  folder: string,
  spec: WorkspaceSpec,
  options: PrepareOptions,
  remote: RemoteRepository
): Effect.fn.Return<GitWorkspace, GitError> {
  const existing = yield* existingClone(folder, spec, remote)
  const plan = yield* planOf(spec, sessionBranch(spec, options), existing, remote)
  const work = { spec, options, remote, plan }
  if (existing !== undefined) return yield* fill(existing, work, false)
  const wasThere = yield* fileStep(operation, () => isThere(folder))
  const undo = wasThere
    ? clear(folder)
    : fileStep(operation, () => rm(folder, { recursive: true, force: true, maxRetries: 3 }))
  return yield* Effect.gen(function* () {
    const made = yield* initialise(folder, work)
    const workspace = yield* fill(made, work, true)
    yield* fileStep(operation, () => rm(made.ownPath(unfinishedMark), { force: true }))
    return workspace
  }).pipe(Effect.onExit((exit) => (Exit.isSuccess(exit) ? Effect.void : Effect.ignore(undo))))
})

/** The repository that a folder has; undefined where there is nothing in the folder yet. */
const existingClone = Effect.fnUntraced(function* (
  folder: string,
  { repository }: WorkspaceSpec,
  { env }: RemoteRepository
): Effect.fn.Return<WorkspaceRepository | undefined, GitError> {
  const taken = (what: string) => gitError(operation, "folder_taken", `${folder} ${what}: use an empty folder`)
  const names = (yield* fileStep(operation, () => readdir(folder).catch(unlessAbsent))) ?? []
  if (names.length === 0) return undefined
  if (!names.includes(".git")) return yield* taken("has other files in it")
  if (yield* fileStep(operation, () => isThere(join(folder, ".git", unfinishedMark)))) {
    yield* clear(folder)
    return undefined
  }
  const found = yield* findRepository(operation, folder, env)
  if (found === undefined || found.prefix !== "") return yield* taken("has a .git in it that is no repository")
  const from = yield* setting(found, operation, ownSettings.repository)
  const origin = yield* setting(found, operation, "remote.origin.url")
  if (from !== repository && origin !== repository) return yield* taken("is a clone of another repository")
  return found
})

/** What there is to do. */
interface Plan {
  readonly branch: string
  /** Null: the repository has no branch yet. */
  readonly base: string | null
  /** Branches that the remote has. */
  readonly has: { readonly base: boolean; readonly branch: boolean }
  readonly format: "sha1" | "sha256"
}

interface Work {
  readonly spec: WorkspaceSpec
  readonly options: PrepareOptions
  readonly remote: RemoteRepository
  readonly plan: Plan
}

const planOf = Effect.fnUntraced(function* (
  spec: WorkspaceSpec,
  branch: string,
  existing: WorkspaceRepository | undefined,
  remote: RemoteRepository
): Effect.fn.Return<Plan, GitError> {
  const known = existing === undefined ? null : yield* setting(existing, operation, ownSettings.base)
  const named = spec.base ?? known
  const { head, refs } = yield* listRemote(remote, [
    named === null ? "HEAD" : `refs/heads/${named}`,
    ...[branch, ...parentBranches(branch)].map((name) => `refs/heads/${name}`),
    `refs/heads/${branch}/*`
  ])
  const inTheWay = (name: string) =>
    name.startsWith(`refs/heads/${branch}/`) || parentBranches(branch).some((parent) => name === `refs/heads/${parent}`)
  const other = [...refs.keys()].find(inTheWay)
  if (other !== undefined) {
    const detail = `the repository has ${other}, beside which there cannot be ${branch}: name another branch`
    return yield* gitError(operation, "branch_conflict", detail)
  }
  const base = named ?? head
  const has = { base: refs.has(`refs/heads/${base}`), branch: refs.has(`refs/heads/${branch}`) }
  const format = [...refs.values()].some((sha) => sha.length === 64) ? "sha256" : "sha1"
  if (base === branch) {
    const detail = `${branch} is the branch to begin from: name a branch of the session's own`
    return yield* gitError(operation, "branch_conflict", detail)
  }
  if (has.base) return { branch, base, has, format }
  if (base === null) {
    if ((yield* listRemote(remote, ["refs/heads/*"])).refs.size === 0) return { branch, base, has, format }
    const detail = `HEAD of ${spec.repository} stands for no branch: name one to begin from`
    return yield* gitError(operation, "base_missing", detail)
  }
  // It may have been merged and removed since.
  const seen = existing === undefined ? null : yield* resolve(existing, operation, `refs/remotes/origin/${base}`)
  if (seen !== null) return { branch, base, has, format }
  return yield* gitError(operation, "base_missing", `${spec.repository} has no branch ${base}: name one that it has`)
})

/** Makes the repository, without any commit. */
const initialise = Effect.fnUntraced(function* (
  folder: string,
  { plan: { base, branch, format }, remote: { env }, spec }: Work
): Effect.fn.Return<WorkspaceRepository, GitError> {
  const own = join(folder, ".git")
  yield* fileStep(operation, async () => {
    await mkdir(join(own, "info"), { recursive: true })
    await writeFile(join(own, unfinishedMark), "")
    await writeFile(join(own, "info", "exclude"), "")
  })
  const args = ["init", "--quiet", "--template=", `--object-format=${format}`, `--initial-branch=${branch}`, folder]
  yield* git({ operation, cwd: folder, env, args })
  const repository = yield* findRepository(operation, folder, env)
  if (repository === undefined) return yield* gitError(operation, "failed", `${folder} did not become a repository`)
  const fetched = spec.singleBranch === false || base === null ? "*" : base
  const settings = [
    ["remote.origin.url", spec.repository],
    ["remote.origin.fetch", `+refs/heads/${fetched}:refs/remotes/origin/${fetched}`],
    [ownSettings.repository, spec.repository],
    ...(base === null ? [] : [[ownSettings.base, base] as const])
  ] as const
  for (const [name, value] of settings) yield* inRepository(repository, operation, ["config", "--local", name, value])
  return repository
})

/** Fetches, and goes on the session's branch. */
const fill = Effect.fnUntraced(function* (
  repository: WorkspaceRepository,
  { options, plan, remote, spec }: Work,
  isFresh: boolean
): Effect.fn.Return<GitWorkspace, GitError> {
  const { base, branch, has } = plan
  yield* fileStep(operation, () => Promise.all(locks.map((name) => rm(repository.ownPath(name), { force: true }))))
  const branches =
    spec.singleBranch === false && base !== null
      ? ["*"]
      : [...(has.base && base !== null ? [base] : []), ...(has.branch ? [branch] : [])]
  if (branches.length > 0) {
    yield* withProgress(options.onProgress, (onLine) =>
      fetchRemote(remote, repository, {
        refspecs: branches.map((name) => `+refs/heads/${name}:refs/remotes/origin/${name}`),
        // Only of a new clone: later it would cut off what is there.
        ...(isFresh && spec.depth !== undefined ? { depth: spec.depth } : {}),
        onLine
      })
    )
  }
  const opened = (isNewBranch: boolean) => makeWorkspace(repository, spec, options, { base, isNewBranch })
  // What is checked out now is the agent's affair.
  if ((yield* resolve(repository, operation, `refs/heads/${branch}`)) !== null) return opened(false)
  const from = has.branch ? branch : base
  if (from === null) {
    yield* inRepository(repository, operation, ["symbolic-ref", "HEAD", `refs/heads/${branch}`])
    return opened(true)
  }
  const start = ["checkout", "--quiet", "--no-track", "-b", branch, `refs/remotes/origin/${from}`]
  yield* inRepository(repository, operation, start, { timeoutMs: checkoutTimeoutMs })
  return opened(!has.branch)
})

const clear = (folder: string): Effect.Effect<void, GitError> =>
  fileStep(operation, async () => {
    const names = (await readdir(folder).catch(unlessAbsent)) ?? []
    // The mark goes last: what is left is known to be no work of anybody.
    const others = names.filter((name) => name !== ".git")
    for (const name of [...others, ...names.filter((name) => name === ".git")]) {
      await rm(join(folder, name), { recursive: true, force: true, maxRetries: 3 })
    }
  })
