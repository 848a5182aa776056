/** The Opencode server that all sessions of a backend share: one that it starts, or one that runs already. */
import { BackendLost, makeUuid } from "@holdfast/core"
import {
  agentsFolder,
  defaultPassedNames,
  findAgent,
  findProgram,
  makeEnvironment,
  type ServerProcess,
  startServer,
  type Started
} from "@holdfast/process"
import { Deferred, Effect, RcMap, Schema, type Scope } from "effect"
import { randomBytes } from "node:crypto"
import { createServer } from "node:net"
import { delimiter, dirname, join } from "node:path"
import { makeOpencodeClient, type OpencodeAddress, type OpencodeClient, type OpencodeError } from "./OpencodeClient.ts"
import { type OpencodeEvents, openOpencodeEvents } from "./OpencodeEvents.ts"
import { opencodeRelease } from "./OpencodeRelease.ts"
import { makePrivateFolder } from "./PrivateFolder.ts"

/** Where the server of a backend comes from. */
export interface OpencodeServerOptions {
  /** The program; otherwise it is looked for on the PATH and in `agentsFolder`. */
  readonly path?: string
  /** The folder where agents are installed, default `$HOLDFAST_AGENTS` or `holdfast/agents` in the user's data folder. */
  readonly agentsFolder?: string
  /** What the server, and with it every command that the agent runs, is given of the host's environment. */
  readonly env?: {
    /** Names to pass on besides the usual ones (`defaultPassedNames`), which hold no keys; `AWS_*` passes all that begin so. */
    readonly pass?: ReadonlyArray<string>
    readonly values?: Readonly<Record<string, string>>
  }
  /** Where Opencode keeps its things, in place of the user's own folders. One server a data folder: two run one session twice. */
  readonly directories?: {
    readonly config?: string
    readonly data?: string
    readonly state?: string
    readonly cache?: string
  }
  /**
   * Configuration besides the user's own and the project's, in the form of `opencode.json`: over the first, under the second.
   * It is handed over in a private file, so that keys in it are not in the environment of the agent's commands.
   */
  readonly config?: Readonly<Record<string, unknown>>
  /** Milliseconds from the start of the server until it says that it listens. Default 30,000; it takes 1 s on an idle machine. */
  readonly startDeadlineMs?: number
  /** A server that runs already. Then nothing is started or stopped, and the other options do not count. */
  readonly server?: OpencodeAddress
}

/** A server that answers. */
export interface OpencodeServer {
  readonly client: OpencodeClient
  readonly version: string
  /** It is newer than what was tested. */
  readonly isUntested: boolean
  /** The process, where it is ours. */
  readonly process: OpencodeProcess | undefined
  /** What was started, to be run for other things with the same data; undefined of a server that ran already. */
  readonly program: OpencodeProgram | undefined
  /** The events of a directory, shared by all who ask for them; open while the scope is. */
  readonly events: (directory: string) => Effect.Effect<OpencodeEvents, OpencodeError, Scope.Scope>
  /** Completes with the reason when it has died, or was given up. */
  readonly died: Effect.Effect<string>
  /** It lives and does not answer. Where it is ours it is ended, so that the next one who asks gets another. */
  readonly giveUp: (reason: string) => void
}

/** The program of a server of ours. */
export interface OpencodeProgram {
  readonly path: string
  readonly env: Readonly<Record<string, string>>
  /** A folder for nobody else to read, which goes with the server. */
  readonly folder: string
}

/** A process of ours, as the log is told of it. */
export interface OpencodeProcess {
  readonly server: ServerProcess
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly cwd: string
  /** Names of the variables that it has. */
  readonly env: ReadonlyArray<string>
}

/** Another program may take the port between its choice and its use. */
const portTries = 5

/** A clean stop: aborting what runs, then SIGTERM, with 2 s for the server and as long for what it left. */
const stopGraceMs = 6_000
const disposeDeadlineMs = 3_000

/** Characters of the server's output that are looked through for the line that says that it listens. */
const maxOutputTail = 8_192

/** Variables that are ours to set. */
export const reservedNames: ReadonlyArray<string> = [
  "OPENCODE_SERVER_PASSWORD",
  "OPENCODE_SERVER_USERNAME",
  "OPENCODE_CONFIG"
]

/**
 * A plugin, which the server runs before anything of a directory. The password is needed in the environment when the server
 * starts, and from then on it would be in that of every command; it is taken away. (On Linux a process can still read with
 * which environment its parent was started, in `/proc`: that needs intent, and an agent with intent has the user's rights.)
 */
const plugin = `for (const name of ${JSON.stringify(reservedNames)}) delete process.env[name]
export const Holdfast = async () => ({})
`

const Health = Schema.Struct({ healthy: Schema.Boolean, version: Schema.String })

