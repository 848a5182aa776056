/** How an app-server is started: which program, which home, which configuration, and what of the host's environment. */
import type { AgentRelease } from "@holdfast/process"
import { defaultPassedNames, makeEnvironment } from "@holdfast/process"
import { Schema } from "effect"
import { mkdirSync } from "node:fs"
import { homedir, tmpdir } from "node:os"
import { join, resolve, sep } from "node:path"

/** A value of Codex's configuration. */
export type ConfigValue =
  string | number | boolean | ReadonlyArray<ConfigValue> | { readonly [key: string]: ConfigValue }

/** Options of `codexBackend`. */
export interface CodexOptions {
  /** The name by which sessions refer to the backend, default `codex`. Two homes need two names. */
  readonly name?: string
  /**
   * Its sessions run on another machine, as in a sandbox: `check` looks at no folder of this one, and `open` does. For hosts that
   * only check specs. Default false.
   */
  readonly elsewhere?: boolean
  /** Path of the program. By default it is looked for on the PATH, then in the agents' folder. */
  readonly path?: string
  /** Where agents are installed, default `$HOLDFAST_AGENTS`, else `holdfast/agents` in the user's data directory. */
  readonly agentsFolder?: string
  /**
   * The folder with Codex's configuration, login and threads; made where there is none. Default `$CODEX_HOME`, else `~/.codex`.
   * Only one process may work on a thread: give a home to one backend.
   */
  readonly home?: string
  /** What the server, and so the commands that the agent runs, see of the environment. */
  readonly env?: {
    /**
     * Names, or beginnings with `*`, to pass on from the host's own besides {@link passedNames}. The variable that the
     * `env_key` of a model provider names has to be among them.
     */
    readonly pass?: ReadonlyArray<string>
    /** Values to set. */
    readonly values?: Readonly<Record<string, string>>
  }
  /**
   * Configuration for all threads, as with Codex's `-c`: by dotted key, such as `model_providers.mine.base_url`. It wins over
   * {@link defaultConfig} and over the home's `config.toml`. Not for secrets: it is visible in the list of processes.
   */
  readonly config?: Readonly<Record<string, ConfigValue>>
  /** Milliseconds that the server may take until it is ready. Default 30,000; it takes less than one. */
  readonly startTimeoutMs?: number
  /** Milliseconds that it may take to answer a request. Default 30,000; it takes less than one thousand. */
  readonly requestTimeoutMs?: number
  /** Longest line that is taken from the server, in bytes. Default 64 MiB. */
  readonly maxLineBytes?: number
}

const triples: Readonly<Record<string, string>> = {
  "linux-x64": "x86_64-unknown-linux-musl",
  "linux-arm64": "aarch64-unknown-linux-musl",
  "darwin-x64": "x86_64-apple-darwin",
  "darwin-arm64": "aarch64-apple-darwin",
  "win32-x64": "x86_64-pc-windows-msvc",
  "win32-arm64": "aarch64-pc-windows-msvc"
}

const platform = `${process.platform}-${process.arch}`

/**
 * The versions that are supported: 0.169 is what the adapter was written against. Older ones are refused, since they lack
 * requests that it needs; newer ones are used, with a warning in the session.
 */
export const codexRelease: AgentRelease = {
  name: "codex",
  package: "@openai/codex",
  version: "0.169.0",
  oldest: "0.169.0",
  untested: "0.170.0",
  // The package on npm is a launcher that may stay as a parent process; the program itself is in the platform's package.
  native: [
    join(
      "@openai",
      `codex-${platform}`,
      "vendor",
      triples[platform] ?? platform,
      "bin",
      process.platform === "win32" ? "codex.exe" : "codex"
    )
  ]
}

/** What is passed on of the host's environment besides what every program gets: the way to the network. */
export const passedNames: ReadonlyArray<string> = [
  ...["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"].flatMap((name) => [name, name.toLowerCase()]),
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "CODEX_CA_CERTIFICATE"
]

/**
 * What is configured unless the options say otherwise:
 * - a server of models that refuses connections ends the turn after some tries, where Codex would try for ever;
 * - variables with KEY, SECRET or TOKEN in their names do not reach the commands that the agent runs;
 * - there are no goals: with one a model makes Codex start turn after turn that nobody asked for;
 * - a thread that no session has open is unloaded at once, where Codex would keep its memory, and its lock against other
 *   processes, for long.
 */
export const defaultConfig: Readonly<Record<string, ConfigValue>> = {
  "features.goals": false,
  "features.unbounded_connection_retries": false,
  "shell_environment_policy.ignore_default_excludes": false,
  thread_unload_delay_secs: 0
}

/** All that a server is started with. */
export interface CodexLaunch {
  readonly home: string
  readonly args: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
  /** Why sandboxed commands will not run, where that is known. */
  readonly sandboxProblem: string | undefined
}

/** The home cannot be used. */
export class HomeUnusable extends Schema.TaggedError<HomeUnusable>("@holdfast/adapter-codex/HomeUnusable")(
  "HomeUnusable",
  { home: Schema.String, reason: Schema.String }
) {
  override get message() {
    return `the home of Codex, ${this.home}, cannot be used: ${this.reason}`
  }
}

/** Puts a launch together, and makes the home: Codex refuses one that it was told of and that is not there. */
export const makeLaunch = (options: CodexOptions): CodexLaunch | HomeUnusable => {
  const values = options.env?.values ?? {}
  const home = resolve(options.home ?? values["CODEX_HOME"] ?? process.env["CODEX_HOME"] ?? join(homedir(), ".codex"))
  try {
    mkdirSync(home, { recursive: true, mode: 0o700 })
  } catch (error) {
    return new HomeUnusable({ home, reason: error instanceof Error ? error.message : String(error) })
  }
  const env = makeEnvironment({
    host: process.env,
    pass: [...defaultPassedNames, ...passedNames, ...(options.env?.pass ?? [])],
    values: { ...values, CODEX_HOME: home }
  })
  const config = Object.entries({ ...defaultConfig, ...options.config })
  return {
    home,
    args: ["app-server", ...config.flatMap(([key, value]) => ["-c", `${key}=${toml(value)}`])],
    env,
    sandboxProblem: isBelow(home, env["TMPDIR"] ?? tmpdir())
      ? `CODEX_HOME (${home}) is below the directory for temporary files, where Codex puts no programs: every sandboxed command fails`
      : undefined
  }
}

const isBelow = (path: string, folder: string): boolean => `${path}${sep}`.startsWith(`${resolve(folder)}${sep}`)

/** As TOML writes it: like JSON, but for objects. */
const toml = (value: ConfigValue): string => {
  if (typeof value === "string") return JSON.stringify(value).replaceAll("\u007f", "\\u007f")
  if (typeof value !== "object") return String(value)
  if (isList(value)) return `[${value.map(toml).join(",")}]`
  return `{${Object.entries(value)
    .map(([key, each]) => `${toml(key)}=${toml(each)}`)
    .join(",")}}`
}

const isList = (value: object): value is ReadonlyArray<ConfigValue> => Array.isArray(value)
