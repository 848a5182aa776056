/** What is kept on disk of each sandbox and snapshot: enough to find and end it after any death of the host, and no secret. */
import { SessionId } from "@holdfast/core"
import type { SandboxRequest } from "@holdfast/core/cloud"
import { Schema } from "effect"
import { createHash } from "node:crypto"

const Identity = Schema.Struct({ pid: Schema.Int, startTime: Schema.String, host: Schema.String })

/** A sandbox. */
export const SandboxRecord = Schema.Struct({
  version: Schema.Literal(1),
  sandboxId: Schema.String,
  owner: Schema.String,
  sessionId: SessionId,
  generation: Schema.Int,
  createdAt: Schema.Number,
  isolation: Schema.Literals(["none", "bubblewrap"]),
  network: Schema.Literals(["none", "open"]),
  /** Processes at once, where that is limited. */
  processes: Schema.optionalKey(Schema.Int),
  /** The folder with the control plane's socket, where it has one. */
  socketFolder: Schema.optionalKey(Schema.String),
  /** The shell that runs the program and writes its log. */
  launcher: Schema.optionalKey(Identity),
  /** The program, or bubblewrap around it. */
  program: Schema.optionalKey(Identity)
})
export type SandboxRecord = typeof SandboxRecord.Type

/** A snapshot. */
export const SnapshotRecord = Schema.Struct({
  version: Schema.Literal(1),
  snapshotId: Schema.String,
  owner: Schema.String,
  sessionId: SessionId,
  createdAt: Schema.Number
})
export type SnapshotRecord = typeof SnapshotRecord.Type

/** The variable by which whatever runs in a sandbox is found; its value is the sandbox's id. */
export const sandboxMarkerName = "HOLDFAST_SANDBOX"

/** The folder of what a request names: the same for the same owner, session and generation. */
export const folderNameOf = ({ generation, owner, sessionId }: SandboxRequest): string =>
  createHash("sha256")
    .update(JSON.stringify([owner, sessionId, generation]))
    .digest("hex")
    .slice(0, 32)

/** The folder of a sandbox's id, which is `<folder>-<random>`; undefined where it cannot be an id of ours. */
export const folderNameIn = (sandboxId: string): string | undefined =>
  /^([0-9a-f]{32})-[0-9a-f]{8}$/.exec(sandboxId)?.[1]

/** Whether it can be a snapshot's id, and so the name of a folder. */
export const isSnapshotId = (snapshotId: string): boolean => /^[0-9a-f]{32}$/.test(snapshotId)
