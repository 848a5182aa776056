/** The sandbox's end of a handoff: what a session is packed into, cut into pieces, and put together again. */
import {
  type Backend,
  type BackendLost,
  BackendRefused,
  type BackendSession,
  historyFolder,
  type PackedSession,
  type SpecInvalid,
  type UnpackedSession,
  type UnpackRequest,
  workspaceFile
} from "@holdfast/core"
import { type BridgeBundle, bundlePieceBytes, type BundleFile, maxBundleBytes, pieceNames } from "@holdfast/core/cloud"
import { movedWorkspaces } from "@holdfast/git"
import { Effect } from "effect"
import { createHash } from "node:crypto"
import { createReadStream, createWriteStream } from "node:fs"
import { mkdir, readdir, rm, stat } from "node:fs/promises"
import { join } from "node:path"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import type { BridgeSettings } from "../BridgeSettings.ts"

/** A bundle whose pieces the host may fetch. */
export interface PackedBundle {
  readonly folder: string
  readonly bundle: BridgeBundle
}

/** The bundles of a bridge: one at a time, either way. */
export interface BridgeBundles {
  /** Packs an open session with the folder that it works in. */
  readonly pack: (
    session: BackendSession,
    folder: string | undefined,
    restart: boolean
  ) => Effect.Effect<PackedBundle, BackendRefused | BackendLost>
  /** Makes an empty folder for pieces. */
  readonly receive: Effect.Effect<string, BackendRefused>
  /** Puts the pieces that were received together, and the workspace where the session works. Gives where the bundle is. */
  readonly bring: (bundle: BridgeBundle) => Effect.Effect<string, BackendRefused>
  /** Has the inner backend take up the history of a bundle that was brought. */
  readonly takeUp: (
    backend: Backend,
    request: UnpackRequest
  ) => Effect.Effect<UnpackedSession, BackendRefused | BackendLost | SpecInvalid>
  /** Forgets what was received: the session is open. */
  readonly forget: Effect.Effect<void>
}

const refused = (reason: string, retryable: boolean) =>
  new BackendRefused({ backend: "bridge", command: "handoff", reason, retryable })

const fileStep = <A>(run: () => Promise<A>) =>
  Effect.tryPromise({
    try: run,
    catch: (error) => refused(error instanceof Error ? error.message : String(error), true)
  })

/** Makes them, below the bridge's own folder. */
export const makeBridgeBundles = ({ data, workspace }: Pick<BridgeSettings, "data" | "workspace">): BridgeBundles => {
  const workspaces = movedWorkspaces({ maxBytes: maxBundleBytes })
  const place = (name: "out" | "in" | "bundle" | "packing") => join(data, "handoff", name)
  const emptied = (name: Parameters<typeof place>[0]) =>
    fileStep(async () => {
      await rm(place(name), { recursive: true, force: true })
      await mkdir(place(name), { recursive: true, mode: 0o700 })
      return place(name)
    })
  const removed = (...names: ReadonlyArray<Parameters<typeof place>[0]>) =>
    Effect.promise(async () => {
      for (const name of names) await rm(place(name), { recursive: true, force: true }).catch(() => undefined)
    })

  return {
    pack: Effect.fnUntraced(function* (session, folder, restart) {
      const packing = yield* emptied("packing")
      const remembered: PackedSession =
        restart || session.pack === undefined ? {} : yield* session.pack({ folder: packing, restart })
      const packed = {
        ...remembered,
        workspace: yield* workspaces
          .pack(folder ?? workspace, join(packing, workspaceFile))
          .pipe(Effect.mapError((error) => refused(error.detail, error.retryable)))
      }
      const out = yield* emptied("out")
      return yield* fileStep(async () => {
        const files = [workspaceFile, ...(await historyOf(packing))]
        const cut: Array<BundleFile> = []
        for (const [index, path] of files.entries()) cut.push(await cutFile(packing, path, out, index))
        return { folder: out, bundle: { packed, files: cut } }
      }).pipe(Effect.ensuring(removed("packing")))
    }),
    receive: emptied("in"),
    bring: Effect.fnUntraced(function* ({ files, packed }) {
      const folder = yield* emptied("bundle")
      yield* fileStep(async () => {
        await mkdir(join(folder, historyFolder), { mode: 0o700 })
        for (const [index, file] of files.entries()) await joinFile(place("in"), index, folder, file)
      })
      if (packed.workspace === undefined) return folder
      const options = { packed: packed.workspace, known: undefined }
      // Whatever a sandbox was begun with is not the session's.
      yield* fileStep(async () => {
        for (const name of await readdir(workspace)) await rm(join(workspace, name), { recursive: true, force: true })
      })
      yield* Effect.scoped(workspaces.unpack(join(folder, workspaceFile), workspace, options)).pipe(
        Effect.mapError((error) => refused(error.detail, error.retryable))
      )
      return folder
    }),
    takeUp: (backend, request) =>
      Effect.suspend((): Effect.Effect<UnpackedSession, BackendRefused | BackendLost | SpecInvalid> => {
        const { kind } = request.packed
        if (kind === undefined) return Effect.succeed({})
        if (backend.unpack === undefined) {
          return Effect.fail(refused(`the ${backend.name} backend takes up no history of ${kind}`, false))
        }
        return Effect.scoped(backend.unpack(request))
      }),
    forget: removed("in", "bundle")
  }
}

const historyOf = async (folder: string): Promise<ReadonlyArray<string>> => {
  const names = await readdir(join(folder, historyFolder)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error
    return []
  })
  return names.map((name) => `${historyFolder}/${name}`)
}

/** Cuts a file into pieces. */
const cutFile = async (from: string, path: string, to: string, index: number): Promise<BundleFile> => {
  const source = join(from, path)
  const { size: bytes } = await stat(source)
  const digest = createHash("sha256")
  let at = 0
  for (const name of pieceNames(index, bytes)) {
    const end = Math.min(at + bundlePieceBytes, bytes)
    const piece = end === at ? Readable.from([]) : createReadStream(source, { start: at, end: end - 1 })
    await pipeline(piece, counted(digest), createWriteStream(join(to, name), { mode: 0o600 }))
    at = end
  }
  return { path, bytes, sha256: digest.digest("hex") }
}

/** Joins the pieces of a file. What is not what was sent is refused. */
const joinFile = async (
  from: string,
  index: number,
  to: string,
  { bytes, path, sha256 }: BundleFile
): Promise<void> => {
  const digest = createHash("sha256")
  let size = 0
  await pipeline(
    async function* () {
      for (const name of pieceNames(index, bytes)) {
        for await (const chunk of createReadStream(join(from, name)) as AsyncIterable<Buffer>) {
          size += chunk.byteLength
          if (size > bytes) throw new Error(`${path} is longer than the ${bytes} bytes that were said`)
          yield chunk
        }
      }
    },
    counted(digest),
    createWriteStream(join(to, path), { mode: 0o600 })
  )
  if (size !== bytes || digest.digest("hex") !== sha256) throw new Error(`${path} did not arrive whole`)
}

const counted = (digest: ReturnType<typeof createHash>) =>
  async function* (chunks: AsyncIterable<Buffer> | Readable) {
    for await (const chunk of chunks as AsyncIterable<Buffer>) {
      digest.update(chunk)
      yield chunk
    }
  }
