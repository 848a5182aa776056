/** Runs one-off commands in a local workspace. */
import {
  defaultPassedNames,
  findProgram,
  keepOutput,
  makeEnvironment,
  type OwnedProgram,
  processMarkerName,
  type ProgramNotStarted,
  startProgram
} from "@holdfast/process"
import { Effect, Option, type Scope } from "effect"
import { randomUUID } from "node:crypto"
import { attempt, parse, reach, type Root } from "./FilePlace.ts"
import { type ExecRequest, type ExecResult, WorkspaceError, type WorkspaceExec, workspaceLimits } from "./Workspace.ts"
import { pathError } from "./WorkspacePath.ts"

/** Milliseconds that a command has to leave by itself once its time is over: 2 s. What is left then is forced. */
const graceMs = 2_000

/** Milliseconds that the system has to say that a command has ended, and its outputs, once all of it was ended: 2 s. */
const lastWaitMs = 2_000

const refuse = (reason: WorkspaceError["reason"], detail: string) => new WorkspaceError({ reason, path: "", detail })

/** Says what is wrong with a request; undefined where nothing is. */
const requestProblem = ({ args = [], command, input, timeoutMs }: ExecRequest): WorkspaceError | undefined => {
  const { maxInputBytes, maxTimeoutMs } = workspaceLimits
  if (command === "") return refuse("invalid", "The command is empty")
  if ([command, ...args].some((text) => text.includes("\0"))) return refuse("invalid", "The command has a NUL in it")
  if (timeoutMs !== undefined && (!Number.isInteger(timeoutMs) || timeoutMs < 1 || timeoutMs > maxTimeoutMs)) {
    return refuse("invalid", `The command's time must be 1 to ${maxTimeoutMs} ms`)
  }
  if (input !== undefined && Buffer.byteLength(input) > maxInputBytes) {
    return refuse("too_large", `The command's input may have ${maxInputBytes} bytes at most: write a file instead`)
  }
  return undefined
}

const endAll = (program: OwnedProgram, graceMs: number) =>
  program
    .end({ graceMs, signal: "SIGTERM" })
    .pipe(Effect.catch((error) => Effect.logError(`a command's processes could not be ended: ${error.message}`)))

const start = (
  request: ExecRequest,
  directory: string,
  env: Readonly<Record<string, string>>
): Effect.Effect<OwnedProgram, WorkspaceError, Scope.Scope> => {
  const { args = [], command, shell = false } = request
  const isWindows = process.platform === "win32"
  const launch = !shell
    ? { program: command, args }
    : isWindows
      ? { program: env["ComSpec"] ?? "cmd.exe", args: ["/d", "/s", "/c", command, ...args] }
      : { program: "/bin/sh", args: ["-c", command, "sh", ...args] }
  const found = findProgram(launch.program, directory, env)
  if ("expected" in found) {
    return Effect.fail(refuse("no_program", `${launch.program} cannot be run: expected ${found.expected}`))
  }
  const marker = `exec:${randomUUID()}`
  return startProgram({
    command: found.path,
    args: launch.args,
    cwd: directory,
    env: { ...env, [processMarkerName]: marker },
    marks: { marker }
  }).pipe(Effect.mapError((error) => refuse("no_program", `${launch.program} cannot be run: ${whyNot(error)}`)))
}

const whyNot = ({ code, reason }: ProgramNotStarted): string =>
  code === "E2BIG" ? "its arguments are too long" : `the system says ${code ?? reason}`

/** Commands that run now, by whom they count for. */
export interface ExecSlots {
  /** Takes a slot for as long as the scope is open, or fails with `busy`. */
  readonly take: Effect.Effect<void, WorkspaceError, Scope.Scope>
}

/** The real path of a directory, which a command may know of: it can look itself. */
const whereOf = Effect.fnUntraced(function* (root: Root, directory: string) {
  const { entry } = yield* reach(root, directory, yield* parse(directory))
  if (entry === null) return yield* pathError("not_found", directory, "is not there")
  if (!entry.stats.isDirectory()) return yield* pathError("not_a_directory", directory, "is no directory")
  return yield* attempt(directory, entry.where)
})

/** Makes one-off commands of a workspace. */
export const makeLocalExec = (root: Root, slots: ExecSlots): WorkspaceExec => {
  const run = Effect.fnUntraced(function* (
    request: ExecRequest
  ): Effect.fn.Return<ExecResult, WorkspaceError, Scope.Scope> {
    const problem = requestProblem(request)
    if (problem !== undefined) return yield* problem
    const { directory = "", input, timeoutMs = workspaceLimits.defaultTimeoutMs } = request
    const cwd = yield* Effect.scoped(whereOf(root, directory))
    yield* slots.take

    const env = makeEnvironment({ host: process.env, pass: defaultPassedNames, values: {} })
    const begun = performance.now()
    const program = yield* start(request, cwd, env)
    const [stdout, stderr] = [keepOutput(workspaceLimits.maxOutputBytes), keepOutput(workspaceLimits.maxOutputBytes)]
    program.stdout.on("data", stdout.take)
    program.stderr.on("data", stderr.take)
    program.stdin.end(input ?? "")

    const exit = yield* Effect.timeoutOption(program.exited, timeoutMs)
    const timedOut = Option.isNone(exit)
    yield* endAll(program, timedOut ? graceMs : 0)
    // One that sleeps inside the kernel cannot be ended: that it is over is said all the same.
    const over = yield* Effect.timeoutOption(program.exited, lastWaitMs)
    yield* Effect.timeoutOption(program.closed, lastWaitMs)
    const { exitCode, signal } = Option.getOrElse(over, () => ({ exitCode: null, signal: null }))
    return {
      exitCode,
      signal,
      stdout: stdout.bytes(),
      stderr: stderr.bytes(),
      truncated: stdout.isTruncated() || stderr.isTruncated(),
      timedOut,
      durationMs: Math.round(performance.now() - begun)
    }
  })
  return { run: (request) => Effect.scoped(run(request)) }
}
