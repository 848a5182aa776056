/** What a host gives a runtime whose sessions can be moved. */
import type { PackedFolder } from "@holdfast/core"
import type { Effect, Scope } from "effect"

/** Packs folders that sessions of this machine work in. `@holdfast/git` has one. */
export interface WorkspacePacker {
  /** Packs a folder into a file, with what git knows of it; the folder is only read. */
  readonly pack: (folder: string, file: string) => Effect.Effect<PackedFolder, Error>
  /**
   * Makes the same workspace in a folder, which may be absent, empty, or have an older state of it. Whatever else was in there is
   * kept beside it. Gives where that is. If it fails, or the scope ends with a failure, the folder is as it was.
   */
  readonly unpack: (
    file: string,
    folder: string,
    how: {
      /** The state that was packed. */
      readonly packed: PackedFolder
      /** A state that need not be kept: the one that the session left there. */
      readonly known: string | undefined
    }
  ) => Effect.Effect<{ readonly aside?: string }, Error, Scope.Scope>
}

/** How sessions are moved. */
export interface HandoffOptions {
  /**
   * Where sessions are packed to on their way: a folder of the host's, made if absent, for nobody else to read. Not one that is
   * emptied at a restart: a sandbox takes what it needs from here when it is there.
   */
  readonly folder: string
  readonly workspaces: WorkspacePacker
}
