/** How a program is run in a sandbox of this machine: its words, environment and folder, with bubblewrap around it or not. */
import type { SandboxProviderError } from "@holdfast/core/cloud"
import { findProgram, makeEnvironment } from "@holdfast/process"
import { Effect } from "effect"
import { mkdir, writeFile } from "node:fs/promises"
import { delimiter, join } from "node:path"
import { type Fail, fileFailure } from "../provider/ProviderErrors.ts"
import { sandboxPlaces, sandboxUser } from "../provider/SandboxPlaces.ts"
import { bubblewrapArgs } from "./Bubblewrap.ts"
import { sandboxMarkerName, type SandboxRecord } from "./SandboxRecord.ts"
import type { SandboxFolders } from "./SandboxStore.ts"

/** Names of the host's environment that a sandbox is given: how to find programs, and the user's language. */
const passedNames = ["PATH", "LANG", "LANGUAGE", "LC_*", "TZ"]

/** What to run in a sandbox. */
export interface Inside {
  readonly words: ReadonlyArray<string>
  readonly environment: Readonly<Record<string, string>>
  /** As the sandbox sees it; its workspace unless given. */
  readonly cwd?: string | undefined
}

/** The same for the host. */
export interface Outside {
  readonly words: ReadonlyArray<string>
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
}

/** What all sandboxes of a provider have in common. */
export interface ViewOptions {
  readonly folder: string
  readonly bubblewrap: string | undefined
  readonly prlimit: string | undefined
  /** Folders in which programs are found after those of the host's PATH. */
  readonly path: ReadonlyArray<string>
  /** What the sandboxes' program is made of, and further paths to show. */
  readonly readable: ReadonlyArray<string>
}

/** The folders as the sandbox sees them. */
export const placesOf = (record: SandboxRecord, folders: SandboxFolders) =>
  record.isolation === "bubblewrap"
    ? { home: sandboxPlaces.home, workspace: sandboxPlaces.workspace, data: sandboxPlaces.data, tmp: "/tmp" }
    : { home: folders.home, workspace: folders.workspace, data: folders.data, tmp: folders.tmp }

/** Makes what is shown of users inside. Done at each start: somebody may have cleaned up. */
const usersOf = async (folder: string) => {
  const users = join(folder, "users")
  await mkdir(users, { recursive: true, mode: 0o700 })
  const { id, name } = sandboxUser
  const files = { passwd: join(users, "passwd"), group: join(users, "group"), empty: join(users, "empty") }
  await writeFile(files.passwd, `${name}:x:${id}:${id}::${sandboxPlaces.home}:/bin/sh\n`)
  await writeFile(files.group, `${name}:x:${id}:\n`)
  await writeFile(files.empty, "")
  return files
}

/** Puts it together. `cwd` of a plain sandbox must exist; a missing program is told of by the shell's exit code 127. */
export const enter = Effect.fnUntraced(function* (
  fail: Fail,
  options: ViewOptions,
  record: SandboxRecord,
  folders: SandboxFolders,
  inside: Inside
): Effect.fn.Return<Outside, SandboxProviderError> {
  const places = placesOf(record, folders)
  const isApart = record.isolation === "bubblewrap"
  const env = makeEnvironment({
    host: { ...process.env, PATH: [process.env["PATH"], ...options.path].filter(Boolean).join(delimiter) },
    pass: isApart ? passedNames : [...passedNames, "USER", "LOGNAME", "SHELL"],
    values: {
      TMPDIR: places.tmp,
      ...(isApart ? { USER: sandboxUser.name, LOGNAME: sandboxUser.name, SHELL: "/bin/sh" } : {}),
      ...inside.environment,
      HOME: places.home,
      HOLDFAST_WORKSPACE: places.workspace,
      [sandboxMarkerName]: record.sandboxId
    }
  })
  const cwd = inside.cwd ?? places.workspace
  // The shell says what the system would have said, by its exit code and on stderr: 126, 127.
  const words = ["/bin/sh", "-c", 'cd -- "$1" || exit 126; shift; exec "$@"', "sh", cwd, ...inside.words]
  if (!isApart) return { words, cwd: folders.all, env }
  if (options.bubblewrap === undefined) {
    return yield* fail("unsupported", "the sandbox was made with bubblewrap, which does not work here any more")
  }
  const users = yield* Effect.tryPromise({
    try: () => usersOf(options.folder),
    catch: (cause) => fileFailure(fail, cause, `${options.folder} cannot be written to`)
  })
  const args = bubblewrapArgs({
    folders,
    network: record.network,
    socketFolder: record.socketFolder,
    readable: options.readable,
    users,
    cwd: "/"
  })
  const limited =
    record.processes === undefined || options.prlimit === undefined
      ? words
      : [options.prlimit, `--nproc=${record.processes}:${record.processes}`, "--", ...words]
  return { words: [options.bubblewrap, ...args, ...limited], cwd: "/", env }
})

/** The first word of a program as a path that exists, or why there is none. */
export const programProblem = (words: ReadonlyArray<string>): string | undefined => {
  const [command = ""] = words
  const found = findProgram(command, "/", { PATH: process.env["PATH"] ?? "" })
  return "path" in found ? undefined : `the sandbox's program: expected ${found.expected}`
}
