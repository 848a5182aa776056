/** Finds the program of a coding agent: by explicit path, on the PATH, or in the folder where agents are installed. */
import { Effect, Schema } from "effect"
import { execFile } from "node:child_process"
import { readFileSync, realpathSync } from "node:fs"
import { homedir } from "node:os"
import { join, sep } from "node:path"
import { findProgram } from "./Program.ts"

/** How long a program may take to tell its version: 15 s, which is many times what a large one needs on a busy machine. */
const versionTimeoutMs = 15_000

/** An agent that is published on npm with native programs. */
export interface AgentRelease {
  /** The program's name on the PATH. */
  readonly name: string
  /** The npm package that brings it, and the version to install. */
  readonly package: string
  readonly version: string
  /** The oldest version that is supported; older ones are refused. */
  readonly oldest: string
  /** The first version that was not tested: from it on a warning is due, and nothing more. */
  readonly untested: string
  /** Paths of the native program below a `node_modules` folder, best first. */
  readonly native: ReadonlyArray<string>
}

/** Where to look. */
export interface AgentSearch {
  /** The program's path; then nothing else is looked at. */
  readonly path?: string | undefined
  /** Where agents are installed, default {@link agentsFolder}. */
  readonly folder?: string | undefined
  /** The environment whose PATH counts, default the host's own. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
}

/** A program that was found. */
export interface AgentProgram {
  readonly path: string
  readonly version: string
  /** It is newer than what was tested. */
  readonly isUntested: boolean
}

/** There is no usable program of the agent; the message says what to do. */
export class AgentUnavailable extends Schema.TaggedError<AgentUnavailable>("@holdfast/process/AgentUnavailable")(
  "AgentUnavailable",
  {
    name: Schema.String,
    reason: Schema.Literals(["missing", "too old", "unusable"]),
    detail: Schema.String,
    /** The command that installs it. */
    install: Schema.String
  }
) {
  override get message() {
    return `${this.name} is ${this.reason}: ${this.detail}. Install it with: ${this.install}`
  }
}

/** The folder where agents are installed: `$HOLDFAST_AGENTS`, or `holdfast/agents` in the user's data directory. */
export const agentsFolder = (env: Readonly<Record<string, string | undefined>> = process.env): string =>
  env["HOLDFAST_AGENTS"] ??
  join(env["XDG_DATA_HOME"] ?? join(env["HOME"] ?? homedir(), ".local", "share"), "holdfast", "agents")

/**
 * Finds the agent's program and its version: what npm's package of a native program states, which takes no time, or what the
 * program says when it is asked.
 */
export const findAgent = Effect.fn("findAgent")(function* (
  release: AgentRelease,
  search: AgentSearch = {}
): Effect.fn.Return<AgentProgram, AgentUnavailable> {
  const env = search.env ?? process.env
  const folder = search.folder ?? agentsFolder(env)
  const install = `npm install --prefix ${quoted(folder)} ${release.package}@${release.version}`
  const unavailable = (reason: AgentUnavailable["reason"], detail: string) =>
    new AgentUnavailable({ name: release.name, reason, detail, install })

  const path = locate(release, search.path, env, folder)
  if ("expected" in path) return yield* unavailable("missing", path.expected)
  const version = yield* Effect.tryPromise({
    try: async (signal) => statedVersion(release, path.path) ?? (await askVersion(path.path, env, signal)),
    catch: (cause) =>
      unavailable("unusable", `${path.path} --version: ${String(cause instanceof Error ? cause.message : cause)}`)
  })
  if (compareVersions(version, release.oldest) < 0) {
    return yield* unavailable("too old", `${path.path} is ${version}, and ${release.oldest} or newer is needed`)
  }
  return { path: path.path, version, isUntested: compareVersions(version, release.untested) >= 0 }
})

const quoted = (text: string): string => (/^[\w./@-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`)

const locate = (
  release: AgentRelease,
  path: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
  folder: string
): { readonly path: string } | { readonly expected: string } => {
  const given = Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined)
  )
  if (path !== undefined) {
    const found = findProgram(path, process.cwd(), given)
    return "path" in found ? { path: nativeOf(release, found.path) } : { expected: `expected ${found.expected}` }
  }
  const onPath = findProgram(release.name, process.cwd(), given)
  if ("path" in onPath) return { path: nativeOf(release, onPath.path) }
  const installed = nativeIn(release, join(folder, "node_modules"))
  return installed === undefined ? { expected: `there is none on the PATH and none in ${folder}` } : { path: installed }
}

const nativeIn = (release: AgentRelease, nodeModules: string): string | undefined => {
  for (const native of release.native) {
    const found = findProgram(join(nodeModules, native), "/", {})
    if ("path" in found) return found.path
  }
  return undefined
}

/** npm puts a launcher on the PATH, which may stay as a parent process that takes the signals: its native program is taken. */
const nativeOf = (release: AgentRelease, path: string): string => {
  const real = realpathSync(path)
  const home = `${sep}node_modules${sep}${release.package.replace("/", sep)}${sep}`
  const at = real.lastIndexOf(home)
  if (at === -1) return path
  const outer = real.slice(0, at + `${sep}node_modules`.length)
  const inner = join(real.slice(0, at + home.length), "node_modules")
  return nativeIn(release, inner) ?? nativeIn(release, outer) ?? path
}

/** The version in the package of a native program; undefined of a program from elsewhere. */
const statedVersion = ({ native }: AgentRelease, path: string): string | undefined => {
  const below = native.find((each) => path.endsWith(join(sep, "node_modules", each)))
  if (below === undefined) return undefined
  const [, name] = /^(@[^/]+\/[^/]+|[^/]+)\//.exec(below) as unknown as [string, string]
  const file = join(path.slice(0, path.length - join(below).length), name, "package.json")
  try {
    const { version } = JSON.parse(readFileSync(file, "utf8")) as { readonly version?: unknown }
    return versionPattern.exec(String(version))?.[0]
  } catch {
    // Nothing says so: the program has to.
    return undefined
  }
}

const versionPattern = /\d+\.\d+\.\d+/

const askVersion = (
  path: string,
  env: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal
): Promise<string> =>
  new Promise((resolve, reject) => {
    const options = { env, signal, timeout: versionTimeoutMs, killSignal: "SIGKILL", maxBuffer: 64 * 1024 } as const
    execFile(path, ["--version"], options, (error, stdout) => {
      const version = versionPattern.exec(stdout)?.[0]
      if (version !== undefined) resolve(version)
      else reject(error ?? new Error(`it printed ${JSON.stringify(stdout.slice(0, 200))}`))
    }).stdin?.end()
  })

/** Compares `1.2.3` with `1.10.0` by their numbers. */
const compareVersions = (one: string, other: string): number => {
  const [left, right] = [one, other].map((version) => version.split(".").map(Number)) as [Array<number>, Array<number>]
  for (let at = 0; at < 3; at++) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
