/**
 * An image from this machine's own programs: where no registry can be reached, and for tests. It is this machine's Node,
 * shell, git and small programs with the libraries that they need, and the bridge.
 */
import type { SandboxProviderError } from "@holdfast/core/cloud"
import { findProgram } from "@holdfast/process"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { constants, createReadStream, existsSync, lstatSync, readlinkSync, realpathSync } from "node:fs"
import { chmod, copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { basename, dirname, join, resolve } from "node:path"
import { promisify } from "node:util"
import { type Fail, failing, fileFailure, within } from "../provider/ProviderErrors.ts"
import { sandboxPlaces, sandboxUser } from "../provider/SandboxPlaces.ts"
import { makeEngine } from "./Engine.ts"
import type { DockerEngineOptions } from "./EngineOptions.ts"
import { followImport } from "./ImageStream.ts"

/** Options of {@link buildLocalImage}. */
export interface LocalImageOptions {
  readonly engine?: DockerEngineOptions
  /** The bridge's one file, `holdfast-bridge.mjs`. */
  readonly program: string
  /** Further files of this machine to put in: programs are put in with their libraries. */
  readonly files?: ReadonlyArray<{ readonly from: string; readonly to: string }>
  /** Default `holdfast/sandbox`. */
  readonly name?: string
}

/** How long it may take: 5 minutes, for some 200 MB. */
const buildDeadline = 300_000

/** Programs that must be there, by name on the PATH. */
const needed = "sh cat chmod cp env find git grep head ls mkdir mv rm sed setsid sleep tail tar touch tr wc"

/** Those that are put in where this machine has them. */
const welcome =
  "bash basename chgrp chown cut date dd diff dirname du expr false gzip hostname id kill less ln md5sum mktemp nice nproc printf ps pwd " +
  "readlink realpath rmdir seq sha256sum sort ssh stat stty tee test timeout true uname uniq vi whoami xargs yes"

/** Files that make these programs work. */
const files = [
  "/etc/nsswitch.conf",
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/terminfo",
  "/lib/terminfo",
  "/usr/share/git-core/templates",
  "/usr/share/terminfo/x",
  "/usr/share/terminfo/t",
  "/usr/share/terminfo/s"
]

const execute = promisify(execFile)

/** The libraries of a program, and what loads them; none of a script or a program without any. */
const librariesOf = async (program: string): Promise<ReadonlyArray<string>> => {
  try {
    const { stdout } = await execute("ldd", [program], { env: { ...process.env, LC_ALL: "C" } })
    return [...stdout.matchAll(/(?:=> |^\s*)(\/\S+)/gm)].map(([, path]) => path!)
  } catch {
    return []
  }
}

/** A path without links in its folders, and all that it leads to over links, relative to the root. */
const withLinks = (path: string): ReadonlyArray<string> => {
  const found: Array<string> = []
  for (let at = path; ;) {
    const plain = join(realpathSync(dirname(at)), basename(at))
    found.push(plain.slice(1))
    if (!lstatSync(plain).isSymbolicLink()) return found
    at = resolve(dirname(plain), readlinkSync(plain))
  }
}

/** Everything that is taken over where it is, relative to the root. */
const systemPaths = async (fail: Fail): Promise<ReadonlyArray<string> | SandboxProviderError> => {
  const env = { PATH: process.env["PATH"] ?? "" }
  const programs: Array<string> = []
  for (const [names, isNeeded] of [
    [needed, true],
    [welcome, false]
  ] as const) {
    for (const name of names.split(" ")) {
      const found = findProgram(name, "/", env)
      if ("path" in found) programs.push(found.path)
      else if (isNeeded)
        return fail("invalid", `an image from this machine's programs needs ${name}: ${found.expected}`)
    }
  }
  const gitPrograms = (await execute("git", ["--exec-path"])).stdout.trim()
  const inside = (await readdir(gitPrograms)).map((each) => join(gitPrograms, each))
  const libraries = new Set<string>()
  for (const program of [
    process.execPath,
    ...programs,
    ...inside.filter((each) => /git-remote-http$|git-http-/.test(each))
  ]) {
    for (const library of await librariesOf(program)) libraries.add(library)
  }
  const all = [...programs, ...libraries, ...files.filter((file) => existsSync(file)), gitPrograms]
  // On most systems these are links into /usr.
  const links = ["bin", "sbin", "lib", "lib32", "lib64"].filter(
    (name) => existsSync(`/${name}`) && lstatSync(`/${name}`).isSymbolicLink()
  )
  return [...new Set([...links, ...all.flatMap(withLinks)])].toSorted()
}

const { id, name: user } = sandboxUser

/** What is not taken over as it is. */
const stage = async (folder: string, { files: more = [], program }: LocalImageOptions) => {
  const put = async (from: string, to: string, mode?: number) => {
    const place = join(folder, to)
    await mkdir(dirname(place), { recursive: true })
    await copyFile(from, place, constants.COPYFILE_FICLONE)
    if (mode !== undefined) await chmod(place, mode)
  }
  const write = async (to: string, text: string) => {
    await mkdir(dirname(join(folder, to)), { recursive: true })
    await writeFile(join(folder, to), text)
  }
  for (const each of ["dev", "proc", "run", "sys", "tmp", "var/tmp"])
    await mkdir(join(folder, each), { recursive: true })
  for (const each of ["tmp", "var/tmp"]) await chmod(join(folder, each), 0o1777)
  await put(process.execPath, "usr/local/bin/node", 0o755)
  await put(program, sandboxPlaces.program, 0o644)
  await write("etc/passwd", `root:x:0:0:root:/root:/bin/sh\n${user}:x:${id}:${id}::${sandboxPlaces.home}:/bin/sh\n`)
  await write("etc/group", `root:x:0:\n${user}:x:${id}:\n`)
  for (const { from, to } of more) {
    await put(from, to)
    for (const library of await librariesOf(from)) {
      for (const path of withLinks(library)) await put(realpathSync(`/${path}`), path)
    }
  }
}

/** The folders of the sandbox's own user. */
const owned = [sandboxPlaces.home, sandboxPlaces.workspace, sandboxPlaces.data]

/** Writes the image's file system as a tar. */
const pack = async (folder: string, paths: ReadonlyArray<string>, options: LocalImageOptions): Promise<string> => {
  const [system, own] = [join(folder, "system"), join(folder, "own")]
  const tar = join(folder, "image.tar")
  await mkdir(system)
  await stage(system, options)
  for (const place of owned) await mkdir(join(own, place), { recursive: true })
  const list = join(folder, "list")
  await writeFile(list, paths.join("\n"))
  const plain = ["--owner=0", "--group=0", "--numeric-owner"]
  await execute("tar", ["-cf", tar, ...plain, "-C", "/", "-T", list, "-C", system, "."])
  const mine = [`--owner=${id}`, `--group=${id}`, "--numeric-owner", "--no-recursion"]
  await execute("tar", ["-rf", tar, ...mine, "-C", own, ...owned.map((place) => place.slice(1))])
  return tar
}

/** Builds it, and gives its name. Linux only; needs GNU tar and ldd. Some 200 MB. */
export const buildLocalImage = (options: LocalImageOptions): Effect.Effect<string, SandboxProviderError> => {
  const fail = failing("docker", "build an image")
  const { name = "holdfast/sandbox" } = options
  const attempt = <A>(what: string, evaluate: () => Promise<A>) =>
    Effect.tryPromise({ try: evaluate, catch: (cause) => fileFailure(fail, cause, what) })
  return Effect.gen(function* () {
    if (process.platform !== "linux") return yield* fail("unsupported", "the programs of this machine are not Linux's")
    const paths = yield* attempt("this machine's programs", () => systemPaths(fail))
    if (!Array.isArray(paths)) return yield* Effect.fail(paths as SandboxProviderError)
    const engine = makeEngine(options.engine ?? {})
    yield* Effect.acquireUseRelease(
      attempt("no temporary folder", () => mkdtemp(join(tmpdir(), "holdfast-image-"))),
      (folder) =>
        Effect.flatMap(
          attempt("the image's files", () => pack(folder, paths, options)),
          (tar) =>
            engine.call(fail, async (docker, abortSignal) => {
              const changes = [
                "ENV PATH=/usr/local/bin:/usr/bin:/bin",
                `USER ${user}`,
                `WORKDIR ${sandboxPlaces.workspace}`,
                `CMD ["node","${sandboxPlaces.program}"]`
              ]
              const answer = await docker.importImage(createReadStream(tar), { repo: name, changes, abortSignal })
              await followImport(docker, answer)
            })
        ),
      (folder) => attempt("a temporary folder", () => rm(folder, { recursive: true, force: true }))
    )
    return name
  }).pipe(within(fail, buildDeadline))
}
