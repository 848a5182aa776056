/**
 * A container engine for tests: podman's Docker-compatible API on a unix socket, with storage of its own below a temporary
 * folder. Whatever was made in it is gone when it stops.
 *
 * ```ts
 * await using engine = await startContainerEngine()
 * const docker = new Docker({ socketPath: engine.socketPath })
 * ```
 */
import { findProgram, identify, type ServerProcess, startServer, terminateTree } from "@holdfast/process"
import { Effect, Exit, Schedule, Schema, Scope } from "effect"
import { execFile } from "node:child_process"
import { randomUUID } from "node:crypto"
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** There is no container engine to test with. */
export class ContainerEngineUnavailable extends Schema.TaggedError<ContainerEngineUnavailable>()(
  "ContainerEngineUnavailable",
  { reason: Schema.String }
) {
  override get message() {
    return (
      `No container engine can be started for the tests: ${this.reason}. They need podman, runc, conmon, catatonit, ` +
      "containernetworking-plugins and iptables, and on most machines root"
    )
  }
}

/** An engine that runs. */
export interface ContainerEngine {
  /** Where it answers as Docker's API does. */
  readonly socketPath: string
  /** Runs `podman` on the same storage, past the API, and gives what it prints. */
  readonly podman: (...args: ReadonlyArray<string>) => Effect.Effect<string, ContainerEngineUnavailable>
  /** Containers that are there, in any state, and processes that look after one, each in a few words. */
  readonly containers: Effect.Effect<ReadonlyArray<string>, ContainerEngineUnavailable>
}

/** How long the API may take to answer first, in milliseconds; a second is usual. */
const startDeadline = 30_000

/**
 * The monitor of a container that is gone goes too, a moment later on a busy machine: milliseconds between two looks, and how many,
 * ten seconds in all, before it counts as left behind. Nothing tells.
 */
const monitorLook = 50
const monitorLooks = 200

/** How long one call of podman may take: removing all containers of a test takes a second or two. */
const callDeadline = 60_000

/**
 * As root with runc and cgroups by files, which works on machines without systemd. The limits are explicit because podman's
 * own are larger than what a machine in a sandbox of its own may set. Locks are files, and so each engine's own. A run's
 * monitor stays for a second after it, for those who ask how it ended, and not for five minutes.
 */
const configuration = (isRoot: boolean) => `
[engine]
${isRoot ? 'runtime="runc"\ncgroup_manager="cgroupfs"\n' : ""}events_logger="file"
lock_type="file"
exit_command_delay=1
[containers]
default_ulimits=["nofile=4096:4096","nproc=4096:4096"]
`

const unavailable = (reason: unknown) =>
  new ContainerEngineUnavailable({ reason: reason instanceof Error ? reason.message : String(reason) })

const attempt = <A>(evaluate: () => Promise<A>) => Effect.tryPromise({ try: evaluate, catch: unavailable })

/** Starts an engine for the scope. */
export const makeContainerEngine: Effect.Effect<ContainerEngine, ContainerEngineUnavailable, Scope.Scope> = Effect.gen(
  function* () {
    const program = findProgram("podman", "/", { PATH: process.env["PATH"] ?? "" })
    if (!("path" in program)) return yield* unavailable("podman is not installed")
    const folder = yield* Effect.acquireRelease(
      attempt(() => mkdtemp(join(tmpdir(), "holdfast-engine-"))),
      (folder) => Effect.orDie(removeStorage(program.path, folder))
    )
    const config = join(folder, "containers.conf")
    yield* attempt(() => writeFile(config, configuration(process.getuid?.() === 0)))
    const env = { ...definedOf(process.env), CONTAINERS_CONF: config }
    const places = { "--root": "root", "--runroot": "run", "--tmpdir": "tmp" }
    const storage = [
      ...Object.entries(places).flatMap(([flag, name]) => [flag, join(folder, name)]),
      "--storage-driver",
      "overlay"
    ]
    const podman: ContainerEngine["podman"] = (...args) => run(program.path, [...storage, ...args], env)
    const containers = Effect.gen(function* () {
      const listed = yield* podman("ps", "--all", "--format", "container {{.Names}}: {{.Status}}")
      const found = listed.split("\n").filter((line) => line !== "")
      const monitors = attempt(() => monitorsNaming(folder)).pipe(
        // One of a run goes by itself.
        Effect.map((all) => all.filter(({ words }) => !words.includes("--exec-attach")))
      )
      const left = yield* found.length > 0
        ? monitors
        : Effect.repeat(monitors, {
            until: (some) => some.length === 0,
            schedule: Schedule.spaced(monitorLook),
            times: monitorLooks
          })
      return [...found, ...left.map(({ pid }) => `monitor ${pid}`)]
    })

    const socketPath = join(folder, "podman.sock")
    yield* Effect.addFinalizer(() =>
      // Containers run past the service that started them.
      Effect.gen(function* () {
        yield* podman("rm", "--all", "--force", "--time", "0")
        for (const { pid } of yield* attempt(() => monitorsNaming(folder))) {
          yield* terminateTree({ root: yield* identify(pid) }, { graceMs: 0 })
        }
      }).pipe(Effect.orDie)
    )
    const service = yield* startServer({
      command: program.path,
      args: [...storage, "system", "service", "--time", "0", `unix://${socketPath}`],
      cwd: "/",
      env,
      marker: `container-engine:${randomUUID()}`,
      stop: "SIGTERM",
      keeper: true
    }).pipe(Effect.mapError(unavailable))
    yield* answering(socketPath, service)
    return { socketPath, podman, containers }
  }
)