const lost = (reason: string, retryable: boolean, cause?: unknown) =>
  new BackendLost({ backend: "opencode", reason, retryable, ...(cause === undefined ? {} : { cause }) })

/** Starts the server, or finds the one that runs. The scope's end stops what was started. */
export const startOpencode = (
  options: OpencodeServerOptions
): Effect.Effect<Started<OpencodeServer>, BackendLost, Scope.Scope> =>
  options.server === undefined ? startOwn(options) : findRunning(options.server)

const findRunning = Effect.fnUntraced(function* (
  address: OpencodeAddress
): Effect.fn.Return<Started<OpencodeServer>, BackendLost, Scope.Scope> {
  const client = yield* makeOpencodeClient(address)
  const health = yield* Effect.mapError(client.get("/global/health", Health), (error) =>
    lost(`the server at ${address.url} cannot be used: ${error.message}`, error.reason === "unreachable", error)
  )
  const version = /\d+\.\d+\.\d+/.exec(health.version)?.[0] ?? "0.0.0"
  const { oldest, untested } = opencodeRelease()
  if (compareVersions(version, oldest) < 0) {
    const reason = `the server at ${address.url} is Opencode ${health.version}, and ${oldest} or newer is needed`
    return yield* lost(reason, false)
  }
  const isUntested = compareVersions(version, untested) >= 0
  return yield* makeServer({ client, version, isUntested, process: undefined, program: undefined }, Effect.never)
})

const startOwn = Effect.fnUntraced(function* (
  options: OpencodeServerOptions
): Effect.fn.Return<Started<OpencodeServer>, BackendLost, Scope.Scope> {
  const agents = options.agentsFolder ?? agentsFolder()
  const given = environmentOf(options, agents)
  const program = yield* Effect.mapError(
    findAgent(opencodeRelease(), { path: options.path, folder: agents, env: given }),
    (error) => lost(error.message, false, error)
  )
  const folder = yield* Effect.mapError(
    makePrivateFolder({ "opencode.json": configText(options.config), "holdfast.js": plugin }),
    (error) => lost(error.message, true, error)
  )
  const configFile = join(folder, "opencode.json")
  const password = randomBytes(24).toString("base64url")
  const env = { ...given, OPENCODE_CONFIG: configFile, OPENCODE_SERVER_PASSWORD: password }

  const attempt = (triesLeft: number): Effect.Effect<Listening, BackendLost, Scope.Scope> =>
    Effect.gen(function* () {
      const args = ["serve", "--hostname", "127.0.0.1", "--port", String(yield* freePort)]
      const server = yield* startServer({
        command: program.path,
        args,
        cwd: folder,
        env,
        marker: `opencode:${makeUuid()}`,
        stop: "SIGTERM",
        graceMs: stopGraceMs,
        keeper: true
      }).pipe(Effect.mapError((error) => lost(error.message, true, error)))
      const url = yield* awaitReady(server, options.startDeadlineMs ?? 30_000)
      if (url !== undefined) return { server, args, url }
      // With --port 0 it would take 4096 wherever that is free: a port that others look for servers at.
      if (server.lastWords().includes("ServeError") && triesLeft > 1) return yield* attempt(triesLeft - 1)
      return yield* lost(`it ended while it was being started: ${lastWordsOf(server)}`, true)
    })
  const { server, args, url } = yield* attempt(portTries)
  const client = yield* makeOpencodeClient({ url, password })
  const { version } = yield* Effect.mapError(client.get("/global/health", Health), (error) =>
    lost(`the server that was started does not answer: ${error.message}`, true, error)
  )
  const died = Effect.map(
    server.exited,
    ({ exitCode, signal }) =>
      `its server ended ${signal === null ? `with exit code ${exitCode}` : `by ${signal}`}${wordsAfter(server)}`
  )
  const process: OpencodeProcess = {
    server,
    command: program.path,
    args,
    cwd: folder,
    env: Object.keys(env).toSorted()
  }
  // Before SIGTERM, which kills at once: what runs is aborted, so that it is stored as such.
  yield* Effect.addFinalizer(() =>
    Effect.ignore(
      Effect.interruptible(client.send("POST", "/global/dispose", Schema.Unknown, { deadlineMs: disposeDeadlineMs }))
    )
  )
  const { isUntested, path } = program
  return yield* makeServer(
    { client, version, isUntested, process, program: { path, env: { ...given, OPENCODE_CONFIG: configFile }, folder } },
    died
  )
})

interface Listening {
  readonly server: ServerProcess
  readonly args: ReadonlyArray<string>
  readonly url: string
}

