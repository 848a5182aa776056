/** Makes one file of a workspace. */
import { Effect } from "effect"
import { createWriteStream } from "node:fs"
import { copyFile, readFile, rm, stat, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import type { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { type Carried, carry, carryAll, storeFiles } from "./CarriedFiles.ts"
import { fileStep, unlessAbsent } from "./FileStep.ts"
import { type GitError, gitError } from "./GitError.ts"
import { tooLarge } from "./GitProcess.ts"
import type { PackedWorkspace, PackOptions } from "./PackedWorkspace.ts"
import { type PrivateRepository, privateRepository } from "./PrivateRepository.ts"
import { splitNul } from "./WorkspaceChanges.ts"
import {
  defaultMaxBytes,
  headerLine,
  type IndexEntry,
  indexEntry,
  type ListName,
  listNames,
  ManifestJson,
  maxLeft,
  maxListBytes,
  type PackedHeader,
  packTimeoutMs,
  settingRules,
  sizeOfBlobs,
  stateFiles,
  submoduleMode,
  type WorkspaceManifest
} from "./WorkspaceManifest.ts"
import { findRepository, inRepository, refsOf, resolve, type WorkspaceRepository } from "./WorkspaceRepository.ts"
import * as Schema from "effect/Schema"

const operation = "pack"

/** Files of `.git` that are there in the middle of something with steps to come, some of which may be programs. */
const steps = ["rebase-merge", "rebase-apply", "sequencer", "BISECT_LOG"]

/**
 * Takes HEAD, branches, tags, stash, what is staged, what is changed, what is untracked and not ignored; of a folder that is
 * no repository all files. The folder is only read, and nobody may change it meanwhile. Of file modes only "executable" comes
 * along, as with git.
 */
export const packWorkspace = Effect.fn("packWorkspace")(function* (
  folder: string,
  intoFile: string,
  options: PackOptions = {}
): Effect.fn.Return<PackedWorkspace, GitError> {
  const timeoutMs = options.timeoutMs ?? packTimeoutMs
  return yield* pack(folder, intoFile, options).pipe(
    Effect.scoped,
    Effect.onExit((exit) =>
      exit._tag === "Success" ? Effect.void : Effect.promise(() => rm(intoFile, { force: true }))
    ),
    Effect.timeoutOrElse({
      duration: timeoutMs,
      orElse: () => Effect.fail(gitError(operation, "timeout", `it took longer than ${timeoutMs / 1_000} s`))
    })
  )
})

/** What is taken along, and where its objects are. */
interface Contents {
  readonly kind: PackedHeader["kind"]
  readonly root: string
  readonly carried: Carried
  readonly manifest: WorkspaceManifest
  readonly lists: Partial<Record<ListName, ReadonlyArray<string>>>
  /** Objects that come along with all that they lead to. */
  readonly tips: ReadonlyArray<string>
}

const pack = Effect.fnUntraced(function* (folder: string, intoFile: string, options: PackOptions) {
  const { env = process.env, maxBytes = defaultMaxBytes } = options
  const repository = yield* findRepository(operation, folder, env)
  const place = yield* privateRepository(operation, {
    env,
    format: repository?.format ?? "sha1",
    // Beside the result: what fits there once fits there for a moment twice.
    below: dirname(intoFile)
  })
  if (repository !== undefined) {
    yield* fileStep(operation, async () => {
      await writeFile(join(place.folder, "objects", "info", "alternates"), `${repository.objects}\n`)
      await copyFile(repository.shallow, join(place.folder, "shallow")).catch(unlessAbsent)
    })
  }
  const contents = repository === undefined ? yield* folderContents(folder) : yield* gitContents(repository, maxBytes)
  const bytes = contents.carried.files.reduce((sum, each) => sum + each.bytes, 0)
  if (bytes > maxBytes)
    return yield* gitError(operation, "too_large", tooLargeAdvice("the workspace's files are", maxBytes))

  const tree = yield* storeContents(place, contents)
  const header = headerLine({ kind: contents.kind, format: repository?.format ?? "sha1", tree })
  const packArgs = ["pack-objects", "--revs", "--stdout", "-q", "--delta-base-offset"]
  yield* inRepository(place, operation, packArgs, {
    stdin: `${[tree, ...contents.tips].join("\n")}\n`,
    timeoutMs: options.timeoutMs ?? packTimeoutMs,
    take: (stdout) => writePacked(intoFile, header, stdout, maxBytes)
  }).pipe(
    Effect.mapError((error) =>
      error.failure === "too_large" ? gitError(operation, "too_large", tooLargeAdvice("it is", maxBytes)) : error
    )
  )
  const { size } = yield* fileStep(operation, () => stat(intoFile))
  return { kind: contents.kind, prefix: contents.manifest.prefix, bytes: size, left: contents.manifest.left }
})

const tooLargeAdvice = (what: string, maxBytes: number) =>
  `${what} larger than the bound of ${maxBytes} bytes: ignore or remove what need not come along, or raise the bound`

const writePacked = (path: string, header: string, packed: Readable, maxBytes: number): Promise<void> =>
  pipeline(
    packed,
    async function* (chunks: AsyncIterable<Buffer>) {
      let written = header.length
      yield Buffer.from(header)
      for await (const chunk of chunks) {
        written += chunk.byteLength
        if (written > maxBytes) throw tooLarge(maxBytes)
        yield chunk
      }
    },
    createWriteStream(path, { mode: 0o600 })
  )

/** A tree with the manifest, the lists and the files. */
const storeContents = Effect.fnUntraced(function* (place: PrivateRepository, contents: Contents) {
  const store = (content: string | Uint8Array) =>
    Effect.map(inRepository(place, operation, ["hash-object", "-w", "--stdin"], { stdin: content }), ({ stdout }) =>
      stdout.toString().trim()
    )
  const files = yield* storeFiles(place, operation, contents.root, contents.carried.files)
  const entries = [`040000 tree ${files}\tfiles`]
  const manifest = yield* store(Schema.encodeSync(ManifestJson)(contents.manifest))
  entries.push(`100644 blob ${manifest}\tmanifest.json`)
  for (const name of listNames) {
    const list = contents.lists[name] ?? []
    entries.push(
      `100644 blob ${yield* store(Buffer.from(list.map((each) => `${each}\0`).join(""), "latin1"))}\t${name}`
    )
  }
  const { stdout } = yield* inRepository(place, operation, ["mktree"], { stdin: `${entries.join("\n")}\n` })
  return stdout.toString().trim()
})

const leftOf = ({ left }: Carried) => left.slice(0, maxLeft).map((name) => Buffer.from(name, "latin1").toString())

const folderContents = Effect.fnUntraced(function* (folder: string): Effect.fn.Return<Contents, GitError> {
  const carried = yield* carryAll(operation, folder)
  const manifest = {
    prefix: "",
    head: { branch: "refs/heads/main" },
    refs: [],
    symbolic: [],
    stash: [],
    shallow: [],
    state: [],
    exclude: "",
    settings: [],
    left: leftOf(carried)
  }
  return { kind: "folder", root: folder, carried, manifest, lists: { folders: carried.emptyFolders }, tips: [] }
})

const gitContents = Effect.fnUntraced(function* (
  repository: WorkspaceRepository,
  maxBytes: number
): Effect.fn.Return<Contents, GitError> {
  const list = (...args: ReadonlyArray<string>) =>
    Effect.flatMap(inRepository(repository, operation, args, { maxOutput: maxListBytes }), ({ stdout, truncated }) =>
      truncated
        ? Effect.fail(gitError(operation, "too_large", "the repository has too many files"))
        : Effect.succeed(splitNul(stdout))
    )
  for (const name of steps) {
    if ((yield* optionalFile(repository.ownPath(name))) === undefined) continue
    const detail = "a rebase, a bisection or a series of picks is under way: finish or abort it first"
    return yield* gitError(operation, "unfinished", detail)
  }
  const modified = yield* list("ls-files", "-z", "--modified")
  const deleted = yield* list("ls-files", "-z", "--deleted")
  const others = yield* list("ls-files", "-z", "--others", "--exclude-standard")
  const flagged = (yield* list("ls-files", "-z", "-v")).map((line) => ({ tag: line[0]!, path: line.slice(2) }))
  const assume = flagged.filter(({ tag }) => /[a-z]/.test(tag)).map(({ path }) => path)
  const skip = flagged.filter(({ tag }) => /[sS]/.test(tag)).map(({ path }) => path)
  const staged = yield* list("ls-files", "-z", "--stage")
  const isIntent = (line: string) => intended.has(indexEntry(line).path)
  const diff = (...args: ReadonlyArray<string>) =>
    list("diff", "--cached", "--raw", "--no-abbrev", "--no-renames", "--no-ext-diff", "-z", ...args)
  const intended = intendedOf(yield* diff("--ita-visible-in-index"), yield* diff("--ita-invisible-in-index"))
  const entries = staged.filter((line) => !isIntent(line))
  const intent = staged.filter(isIntent)
  const blobs = blobsOf(entries.map(indexEntry))
  if ((yield* sizeOfBlobs(repository, operation, blobs)) > maxBytes) {
    return yield* gitError(operation, "too_large", tooLargeAdvice("the work tree is", maxBytes))
  }
  const carried = yield* carry(operation, repository.folder, [...modified, ...others, ...assume, ...skip])
  const known = yield* knownOf(repository, leftOf(carried))
  return {
    kind: "git",
    root: repository.folder,
    carried,
    manifest: known.manifest,
    lists: { index: entries, absent: [...modified, ...deleted, ...assume, ...skip], skip, assume, intent },
    tips: [...known.tips, ...blobs]
  }
})

/** Paths that are only meant to be added: those that make a difference where they count as there, and where they do not. */
const intendedOf = (visible: ReadonlyArray<string>, invisible: ReadonlyArray<string>): ReadonlySet<string> => {
  // What changed, its path, what changed, its path …
  const changes = (raw: ReadonlyArray<string>) =>
    new Map(raw.flatMap((path, index) => (index % 2 === 0 ? [] : [[path, raw[index - 1]!] as const])))
  const [with_, without] = [changes(visible), changes(invisible)]
  return new Set([...with_.keys(), ...without.keys()].filter((path) => with_.get(path) !== without.get(path)))
}

/** Contents that the index names, each once. */
export const blobsOf = (entries: ReadonlyArray<IndexEntry>): ReadonlyArray<string> => [
  ...new Set(entries.filter(({ mode }) => mode !== submoduleMode).map(({ sha }) => sha))
]

/** What the repository knows beside files. */
const knownOf = Effect.fnUntraced(function* (repository: WorkspaceRepository, left: ReadonlyArray<string>) {
  const refs = (yield* refsOf(repository, operation)).filter(({ name }) => name !== "refs/stash")
  const sha = yield* resolve(repository, operation, "HEAD")
  const branch = yield* inRepository(repository, operation, ["symbolic-ref", "--quiet", "HEAD"], { codes: [0, 1] })
  const head = branch.exitCode === 0 ? { branch: branch.stdout.toString().trim() } : sha === null ? undefined : { sha }
  if (head === undefined) return yield* gitError(operation, "malformed", "HEAD stands for nothing")
  const symbolic = yield* inRepository(repository, operation, ["for-each-ref", "--format=%(symref) %(refname)"])
  const stash = yield* stashOf(repository)
  const state: Array<WorkspaceManifest["state"][number]> = []
  for (const name of stateFiles) {
    const content = yield* optionalFile(repository.ownPath(name))
    if (content !== undefined) state.push({ name, content })
  }
  const settings = yield* inRepository(repository, operation, ["config", "--local", "--list", "--null"])
  const manifest: WorkspaceManifest = {
    prefix: repository.prefix,
    head,
    refs,
    symbolic: symbolic.stdout
      .toString()
      .split("\n")
      .map((line) => line.split(" "))
      .flatMap(([target = "", name = ""]) => (target === "" ? [] : [{ name, target }])),
    stash,
    shallow: ((yield* optionalFile(repository.shallow)) ?? "").split("\n").filter((line) => line !== ""),
    state,
    exclude: (yield* optionalFile(yield* excludeOf(repository))) ?? "",
    settings: splitNul(settings.stdout)
      .map((line) => ({ name: line.slice(0, line.indexOf("\n")), value: line.slice(line.indexOf("\n") + 1) }))
      .map(({ name, value }) => ({ name, value: withoutCredentials(Buffer.from(value, "latin1").toString()) }))
      .filter(isCarriedSetting),
    left
  }
  const states = state.filter(({ name }) => name.endsWith("_HEAD")).flatMap(({ content }) => content.trim().split("\n"))
  const tips = [
    ...refs.map((each) => each.sha),
    ...(sha === null ? [] : [sha]),
    ...stash.map((each) => each.sha),
    ...states
  ]
  return { manifest, tips: [...new Set(tips)] }
})

/** Whether a setting may come along. */
export const isCarriedSetting = ({ name, value }: { readonly name: string; readonly value: string }): boolean =>
  settingRules.some(([names, values]) => names.test(name) && values.test(value))

/** A URL that somebody has put a password in goes without it. */
const withoutCredentials = (value: string): string => value.replace(/^(https?:\/\/)[^/@]*@/i, "$1")

const excludeOf = (repository: WorkspaceRepository) =>
  Effect.map(
    inRepository(repository, operation, ["rev-parse", "--path-format=absolute", "--git-path", "info/exclude"]),
    ({ stdout }) => stdout.toString().replace(/\n$/, "")
  )

const stashOf = Effect.fnUntraced(function* (repository: WorkspaceRepository) {
  if ((yield* resolve(repository, operation, "refs/stash")) === null) return []
  const args = ["log", "--walk-reflogs", "--format=%H%x00%gs%x00", "--end-of-options", "refs/stash"]
  const { stdout } = yield* inRepository(repository, operation, args)
  const texts = stdout.toString().split("\0")
  const entries: Array<{ sha: string; message: string }> = []
  for (let at = 0; at + 1 < texts.length; at += 2) entries.push({ sha: texts[at]!.trim(), message: texts[at + 1]! })
  return entries
})

/** A small file's text, the sign of a folder, or undefined where there is nothing. */
const optionalFile = (path: string): Effect.Effect<string | undefined, GitError> =>
  fileStep(operation, () =>
    readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => (error.code === "EISDIR" ? "" : unlessAbsent(error)))
  )
