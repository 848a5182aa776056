/** The files of a session's workspace, over HTTP. */
import type { DirectoryAnswer, FileAnswer, WrittenAnswer } from "@holdfast/core"
import type { CallOptions } from "./CallOptions.ts"

/** A file's content. */
export interface FileContent {
  readonly bytes: Uint8Array
  /** SHA-256 of the whole file, to write it back with `ifHash`; null where the server does not say. */
  readonly hash: string | null
}

/** On what a write depends; without any of them it is done in any case. */
export interface WriteFileOptions extends CallOptions {
  /** The file still has this content. */
  readonly ifHash?: string
  /** There is nothing by that name yet. */
  readonly ifMissing?: boolean
}

/** A file to upload. */
export interface UploadFile {
  readonly name: string
  readonly content: Blob | Uint8Array | string
}

/**
 * Files. Paths are relative to the workspace, with `/` between names; the root is the empty path. All reject with
 * `ClientError`: `not_found`, `invalid` for a path that is none or leads out of the workspace, `illegal_state` where a
 * condition does not hold (any more), `too_large`, `forbidden`.
 */
export interface SessionFiles {
  /** A page of a directory, sorted by name: at most 1,000 entries; `after` is the `next` of the page before. */
  readonly list: (
    path?: string,
    options?: CallOptions & { readonly after?: string; readonly limit?: number }
  ) => Promise<DirectoryAnswer>
  /** What something is, links followed. */
  readonly facts: (path: string, options?: CallOptions) => Promise<FileAnswer>
  readonly read: (path: string, options?: CallOptions) => Promise<FileContent>
  /** Puts a whole file in place at once. */
  readonly write: (path: string, content: string | Uint8Array, options?: WriteFileOptions) => Promise<WrittenAnswer>
  /** Puts files into a directory, the root unless given. */
  readonly upload: (
    files: ReadonlyArray<UploadFile>,
    path?: string,
    options?: CallOptions
  ) => Promise<ReadonlyArray<WrittenAnswer>>
}