const makeServer = Effect.fnUntraced(function* (
  found: Omit<OpencodeServer, "events" | "died" | "giveUp">,
  ended: Effect.Effect<string>
): Effect.fn.Return<Started<OpencodeServer>, never, Scope.Scope> {
  const streams = yield* RcMap.make({
    lookup: (directory: string) => openOpencodeEvents(found.client, directory),
    // A session that is reopened at once finds the stream of the one before.
    idleTimeToLive: 1_000
  })
  const givenUp = Deferred.makeUnsafe<string>()
  const died = Effect.raceFirst(ended, Deferred.await(givenUp))
  const giveUp = (reason: string) => Deferred.doneUnsafe(givenUp, Effect.succeed(reason))
  // Of a server that is not ours no exit tells; its streams end here all the same.
  yield* Effect.addFinalizer(() => Effect.sync(() => giveUp("the backend was released")))
  const server: OpencodeServer = {
    ...found,
    events: (directory) => RcMap.get(streams, directory),
    died,
    giveUp
  }
  return { server, died }
})

const environmentOf = (options: OpencodeServerOptions, agents: string): Readonly<Record<string, string>> => {
  const { cache, config, data, state } = options.directories ?? {}
  const env: Record<string, string> = {
    ...makeEnvironment({
      host: process.env,
      pass: [...defaultPassedNames, ...(options.env?.pass ?? [])],
      values: {
        // It must not replace itself under the sessions that it runs.
        OPENCODE_DISABLE_AUTOUPDATE: "1",
        ...options.env?.values,
        ...(config === undefined ? {} : { XDG_CONFIG_HOME: config }),
        ...(data === undefined ? {} : { XDG_DATA_HOME: data }),
        ...(state === undefined ? {} : { XDG_STATE_HOME: state }),
        ...(cache === undefined ? {} : { XDG_CACHE_HOME: cache })
      }
    })
  }
  for (const name of reservedNames) delete env[name]
  const searches = ripgrepFolder(env, agents)
  return searches === undefined ? env : { ...env, PATH: `${env["PATH"] ?? ""}${delimiter}${searches}` }
}

/** Its tools `grep` and `glob` need ripgrep, and download it where there is none: the one that was installed with it, then. */
const ripgrepFolder = (env: Readonly<Record<string, string>>, agents: string): string | undefined => {
  const installed = join(agents, "node_modules", "@vscode", `ripgrep-${process.platform}-${process.arch}`, "bin", "rg")
  if ("path" in findProgram("rg", "/", env)) return undefined
  const found = findProgram(process.platform === "win32" ? `${installed}.exe` : installed, "/", env)
  return "path" in found ? dirname(found.path) : undefined
}

const configText = (config: Readonly<Record<string, unknown>> = {}): string => {
  const plugins = Array.isArray(config["plugin"]) ? (config["plugin"] as ReadonlyArray<unknown>) : []
  return JSON.stringify({ autoupdate: false, ...config, plugin: [...plugins, "./holdfast.js"] })
}

const freePort: Effect.Effect<number, BackendLost> = Effect.callback((resume) => {
  const probe = createServer()
  probe.once("error", (error) => resume(Effect.fail(lost("this machine has no free port", true, error))))
  probe.listen(0, "127.0.0.1", () => {
    const address = probe.address()
    probe.close(() => resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0)))
  })
})

/** The address that the server says; undefined where it ended before. Its output is read on, and dropped, afterwards. */
const awaitReady = (server: ServerProcess, deadlineMs: number): Effect.Effect<string | undefined, BackendLost> => {
  const said = Effect.callback<string>((resume) => {
    let tail = ""
    const read = (chunk: string) => {
      tail = (tail + chunk).slice(-maxOutputTail)
      const url = /opencode server listening on (http:\/\/\S+)\r?\n/.exec(tail)?.[1]
      if (url === undefined) return
      server.stdout.off("data", read)
      resume(Effect.succeed(url))
    }
    server.stdout.setEncoding("utf8").on("data", read)
    return Effect.sync(() => server.stdout.off("data", read))
  })
  return Effect.raceFirst(said, Effect.as(server.exited, undefined)).pipe(
    Effect.timeoutOrElse({
      duration: deadlineMs,
      orElse: () => Effect.fail(lost(`its server did not listen within ${deadlineMs} ms: ${lastWordsOf(server)}`, true))
    }),
    Effect.ensuring(Effect.sync(() => server.stdout.resume()))
  )
}

const lastWordsOf = (server: ServerProcess) => server.lastWords().slice(-500) || "it said nothing"

const wordsAfter = (server: ServerProcess) => (server.lastWords() === "" ? "" : `: ${server.lastWords().slice(-500)}`)

/** Compares `1.2.3` with `1.10.0` by their numbers. */
const compareVersions = (one: string, other: string): number =>
  one.localeCompare(other, "en", { numeric: true, sensitivity: "base" })
