/**
 * A session's repository, where it is: inside the sandbox, or on this machine. What changes it is done with the repository's
 * own hooks off; what speaks to a server reads nothing of the repository's configuration, since the agent writes that.
 */
import type { CommitAuthor, SessionId, WorkspaceChange } from "@holdfast/core"
import type { WorkspaceSpec } from "@holdfast/core/cloud"
import type { Effect } from "effect"
import type { AskCredentials } from "./CredentialBroker.ts"
import type { GitError, PushRefused } from "./GitError.ts"

/** How a workspace is prepared. */
export interface PrepareOptions {
  readonly sessionId: SessionId
  readonly credentials: AskCredentials
  /** Told of what is being done, in a line for people, at most four times a second. What it costs, preparing waits for. */
  readonly onProgress?: (line: string) => Effect.Effect<void>
  /** The environment that git gets what it may have of: where programs, proxies and certificates are. Default the process's. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** How long speaking to the server may take in all, in milliseconds. Default 30 minutes; silence of 60 s ends it sooner. */
  readonly timeoutMs?: number
}

/**
 * `prepareWorkspace(folder, spec, options)`: clones into an absent or empty folder, or fetches where the folder is a clone of
 * the repository already, and goes on the session's branch. Repeating it is safe: local branches, commits and changes are
 * kept as they are. What it had made in the folder is removed if it fails or is interrupted.
 */
export type PrepareWorkspace = (
  folder: string,
  spec: WorkspaceSpec,
  options: PrepareOptions
) => Effect.Effect<GitWorkspace, GitError>

/** Where the work tree stands. */
export interface WorkspaceHead {
  /** Null before the first commit. */
  readonly sha: string | null
  /** Null where no branch is checked out. */
  readonly branch: string | null
}

/** A repository that is worked in. Each call has a deadline and ends all that it started when it is interrupted. */
export interface GitWorkspace {
  readonly folder: string
  /** The session's own branch. */
  readonly branch: string
  /** The branch it began from; null where the repository had no branch at all. */
  readonly base: string | null
  /** Preparing has made the branch just now, and it is new: neither the folder nor the remote had it. */
  readonly isNewBranch: boolean
  /**
   * Commits all changes, those of files that are not ignored and not known yet too; null where there are none. Author and
   * committer are the one who is given; `Holdfast` where nobody is. Hooks of the repository do not run.
   */
  readonly commit: (message: string, author?: CommitAuthor) => Effect.Effect<string | null, GitError>
  /** Pushes the session's branch; `force` does so over what was last seen of the remote branch, and over nothing newer. */
  readonly push: (options?: {
    readonly force?: boolean
  }) => Effect.Effect<{ readonly branch: string; readonly sha: string }, GitError | PushRefused>
  /** Local and fetched branches by name, without a remote's name: at most 10,000. */
  readonly branches: Effect.Effect<
    { readonly current: string; readonly base: string | null; readonly branches: ReadonlyArray<string> },
    GitError
  >
  /** Files that differ from where the branch left its base, uncommitted and untracked ones too: at most 10,000. */
  readonly changes: Effect.Effect<
    { readonly changes: ReadonlyArray<WorkspaceChange>; readonly truncated: boolean },
    GitError
  >
  /** The same as a unified diff of at most 1 MiB, of one file or folder if `path` is given. Binary files are only named. */
  readonly diff: (path?: string) => Effect.Effect<{ readonly diff: string; readonly truncated: boolean }, GitError>
  readonly head: Effect.Effect<WorkspaceHead, GitError>
}
