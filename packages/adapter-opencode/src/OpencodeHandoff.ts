/**
 * A session's way from one home of Opencode to another: as `opencode export` has it (`{ info, messages }`, 1.18), written from the
 * server's own answers, and taken up by `opencode import`, which puts it into the directory that it is run in.
 */
import {
  BackendRefused,
  historyFolder,
  type PackedSession,
  type UnpackedSession,
  type UnpackRequest
} from "@holdfast/core"
import { Effect, Exit, Schema, type Scope } from "effect"
import { execFile } from "node:child_process"
import { randomBytes } from "node:crypto"
import { lstat, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { OpencodeClient, OpencodeError } from "./OpencodeClient.ts"
import type { OpencodeServer } from "./OpencodeServer.ts"
import type { RecordedSpec } from "./OpencodeSpec.ts"

/** Whose history it is. */
const kind = "opencode"

/** The file of a bundle's history. */
const exportFile = "session.json"

/** Most bytes of an exported session: 512 MiB, which is as long as a text of this runtime gets. */
const maxExportBytes = 512 * 1024 * 1024

/** Milliseconds that an import may take: it takes one or two seconds. */
const importMs = 120_000

/** Characters at the end of an id that say nothing about the time. */
const idTail = 4

/** What is read of an exported session. All else of messages is passed on as it is; of `info` only what {@link infoFor} takes. */
const Exported = Schema.Struct({
  info: Schema.Record(Schema.String, Schema.Unknown),
  messages: Schema.Array(
    Schema.Struct({
      info: Schema.Record(Schema.String, Schema.Unknown),
      parts: Schema.Array(Schema.Record(Schema.String, Schema.Unknown))
    })
  )
})
type Exported = typeof Exported.Type

const decodeExported = Schema.decodeUnknownSync(Schema.fromJsonString(Exported))

const Info = Schema.Record(Schema.String, Schema.Unknown)

const refused = (reason: string, retryable = false) =>
  new BackendRefused({ backend: "opencode", command: "handoff", reason, retryable })

const refusedBy = ({ message, reason }: OpencodeError) =>
  refused(message, reason === "unreachable" || reason === "deadline" || reason === "busy")

const fileStep = <A>(run: () => Promise<A>) =>
  Effect.tryPromise({
    try: run,
    catch: (error) => refused(error instanceof Error ? error.message : String(error), true)
  })

const exportOf = (client: OpencodeClient, sessionId: string): Effect.Effect<Exported, OpencodeError> =>
  Effect.gen(function* () {
    const info = yield* client.get(`/session/${sessionId}`, Info)
    const messages = yield* client.get(`/session/${sessionId}/message`, Exported.fields.messages)
    return { info, messages }
  })

/** Writes what a session remembers into a bundle. */
export const packSession = (
  { client }: OpencodeServer,
  sessionId: string,
  bundle: string
): Effect.Effect<PackedSession, BackendRefused> =>
  Effect.gen(function* () {
    const exported = yield* Effect.mapError(exportOf(client, sessionId), refusedBy)
    yield* fileStep(async () => {
      const folder = join(bundle, historyFolder)
      await mkdir(folder, { mode: 0o700 })
      await writeFile(join(folder, exportFile), JSON.stringify(exported), { mode: 0o600 })
    })
    return { kind, nativeId: sessionId }
  })

/**
 * Takes up what a session remembers, in the directory of the spec. What it may do is the spec's to say and not that of the file,
 * which may come from a sandbox. A session that this server has open already is copied, with ids of its own.
 */
export const unpackSession = Effect.fnUntraced(function* (
  server: OpencodeServer,
  spec: RecordedSpec,
  { folder, packed }: UnpackRequest,
  isOpen: (sessionId: string) => boolean
): Effect.fn.Return<UnpackedSession, BackendRefused, Scope.Scope> {
  if (packed.kind !== undefined && packed.kind !== kind) {
    return yield* refused(`it cannot take up a history of ${packed.kind}`)
  }
  const { nativeId } = packed
  if (packed.kind === undefined || nativeId === undefined) return {}
  const stored = yield* fileStep(() => read(join(folder, historyFolder), nativeId))
  const exported = { ...stored, info: infoFor(stored.info, spec) }
  if (isOpen(nativeId)) {
    const copy = withOwnIds(exported)
    yield* bring(server, spec, copy, undefined)
    return { nativeId: String(copy.info["id"]) }
  }
  const older = yield* exportOf(server.client, nativeId).pipe(
    Effect.catch((error) => (error.reason === "not found" ? Effect.undefined : Effect.fail(refusedBy(error))))
  )
  yield* bring(server, spec, exported, older)
  return { nativeId }
})

/** The one file of a bundle: plain, and of this session. */
const read = async (folder: string, sessionId: string): Promise<Exported> => {
  const names = await readdir(folder)
  const path = join(folder, exportFile)
  const isRight = names.length === 1 && names[0] === exportFile && (await lstat(path)).isFile()
  if (!isRight || (await lstat(path)).size > maxExportBytes) {
    throw new Error(`what was packed is no session of at most ${maxExportBytes} bytes`)
  }
  const exported = decodeExported(await readFile(path, "utf8"))
  const isItsOwn = exported.messages.every(({ info }) => info["sessionID"] === sessionId)
  if (!/^ses_\w+$/.test(sessionId) || exported.info["id"] !== sessionId || !isItsOwn) {
    throw new Error(`what was packed is not the session ${sessionId}`)
  }
  return exported
}

/** What a session is known by goes along; what it may do does not: rules, agent, what it is shared as. */
const infoFor = (info: Exported["info"], spec: RecordedSpec): Exported["info"] => {
  const kept = ["id", "slug", "title", "version", "time", "cost", "tokens", "summary", "model", "projectID"]
  return {
    ...Object.fromEntries(Object.entries(info).filter(([name]) => kept.includes(name))),
    directory: spec.cwd,
    ...(spec.agent === undefined ? {} : { agent: spec.agent }),
    ...(spec.permission === undefined ? {} : { permission: spec.permission })
  }
}

/** The same session under other ids, which sort as before: only their tails are others. */
const withOwnIds = (exported: Exported): Exported => {
  const own = new Set<unknown>([exported.info["id"]])
  for (const { info, parts } of exported.messages) {
    own.add(info["id"])
    for (const part of parts) own.add(part["id"])
  }
  const tail = randomBytes(idTail / 2).toString("hex")
  const text = JSON.stringify(exported, (_, value: unknown) =>
    typeof value === "string" && own.has(value) ? `${value.slice(0, -idTail)}${tail}` : value
  )
  return JSON.parse(text) as Exported
}

/** Puts it there in the place of an older state, which is there again where the scope ends with a failure. */
const bring = (server: OpencodeServer, spec: RecordedSpec, exported: Exported, older: Exported | undefined) =>
  Effect.gen(function* () {
    const path = `/session/${String(exported.info["id"])}`
    const remove = Effect.ignore(server.client.send("DELETE", path, Schema.Unknown))
    yield* Effect.acquireRelease(older === undefined ? Effect.void : remove, (_, exit) => {
      if (Exit.isSuccess(exit)) return Effect.void
      if (older === undefined) return remove
      const directory = String(older.info["directory"])
      return Effect.andThen(
        remove,
        importInto(server, directory, older).pipe(
          Effect.catch((error) => Effect.logWarning("a session of Opencode could not be put back", error))
        )
      )
    })
    yield* importInto(server, spec.cwd, exported)
    const found = yield* Effect.mapError(server.client.get(`${path}/message`, Schema.Array(Schema.Unknown)), refusedBy)
    if (found.length !== exported.messages.length) return yield* refused("Opencode did not import all of the session")
  })

/** Runs `opencode import` in a directory, on the server's own data. */
const importInto = ({ program }: OpencodeServer, directory: string, exported: Exported) =>
  program === undefined
    ? Effect.fail(refused("sessions cannot be brought to a server that runs already: let the backend start its own"))
    : Effect.acquireUseRelease(
        fileStep(async () => {
          const file = join(program.folder, `import-${randomBytes(8).toString("hex")}.json`)
          await writeFile(file, JSON.stringify(exported), { mode: 0o600 })
          return file
        }),
        (file) =>
          Effect.callback<void, BackendRefused>((resume) => {
            const options = {
              cwd: directory,
              env: { ...program.env },
              timeout: importMs,
              killSignal: "SIGKILL"
            } as const
            const child = execFile(program.path, ["import", file], options, (error, _, words) =>
              resume(
                error === null ? Effect.void : Effect.fail(refused(`${error.message}; ${words.slice(-500)}`, true))
              )
            )
            return Effect.callback<void>((ended) => {
              if (child.exitCode !== null || child.signalCode !== null) return ended(Effect.void)
              child.once("exit", () => ended(Effect.void))
              child.kill("SIGKILL")
            })
          }),
        (file) => Effect.promise(() => rm(file, { force: true }))
      )
