/**
 * How a bundle (see core's `Handoff.ts`) goes into a sandbox and comes out of it: cut into pieces that a provider's `putFile` and
 * `getFile` take, with the digest of each file beside them.
 */
import * as Schema from "effect/Schema"
import { historyFolder, PackedSession, workspaceFile } from "../Handoff.ts"

/** Bytes of a piece: 32 MiB, half of what providers take. */
export const bundlePieceBytes = 32 * 1024 * 1024

/** Most bytes of a bundle: 4 GiB. */
export const maxBundleBytes = 4 * 1024 * 1024 * 1024

/** Most files of a bundle. */
const maxFiles = 64

/** One file of a bundle. */
export const BundleFile = Schema.Struct({
  /** Below the bundle: the packed workspace, or a file of the history. */
  path: Schema.String.check(
    Schema.makeFilter((path: string) =>
      path === workspaceFile || (path.startsWith(`${historyFolder}/`) && /^[\w-][\w.-]{0,199}$/.test(path.slice(8)))
        ? undefined
        : `${workspaceFile}, or a plain name below ${historyFolder}`
    )
  ),
  bytes: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: maxBundleBytes })),
  sha256: Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/, { expected: "a SHA-256 in hex" }))
})
export type BundleFile = typeof BundleFile.Type

/** What a bundle is made of. */
export const BridgeBundle = Schema.Struct({
  packed: PackedSession,
  files: Schema.Array(BundleFile).check(
    Schema.isMaxLength(maxFiles),
    Schema.makeFilter((files: ReadonlyArray<{ readonly path: string; readonly bytes: number }>) => {
      if (new Set(files.map(({ path }) => path)).size < files.length) return "each file once"
      const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
      return bytes > maxBundleBytes ? `at most ${maxBundleBytes} bytes in all` : undefined
    })
  )
})
export type BridgeBundle = typeof BridgeBundle.Type

/** The names of a file's pieces, in order, by the file's place in the bundle: `0.0`, `0.1` … An empty file has one as well. */
export const pieceNames = (index: number, bytes: number): ReadonlyArray<string> =>
  Array.from({ length: Math.max(1, Math.ceil(bytes / bundlePieceBytes)) }, (_, piece) => `${index}.${piece}`)
