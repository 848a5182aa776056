/** Paths as callers write them, and what can be said of them without looking at any disk. */
import { WorkspaceError, workspaceLimits, type WorkspaceReason } from "./Workspace.ts"

/** Names from a workspace's root on; none for the root itself. */
export type Names = ReadonlyArray<string>

/** A path that is shown in a message: long ones are cut. */
const shown = (path: string): string =>
  path === "" ? "The workspace's root" : path.length > 200 ? `${path.slice(0, 200)}…` : path

/** An error about a path; the detail goes on where the path ends. */
export const pathError = (reason: WorkspaceReason, path: string, rest: string): WorkspaceError =>
  new WorkspaceError({ reason, path, detail: `${shown(path)} ${rest}` })

const isWindows = process.platform === "win32"

/**
 * Takes a path apart. `.` and doubled slashes are let go; everything that could lead elsewhere is refused here already, in
 * plain form only: `%2e%2e` is a name like any other, since whoever carried it has decoded it once.
 */
export const namesOf = (path: string): Names | WorkspaceError => {
  const invalid = (rest: string) => pathError("invalid", path, rest)
  if (path.includes("\0")) return new WorkspaceError({ reason: "invalid", path: "", detail: "A path has a NUL in it" })
  if (!path.isWellFormed()) return invalid("is no text that a name can be made of")
  if (Buffer.byteLength(path) > workspaceLimits.maxPathBytes) {
    return invalid(`is longer than ${workspaceLimits.maxPathBytes} bytes`)
  }
  if (path.startsWith("/")) return invalid("is absolute: give it from the workspace's root on")
  // On Windows these separate names, too, and name drives and streams.
  if (isWindows && /[\\:]/.test(path)) return invalid("has \\ or : in it: separate names with /")
  const names = path.split("/").filter((name) => name !== "" && name !== ".")
  if (names.includes("..")) return invalid("has .. in it: give it from the workspace's root on")
  return names
}

/** The path of names. */
export const pathOf = (names: Names): string => names.join("/")

const reasons: { readonly [code: string]: readonly [WorkspaceReason, string] } = {
  ENOENT: ["not_found", "is not there"],
  ENOTDIR: ["not_a_directory", "is, or leads through, something that is no directory"],
  EISDIR: ["not_a_file", "is a directory"],
  EEXIST: ["exists", "is there already"],
  ENOTEMPTY: ["not_empty", "has something in it: remove it with all that is in it, or empty it first"],
  ENAMETOOLONG: ["invalid", "has a name that is too long for the file system"],
  EACCES: ["denied", "may not be used by the user that the server runs as"],
  EPERM: ["denied", "may not be used by the user that the server runs as"],
  EROFS: ["denied", "is on a file system that can only be read"],
  ETXTBSY: ["denied", "is a program that is running"],
  ENOSPC: ["full", "finds no room: the disk is full"],
  EDQUOT: ["full", "finds no room: the quota is used up"],
  EMFILE: ["full", "cannot be opened: the server has too many files open. Try again"],
  ENFILE: ["full", "cannot be opened: the machine has too many files open. Try again"],
  ENXIO: ["not_a_file", "is no file"],
  ESTALE: ["changed", "was changed while it was used. Try again"],
  ELOOP: ["changed", "was replaced by a link meanwhile. Try again"]
}

/** What the system said, in a caller's terms: its own messages name paths outside the workspace. */
export const systemError = (path: string, error: unknown): WorkspaceError => {
  if (error instanceof WorkspaceError) return error
  const code = (error as NodeJS.ErrnoException).code
  const known = code === undefined ? undefined : reasons[code]
  if (known !== undefined) return pathError(known[0], path, known[1])
  if (code === undefined) throw error
  return pathError("failed", path, `cannot be used: the system says ${code}`)
}
