/**
 * A workspace as one file, to be taken somewhere else: what git knows of it and what is in its files, but nothing that could
 * run there or that opens doors: no hooks, no configuration but remotes and branches, no credentials.
 */
import type { Effect } from "effect"
import type { GitError } from "./GitError.ts"

/** How a workspace is packed or unpacked. */
export interface PackOptions {
  /** The most bytes, of the files and of the packed file; past it `too_large`. Default 1 GiB. */
  readonly maxBytes?: number
  /** As in `PrepareOptions`. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Default 10 minutes. */
  readonly timeoutMs?: number
}

/** What was packed or unpacked. */
export interface PackedWorkspace {
  /** `folder`: no repository, just its files. */
  readonly kind: "git" | "folder"
  /**
   * Where the folder that was packed is below the root of its repository, which is packed as a whole: empty, or `packages/app`.
   * Unpacked, the folder to work in is this one below the folder that was given.
   */
  readonly prefix: string
  /** Size of the packed file. */
  readonly bytes: number
  /**
   * Paths that did not come along, at most 1,000: repositories inside of this one, submodules' files, sockets. Ignored files
   * do not come along either and are not named.
   */
  readonly left: ReadonlyArray<string>
}

/**
 * `packWorkspace(folder, intoFile)`: HEAD, branches, tags, stash, what is staged, what is changed, what is untracked and not
 * ignored; of a folder that is no repository all files. The folder is only read. It fails in the middle of a rebase
 * (`unfinished`); a merge with its conflicts comes along.
 */
export type PackWorkspace = (
  folder: string,
  intoFile: string,
  options?: PackOptions
) => Effect.Effect<PackedWorkspace, GitError>

/**
 * `unpackWorkspace(file, folder)`: makes the same workspace in a folder that is absent or empty, and leaves that as it was if
 * it fails. The file need not be trusted.
 */
export type UnpackWorkspace = (
  file: string,
  folder: string,
  options?: PackOptions
) => Effect.Effect<PackedWorkspace, GitError>
