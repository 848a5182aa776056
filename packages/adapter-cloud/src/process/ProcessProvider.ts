/** The provider `process`: what it does with sandboxes, snapshots and their processes. */
import {
  type SandboxCondition,
  type SandboxInfo,
  type SandboxLimits,
  type SandboxProvider,
  type SandboxProviderError,
  type SandboxRequest,
  type SnapshotInfo
} from "@holdfast/core/cloud"
import { findProgram, isAlive, terminateTree, tree } from "@holdfast/process"
import { Clock, Effect } from "effect"
import { randomBytes } from "node:crypto"
import { mkdir } from "node:fs/promises"
import { dirname, join } from "node:path"
import { checkRequest, socketUrl } from "../provider/CheckRequest.ts"
import { getFileByExec, putFileByExec } from "../provider/FilesByExec.ts"
import { type Fail, failing, fileFailure, providerDeadlines, within } from "../provider/ProviderErrors.ts"
import { runDefaults } from "../provider/RunDefaults.ts"
import { makeSerialByKey } from "../provider/SerialByKey.ts"
import type { FoundProgram } from "./BridgeProgram.ts"
import { makeCompileCache } from "./CompileCache.ts"
import { filesOf, findBubblewrap } from "./Bubblewrap.ts"
import { copyTree } from "./FileTree.ts"
import { launchProgram } from "./LaunchProgram.ts"
import { runProgram } from "./RunProgram.ts"
import { folderNameIn, folderNameOf, sandboxMarkerName, type SandboxRecord } from "./SandboxRecord.ts"
import { makeSandboxStore } from "./SandboxStore.ts"
import { enter, placesOf, programProblem, type ViewOptions } from "./SandboxView.ts"

/** What the provider is made from. */
export interface ProcessProviderOptions {
  readonly folder: string
  readonly isolation: "auto" | "bubblewrap" | "none"
  readonly program: () => FoundProgram
  readonly readable: ReadonlyArray<string>
}

const name = "process"

/** A sandbox without a process counts as being made for this long after its record was written, in milliseconds. */
const startingFor = providerDeadlines.copy

