/**
 * The packed form of a workspace: a line, then a git pack. The line names a tree in the pack, which has a manifest, lists of
 * paths that need not be text, and the files whose contents git does not have otherwise. Names, modes and links are git's to
 * check, on both sides.
 *
 *     holdfast-workspace 1 git sha1 <tree>
 *     PACK…
 */
import { Effect, Schema } from "effect"
import { createReadStream } from "node:fs"
import { open } from "node:fs/promises"
import { fileStep } from "./FileStep.ts"
import { type GitError, gitError } from "./GitError.ts"
import type { GitPlace } from "./GitProcess.ts"
import type { ObjectFormat } from "./PrivateRepository.ts"
import { inRepository } from "./WorkspaceRepository.ts"

/** Most bytes of the files in a work tree and of a packed file unless said otherwise: 1 GiB. */
export const defaultMaxBytes = 1024 * 1024 * 1024

/** How long packing or unpacking may take unless said otherwise: 10 minutes. */
export const packTimeoutMs = 10 * 60_000

/** Bytes of lists of paths and of the manifest: 256 MiB, a million files. */
export const maxListBytes = 256 * 1024 * 1024

/** Paths that are named because they did not come along: 1,000. */
export const maxLeft = 1_000

const sha = Schema.String.check(Schema.isPattern(/^([0-9a-f]{40}|[0-9a-f]{64})$/, { expected: "an object's name" }))
const ref = Schema.String.check(Schema.isPattern(/^refs\/[^\0\n ]+$/, { expected: "a full ref" }))
const text = Schema.String.check(Schema.isMaxLength(1024 * 1024))

/** State of an unfinished merge and the like that is one file: no program is named in any of them. */
export const stateFiles = [
  "MERGE_HEAD",
  "MERGE_MODE",
  "MERGE_MSG",
  "SQUASH_MSG",
  "CHERRY_PICK_HEAD",
  "REVERT_HEAD",
  "ORIG_HEAD"
] as const

/** Settings that come along, with what they may be. None of them can name a program. */
export const settingRules: ReadonlyArray<readonly [name: RegExp, value: RegExp]> = [
  [
    /^remote\.[\w./-]+\.(url|pushurl)$/,
    // What is tried to run when the remote is used begins like an option or names a helper with `::`.
    /^(https?:\/\/(?![^/]*@)[^\s]+|ssh:\/\/(?!-)[^\s]+|(?!-)[\w.-]+@(?!-)[\w.-]+:(?!:)[^\s]+|file:\/\/\/[^\0\n]*|\/[^\0\n]*)$/
  ],
  [/^remote\.[\w./-]+\.fetch$/, /^\+?refs\/[^\s:]+:refs\/[^\s:]+$/],
  [/^branch\.[^\0\n]+\.(remote|merge)$/, /^(?!-)[\w./-]+$/],
  [/^user\.(name|email)$/, /^[^\0\n]{1,1000}$/],
  [/^holdfast\.(repository|base)$/, /^[^\0\n]{1,2000}$/]
]

/** What is known of a workspace beside its files. */
export const WorkspaceManifest = Schema.Struct({
  prefix: text,
  /** The branch that is checked out, born or not; or the commit. */
  head: Schema.Union([Schema.Struct({ branch: ref }), Schema.Struct({ sha })]),
  refs: Schema.Array(Schema.Struct({ name: ref, sha })),
  symbolic: Schema.Array(Schema.Struct({ name: ref, target: ref })),
  /** The newest first. */
  stash: Schema.Array(Schema.Struct({ sha, message: text })),
  shallow: Schema.Array(sha),
  state: Schema.Array(Schema.Struct({ name: Schema.Literals(stateFiles), content: text })),
  exclude: text,
  settings: Schema.Array(Schema.Struct({ name: text, value: text })),
  left: Schema.Array(text).check(Schema.isMaxLength(maxLeft))
})
export type WorkspaceManifest = typeof WorkspaceManifest.Type

/** Its text form. */
export const ManifestJson = Schema.fromJsonString(WorkspaceManifest)

/**
 * Lists of the tree beside `manifest.json` and `files`: each is a blob of texts that end in NUL.
 *
 * - `index`: entries as `git update-index --index-info -z` takes them
 * - `absent`: paths of the index that are not written as the index has them
 * - `skip`, `assume`: paths with that flag in the index
 * - `intent`: entries of the index that are only meant to be added
 * - `folders`: empty folders
 */
export const listNames = ["index", "absent", "skip", "assume", "intent", "folders"] as const
export type ListName = (typeof listNames)[number]

/** The first line of a packed file. */
export interface PackedHeader {
  readonly kind: "git" | "folder"
  readonly format: ObjectFormat
  readonly tree: string
}

/** Writes the line. */
export const headerLine = ({ format, kind, tree }: PackedHeader): string =>
  `holdfast-workspace 1 ${kind} ${format} ${tree}\n`

/** Reads the line of a file, and gives the pack behind it. */
export const readHeader = (operation: string, path: string) =>
  Effect.gen(function* () {
    const { bytes, size } = yield* fileStep(operation, async () => {
      await using file = await open(path)
      const { buffer, bytesRead } = await file.read(Buffer.alloc(256), 0, 256, 0)
      return { bytes: buffer.subarray(0, bytesRead), size: (await file.stat()).size }
    })
    const line = bytes.subarray(0, bytes.indexOf(0x0a) + 1)
    const [, version, kind, format, tree] =
      /^holdfast-workspace (\d+) (\S+) (\S+) ([0-9a-f]{40}(?:[0-9a-f]{24})?)\n$/.exec(line.toString("latin1")) ?? []
    if (version === undefined) return yield* gitError(operation, "malformed", `${path} is no packed workspace`)
    if (version !== "1" || (kind !== "git" && kind !== "folder") || (format !== "sha1" && format !== "sha256")) {
      return yield* gitError(operation, "malformed", `${path} was packed by a newer version: upgrade this one`)
    }
    const header: PackedHeader = { kind, format, tree: tree! }
    return { header, size, pack: () => createReadStream(path, { start: line.byteLength }) }
  })

/** Bytes of blobs in all, as they would be on a disk. Each has to be there. */
export const sizeOfBlobs = Effect.fnUntraced(function* (
  place: GitPlace,
  operation: string,
  blobs: ReadonlyArray<string>
): Effect.fn.Return<number, GitError> {
  if (blobs.length === 0) return 0
  const { stdout } = yield* inRepository(place, operation, ["cat-file", "--batch-check=%(objecttype) %(objectsize)"], {
    stdin: `${blobs.join("\n")}\n`,
    maxOutput: maxListBytes
  })
  let sum = 0
  for (const line of stdout.toString().trimEnd().split("\n")) {
    const size = /^blob (\d+)$/.exec(line)?.[1]
    if (size === undefined) return yield* gitError(operation, "malformed", "contents of the index are missing")
    sum += Number(size)
  }
  return sum
})

/** An entry of the index. */
export interface IndexEntry {
  readonly mode: string
  readonly sha: string
  readonly stage: string
  readonly path: string
}

/** Reads an entry as `ls-files --stage` writes it. */
export const indexEntry = (line: string): IndexEntry => {
  const [, mode = "", object = "", stage = "", path = ""] = /^(\d+) ([0-9a-f]+) (\d)\t(.*)$/s.exec(line) ?? []
  return { mode, sha: object, stage, path }
}

/** Mode of a submodule, whose commit is not an object of this repository. */
export const submoduleMode = "160000"
