/** What is asked of the server of a repository: which branches it has, what is new in them, to take a branch. */
import { Effect, type Scope } from "effect"
import { copyFile, readFile, rename, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { AskCredentials } from "./CredentialBroker.ts"
import { type CredentialPrompt, makeCredentialPrompt } from "./CredentialPrompt.ts"
import { type GitError, type PushRefusal, PushRefused } from "./GitError.ts"
import { fileStep, unlessAbsent } from "./FileStep.ts"
import type { GitPlace } from "./GitProcess.ts"
import { errorOf } from "./GitWords.ts"
import { git, privateFolder, privateRepository, temporary } from "./PrivateRepository.ts"
import { isRemote } from "./RepositoryUrl.ts"
import { inRepository, type Ref, refsOf, setRefs, type WorkspaceRepository } from "./WorkspaceRepository.ts"

/** A repository's server, for one operation. */
export interface RemoteRepository {
  readonly operation: string
  readonly repository: string
  readonly env: GitPlace["env"]
  readonly prompt: CredentialPrompt | undefined
  readonly timeoutMs: number
}

/** Characters that are kept of what a server says to a push: 4,000. */
const maxRemoteWords = 4_000

/** Begins an operation. Credentials are asked for once in it, if its server wants any. */
export const remoteRepository = Effect.fnUntraced(function* (
  operation: string,
  purpose: "fetch" | "push",
  options: Omit<RemoteRepository, "operation" | "prompt"> & { readonly ask: AskCredentials }
): Effect.fn.Return<RemoteRepository> {
  const { ask, env, repository, timeoutMs } = options
  const prompt = isRemote(repository)
    ? yield* makeCredentialPrompt(repository, ask({ operation: purpose, repository }))
    : undefined
  return { operation, repository, env, prompt, timeoutMs }
})

const credentialsOf = ({ prompt, timeoutMs }: RemoteRepository) => ({
  timeoutMs,
  ...(prompt === undefined ? {} : { credentials: prompt })
})

/** What a server has of the names that were asked for. */
export interface RemoteRefs {
  /** The branch that HEAD stands for, if it was asked for; null where it stands for none. */
  readonly head: string | null
  /** Objects by full names. */
  readonly refs: ReadonlyMap<string, string>
}

/** Asks for refs: `HEAD`, full names, or patterns. */
export const listRemote = (
  remote: RemoteRepository,
  names: ReadonlyArray<string>
): Effect.Effect<RemoteRefs, GitError> =>
  Effect.gen(function* () {
    const { env, operation, repository } = remote
    const cwd = yield* privateFolder(operation, temporary(env))
    const { stdout } = yield* git({
      operation,
      cwd,
      env,
      // Outside of any repository.
      values: { GIT_CEILING_DIRECTORIES: cwd },
      args: ["ls-remote", "--quiet", "--symref", "--", repository, ...names],
      ...credentialsOf(remote)
    })
    let head: string | null = null
    const refs = new Map<string, string>()
    for (const line of stdout.toString().split("\n")) {
      const [left = "", name = ""] = line.split("\t")
      if (name === "HEAD" && left.startsWith("ref: refs/heads/")) head = left.slice("ref: refs/heads/".length)
      else if (name === "HEAD" && head !== null) refs.set(`refs/heads/${head}`, left)
      else if (name.startsWith("refs/")) refs.set(name, left)
    }
    return { head, refs }
  }).pipe(Effect.scoped)

/** What to fetch. */
export interface FetchRequest {
  readonly refspecs: ReadonlyArray<string>
  readonly depth?: number
  readonly onLine?: (line: string) => void
}

/** Fetches into a workspace: objects, remote branches, and tags that it does not have. Nothing else of it changes. */
export const fetchRemote = (
  remote: RemoteRepository,
  workspace: WorkspaceRepository,
  { depth, onLine, refspecs }: FetchRequest
): Effect.Effect<void, GitError> =>
  Effect.gen(function* () {
    const { operation, repository } = remote
    const place = yield* besideWorkspace(remote, workspace)
    const known = yield* refsOf(workspace, operation)
    yield* fileStep(operation, () => writeFile(join(place.folder, "packed-refs"), packedRefs(known)))
    yield* inRepository(
      place,
      operation,
      [
        "fetch",
        "--progress",
        "--no-write-fetch-head",
        "--no-recurse-submodules",
        "--update-shallow",
        ...(depth === undefined ? [] : [`--depth=${depth}`]),
        "--end-of-options",
        repository,
        ...refspecs
      ],
      { ...credentialsOf(remote), ...(onLine === undefined ? {} : { onLine }) }
    )
    yield* takeShallow(operation, join(place.folder, "shallow"), workspace)
    const names = new Set(known.map(({ name }) => name))
    const fetched = yield* refsOf(place, operation, ["refs/remotes/origin", "refs/tags"])
    const isNews = ({ name }: Ref) => name.startsWith("refs/remotes/") || !names.has(name)
    yield* setRefs(workspace, operation, fetched.filter(isNews))
  }).pipe(Effect.scoped)

/** Pushes a commit as a branch. `expected` is where the remote branch was last seen: what `force` may replace. */
export const pushRemote = (
  remote: RemoteRepository,
  workspace: WorkspaceRepository,
  push: { readonly branch: string; readonly sha: string; readonly force: boolean; readonly expected: string | null }
): Effect.Effect<void, GitError | PushRefused> =>
  Effect.gen(function* () {
    const { operation, prompt, repository } = remote
    const { branch, expected, force, sha } = push
    const place = yield* besideWorkspace(remote, workspace)
    const result = yield* inRepository(
      place,
      operation,
      [
        "push",
        "--porcelain",
        "--no-verify",
        ...(force ? [`--force-with-lease=refs/heads/${branch}:${expected ?? ""}`] : []),
        "--end-of-options",
        repository,
        `${sha}:refs/heads/${branch}`
      ],
      { ...credentialsOf(remote), codes: [0, 1] }
    )
    if (result.exitCode === 0) return
    const refused = result.stdout
      .toString()
      .split("\n")
      .find((line) => line.startsWith("!\t"))
    if (refused === undefined) return yield* errorOf(operation, result, prompt)
    const told = result.words.split(/[\r\n]+/).flatMap((line) => /^remote: ?(.*?)\s*$/.exec(line)?.[1] ?? [])
    const words = [refused.split("\t")[2] ?? "", ...told].filter((line) => line !== "").join("\n")
    return yield* new PushRefused({
      branch,
      refusal: refusalOf(refused),
      remote: (prompt?.redact(words) ?? words).slice(0, maxRemoteWords),
      retryable: false
    })
  }).pipe(Effect.scoped)

/** As git-push(1) gives reasons: in brackets what it was, in parentheses why. */
const refusalOf = (line: string): PushRefusal =>
  line.includes("(stale info)") ? "stale" : /\[rejected\]/.test(line) ? "non_fast_forward" : "declined"

/** A private repository on the workspace's objects, with the end of its history. */
const besideWorkspace = Effect.fnUntraced(function* (
  { operation }: RemoteRepository,
  { env, format, objects, shallow }: WorkspaceRepository
) {
  const place = yield* privateRepository(operation, { env, format, objects })
  yield* fileStep(operation, () => copyFile(shallow, join(place.folder, "shallow")).catch(unlessAbsent))
  return place
})

/** Where the history ends after a fetch, as one step. */
const takeShallow = (
  operation: string,
  from: string,
  { shallow }: WorkspaceRepository
): Effect.Effect<void, GitError, Scope.Scope> =>
  fileStep(operation, async () => {
    const commits = await readFile(from).catch(unlessAbsent)
    if (commits === undefined || commits.byteLength === 0) return rm(shallow, { force: true })
    await writeFile(`${shallow}.holdfast`, commits)
    await rename(`${shallow}.holdfast`, shallow)
  })

const packedRefs = (refs: ReadonlyArray<Ref>): string => refs.map(({ name, sha }) => `${sha} ${name}\n`).join("")
