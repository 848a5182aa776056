/** A repository with a work tree, as the agent has it. What is run in here has no credentials. */
import { Effect } from "effect"
import { type GitError, gitError } from "./GitError.ts"
import { type GitPlace, type GitResult, type GitRun, runGit } from "./GitProcess.ts"
import { errorOf } from "./GitWords.ts"
import { git, type ObjectFormat } from "./PrivateRepository.ts"

/** Where the parts of a repository are: absolute paths. */
export interface WorkspaceRepository extends GitPlace {
  /** The root of its work tree. */
  readonly folder: string
  /** The folder that was asked for, below the root: empty, or `packages/app`. */
  readonly prefix: string
  readonly format: ObjectFormat
  readonly objects: string
  readonly index: string
  /** The list of commits at which a shallow history ends, where there is one. */
  readonly shallow: string
  /** A file of its own folder: `MERGE_HEAD`. */
  readonly ownPath: (name: string) => string
}

/** The repository that a folder is in; undefined where it is in none. */
export const findRepository = Effect.fnUntraced(function* (
  operation: string,
  folder: string,
  env: GitPlace["env"]
): Effect.fn.Return<WorkspaceRepository | undefined, GitError> {
  const result = yield* runGit({
    operation,
    cwd: folder,
    env,
    args: [
      "rev-parse",
      "--path-format=absolute",
      "--show-toplevel",
      "--show-prefix",
      "--show-object-format",
      "--git-dir",
      ...["objects", "index", "shallow"].flatMap((name) => ["--git-path", name])
    ]
  })
  if (result.exitCode !== 0) {
    if (/not a git repository|must be run in a work tree/.test(result.words)) return undefined
    return yield* errorOf(operation, result)
  }
  const lines = result.stdout.toString().replace(/\n$/, "").split("\n")
  if (lines.length !== 7) return yield* gitError(operation, "invalid", "the folder's name has a line break in it")
  const [root, prefix, format, own, objects, index, shallow] = lines as [
    ...[string, string, string, string],
    ...[string, string, string]
  ]
  return {
    cwd: root,
    env,
    folder: root,
    prefix: prefix.replace(/\/$/, ""),
    format: format === "sha256" ? "sha256" : "sha1",
    objects,
    index,
    shallow,
    ownPath: (name) => `${own}/${name}`
  }
})

type Options = Partial<Omit<GitRun, "operation" | "args" | keyof GitPlace>> & {
  readonly values?: Readonly<Record<string, string>>
  /** Exit codes that are no failure. Default only 0. */
  readonly codes?: ReadonlyArray<number>
}

/** Runs git in it. */
export const inRepository = (
  { cwd, env, values }: GitPlace,
  operation: string,
  args: ReadonlyArray<string>,
  { codes, ...options }: Options = {}
): Effect.Effect<GitResult, GitError> =>
  git({ operation, cwd, env, args, ...options, values: { ...values, ...options.values } }, codes)

/** The object that a name stands for; null where it stands for none. */
export const resolve = (place: GitPlace, operation: string, name: string): Effect.Effect<string | null, GitError> =>
  Effect.map(
    inRepository(place, operation, ["rev-parse", "--verify", "--quiet", "--end-of-options", name], { codes: [0, 1] }),
    ({ exitCode, stdout }) => (exitCode === 0 ? stdout.toString().trim() : null)
  )

/** A setting of the repository's own configuration; null where it is not set. */
export const setting = (place: GitPlace, operation: string, name: string): Effect.Effect<string | null, GitError> =>
  Effect.map(
    inRepository(place, operation, ["config", "--local", "--get", "--null", name], { codes: [0, 1] }),
    ({ exitCode, stdout }) => (exitCode === 0 ? stdout.toString().replace(/\0$/, "") : null)
  )

/** The branch that is checked out, born or not; null where none is. */
export const currentBranch = (place: GitPlace, operation: string): Effect.Effect<string | null, GitError> =>
  Effect.map(
    inRepository(place, operation, ["symbolic-ref", "--quiet", "HEAD"], { codes: [0, 1] }),
    ({ exitCode, stdout }) =>
      exitCode === 0
        ? stdout
            .toString()
            .trim()
            .replace(/^refs\/heads\//, "")
        : null
  )

/** A ref and the object it stands for. */
export interface Ref {
  readonly name: string
  readonly sha: string
}

/** Bytes that a list of refs may have: 64 MiB, some 500,000 refs. */
const maxRefs = 64 * 1024 * 1024

/** Its refs, below a prefix if one is given; symbolic ones are left out. */
export const refsOf = (
  place: GitPlace,
  operation: string,
  below: ReadonlyArray<string> = []
): Effect.Effect<ReadonlyArray<Ref>, GitError> =>
  Effect.flatMap(
    inRepository(place, operation, ["for-each-ref", "--format=%(objectname) %(refname) %(symref)", ...below], {
      maxOutput: maxRefs
    }),
    ({ stdout, truncated }) =>
      truncated
        ? Effect.fail(gitError(operation, "too_large", `the repository has more than ${maxRefs} bytes of refs`))
        : Effect.succeed(
            stdout
              .toString()
              .split("\n")
              .map((line) => line.split(" "))
              .filter((parts) => parts.length === 3 && parts[2] === "")
              .map(([sha, name]) => ({ sha: sha!, name: name! }))
          )
  )

/** Sets refs, all or none. */
export const setRefs = Effect.fnUntraced(function* (
  place: GitPlace,
  operation: string,
  refs: ReadonlyArray<Ref>
): Effect.fn.Return<void, GitError> {
  if (refs.length === 0) return
  const lines = refs.map(({ name, sha }) => `update ${name}\0${sha}\0\0`)
  yield* inRepository(place, operation, ["update-ref", "--stdin", "-z"], { stdin: lines.join("") })
})
