/** What differs between a work tree and where its branch began, without changing anything of the repository. */
import type { WorkspaceChange } from "@holdfast/core"
import { Effect, type Scope } from "effect"
import { copyFile } from "node:fs/promises"
import { join } from "node:path"
import { fileStep, unlessAbsent } from "./FileStep.ts"
import { type GitError, gitError } from "./GitError.ts"
import type { GitPlace } from "./GitProcess.ts"
import { privateFolder, temporary } from "./PrivateRepository.ts"
import { inRepository, resolve, type WorkspaceRepository } from "./WorkspaceRepository.ts"

/** Files that are listed: 10,000. */
const maxChanges = 10_000

/** Bytes of a diff: 1 MiB. */
const maxDiff = 1024 * 1024

/** Where the branch left its base: what changed since is its own. The empty tree where there is no base or no history. */
const startOf = Effect.fnUntraced(function* (
  repository: WorkspaceRepository,
  operation: string,
  base: string | null
): Effect.fn.Return<string, GitError> {
  const from = base === null ? null : yield* resolve(repository, operation, `refs/remotes/origin/${base}^{commit}`)
  const head = yield* resolve(repository, operation, "HEAD^{commit}")
  if (from === null || head === null) {
    const empty = yield* inRepository(repository, operation, ["hash-object", "-t", "tree", "--stdin"])
    return empty.stdout.toString().trim()
  }
  const common = yield* inRepository(repository, operation, ["merge-base", from, head], { codes: [0, 1] })
  // A shallow history may not reach back to where they parted.
  return common.exitCode === 0 ? common.stdout.toString().trim() : from
})

/** A copy of the index that knows of untracked files too, so that they take part in a diff. */
const indexWithUntracked = Effect.fnUntraced(function* (
  repository: WorkspaceRepository,
  operation: string
): Effect.fn.Return<
  { readonly place: GitPlace; readonly untracked: ReadonlySet<string>; readonly truncated: boolean },
  GitError,
  Scope.Scope
> {
  const folder = yield* privateFolder(operation, temporary(repository.env))
  const index = join(folder, "index")
  // There is no index before anything was added.
  yield* fileStep(operation, () => copyFile(repository.index, index).catch(unlessAbsent))
  const place = { ...repository, values: { ...repository.values, GIT_INDEX_FILE: index } }
  const listed = yield* inRepository(repository, operation, ["ls-files", "-z", "--others", "--exclude-standard"])
  // A name that ends in a slash is a repository inside of this one. Names need not be UTF-8: they are passed on as bytes.
  const names = splitNul(listed.stdout).filter((name) => !name.endsWith("/"))
  const known = names.slice(0, maxChanges)
  if (known.length > 0) {
    const stdin = Buffer.from(known.map((name) => `${name}\0`).join(""), "latin1")
    const args = ["add", "--intent-to-add", "--pathspec-from-file=-", "--pathspec-file-nul"]
    yield* inRepository(place, operation, args, { stdin })
  }
  return { place, untracked: new Set(known), truncated: listed.truncated || names.length > maxChanges }
})

/** Texts that end in NUL, each byte as one character. */
export const splitNul = (bytes: Uint8Array): ReadonlyArray<string> => {
  const texts = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1").split("\0")
  // Behind the last NUL is nothing, or what was cut off.
  return texts.slice(0, -1)
}

/** A name as text; bytes that are not UTF-8 as U+FFFD. */
const readable = (name: string): string => Buffer.from(name, "latin1").toString()

const diffArgs = ["diff", "--no-ext-diff", "--no-textconv", "--no-color", "--find-renames", "--ignore-submodules=dirty"]

/** Files that differ. */
export const changesOf = (repository: WorkspaceRepository, base: string | null) =>
  Effect.gen(function* () {
    const operation = "list changes"
    const start = yield* startOf(repository, operation, base)
    const { place, truncated, untracked } = yield* indexWithUntracked(repository, operation)
    const diff = yield* inRepository(place, operation, [...diffArgs, "--raw", "--numstat", "-z", start])
    const changes = parseChanges(splitNul(diff.stdout), untracked)
    return {
      changes: changes.slice(0, maxChanges),
      truncated: truncated || diff.truncated || changes.length > maxChanges
    }
  }).pipe(Effect.scoped)

const kinds: Readonly<Record<string, WorkspaceChange["change"]>> = { A: "added", D: "deleted", R: "renamed" }

/** Reads `git diff --raw --numstat -z`: first a line for each file with its kind, then one with its lines. */
const parseChanges = (texts: ReadonlyArray<string>, untracked: ReadonlySet<string>): ReadonlyArray<WorkspaceChange> => {
  const changes = new Map<string, { -readonly [K in keyof WorkspaceChange]: WorkspaceChange[K] }>()
  for (let at = 0; at < texts.length; at++) {
    const text = texts[at]!
    if (text.startsWith(":")) {
      const kind = text.split(" ")[4]![0]!
      const from = kind === "R" ? texts[++at] : undefined
      const path = texts[++at]
      if (path === undefined) break
      const change = untracked.has(path) && from === undefined ? "untracked" : (kinds[kind] ?? "modified")
      if (changes.has(path)) continue
      changes.set(path, { path: readable(path), ...(from === undefined ? {} : { from: readable(from) }), change })
      continue
    }
    const [, added, removed, name] = /^(\d+|-)\t(\d+|-)\t(.*)$/s.exec(text) ?? []
    // Of a rename the names follow, each by itself.
    const path = name === "" ? texts[(at += 2)] : name
    const change = path === undefined ? undefined : changes.get(path)
    // Of binary files it says `-`.
    if (change === undefined || added === "-") continue
    change.added = Number(added)
    change.removed = Number(removed)
  }
  return [...changes.values()]
}

/** The difference as text. */
export const diffOf = (repository: WorkspaceRepository, base: string | null, path: string | undefined) =>
  Effect.gen(function* () {
    const operation = "make a diff"
    if (
      path !== undefined &&
      (path === "" || path.startsWith("/") || path.includes("\0") || path.split("/").includes(".."))
    ) {
      return yield* gitError(operation, "invalid", `expected a path inside the workspace, not ${JSON.stringify(path)}`)
    }
    const start = yield* startOf(repository, operation, base)
    const { place, truncated } = yield* indexWithUntracked(repository, operation)
    const args = [...diffArgs, "--patch", start, ...(path === undefined ? [] : ["--", path])]
    const diff = yield* inRepository(place, operation, args, { maxOutput: maxDiff })
    const whole = diff.truncated ? diff.stdout.subarray(0, diff.stdout.lastIndexOf(0x0a) + 1) : diff.stdout
    return { diff: atMost(whole.toString(), maxDiff), truncated: truncated || diff.truncated }
  }).pipe(Effect.scoped)

/** Bytes that are not UTF-8 become longer as text. */
const atMost = (text: string, bytes: number): string =>
  Buffer.byteLength(text) <= bytes
    ? text
    : Buffer.from(text)
        .subarray(0, bytes - 3)
        .toString()
