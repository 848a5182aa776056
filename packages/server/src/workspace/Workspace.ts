/**
 * What somebody may do in the directory that a session works in: look at its files, change them, and run a command. A
 * contract, because a sandbox has another implementation of it; the local one is `LocalWorkspaces`.
 */
import type { SessionId } from "@holdfast/core"
import { Context, type Effect, Schema, type Scope, type Stream } from "effect"

/** Why something in a workspace cannot be done. */
export const WorkspaceReason = Schema.Literals([
  /** The session has no workspace, or it is not there any more. */
  "no_workspace",
  /** A path or another value is not valid: empty or too long, with `..`, NUL, or absolute. */
  "invalid",
  /** A link leads out of the workspace. */
  "outside",
  "not_found",
  /** There is something by that name already. */
  "exists",
  /** Something else than a file (a directory, a pipe, a device, a socket) where a file is needed. */
  "not_a_file",
  /** Something else than a directory where a directory is needed. */
  "not_a_directory",
  /** A directory that is to be removed has something in it. */
  "not_empty",
  /** Larger than the limit that the message states. */
  "too_large",
  /** It is not what the condition says any more: somebody changed it. */
  "changed",
  /** The system does not permit it to the user that the server runs as. */
  "denied",
  /** No room, or no descriptor, is left on the machine. */
  "full",
  /** As many commands run in this session already as may. */
  "busy",
  /** The program is not there, or may not be run. */
  "no_program",
  /** This kind of workspace cannot do it. */
  "unsupported",
  /** What the system says that is none of these; the detail has its code. */
  "failed"
])
export type WorkspaceReason = typeof WorkspaceReason.Type

/** Something in a workspace cannot be done. The message never tells of anything outside it. */
export class WorkspaceError extends Schema.TaggedError<WorkspaceError>("@holdfast/server/WorkspaceError")(
  "WorkspaceError",
  {
    reason: WorkspaceReason,
    /** As it was given. */
    path: Schema.String,
    /** What happened and what to do, for people. */
    detail: Schema.String
  }
) {
  override get message() {
    return this.detail
  }
}

/** Bounds of what a workspace does at once. */
export const workspaceLimits = {
  /** Largest file that is written, and largest piece that is read: 64 MiB. It passes in small pieces and is never held. */
  maxFileBytes: 64 * 1024 * 1024,
  /** Most entries of a page of a directory. */
  maxListPage: 1_000,
  /** Most bytes of a path: what Linux takes. */
  maxPathBytes: 4_096,
  /** Most links that lead from one to another in one path: what Linux takes. */
  maxLinks: 40,
  /** Most entries that one `remove` takes away: a build folder of a large project, and no more than some ten seconds. */
  maxRemoved: 200_000,
  /** Time of a command unless it says so, and the most: 60 s and 10 min. */
  defaultTimeoutMs: 60_000,
  maxTimeoutMs: 600_000,
  /** Bytes of each of a command's two outputs that are kept, from its beginning: 1 MiB. */
  maxOutputBytes: 1024 * 1024,
  /** Bytes of a command's input: 1 MiB. */
  maxInputBytes: 1024 * 1024,
  /** Commands that run at once in a session's workspace; one more is `busy`. */
  maxCommands: 4
} as const

/** What something in a workspace is. `other`: pipes, sockets and devices, which can be listed and removed, no more. */
export const FileKind = Schema.Literals(["file", "directory", "link", "other"])
export type FileKind = typeof FileKind.Type

/**
 * What is known of something in a workspace without reading it.
 */
export const FileFacts = Schema.Struct({
  /** From the workspace's root, with `/` between names; empty for the root. */
  path: Schema.String,
  /** The last of its names; empty for the root. */
  name: Schema.String,
  /** In a listing a link is a `link`; elsewhere links are followed. */
  kind: FileKind,
  /** In bytes. */
  size: Schema.Number,
  /** In milliseconds since 1970. */
  modifiedAt: Schema.Number,
  executable: Schema.Boolean,
  /** What a link in a listing says, as it stands there. */
  target: Schema.optionalKey(Schema.String)
})
export type FileFacts = typeof FileFacts.Type

/** SHA-256 of a file's content, in 64 lower-case hexadecimal digits: what conditions are about, and fit for an `ETag`. */
export const ContentHash = Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/))
export type ContentHash = typeof ContentHash.Type

/**
 * A page of a directory, sorted by name (by UTF-16 code units). Left out is what was removed while it was read, and what has
 * a name that is no UTF-8, which nobody could ask for.
 */
export const DirectoryPage = Schema.Struct({
  path: Schema.String,
  entries: Schema.Array(FileFacts),
  /** How many there are on all pages. */
  total: Schema.Int,
  /** `after` of the next page; left out on the last. */
  next: Schema.optionalKey(Schema.String)
})
export type DirectoryPage = typeof DirectoryPage.Type

/** Which part of a directory. */
export interface ListOptions {
  /** Only names after this one. */
  readonly after?: string
  /** 1 to 1,000, which is the default. */
  readonly limit?: number
}

