/** Brings the bundles of sessions that move into sandboxes and out of them, piece by piece. What comes out is not trusted. */
import { bundleManifest, historyFolder, PackedSession, workspaceFile } from "@holdfast/core"
import {
  type BridgeBundle,
  bundlePieceBytes,
  type BundleFile,
  pieceNames,
  type SandboxProvider,
  type SandboxProviderError
} from "@holdfast/core/cloud"
import { Data, Effect, Schema } from "effect"
import { createHash } from "node:crypto"
import { mkdir, open, readdir, readFile } from "node:fs/promises"
import { join } from "node:path"

/** A bundle that did not get there. */
export class NotCarried extends Data.TaggedError("NotCarried")<{
  readonly reason: string
  readonly retryable: boolean
}> {}

/** Carries the bundles of one provider's sandboxes. */
export interface BundleCarrier {
  /** Puts the pieces of a bundle into a folder of a sandbox; gives what the bridge has to be told of it. */
  readonly send: (bundle: string, sandboxId: string, into: string) => Effect.Effect<BridgeBundle, NotCarried>
  /** Fetches what a bridge has packed into a folder of its sandbox. Every size and digest has to be as it said. */
  readonly fetch: (
    sandboxId: string,
    from: string,
    bundle: BridgeBundle,
    into: string
  ) => Effect.Effect<PackedSession, NotCarried>
}

const decodeManifest = Schema.decodeUnknownSync(Schema.fromJsonString(PackedSession))

const step = <A>(run: () => Promise<A>) =>
  Effect.tryPromise({
    try: run,
    catch: (error) =>
      new NotCarried({ reason: error instanceof Error ? error.message : String(error), retryable: true })
  })

/** What another sandbox would not change. All else may be that this one has just gone. */
const finalFailures: ReadonlySet<SandboxProviderError["failure"]> = new Set(["forbidden", "exhausted", "unsupported"])

const failed = ({ failure, message }: SandboxProviderError) =>
  new NotCarried({ reason: message, retryable: !finalFailures.has(failure) })

/** Makes a carrier. */
export const makeBundleCarrier = (provider: SandboxProvider): BundleCarrier => {
  /** Reads a file of a bundle piece by piece. */
  const sendFile = (bundle: string, path: string, index: number, sandboxId: string, into: string) =>
    Effect.acquireUseRelease(
      step(() => open(join(bundle, path))),
      (file) =>
        Effect.gen(function* () {
          const { size: bytes } = yield* step(() => file.stat())
          const digest = createHash("sha256")
          for (const name of pieceNames(index, bytes)) {
            const piece = yield* step(() => readPiece(file))
            digest.update(piece)
            yield* Effect.mapError(provider.putFile(sandboxId, `${into}/${name}`, piece, 0o600), failed)
          }
          return { path, bytes, sha256: digest.digest("hex") } satisfies BundleFile
        }),
      (file) => Effect.promise(() => file.close())
    )

  const fetchFile = (sandboxId: string, from: string, file: BundleFile, index: number, into: string) =>
    Effect.acquireUseRelease(
      step(() => open(join(into, file.path), "wx", 0o600)),
      (target) =>
        Effect.gen(function* () {
          const digest = createHash("sha256")
          let left = file.bytes
          for (const name of pieceNames(index, file.bytes)) {
            const piece = yield* Effect.mapError(provider.getFile(sandboxId, `${from}/${name}`), failed)
            if (piece.byteLength !== Math.min(left, bundlePieceBytes)) return yield* notWhole(file)
            left -= piece.byteLength
            digest.update(piece)
            yield* step(() => target.writeFile(piece))
          }
          if (digest.digest("hex") !== file.sha256) return yield* notWhole(file)
        }),
      (target) => Effect.promise(() => target.close())
    )

  return {
    send: Effect.fnUntraced(function* (bundle, sandboxId, into) {
      const { names, packed } = yield* step(async () => ({
        packed: decodeManifest(await readFile(join(bundle, bundleManifest), "utf8")),
        names: await readdir(join(bundle, historyFolder)).catch(ifAbsent)
      }))
      const paths = [
        ...(packed.workspace === undefined ? [] : [workspaceFile]),
        ...names.map((name) => `${historyFolder}/${name}`)
      ]
      const files = yield* Effect.forEach(paths, (path, index) => sendFile(bundle, path, index, sandboxId, into))
      return { packed, files }
    }),
    fetch: Effect.fnUntraced(function* (sandboxId, from, { files, packed }, into) {
      yield* step(() => mkdir(join(into, historyFolder), { recursive: true, mode: 0o700 }))
      yield* Effect.forEach(files, (file, index) => fetchFile(sandboxId, from, file, index, into), { discard: true })
      return packed
    })
  }
}

const readPiece = async (file: Awaited<ReturnType<typeof open>>): Promise<Uint8Array> => {
  const piece = Buffer.alloc(bundlePieceBytes)
  let at = 0
  while (at < bundlePieceBytes) {
    const { bytesRead } = await file.read(piece, at, bundlePieceBytes - at)
    if (bytesRead === 0) break
    at += bytesRead
  }
  return piece.subarray(0, at)
}

const ifAbsent = (error: NodeJS.ErrnoException): ReadonlyArray<string> => {
  if (error.code !== "ENOENT") throw error
  return []
}

const notWhole = ({ path }: BundleFile) =>
  Effect.fail(new NotCarried({ reason: `${path} is not what its sandbox said it is`, retryable: false }))
