/** A server that a program starts for itself, such as an agent's: with an owner, an end, and nothing left of it after. */
import { Deferred, Effect, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import type { Readable, Writable } from "node:stream"
import { fileURLToPath } from "node:url"
import {
  destroyPipes,
  type ProgramExit,
  type ProgramNotStarted,
  startChild,
  type StartedChild
} from "./OwnedProgram.ts"
import type { ProcessIdentity } from "./ProcessIdentity.ts"
import { processMarkerName } from "./ProcessMarker.ts"
import { identify, terminateTree } from "./Processes.ts"

/** Characters of what a server wrote to stderr that are kept, for messages: the last 8,192. */
const maxLastWords = 8_192

/** What to start. */
export interface ServerLaunch {
  /** Absolute path of the program. */
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly cwd: string
  /** All of its environment; the marker is added. */
  readonly env: Readonly<Record<string, string>>
  /** By what it and all that it starts are found: unique on this machine. */
  readonly marker: string
  /**
   * How it ends when its scope closes: `stdin` closes its input, `SIGTERM` asks. After `graceMs`, default 2,000, what is left
   * is forced, with everything that it started.
   */
  readonly stop: "stdin" | "SIGTERM"
  readonly graceMs?: number
  /**
   * Puts a keeper in between: a small process that ends the server with all that it started when the host dies, however it
   * dies. For servers that do not end by themselves when their input closes. It costs some 45 MB.
   */
  readonly keeper?: boolean
}

/** A server that runs. */
export interface ServerProcess {
  /**
   * Who it is; of the keeper, where there is one. Undefined where it had ended before anybody could look, or where this
   * machine's processes could not be read then: only the marker still finds it.
   */
  readonly identity: ProcessIdentity | undefined
  readonly pid: number
  readonly marker: string
  /** Its input; there is none with `SIGTERM`. */
  readonly stdin: Writable | null
  /** Its output. Nobody reads it unless the owner does, and a full pipe makes it wait. */
  readonly stdout: Readable
  /** The end of what it wrote to stderr, without colours. */
  readonly lastWords: () => string
  /** Completes when it has ended, however it ended. */
  readonly exited: Effect.Effect<ProgramExit>
}

/** The keeper's file: source while developing, JavaScript once built. */
const keeperUrl = import.meta.url.endsWith(".ts")
  ? new URL("./keeper.ts", import.meta.url)
  : new URL("./keeper.js", import.meta.url)

/** Starts a server. The scope's end stops it, and completes when nothing of it is left. */
export const startServer = (launch: ServerLaunch): Effect.Effect<ServerProcess, ProgramNotStarted, Scope.Scope> =>
  Effect.acquireRelease(start(launch), (running) => stop(running, launch)).pipe(Effect.map(({ server }) => server))

interface Running extends Omit<StartedChild, "closed"> {
  readonly server: ServerProcess
}

const start = (launch: ServerLaunch): Effect.Effect<Running, ProgramNotStarted> =>
  Effect.gen(function* () {
    const { child, exited } = yield* startChild(launch.command, () => spawnChild(launch))
    let words = ""
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      words = (words + text).slice(-maxLastWords)
    })
    // A write to a server that has just died: its exit tells.
    child.stdin?.on("error", () => undefined)
    // A server that cannot be looked at runs all the same, and its scope still ends it.
    const identity = yield* identify(child.pid!).pipe(
      Effect.catch((error) =>
        Effect.as(Effect.logWarning(`${launch.command} is only known by its marker: ${error.message}`), undefined)
      )
    )
    const server: ServerProcess = {
      identity,
      pid: child.pid!,
      marker: launch.marker,
      stdin: launch.stop === "stdin" ? child.stdin : null,
      stdout: child.stdout!,
      lastWords: () => withoutColours(words).trim(),
      exited: Deferred.await(exited)
    }
    return { server, child, exited }
  })

const graceOf = ({ graceMs = 2_000 }: ServerLaunch): number => graceMs

const spawnChild = (launch: ServerLaunch): ChildProcess => {
  const env = { ...launch.env, [processMarkerName]: launch.marker }
  // In a group of its own: a Ctrl-C in the host's terminal is the host's to handle.
  const options = { cwd: launch.cwd, detached: true, windowsHide: true } as const
  if (launch.keeper !== true) {
    return spawn(launch.command, launch.args, {
      ...options,
      env,
      stdio: [launch.stop === "stdin" ? "pipe" : "ignore", "pipe", "pipe"]
    })
  }
  const args = [
    ...keeperFlags(),
    fileURLToPath(keeperUrl),
    launch.marker,
    String(graceOf(launch)),
    launch.command,
    ...launch.args
  ]
  // A host on Electron has no other Node than itself.
  return spawn(process.execPath, args, {
    ...options,
    env: { ...env, ELECTRON_RUN_AS_NODE: "1" },
    stdio: ["pipe", "pipe", "pipe"]
  })
}

/** As source it needs the condition by which packages are read as source. */
const keeperFlags = (): ReadonlyArray<string> =>
  import.meta.url.endsWith(".ts") ? ["--conditions=@holdfast/source", "--disable-warning=ExperimentalWarning"] : []

const stop = ({ child, exited, server }: Running, launch: ServerLaunch): Effect.Effect<void> =>
  Effect.gen(function* () {
    const graceMs = graceOf(launch)
    if (!Deferred.isDoneUnsafe(exited)) {
      if (launch.stop === "stdin" && launch.keeper !== true) child.stdin?.end()
      else child.kill("SIGTERM")
      yield* Effect.timeoutOption(Deferred.await(exited), graceMs)
    }
    // Also what it left behind when it ended by itself.
    yield* terminateTree({ root: server.identity, marker: launch.marker }, { graceMs: 0 })
  }).pipe(
    Effect.catch((error) => {
      // Without a view of the processes there is still our own child; a keeper was asked, and ends the server itself.
      if (launch.keeper !== true) child.kill("SIGKILL")
      return Effect.logError(`a server's processes could not be ended: ${error.message}`)
    }),
    Effect.ensuring(destroyPipes(child))
  )

// oxlint-disable-next-line no-control-regex -- the escape character is what it looks for
const withoutColours = (text: string): string => text.replaceAll(/\u001b\[[\d;]*m/g, "")