/** Makes the provider. Looks once for bubblewrap, some 20 ms, unless there is to be none. */
export const makeProcessProvider = (options: ProcessProviderOptions): SandboxProvider => {
  const store = makeSandboxStore(options.folder)
  const serially = makeSerialByKey()
  const compileCache = makeCompileCache(join(options.folder, "compiled"))
  const bubblewrap = options.isolation === "none" ? { problem: "no isolation was asked for" } : findBubblewrap()
  const isApart = options.isolation === "bubblewrap" || "path" in bubblewrap
  const prlimit = findProgram("prlimit", "/", { PATH: process.env["PATH"] ?? "" })
  // The kernel exempts root from its limit of processes.
  const holdsProcesses = isApart && "path" in prlimit && process.getuid?.() !== 0
  const limits: ReadonlyArray<keyof SandboxLimits> = isApart
    ? holdsProcesses
      ? ["network", "processes"]
      : ["network"]
    : []

  const viewOptions = (words: ReadonlyArray<string>): ViewOptions => ({
    folder: options.folder,
    bubblewrap: "path" in bubblewrap ? bubblewrap.path : undefined,
    prlimit: "path" in prlimit ? prlimit.path : undefined,
    path: words[0]?.startsWith("/") === true ? [dirname(words[0])] : [],
    readable: [...filesOf(words), ...options.readable]
  })

  const programOf = (fail: Fail) =>
    Effect.suspend(() => {
      const program = options.program()
      if ("problem" in program) return Effect.fail(fail("invalid", program.problem))
      const problem = programProblem(program.words)
      return problem === undefined ? Effect.succeed(program) : Effect.fail(fail("invalid", problem))
    })

  const usable = (fail: Fail) =>
    isApart && !("path" in bubblewrap) ? Effect.fail(fail("unsupported", bubblewrap.problem)) : Effect.void

  const fromTable = <A, E extends Error>(fail: Fail, look: Effect.Effect<A, E>) =>
    Effect.mapError(look, (cause) => fail("unexpected", cause.message, { cause }))

  /** By what the processes of a sandbox are known, even those that lost their parents and their session. */
  const targetOf = (record: SandboxRecord, folder: string) => ({
    root: record.launcher,
    variables: [
      `${sandboxMarkerName}=${record.sandboxId}`,
      // What was started with an environment of its own mostly still has its home.
      ...(record.isolation === "none" ? [`HOME=${placesOf(record, store.folders(folder)).home}`] : [])
    ]
  })

  const conditionOf = (
    fail: Fail,
    record: SandboxRecord
  ): Effect.Effect<SandboxInfo["condition"], SandboxProviderError> =>
    Effect.gen(function* () {
      if (record.program !== undefined) {
        return (yield* fromTable(fail, isAlive(record.program))) ? "running" : "stopped"
      }
      const found = yield* fromTable(fail, tree({ variables: [`${sandboxMarkerName}=${record.sandboxId}`] }))
      if (found.length > 0) return "running"
      return (yield* Clock.currentTimeMillis) - record.createdAt < startingFor ? "starting" : "stopped"
    })

  const infoOf = (fail: Fail, record: SandboxRecord): Effect.Effect<SandboxInfo, SandboxProviderError> =>
    Effect.map(conditionOf(fail, record), (condition) => ({
      sandboxId: record.sandboxId,
      owner: record.owner,
      sessionId: record.sessionId,
      generation: record.generation,
      condition,
      createdAt: record.createdAt
    }))

  const known = (fail: Fail, sandboxId: string) =>
    Effect.flatMap(store.find(fail, sandboxId), (record) =>
      record === undefined ? Effect.fail(fail("not_found", "there is no such sandbox")) : Effect.succeed(record)
    )

  /** Ends all of its processes and removes its folder. */
  const remove = Effect.fnUntraced(function* (fail: Fail, folder: string, record: SandboxRecord) {
    yield* fromTable(fail, terminateTree(targetOf(record, folder), { graceMs: 0 }))
    yield* store.remove(fail, folder)
  })

  const make = Effect.fnUntraced(function* (fail: Fail, request: SandboxRequest, snapshotId?: string) {
    yield* usable(fail)
    const { isNode = false, words } = yield* programOf(fail)
    const checked = checkRequest(fail, request, limits)
    if ("error" in checked) return yield* checked.error
    if (request.image !== undefined) return yield* fail("invalid", "there are no images here: leave `image` out")
    if (snapshotId !== undefined && (yield* store.readSnapshot(fail, snapshotId)) === undefined) {
      return yield* fail("not_found", "there is no such snapshot")
    }
    const { controlPlane } = checked
    const folder = folderNameOf(request)
    const record: SandboxRecord = {
      version: 1,
      sandboxId: `${folder}-${randomBytes(4).toString("hex")}`,
      owner: request.owner,
      sessionId: request.sessionId,
      generation: request.generation,
      createdAt: yield* Clock.currentTimeMillis,
      isolation: isApart ? "bubblewrap" : "none",
      network: request.limits?.network ?? "open",
      ...(request.limits?.processes === undefined ? {} : { processes: request.limits.processes }),
      ...(isApart && controlPlane.kind === "socket" ? { socketFolder: controlPlane.folder } : {})
    }
    const folders = store.folders(folder)
    const begin = Effect.gen(function* () {
      yield* Effect.tryPromise({
        try: async () => {
          await mkdir(folders.tmp, { mode: 0o700 })
          if (snapshotId !== undefined) return
          for (const each of [folders.files, folders.home, folders.workspace, folders.data]) {
            await mkdir(each, { mode: 0o700 })
          }
        },
        catch: (cause) => fileFailure(fail, cause, `${folders.all} cannot be written to`)
      })
      if (snapshotId !== undefined) {
        yield* copyTree(fail, store.snapshotFiles(snapshotId), folders.files)
        if (!(yield* store.hasFiles(fail, folder))) return yield* fail("unexpected", "the snapshot has no files")
      }
      const bridgeUrl = controlPlane.kind === "url" || !isApart ? request.controlPlane : socketUrl(controlPlane.name)
      const compiled = isNode ? yield* compileCache(words) : undefined
      const view = viewOptions(words)
      const shown = compiled === undefined ? view : { ...view, readable: [...view.readable, compiled] }
      const outside = yield* enter(fail, shown, record, folders, {
        words,
        environment: {
          ...request.environment,
          ...(compiled === undefined ? {} : { NODE_COMPILE_CACHE: compiled }),
          HOLDFAST_BRIDGE_DATA: placesOf(record, folders).data,
          HOLDFAST_BRIDGE_URL: bridgeUrl
        }
      })
      return yield* Effect.uninterruptible(
        Effect.gen(function* () {
          const { launcher, program } = yield* launchProgram(fail, { ...outside, log: folders.log })
          const started = {
            ...record,
            ...(launcher === undefined ? {} : { launcher }),
            ...(program === undefined ? {} : { program })
          }
          yield* store.update(fail, folder, started)
          return started
        })
      )
    })
    return yield* serially(
      folder,
      Effect.gen(function* () {
        const there = yield* store.read(fail, folder)
        if (there !== undefined) return yield* infoOf(fail, there)
        // From here on it is listed, and ends with its folder gone or its program started.
        return yield* Effect.acquireUseRelease(
          store.add(fail, folder, record),
          (isNew) =>
            isNew
              ? Effect.flatMap(begin, (started) => infoOf(fail, started))
              : Effect.flatMap(store.read(fail, folder), (other) =>
                  other === undefined
                    ? Effect.fail(fail("unavailable", "it was destroyed meanwhile"))
                    : infoOf(fail, other)
                ),
          (isNew, exit) => (isNew && exit._tag === "Failure" ? remove(fail, folder, record) : Effect.void)
        )
      })
    )
  })

  const call = <A>(
    operation: string,
    ms: number,
    body: (fail: Fail) => Effect.Effect<A, SandboxProviderError>
  ): Effect.Effect<A, SandboxProviderError> => {
    const fail = failing(name, operation)
    return Effect.suspend(() => body(fail)).pipe(within(fail, ms), Effect.withSpan(`processSandboxes.${operation}`))
  }

  const run = Effect.fnUntraced(function* (fail: Fail, sandboxId: string, run: Parameters<SandboxProvider["exec"]>[1]) {
    const record = yield* known(fail, sandboxId)
    if ((yield* conditionOf(fail, record)) !== "running") return yield* fail("invalid", "the sandbox does not run")
    const folders = store.folders(folderNameIn(sandboxId)!)
    const program = options.program()
    const outside = yield* enter(fail, viewOptions("words" in program ? program.words : []), record, folders, {
      words: [run.command, ...(run.args ?? [])],
      environment: run.environment ?? {},
      cwd: run.cwd
    })
    return yield* runProgram(fail, { ...outside, run })
  })

  return {
    name,
    capabilities: { snapshot: true, dialIn: false, limits, isolation: isolationText(isApart) },
    check: call("check", providerDeadlines.ask, (fail) =>
      Effect.gen(function* () {
        yield* usable(fail)
        yield* programOf(fail)
        yield* Effect.tryPromise({
          try: () => mkdir(options.folder, { recursive: true, mode: 0o700 }),
          catch: (cause) => fileFailure(fail, cause, `${options.folder} cannot be made`)
        })
      })
    ),
    create: (request) => call("create", providerDeadlines.create, (fail) => make(fail, request)),
    restore: (snapshotId, request) =>
      call("restore", providerDeadlines.copy, (fail) => make(fail, request, snapshotId)),
    list: (owner) =>
      call("list", providerDeadlines.ask, (fail) =>
        Effect.flatMap(store.list(fail), (records) =>
          Effect.forEach(
            records.filter((record) => record.owner === owner),
            (record) => infoOf(fail, record)
          )
        )
      ),
    status: (sandboxId) =>
      call("status", providerDeadlines.ask, (fail) =>
        Effect.flatMap(store.find(fail, sandboxId), (record): Effect.Effect<SandboxCondition, SandboxProviderError> =>
          record === undefined ? Effect.succeed("gone") : conditionOf(fail, record)
        )
      ),
    exec: (sandboxId, asked) =>
      call("exec", (asked.timeoutMs ?? runDefaults.timeoutMs) + providerDeadlines.execExtra, (fail) =>
        run(fail, sandboxId, asked)
      ),
    putFile: (sandboxId, path, content, mode) =>
      call("putFile", providerDeadlines.file + providerDeadlines.execExtra, (fail) =>
        putFileByExec(fail, (asked) => run(fail, sandboxId, asked), path, content, mode)
      ),
    getFile: (sandboxId, path) =>
      call("getFile", providerDeadlines.file + providerDeadlines.execExtra, (fail) =>
        getFileByExec(fail, (asked) => run(fail, sandboxId, asked), path)
      ),
    snapshot: (sandboxId) =>
      call("snapshot", providerDeadlines.copy, (fail) =>
        Effect.gen(function* () {
          const { owner, sessionId } = yield* known(fail, sandboxId)
          const info: SnapshotInfo = {
            snapshotId: randomBytes(16).toString("hex"),
            owner,
            sessionId,
            createdAt: yield* Clock.currentTimeMillis
          }
          const folder = folderNameIn(sandboxId)!
          const { files } = store.folders(folder)
          yield* store.addSnapshot(fail, { version: 1, ...info }, (to) =>
            Effect.gen(function* () {
              yield* copyTree(fail, files, to)
              // What was removed while it was copied is not all there.
              if (!(yield* store.hasFiles(fail, folder))) return yield* fail("not_found", "it was destroyed meanwhile")
            })
          )
          return info
        })
      ),
    snapshots: (owner) =>
      call("snapshots", providerDeadlines.ask, (fail) =>
        Effect.map(store.listSnapshots(fail), (records) =>
          records
            .filter((record) => record.owner === owner)
            .map(({ createdAt, sessionId, snapshotId }): SnapshotInfo => ({ snapshotId, owner, sessionId, createdAt }))
        )
      ),
    removeSnapshot: (snapshotId) =>
      call("removeSnapshot", providerDeadlines.destroy, (fail) => store.removeSnapshot(fail, snapshotId)),
    destroy: (sandboxId) =>
      call("destroy", providerDeadlines.destroy, (fail) => {
        const folder = folderNameIn(sandboxId)
        return folder === undefined
          ? Effect.void
          : serially(
              folder,
              Effect.flatMap(store.find(fail, sandboxId), (record) =>
                record === undefined ? Effect.void : remove(fail, folder, record)
              )
            )
      })
  }
}

const isolationText = (isApart: boolean): string =>
  isApart
    ? "bubblewrap: a file system of its own with the system's folders read-only, no other processes to be seen, no " +
      "capabilities. The kernel and, unless it was asked to have none, the network are the host's."
    : "None: a home and a workspace of its own, and otherwise everything that the host's user may do. Run in it only what " +
      "you would run yourself."
