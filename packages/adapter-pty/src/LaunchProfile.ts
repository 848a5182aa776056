/** How a known program is started, resumed and understood. */
import type { BackendEvent } from "@holdfast/core"
import { userInfo } from "node:os"

/** What a profile may look at to start its program. */
export interface LaunchRequest {
  /** As the host gave it. */
  readonly command: string | undefined
  readonly args: ReadonlyArray<string>
  readonly cwd: string
  /** The environment that the program will have. */
  readonly env: Readonly<Record<string, string>>
}

/** What to start. */
export interface Launch {
  readonly command: string
  readonly args: ReadonlyArray<string>
}

/** What is wrong with a request: the field, and what it should have been. */
export interface LaunchProblem {
  readonly field: "command" | "args" | "cwd" | "env"
  readonly expected: string
}

/** A known program. Hosts hand further ones to `ptyBackend`. */
export interface LaunchProfile {
  /** By which specs refer to it. */
  readonly name: string
  readonly launch: (request: LaunchRequest) => Launch | LaunchProblem
  /** Goes on with a native session of the program. Where it is missing, sessions cannot be resumed. */
  readonly resume?: (request: LaunchRequest, nativeId: string) => Launch | LaunchProblem
  /**
   * For one opening: makes of each event what the log should have of it, itself included or not. Structure comes from what
   * the program says of itself (its reports, its exit), never from text that people read.
   */
  readonly understand?: () => (event: BackendEvent) => ReadonlyArray<BackendEvent>
  /** A title for a session of it, where the host gives none. */
  readonly title?: (launch: Launch) => string
}

const baseName = (path: string) => path.split(/[/\\]/).at(-1) ?? path

const userShell = (env: Readonly<Record<string, string>>): string =>
  env["SHELL"] ||
  (process.platform === "win32" ? env["ComSpec"] || "cmd.exe" : userInfo({ encoding: "utf8" }).shell || "/bin/sh")

/**
 * An interactive shell: the spec's command, or the user's own shell. Arguments go to the shell; without any it is
 * interactive because it is in a terminal.
 */
export const shellProfile: LaunchProfile = {
  name: "shell",
  launch: ({ command, args, env }) => ({ command: command ?? userShell(env), args }),
  title: ({ command }) => baseName(command)
}

/** One command, until it ends. */
export const commandProfile: LaunchProfile = {
  name: "command",
  launch: ({ command, args }) =>
    command === undefined ? { field: "command", expected: "the program to run" } : { command, args },
  title: ({ command, args }) => [baseName(command), ...args].join(" ").slice(0, 120)
}
