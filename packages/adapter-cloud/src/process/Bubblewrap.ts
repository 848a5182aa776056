/** bubblewrap (bwrap(1)): whether it works here, and the arguments by which it keeps a sandbox apart. */
import { findProgram } from "@holdfast/process"
import { spawnSync } from "node:child_process"
import { existsSync, realpathSync } from "node:fs"
import { sandboxPlaces, sandboxUser } from "../provider/SandboxPlaces.ts"
import type { SandboxFolders } from "./SandboxStore.ts"

/** Folders of the system that are shown read-only. Nothing of the user's own: no home, no /var, no /run, no /root. */
const systemFolders = [
  "/usr",
  "/bin",
  "/sbin",
  "/lib",
  "/lib32",
  "/lib64",
  "/libx32",
  "/etc",
  "/opt",
  "/nix/store",
  "/run/current-system",
  // Where /etc/resolv.conf leads to on most systems.
  "/run/systemd/resolve",
  "/run/NetworkManager/resolv.conf",
  "/run/resolvconf"
]

/** Files of /etc that only root may read: a host that runs as root would show them. */
const hiddenFiles = ["/etc/shadow", "/etc/gshadow", "/etc/shadow-", "/etc/gshadow-"]

/** How long the trial may take: 5 s, a hundred times what it does. */
const trialTimeout = 5_000

/** bubblewrap's path, or why it cannot be used. */
export type Bubblewrap = { readonly path: string } | { readonly problem: string }

/** Looks for bubblewrap and tries it: many systems forbid the namespaces that it needs. */
export const findBubblewrap = (): Bubblewrap => {
  if (process.platform !== "linux") return { problem: "bubblewrap is for Linux only" }
  const found = findProgram("bwrap", "/", { PATH: process.env["PATH"] ?? "" })
  if (!("path" in found)) return { problem: "bubblewrap is not installed (Debian and Ubuntu: apt install bubblewrap)" }
  const args = [
    ...namespaces,
    "--unshare-net",
    "--ro-bind",
    "/",
    "/",
    "--proc",
    "/proc",
    "--dev",
    "/dev",
    "/bin/sh",
    "-c",
    ":"
  ]
  const { error, status, stderr } = spawnSync(found.path, args, { encoding: "utf8", timeout: trialTimeout })
  if (status === 0) return { path: found.path }
  return { problem: `bubblewrap does not work here: ${(error?.message ?? stderr.trim()) || `exit code ${status}`}` }
}

const namespaces = [
  "--unshare-user",
  "--unshare-pid",
  "--unshare-ipc",
  "--unshare-uts",
  "--unshare-cgroup-try",
  "--uid",
  String(sandboxUser.id),
  "--gid",
  String(sandboxUser.id),
  "--cap-drop",
  "ALL"
]

/** What is shown of the host. */
export interface BubblewrapView {
  readonly folders: SandboxFolders
  readonly network: "none" | "open"
  /** Shown at {@link sandboxPlaces.controlPlane}. */
  readonly socketFolder: string | undefined
  /** Further paths to show read-only where they are on the host. */
  readonly readable: ReadonlyArray<string>
  /** Files that take the place of the host's: `/etc/passwd`, `/etc/group`, and an empty one. */
  readonly users: { readonly passwd: string; readonly group: string; readonly empty: string }
  readonly cwd: string
}

const isBelow = (path: string, folder: string) => path === folder || path.startsWith(`${folder}/`)

/** The arguments, up to the program. */
export const bubblewrapArgs = (view: BubblewrapView): ReadonlyArray<string> => {
  const { folders, users } = view
  const shown = view.readable.filter((path) => !systemFolders.some((folder) => isBelow(path, folder)))
  return [
    ...namespaces,
    ...(view.network === "none" ? ["--unshare-net"] : []),
    "--hostname",
    "sandbox",
    ...systemFolders.flatMap((folder) => ["--ro-bind-try", folder, folder]),
    ...hiddenFiles.filter((file) => existsSync(file)).flatMap((file) => ["--ro-bind", users.empty, file]),
    "--ro-bind",
    users.passwd,
    "/etc/passwd",
    "--ro-bind",
    users.group,
    "/etc/group",
    "--proc",
    "/proc",
    "--dev",
    "/dev",
    "--bind",
    folders.tmp,
    "/tmp",
    "--bind",
    folders.home,
    sandboxPlaces.home,
    "--bind",
    folders.workspace,
    sandboxPlaces.workspace,
    "--bind",
    folders.data,
    sandboxPlaces.data,
    ...(view.socketFolder === undefined ? [] : ["--ro-bind", view.socketFolder, sandboxPlaces.controlPlane]),
    ...shown.flatMap((path) => ["--ro-bind", path, path]),
    // What is left is a file system in memory, which nobody is to fill.
    "--remount-ro",
    "/",
    "--chdir",
    view.cwd,
    "--"
  ]
}

/** The files of a program's words that must be shown for it to start: those that are absolute paths, and where they lead. */
export const filesOf = (program: ReadonlyArray<string>): ReadonlyArray<string> => [
  ...new Set(
    program.filter((word) => word.startsWith("/") && existsSync(word)).flatMap((word) => [word, realpathSync(word)])
  )
]