/** Which part of a file. */
export interface ReadOptions {
  /** First byte, default 0. Past the end, nothing is read. */
  readonly offset?: number
  /** Bytes, default up to the end. */
  readonly length?: number
}

/** A file that is being read. */
export interface FileContent {
  readonly facts: FileFacts
  /** Of the whole file; null where it is larger than 64 MiB, of which pieces can be read. */
  readonly hash: ContentHash | null
  /** What is read of it. */
  readonly offset: number
  readonly length: number
  /**
   * Exactly `length` bytes, of the content that `hash` is of; it fails with `changed` where the file is written to while it
   * is read. To be run while the scope is open.
   */
  readonly bytes: Stream.Stream<Uint8Array, WorkspaceError>
}

/** On what a change depends. */
export type Condition =
  /** The file has this content. */
  | { readonly ifHash: ContentHash }
  /** There is something by that name. */
  | { readonly ifExists: true }
  /** There is nothing by that name. */
  | { readonly ifMissing: true }

/** How a file is written. */
export interface WriteOptions {
  /** Default: in any case. It fails with `changed`, `not_found` or `exists`. */
  readonly condition?: Condition
  /** Makes the directories that are missing on the way. Default false. */
  readonly createDirectories?: boolean
}

/** A file that was written. */
export const WrittenFile = Schema.Struct({ facts: FileFacts, hash: ContentHash, created: Schema.Boolean })
export type WrittenFile = typeof WrittenFile.Type

/** How something is removed. */
export interface RemoveOptions {
  /** Only a file with this content. */
  readonly ifHash?: ContentHash
  /** A directory with all that is in it; links in it are removed and not followed. Default false. */
  readonly recursive?: boolean
}

/**
 * The files of a workspace. Paths are relative to its root, with `/` between names; the root is the empty path. Nothing
 * outside is read or written, whatever links say and whoever changes them meanwhile.
 */
export interface WorkspaceFiles {
  readonly facts: (path: string) => Effect.Effect<FileFacts, WorkspaceError>
  readonly list: (path: string, options?: ListOptions) => Effect.Effect<DirectoryPage, WorkspaceError>
  /** Opens a file; closing the scope closes it. */
  readonly read: (path: string, options?: ReadOptions) => Effect.Effect<FileContent, WorkspaceError, Scope.Scope>
  /**
   * Puts a whole file in place at once: whoever reads sees the old content or the new, and an interrupted or failed write
   * changes nothing. A link is followed; the mode of a file that was there is kept.
   */
  readonly write: <E>(
    path: string,
    content: Stream.Stream<Uint8Array, E>,
    options?: WriteOptions
  ) => Effect.Effect<WrittenFile, WorkspaceError | E>
  /** Makes a directory, and those missing on the way. One that is there is left as it is. */
  readonly createDirectory: (path: string) => Effect.Effect<FileFacts, WorkspaceError>
  /** Removes a file, a link (not what it leads to) or an empty directory. The root cannot be removed. */
  readonly remove: (path: string, options?: RemoveOptions) => Effect.Effect<void, WorkspaceError>
}

/** A command to run once. */
export interface ExecRequest {
  /** A name on the PATH, or a path from the directory that it runs in. With `shell`, a line for the system's shell. */
  readonly command: string
  readonly args?: ReadonlyArray<string>
  /** Default false: nothing in `command` or `args` is interpreted. */
  readonly shell?: boolean
  /** A directory of the workspace to run in, default its root. */
  readonly directory?: string
  /** What it reads from its standard input, which then ends. */
  readonly input?: string | Uint8Array
  /** 1 to 600,000, default 60,000. Then it is ended with all that it started. */
  readonly timeoutMs?: number
}

/** What a command did. */
export interface ExecResult {
  /** Null where a signal ended it. */
  readonly exitCode: number | null
  readonly signal: string | null
  /** The first 1 MiB. */
  readonly stdout: Uint8Array
  readonly stderr: Uint8Array
  /** There was more of either. The command was not held up by that. */
  readonly truncated: boolean
  /** It was ended because its time was over. */
  readonly timedOut: boolean
  readonly durationMs: number
}

/** One-off commands in a workspace. They can do whatever the session's own programs can: the workspace is no fence for them. */
export interface WorkspaceExec {
  /**
   * Runs a command to its end. Interrupting ends it with all that it started, and nothing that it started is left running
   * when it has ended by itself.
   */
  readonly run: (request: ExecRequest) => Effect.Effect<ExecResult, WorkspaceError>
}

/** A session's workspace. */
export interface Workspace {
  readonly files: WorkspaceFiles
  readonly exec: WorkspaceExec
}

/** Whose workspace: a part of the session's summary. */
export interface WorkspaceOwner {
  readonly sessionId: SessionId
  readonly workspace: string | null
}

/** Finds the workspace of a session. Who may use it is for the caller to check. */
export class Workspaces extends Context.Service<
  Workspaces,
  {
    /** Fails with `no_workspace`. */
    readonly of: (session: WorkspaceOwner) => Effect.Effect<Workspace, WorkspaceError>
  }
>()("@holdfast/server/Workspaces") {}
