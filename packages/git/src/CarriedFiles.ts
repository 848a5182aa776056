/** Files whose contents go into a pack: which they are, and as objects. Names are bytes, each as one character. */
import { Effect } from "effect"
import { lstat, readdir, readlink, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { fileStep, unlessAbsent } from "./FileStep.ts"
import { type GitError, gitError } from "./GitError.ts"
import type { PrivateRepository } from "./PrivateRepository.ts"
import { inRepository } from "./WorkspaceRepository.ts"

/** Files of a folder that is no repository: a million. */
const maxFiles = 1_000_000

/** A file to take along. */
export interface CarriedFile {
  readonly name: string
  readonly mode: "100644" | "100755" | "120000"
  readonly bytes: number
}

/** What became of a list of paths. */
export interface Carried {
  readonly files: ReadonlyArray<CarriedFile>
  /** Neither files nor links. */
  readonly left: ReadonlyArray<string>
  readonly emptyFolders: ReadonlyArray<string>
}

/** Where a name is, as the system takes it. */
export const pathOf = (folder: string, name: string): Buffer =>
  Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(name, "latin1")])

/** What git does not have as part of a name: folders of its own, however they are written. */
const isRefused = (part: string): boolean => /^(\.git[ .]*|git~1)(:.*)?$/is.test(part)

/** Looks at paths; those that are not there are left out. */
export const carry = (operation: string, folder: string, names: Iterable<string>): Effect.Effect<Carried, GitError> =>
  fileStep(operation, async () => {
    const files: Array<CarriedFile> = []
    const left: Array<string> = []
    for (const name of new Set(names)) {
      const found = await lookAt(folder, name)
      if (found === "left") left.push(name)
      else if (found !== undefined) files.push(found)
    }
    return { files, left, emptyFolders: [] }
  })

const lookAt = async (folder: string, name: string): Promise<CarriedFile | "left" | undefined> => {
  const stats = await lstat(pathOf(folder, name)).catch(unlessAbsent)
  if (stats === undefined) return undefined
  if (name.split("/").some(isRefused)) return "left"
  if (stats.isSymbolicLink()) return { name, mode: "120000", bytes: stats.size }
  if (!stats.isFile()) return "left"
  return { name, mode: (stats.mode & 0o100) === 0 ? "100644" : "100755", bytes: stats.size }
}

/** All files below a folder. */
export const carryAll = (operation: string, folder: string): Effect.Effect<Carried, GitError> =>
  fileStep(operation, async (abort) => {
    const files: Array<CarriedFile> = []
    const left: Array<string> = []
    const emptyFolders: Array<string> = []
    const waiting: Array<string> = [""]
    for (let below = waiting.pop(); below !== undefined; below = waiting.pop()) {
      abort.throwIfAborted()
      const entries = await readdir(pathOf(folder, below), { encoding: "buffer", withFileTypes: true })
      if (entries.length === 0 && below !== "") emptyFolders.push(below)
      for (const entry of entries) {
        const name = (below === "" ? "" : `${below}/`) + entry.name.toString("latin1")
        if (isRefused(entry.name.toString("latin1"))) left.push(name)
        else if (entry.isDirectory()) waiting.push(name)
        else {
          const found = await lookAt(folder, name)
          if (found === "left") left.push(name)
          else if (found !== undefined) files.push(found)
        }
        if (files.length + waiting.length > maxFiles) {
          throw gitError(operation, "too_large", `the folder has more than ${maxFiles} files`)
        }
      }
    }
    return { files, left, emptyFolders }
  })

/** Stores files as they are in a private repository, and gives their tree. */
export const storeFiles = Effect.fnUntraced(function* (
  place: PrivateRepository,
  operation: string,
  folder: string,
  files: ReadonlyArray<CarriedFile>
): Effect.fn.Return<string, GitError> {
  const links = files.filter(({ mode }) => mode === "120000")
  const linkFile = new Map(links.map(({ name }, at) => [name, join(place.cwd, `link-${at}`)]))
  // A link's target, not what is there, is its content.
  yield* fileStep(operation, async () => {
    for (const [name, path] of linkFile) {
      await writeFile(path, await readlink(pathOf(folder, name), { encoding: "buffer" }))
    }
  })
  const paths = files.map(({ name }) => linkFile.get(name) ?? pathOf(folder, name).toString("latin1"))
  const index = { ...place, values: { ...place.values, GIT_INDEX_FILE: join(place.cwd, "files-index") } }
  if (files.length > 0) {
    const { stdout } = yield* inRepository(place, operation, ["hash-object", "-w", "--no-filters", "--stdin-paths"], {
      stdin: Buffer.from(paths.map((path) => `${quoted(path)}\n`).join(""), "latin1"),
      maxOutput: Number.MAX_SAFE_INTEGER
    })
    const blobs = stdout.toString().trim().split("\n")
    const entries = files.map(({ mode, name }, at) => `${mode} ${blobs[at]} 0\t${name}\0`)
    yield* inRepository(index, operation, ["update-index", "-z", "--index-info"], {
      stdin: Buffer.from(entries.join(""), "latin1")
    })
  }
  return (yield* inRepository(index, operation, ["write-tree"])).stdout.toString().trim()
})

/** As git quotes paths, of which there is one a line. */
const quoted = (path: string): string =>
  `"${path.replaceAll(/[^ !#-[\]-~]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, "0")}`)}"`