/** Starts an engine for whoever does not live in Effect. */
export const startContainerEngine = async (): Promise<ContainerEngine & AsyncDisposable> => {
  const scope = Scope.makeUnsafe()
  const close = () => Effect.runPromise(Scope.close(scope, Exit.void))
  try {
    const engine = await Effect.runPromise(Scope.provide(makeContainerEngine, scope))
    return { ...engine, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}

const definedOf = (env: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined))

const run = (command: string, args: ReadonlyArray<string>, env: Readonly<Record<string, string>>) =>
  attempt(
    () =>
      new Promise<string>((resolve, reject) => {
        const options = { env, timeout: callDeadline, maxBuffer: 16 * 1024 * 1024 }
        execFile(command, args, options, (error, stdout, stderr) =>
          error === null ? resolve(stdout) : reject(new Error(stderr.trim() || error.message))
        ).stdin?.end()
      })
  )

/** Waits until somebody listens on the socket, or the service has ended. Nothing tells; so it is tried every 20 ms. */
const answering = (socketPath: string, service: ServerProcess): Effect.Effect<void, ContainerEngineUnavailable> => {
  const tryOnce = Effect.callback<void, ContainerEngineUnavailable>((resume) => {
    const socket = connect(socketPath)
    socket.once("connect", () => resume(Effect.void)).once("error", (error) => resume(Effect.fail(unavailable(error))))
    return Effect.sync(() => socket.destroy())
  })
  const listening = Effect.retry(tryOnce, Schedule.spaced(20))
  const died = Effect.flatMap(service.exited, () => Effect.fail(unavailable(`podman ended: ${service.lastWords()}`)))
  return Effect.raceFirst(listening, died).pipe(
    Effect.timeoutOrElse({
      duration: startDeadline,
      orElse: () => Effect.fail(unavailable(`podman did not answer within ${startDeadline} ms: ${service.lastWords()}`))
    })
  )
}

/** conmon, of which each container has one, and each run in it, by the folder that its command line names. */
const monitorsNaming = async (folder: string) => {
  const found: Array<{ readonly pid: number; readonly words: ReadonlyArray<string> }> = []
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    // Gone meanwhile.
    const text = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")
    const words = text.split("\0")
    if (words[0]?.endsWith("conmon") === true && text.includes(folder)) found.push({ pid: Number(pid), words })
  }
  return found
}

/** What podman mounts for its storage must go first. Files of other users are removed as those users. */
const removeStorage = (podman: string, folder: string): Effect.Effect<void, ContainerEngineUnavailable> =>
  Effect.gen(function* () {
    const mounts = (yield* attempt(() => readFile("/proc/self/mountinfo", "utf8")))
      .split("\n")
      .map((line) => line.split(" ")[4] ?? "")
      .filter((at) => at.startsWith(`${folder}/`))
    const env = definedOf(process.env)
    for (const at of mounts.toReversed()) yield* run("umount", [at], env)
    if (process.getuid?.() === 0) yield* attempt(() => rm(folder, { recursive: true, force: true }))
    else yield* run(podman, ["unshare", "rm", "-rf", folder], env)
  })
