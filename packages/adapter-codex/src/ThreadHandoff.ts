/**
 * A thread's way from one home of Codex to another. All that Codex remembers of a thread is in its rollout, one file of JSON lines
 * below `sessions` of the home (`rollout-<time>-<thread>.jsonl`, 0.169); its databases are made from that.
 */
import {
  type BackendLost,
  BackendRefused,
  historyFolder,
  type PackedSession,
  type UnpackedSession,
  type UnpackRequest
} from "@holdfast/core"
import { Effect, Exit, type Scope } from "effect"
import { constants } from "node:fs"
import { copyFile, lstat, mkdir, readdir, rename, rm } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import type { CodexServer } from "./CodexServer.ts"
import type { RecordedSpec } from "./CodexSpec.ts"
import type { OpenThread } from "./OpenThread.ts"
import { initial, resumeThread } from "./ThreadOpening.ts"

/** Whose history it is. */
const kind = "codex"

/** Most bytes of a rollout: 1 GiB. Codex itself keeps it in memory when it resumes. */
const maxRolloutBytes = 1024 * 1024 * 1024

/** The names that Codex gives to rollouts; the day is in the name of the folder as well. */
const rolloutName =
  /^rollout-(\d{4})-(\d\d)-(\d\d)T\d\d-\d\d-\d\d-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.jsonl$/

const refused = (backend: string, reason: string, retryable = false) =>
  new BackendRefused({ backend, command: "handoff", reason, retryable })

const fileStep = <A>(backend: string, run: () => Promise<A>) =>
  Effect.tryPromise({
    try: run,
    catch: (error) => refused(backend, error instanceof Error ? error.message : String(error), true)
  })

/** Copies what the thread remembers into a bundle. A thread without a turn remembers nothing. */
export const packThread = Effect.fnUntraced(function* (
  { backend, isIdentified, server, threadId }: OpenThread,
  bundle: string
): Effect.fn.Return<PackedSession, BackendRefused | BackendLost> {
  if (!isIdentified()) return { kind }
  // Whatever was said before is written once this is answered.
  yield* server
    .request("thread/turns/list", { threadId, limit: 1, itemsView: "full" })
    .pipe(Effect.mapError((error) => refused(backend, error.message, true)))
  yield* fileStep(backend, async () => {
    const rollout = await findRollout(server.home, threadId)
    if (rollout === undefined) throw new Error(`its home has no rollout of ${threadId}`)
    const folder = join(bundle, historyFolder)
    await mkdir(folder, { mode: 0o700 })
    await copyFile(rollout, join(folder, basename(rollout)), constants.COPYFILE_FICLONE)
  })
  return { kind, nativeId: threadId }
})

/** The newest file of a thread, archived or not. */
const findRollout = async (home: string, threadId: string): Promise<string | undefined> => {
  for (const folder of ["sessions", "archived_sessions"]) {
    const names = await readdir(join(home, folder), { recursive: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error
      return []
    })
    const found = names.filter((name) => rolloutName.exec(basename(name))?.[4] === threadId).toSorted()
    if (found.length > 0) return join(home, folder, found.at(-1)!)
  }
  return undefined
}

/**
 * Puts a thread into this home, and has its server load it as the spec says: where it works and what it may do there is not for
 * the thread to say, which may come from a sandbox. A thread that this server works on already, in another folder, is branched.
 */
export const unpackThread = Effect.fnUntraced(function* (
  backend: string,
  server: CodexServer,
  spec: RecordedSpec,
  { folder, packed }: UnpackRequest
): Effect.fn.Return<UnpackedSession, BackendRefused | BackendLost, Scope.Scope> {
  if (packed.kind !== undefined && packed.kind !== kind) {
    return yield* refused(backend, `it cannot take up a history of ${packed.kind}`)
  }
  const threadId = packed.nativeId
  if (packed.kind === undefined || threadId === undefined) return {}
  const isAtWork = server.router.listeners().some((listener) => listener.threads().includes(threadId))
  if (isAtWork) return { nativeId: yield* branch(backend, server, spec, threadId) }
  const source = yield* fileStep(backend, () => rolloutIn(join(folder, historyFolder), threadId))
  yield* server.unloaded(threadId)
  yield* place(backend, server.home, source)
  // What is said here at the first loading is what the thread remembers from now on.
  yield* resumeThread(server, threadId, initial(spec)).pipe(
    Effect.mapError((error) => refused(backend, error.message, error._tag === "CodexSilent")),
    Effect.ensuring(server.unload(threadId))
  )
  return { nativeId: threadId }
})

const branch = (backend: string, server: CodexServer, spec: RecordedSpec, threadId: string) =>
  Effect.gen(function* () {
    const { thread } = yield* server.request("thread/fork", { ...initial(spec), threadId, excludeTurns: true })
    yield* Effect.addFinalizer((exit) =>
      Exit.isSuccess(exit) ? Effect.void : Effect.ignore(server.request("thread/archive", { threadId: thread.id }))
    )
    yield* server.unload(thread.id)
    return thread.id
  }).pipe(Effect.mapError((error) => refused(backend, error.message, error._tag === "CodexSilent")))

/** The one rollout of a bundle: a plain file with the thread's name. */
const rolloutIn = async (folder: string, threadId: string): Promise<string> => {
  const names = await readdir(folder)
  const [name] = names
  if (name === undefined || names.length > 1 || rolloutName.exec(name)?.[4] !== threadId) {
    throw new Error(`what was packed is no rollout of ${threadId}`)
  }
  const path = join(folder, name)
  const { size, isFile } = await lstat(path).then((stats) => ({ size: stats.size, isFile: stats.isFile() }))
  if (!isFile || size > maxRolloutBytes) throw new Error(`its rollout is no file of at most ${maxRolloutBytes} bytes`)
  return path
}

/** Puts a rollout where Codex looks for it. An older one of the same thread is back where the scope ends with a failure. */
const place = (backend: string, home: string, source: string) =>
  Effect.gen(function* () {
    const name = basename(source)
    const [, year, month, day, threadId] = rolloutName.exec(name)!
    const path = join(home, "sessions", year!, month!, day!, name)
    const older = yield* fileStep(backend, () => findRollout(home, threadId!))
    const aside = older === undefined ? undefined : `${older}.before-handoff`
    yield* Effect.acquireRelease(
      fileStep(backend, async () => {
        await mkdir(dirname(path), { recursive: true, mode: 0o700 })
        await copyFile(source, `${path}.handoff`, constants.COPYFILE_FICLONE)
        if (older !== undefined) await rename(older, aside!)
        await rename(`${path}.handoff`, path)
      }),
      (_, exit) =>
        Effect.promise(async () => {
          if (Exit.isSuccess(exit)) return aside === undefined ? undefined : rm(aside, { force: true })
          await rm(path, { force: true })
          if (older !== undefined) await rename(aside!, older)
        })
    )
  })
