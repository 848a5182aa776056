/** Sandboxes as processes of this machine: nothing to install, apart from bubblewrap where they shall be kept apart. */
import type { SandboxProvider } from "@holdfast/core/cloud"
import { homedir } from "node:os"
import { join } from "node:path"
import { findBridgeProgram } from "./process/BridgeProgram.ts"
import { makeProcessProvider } from "./process/ProcessProvider.ts"

/** Options of {@link processSandboxes}. */
export interface ProcessSandboxesOptions {
  /**
   * Where sandboxes and snapshots are kept, for this user alone. Default `holdfast/sandboxes` in the user's data directory
   * (`$XDG_DATA_HOME`, else `~/.local/share`).
   */
  readonly folder?: string
  /**
   * - `bubblewrap`: own view of the file system, own processes; nothing starts where bubblewrap does not work.
   * - `none`: a home and a workspace of its own and nothing else; whatever runs in it may do what this user may.
   * - `auto`, the default: bubblewrap where it works, else none. The capabilities say which it became.
   */
  readonly isolation?: "auto" | "bubblewrap" | "none"
  /**
   * What runs in a sandbox: a program and its arguments, by absolute paths. Default the bridge of `@holdfast/bridge`, on the
   * Node that the host runs on.
   */
  readonly program?: ReadonlyArray<string>
  /**
   * Paths that bubblewrap shows read-only beside the system's folders and the program: the folder of an agent's program, for
   * one. Their content is readable for whatever runs in a sandbox.
   */
  readonly readable?: ReadonlyArray<string>
}

/**
 * The provider `process`. A sandbox is a process in a session of its own, with a home, a workspace and a folder for the
 * bridge below {@link ProcessSandboxesOptions.folder}. It goes on when the host ends, and is known again by its pid and
 * start time; what it prints is in `sandboxes/<…>/bridge.log` there, at most 1 MiB and the 1 MiB before.
 *
 * With bubblewrap it sees `/workspace`, `/home/holdfast`, `/var/lib/holdfast` and a `/tmp` of its own, the system's folders
 * read-only, and only its own processes. Limits: `network`, and `processes` unless the host is root. Without bubblewrap
 * there are none: a request with limits is refused as unsupported. Needs Linux or macOS.
 */
export const processSandboxes = (options: ProcessSandboxesOptions = {}): SandboxProvider =>
  makeProcessProvider({
    folder: options.folder ?? join(dataHome(), "holdfast", "sandboxes"),
    isolation: options.isolation ?? "auto",
    program: options.program === undefined ? findBridgeProgram : () => ({ words: options.program! }),
    readable: options.readable ?? []
  })

const dataHome = () => process.env["XDG_DATA_HOME"] ?? join(process.env["HOME"] ?? homedir(), ".local", "share")
