/** Sandboxes and snapshots as folders: which there are, and their records. */
import type { SandboxProviderError } from "@holdfast/core/cloud"
import { Effect, Option, Schema } from "effect"
import { randomUUID } from "node:crypto"
import { mkdir, readdir, readFile, rename, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { type Fail, fileFailure } from "../provider/ProviderErrors.ts"
import { removeTree } from "./FileTree.ts"
import { folderNameIn, isSnapshotId, SandboxRecord, SnapshotRecord } from "./SandboxRecord.ts"

/** Beginning of the names of folders that are being made. */
const making = ".new-"

/** Folders that a dead host left half made are removed when they are this old, in milliseconds: an hour, past any deadline. */
const staleAfter = 3_600_000

const recordFile = "record.json"

/** The folders of one sandbox on the host. */
export interface SandboxFolders {
  readonly all: string
  /** What a snapshot copies: home, workspace and the bridge's data. */
  readonly files: string
  readonly home: string
  readonly workspace: string
  readonly data: string
  readonly tmp: string
  readonly log: string
}

/** The store below a data folder. */
export interface SandboxStore {
  readonly folders: (name: string) => SandboxFolders
  /** The folder with a snapshot's files. */
  readonly snapshotFiles: (snapshotId: string) => string
  /** The sandbox in a folder; none where there is no such folder. */
  readonly read: (fail: Fail, name: string) => Effect.Effect<SandboxRecord | undefined, SandboxProviderError>
  /** The sandbox of an id; none where its folder is gone or somebody else's by now. */
  readonly find: (fail: Fail, sandboxId: string) => Effect.Effect<SandboxRecord | undefined, SandboxProviderError>
  readonly list: (fail: Fail) => Effect.Effect<ReadonlyArray<SandboxRecord>, SandboxProviderError>
  /** Makes a folder with its record at once; gives whether it was not there before. */
  readonly add: (fail: Fail, name: string, record: SandboxRecord) => Effect.Effect<boolean, SandboxProviderError>
  readonly update: (fail: Fail, name: string, record: SandboxRecord) => Effect.Effect<void, SandboxProviderError>
  /** Whether the files of a sandbox are there: from the first step of a removal on they are not. */
  readonly hasFiles: (fail: Fail, name: string) => Effect.Effect<boolean, SandboxProviderError>
  /** Removes a sandbox's folder. Until all of it is gone the record is there, and it is listed. */
  readonly remove: (fail: Fail, name: string) => Effect.Effect<void, SandboxProviderError>
  readonly readSnapshot: (fail: Fail, id: string) => Effect.Effect<SnapshotRecord | undefined, SandboxProviderError>
  readonly listSnapshots: (fail: Fail) => Effect.Effect<ReadonlyArray<SnapshotRecord>, SandboxProviderError>
  /** Makes a snapshot, which is there when `fill` has copied its files, or not at all. */
  readonly addSnapshot: (
    fail: Fail,
    record: SnapshotRecord,
    fill: (files: string) => Effect.Effect<void, SandboxProviderError>
  ) => Effect.Effect<void, SandboxProviderError>
  readonly removeSnapshot: (fail: Fail, id: string) => Effect.Effect<void, SandboxProviderError>
}

const attempt = <A>(fail: Fail, what: string, evaluate: () => Promise<A>): Effect.Effect<A, SandboxProviderError> =>
  Effect.tryPromise({ try: evaluate, catch: (cause) => fileFailure(fail, cause, what) })

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code

const isMissing = (error: unknown) => codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR"

const namesIn = async (folder: string): Promise<ReadonlyArray<string>> => {
  try {
    return await readdir(folder)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

const textOf = async (file: string): Promise<string | undefined> => {
  try {
    return await readFile(file, "utf8")
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** The store below `folder`, which is made when the first sandbox is. Nobody else may look into it. */
export const makeSandboxStore = (folder: string): SandboxStore => {
  const sandboxes = join(folder, "sandboxes")
  const snapshots = join(folder, "snapshots")

  const load = <R extends SandboxRecord | SnapshotRecord>(schema: Schema.Codec<R, unknown>) => {
    const decode = Schema.decodeUnknownOption(Schema.fromJsonString(schema))
    return (fail: Fail, at: string): Effect.Effect<R | undefined, SandboxProviderError> => {
      const file = join(at, recordFile)
      return Effect.flatMap(
        attempt(fail, `${file} cannot be read`, () => textOf(file)),
        (text) => {
          if (text === undefined) return Effect.succeed(undefined)
          const decoded = decode(text)
          return Option.isSome(decoded)
            ? Effect.succeed(decoded.value)
            : Effect.fail(fail("unexpected", `${file} is no record of this version: remove its folder by hand`))
        }
      )
    }
  }
  const loadSandbox = load<SandboxRecord>(SandboxRecord)
  const loadSnapshot = load<SnapshotRecord>(SnapshotRecord)

  /** All records in a folder. What a dead host left half made is removed on the way. */
  const loadAll = <R>(
    fail: Fail,
    parent: string,
    one: (fail: Fail, at: string) => Effect.Effect<R | undefined, SandboxProviderError>
  ) =>
    Effect.gen(function* () {
      const records: Array<R> = []
      for (const name of yield* attempt(fail, `${parent} cannot be listed`, () => namesIn(parent))) {
        const at = join(parent, name)
        if (name.startsWith(making)) {
          const age = yield* attempt(fail, `${at} cannot be looked at`, () => ageOf(at))
          if (age > staleAfter) yield* removeTree(fail, at)
          continue
        }
        const record = yield* one(fail, at)
        if (record !== undefined) records.push(record)
      }
      return records
    })

  const write = async (at: string, record: SandboxRecord | SnapshotRecord) => {
    const file = join(at, recordFile)
    const side = `${file}.${randomUUID()}`
    await writeFile(side, JSON.stringify(record), { mode: 0o600, flush: true })
    await rename(side, file)
  }

  /** A folder beside its place, which is moved there when it is whole. */
  const begin = async (parent: string) => {
    await mkdir(parent, { recursive: true, mode: 0o700 })
    const side = join(parent, `${making}${randomUUID()}`)
    await mkdir(side, { mode: 0o700 })
    return side
  }

  /** Whether it could be moved; not where there is one already. */
  const moveTo = async (side: string, place: string): Promise<boolean> => {
    try {
      await rename(side, place)
      return true
    } catch (error) {
      if (codeOf(error) === "ENOTEMPTY" || codeOf(error) === "EEXIST") return false
      throw error
    }
  }

  const folders = (name: string): SandboxFolders => {
    const all = join(sandboxes, name)
    const files = join(all, "files")
    return {
      all,
      files,
      home: join(files, "home"),
      workspace: join(files, "workspace"),
      data: join(files, "data"),
      tmp: join(all, "tmp"),
      log: join(all, "bridge.log")
    }
  }

  const read: SandboxStore["read"] = (fail, name) => loadSandbox(fail, join(sandboxes, name))

  const whole = <A>(fail: Fail, parent: string, use: (side: string) => Effect.Effect<A, SandboxProviderError>) =>
    Effect.acquireUseRelease(
      attempt(fail, `${parent} cannot be written to`, () => begin(parent)),
      use,
      // Nothing where it was moved to its place.
      (side) => removeTree(fail, side)
    )

  return {
    folders,
    snapshotFiles: (id) => join(snapshots, id, "files"),
    read,
    find: (fail, sandboxId) => {
      const name = folderNameIn(sandboxId)
      return name === undefined
        ? Effect.succeed(undefined)
        : Effect.map(read(fail, name), (record) => (record?.sandboxId === sandboxId ? record : undefined))
    },
    list: (fail) => loadAll(fail, sandboxes, loadSandbox),
    add: (fail, name, record) =>
      whole(fail, sandboxes, (side) =>
        attempt(fail, `${sandboxes} cannot be written to`, async () => {
          await write(side, record)
          return moveTo(side, join(sandboxes, name))
        })
      ),
    update: (fail, name, record) =>
      attempt(fail, `${sandboxes} cannot be written to`, () => write(join(sandboxes, name), record)),
    hasFiles: (fail, name) => {
      const { files } = folders(name)
      return attempt(fail, `${files} cannot be looked at`, () => isThere(files))
    },
    remove: Effect.fnUntraced(function* (fail, name) {
      const { all, files } = folders(name)
      // Away first: a snapshot that is taken meanwhile must not be of what is left.
      yield* attempt(fail, `${files} cannot be removed`, () => moveAway(files, join(all, `${making}${randomUUID()}`)))
      for (const each of yield* attempt(fail, `${all} cannot be listed`, () => namesIn(all))) {
        if (each !== recordFile) yield* removeTree(fail, join(all, each))
      }
      yield* removeTree(fail, all)
    }),
    readSnapshot: (fail, id) =>
      isSnapshotId(id) ? loadSnapshot(fail, join(snapshots, id)) : Effect.succeed(undefined),
    listSnapshots: (fail) => loadAll(fail, snapshots, loadSnapshot),
    addSnapshot: (fail, record, fill) =>
      whole(fail, snapshots, (side) =>
        Effect.andThen(
          fill(join(side, "files")),
          attempt(fail, `${snapshots} cannot be written to`, async () => {
            await write(side, record)
            await moveTo(side, join(snapshots, record.snapshotId))
          })
        )
      ),
    removeSnapshot: (fail, id) =>
      Effect.gen(function* () {
        if (!isSnapshotId(id)) return
        const at = join(snapshots, id)
        // Away first: half a snapshot must not be restored.
        const side = join(snapshots, `${making}${randomUUID()}`)
        yield* attempt(fail, `${at} cannot be removed`, () => moveAway(at, side))
        yield* removeTree(fail, side)
      })
  }
}

const moveAway = async (from: string, to: string): Promise<void> => {
  try {
    await rename(from, to)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}

const isThere = async (folder: string): Promise<boolean> => {
  try {
    return (await stat(folder)).isDirectory()
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

/** Milliseconds since a folder was made or changed; 0 where it is gone. */
const ageOf = async (at: string): Promise<number> => {
  try {
    return Date.now() - (await stat(at)).mtimeMs
  } catch (error) {
    if (isMissing(error)) return 0
    throw error
  }
}
