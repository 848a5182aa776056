/**
 * How a session moves from one backend to another: what the one leaves in a folder, and what the other makes of it. See
 * docs/handoff.md for the order of things.
 */
import * as Schema from "effect/Schema"
import type { SessionId } from "./Ids.ts"

/** The file of a bundle with the workspace, as a packer of workspaces wrote it. */
export const workspaceFile = "workspace.pack"

/** The file of a bundle that says what is in it: a {@link PackedSession} as JSON. */
export const bundleManifest = "bundle.json"

/** The folder of a bundle with what the agent itself remembers, in the agent's own files. */
export const historyFolder = "history"

/** What a packer of workspaces says of what it packed. */
export const PackedFolder = Schema.Struct({
  /** Where the folder that was packed is below the root of what was: empty, or `packages/app`. */
  prefix: Schema.String,
  /** Size of the packed file. */
  bytes: Schema.Int,
  /** Paths that did not come along, at most 1,000. */
  left: Schema.Array(Schema.String),
  /** Of all that was packed: two workspaces with the same one are the same. */
  fingerprint: Schema.String
})
export type PackedFolder = typeof PackedFolder.Type

/** What is in a bundle: a folder that a session was packed into. */
export const PackedSession = Schema.Struct({
  /**
   * Whose history is in it: `codex`, `opencode`. Only a backend of that kind takes it up. Absent: none, as of a program in a
   * terminal.
   */
  kind: Schema.optionalKey(Schema.String),
  /** The native session that the history is of. Absent: the agent does not remember anything yet. */
  nativeId: Schema.optionalKey(Schema.String),
  /** The workspace, in {@link workspaceFile}. Absent where there is none in the bundle. */
  workspace: Schema.optionalKey(PackedFolder)
})
export type PackedSession = typeof PackedSession.Type

/** What a backend is to pack. */
export interface PackRequest {
  /** An empty folder of this machine, for nobody else to read. */
  readonly folder: string
  /** The program is started anew in the new place: a session without a history can be packed, too. */
  readonly restart: boolean
}

/** What a backend is to take up. */
export interface UnpackRequest {
  readonly sessionId: SessionId
  /** The generation that it will be opened as. */
  readonly generation: number
  /** The checked spec. */
  readonly spec: unknown
  /** The bundle. */
  readonly folder: string
  /** Without `kind` where the program is to be started anew. */
  readonly packed: PackedSession
}

/** What a backend took up. */
export interface UnpackedSession {
  /** The spec to be logged, where it is another one now. */
  readonly spec?: unknown
  /** The native session to resume; absent where it starts afresh. */
  readonly nativeId?: string
}
