/** Makes a workspace of one file, which need not be trusted: git checks objects, names and links, and nothing in it can run. */
import { Effect } from "effect"
import * as Schema from "effect/Schema"
import { constants } from "node:fs"
import { access, appendFile, mkdir, readdir, rm, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { pathOf } from "./CarriedFiles.ts"
import { fileStep, unlessAbsent } from "./FileStep.ts"
import { type GitError, gitError } from "./GitError.ts"
import type { GitPlace } from "./GitProcess.ts"
import { blobsOf, isCarriedSetting } from "./packWorkspace.ts"
import type { PackedWorkspace, PackOptions } from "./PackedWorkspace.ts"
import { git, privateRepository, temporary } from "./PrivateRepository.ts"
import { splitNul } from "./WorkspaceChanges.ts"
import {
  defaultMaxBytes,
  indexEntry,
  type ListName,
  ManifestJson,
  maxListBytes,
  type PackedHeader,
  packTimeoutMs,
  readHeader,
  sizeOfBlobs,
  type WorkspaceManifest
} from "./WorkspaceManifest.ts"
import { inRepository, setRefs } from "./WorkspaceRepository.ts"

const operation = "unpack"

/**
 * Makes the same workspace in a folder that is absent or empty, and leaves that as it was if it fails. With the same git on
 * both sides, `git status --porcelain=v2`, HEAD, branches and stash are what they were.
 */
export const unpackWorkspace = Effect.fn("unpackWorkspace")(function* (
  path: string,
  folder: string,
  options: PackOptions = {}
): Effect.fn.Return<PackedWorkspace, GitError> {
  const timeoutMs = options.timeoutMs ?? packTimeoutMs
  const isThere = yield* fileStep(operation, () => readdir(folder).catch(unlessAbsent))
  if (isThere !== undefined && isThere.length > 0) {
    return yield* gitError(operation, "folder_taken", `${folder} has other files in it: use an empty folder`)
  }
  const undo = Effect.promise(async () => {
    const names = isThere === undefined ? [""] : await readdir(folder)
    for (const name of names) await rm(join(folder, name), { recursive: true, force: true, maxRetries: 3 })
  })
  return yield* unpack(path, folder, options).pipe(
    Effect.scoped,
    Effect.timeoutOrElse({
      duration: timeoutMs,
      orElse: () => Effect.fail(gitError(operation, "timeout", `it took longer than ${timeoutMs / 1_000} s`))
    }),
    Effect.onExit((exit) => (exit._tag === "Success" ? Effect.void : undo))
  )
})

const unpack = Effect.fnUntraced(function* (path: string, folder: string, options: PackOptions) {
  const { env = process.env, maxBytes = defaultMaxBytes } = options
  const { header, pack, size } = yield* readHeader(operation, path)
  if (size > maxBytes) return yield* gitError(operation, "too_large", `${path} is larger than ${maxBytes} bytes`)
  yield* fileStep(operation, () => mkdir(folder, { recursive: true }))
  const { format, kind } = header
  const own = join(folder, ".git")
  if (kind === "git") {
    yield* git({
      operation,
      cwd: folder,
      env,
      args: ["init", "--quiet", "--template=", `--object-format=${format}`, folder]
    })
  }
  const raw = yield* rawRepository(folder, header, env)
  yield* inRepository(raw, operation, ["index-pack", "--stdin", `--max-input-size=${maxBytes}`], {
    stdin: pack(),
    timeoutMs: options.timeoutMs ?? packTimeoutMs
  }).pipe(Effect.mapError(asMalformed))

  const read = (name: string) =>
    Effect.mapError(
      inRepository(raw, operation, ["cat-file", "blob", `${header.tree}:${name}`], { maxOutput: maxListBytes }),
      asMalformed
    )
  const list = (name: ListName) => Effect.map(read(name), ({ stdout }) => splitNul(stdout))
  const manifest = yield* Schema.decodeUnknownEffect(ManifestJson)(
    (yield* read("manifest.json")).stdout.toString()
  ).pipe(Effect.mapError((error) => gitError(operation, "malformed", `the manifest is not valid: ${error.message}`)))
  const result = { kind, prefix: manifest.prefix, bytes: size, left: manifest.left }
  if (kind === "folder") {
    yield* makeFolders(folder, yield* list("folders"))
    yield* writeFiles(raw, header, maxBytes)
    return result
  }
  const place: GitPlace = { cwd: folder, env, values: { GIT_DIR: own, GIT_WORK_TREE: folder } }
  yield* restoreHistory(place, own, manifest)
  yield* restoreIndex(place, list, maxBytes)
  yield* writeFiles(raw, header, maxBytes)
  // Contents are compared once, now; later looks see by size and time that nothing has changed.
  yield* inRepository(place, operation, ["update-index", "-q", "--refresh"], { codes: [0, 1] })
  yield* restoreIntent(place, header, yield* list("intent"))
  return result
})

/** A private repository that writes files as they are stored, whatever attributes the workspace has for them. */
const rawRepository = Effect.fnUntraced(function* (
  folder: string,
  { format, kind }: PackedHeader,
  env: GitPlace["env"]
) {
  const place = yield* privateRepository(operation, {
    env,
    format,
    below: yield* placeBeside(folder, env),
    ...(kind === "git" ? { objects: join(folder, ".git", "objects") } : {}),
    values: { GIT_WORK_TREE: folder }
  })
  yield* fileStep(operation, async () => {
    await mkdir(join(place.folder, "info"))
    await writeFile(join(place.folder, "info", "attributes"), "* -text -ident -filter -working-tree-encoding\n")
  })
  return { ...place, values: { ...place.values, GIT_INDEX_FILE: join(place.cwd, "index") }, cwd: folder }
})

/** On the same disk as a rule; a workspace that is mounted by itself may have nothing beside it that can be written. */
const placeBeside = (folder: string, env: GitPlace["env"]): Effect.Effect<string> => {
  const beside = dirname(folder)
  return Effect.promise(() =>
    access(beside, constants.W_OK).then(
      () => beside,
      () => temporary(env)
    )
  )
}

/** Writes the files of the pack, in the place of whatever is there. */
const writeFiles = Effect.fnUntraced(function* (raw: GitPlace, { tree }: PackedHeader, maxBytes: number) {
  yield* inRepository(raw, operation, ["read-tree", `${tree}:files`]).pipe(Effect.mapError(asMalformed))
  const { stdout } = yield* inRepository(raw, operation, ["ls-files", "-z", "--stage"], { maxOutput: maxListBytes })
  yield* mustFit(raw, splitNul(stdout), maxBytes)
  yield* inRepository(raw, operation, ["checkout-index", "--all", "--force", "--quiet"], { timeoutMs: packTimeoutMs })
})

/** A small pack can become many files. */
const mustFit = Effect.fnUntraced(function* (place: GitPlace, entries: ReadonlyArray<string>, maxBytes: number) {
  const bytes = yield* sizeOfBlobs(place, operation, blobsOf(entries.map(indexEntry)))
  if (bytes > maxBytes) return yield* gitError(operation, "too_large", `its files are larger than ${maxBytes} bytes`)
})

/** Refs, stash, settings and what is under way. All objects have to be there. */
const restoreHistory = Effect.fnUntraced(function* (place: GitPlace, own: string, manifest: WorkspaceManifest) {
  const { exclude, head, refs, settings, shallow, stash, state, symbolic } = manifest
  const bad = state.find(({ content, name }) => name.endsWith("_HEAD") && !/^([0-9a-f]{40,64}\s*)+$/.test(content))
  if (bad !== undefined) return yield* gitError(operation, "malformed", `${bad.name} names no commit`)
  yield* fileStep(operation, async () => {
    if (shallow.length > 0) await writeFile(join(own, "shallow"), shallow.map((sha) => `${sha}\n`).join(""))
    await mkdir(join(own, "info"))
    await writeFile(join(own, "info", "exclude"), exclude)
    await appendFile(join(own, "config"), settings.filter(isCarriedSetting).map(settingText).join(""))
    for (const { content, name } of state) await writeFile(join(own, name), content)
  })
  const run = (...args: ReadonlyArray<string>) => Effect.mapError(inRepository(place, operation, args), asMalformed)
  yield* Effect.mapError(setRefs(place, operation, refs), asMalformed)
  for (const { name, target } of symbolic) yield* run("symbolic-ref", name, target)
  if ("branch" in head) yield* run("symbolic-ref", "HEAD", head.branch)
  else yield* run("update-ref", "--no-deref", "HEAD", head.sha)
  // The oldest first, so that the newest ends on top.
  for (const { message, sha } of stash.toReversed()) {
    yield* run("stash", "store", "--quiet", `--message=${message}`, sha)
  }
  yield* run("rev-list", "--objects", "--quiet", "--all", ...("sha" in head ? [head.sha] : []))
})

/** What is staged, with its flags, and the files that are as the index has them. */
const restoreIndex = Effect.fnUntraced(function* (
  place: GitPlace,
  list: (name: ListName) => Effect.Effect<ReadonlyArray<string>, GitError>,
  maxBytes: number
) {
  const entries = yield* list("index")
  yield* mustFit(place, entries, maxBytes)
  const update = (...args: ReadonlyArray<string>) => ["update-index", "-z", ...args]
  yield* inRepository(place, operation, update("--index-info"), { stdin: nulled(entries) }).pipe(
    Effect.mapError(asMalformed)
  )
  const absent = new Set(yield* list("absent"))
  const paths = entries.map((line) => indexEntry(line).path).filter((path) => !absent.has(path))
  const write = ["checkout-index", "--force", "--quiet", "-z", "--stdin"]
  yield* inRepository(place, operation, write, { stdin: nulled(paths), timeoutMs: packTimeoutMs })
  for (const [flag, name] of [
    ["--skip-worktree", "skip"],
    ["--assume-unchanged", "assume"]
  ] as const) {
    const flagged = yield* list(name)
    if (flagged.length > 0) yield* inRepository(place, operation, update(flag, "--stdin"), { stdin: nulled(flagged) })
  }
})

/**
 * What is only meant to be added. git marks what it finds, so it is given a stand-in of each, of the kind that the index has, in a
 * folder of their own: the file itself may have become something else since, or be gone.
 */
const restoreIntent = Effect.fnUntraced(
  function* (place: GitPlace, { format }: PackedHeader, entries: ReadonlyArray<string>) {
    if (entries.length === 0) return
    const { env } = place
    const own = yield* privateRepository(operation, { env, format, below: yield* placeBeside(place.cwd, env) })
    const tree = join(own.cwd, "tree")
    yield* fileStep(operation, () => mkdir(tree))
    // A comment, should it stand for a file that git reads.
    const { stdout } = yield* inRepository(own, operation, ["hash-object", "-w", "--stdin"], { stdin: "#" })
    const stand = stdout.toString().trim()
    const lines = entries.map(indexEntry).map(({ mode, path }) => `${mode} ${stand} 0\t${path}`)
    const standIns = { ...own, cwd: tree, values: { ...own.values, GIT_WORK_TREE: tree } }
    yield* inRepository(standIns, operation, ["update-index", "-z", "--index-info"], { stdin: nulled(lines) })
    yield* inRepository(standIns, operation, ["checkout-index", "--all", "--quiet"])
    const args = ["add", "--force", "--intent-to-add", "--pathspec-from-file=-", "--pathspec-file-nul"]
    const there = { ...place, cwd: tree, values: { ...place.values, GIT_WORK_TREE: tree } }
    yield* inRepository(there, operation, args, { stdin: nulled(entries.map((line) => indexEntry(line).path)) })
  },
  Effect.scoped,
  Effect.mapError((error) => asMalformed(error))
)

/** A setting as a configuration file has it (git-config(1)). */
const settingText = ({ name, value }: { readonly name: string; readonly value: string }): string => {
  const [first, last] = [name.indexOf("."), name.lastIndexOf(".")]
  const part = first === last ? "" : ` "${escaped(name.slice(first + 1, last))}"`
  return `[${name.slice(0, first)}${part}]\n\t${name.slice(last + 1)} = "${escaped(value)}"\n`
}

const escaped = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')

/** Empty folders, made before there is any link that could lead elsewhere. */
const makeFolders = Effect.fnUntraced(function* (folder: string, names: ReadonlyArray<string>) {
  const bad = names.find((name) => name.split("/").some((part) => part === "" || part === "." || part === ".."))
  if (bad !== undefined) return yield* gitError(operation, "malformed", "the name of a folder leads outside")
  yield* fileStep(operation, async () => {
    for (const name of names) await mkdir(pathOf(folder, name), { recursive: true })
  })
})

const nulled = (texts: ReadonlyArray<string>): Buffer =>
  Buffer.from(texts.map((text) => `${text}\0`).join(""), "latin1")

/** What git does not take of a file that somebody else has made. */
const asMalformed = (error: GitError): GitError =>
  ownFailures.has(error.failure) ? error : gitError(operation, "malformed", error.detail)

const ownFailures: ReadonlySet<GitError["failure"]> = new Set(["disk_full", "git_missing", "timeout", "too_large"])
