/** A sandbox at E2B from inside: programs, files, the bridge. */
import type { SandboxExec, SandboxExecResult, SandboxProviderError } from "@holdfast/core/cloud"
import { Effect, Option, Schedule, Schema } from "effect"
import type { Sandbox } from "e2b"
import { randomUUID } from "node:crypto"
import { maxFileBytes, pathProblem } from "../provider/FilesByExec.ts"
import type { Fail } from "../provider/ProviderErrors.ts"
import { runDefaults } from "../provider/RunDefaults.ts"
import { failedBy, type Scrub } from "./E2bFailures.ts"
import { guestAnswer, guestProgram, type GuestTask, guestVariable } from "./GuestProgram.ts"

/** Bytes of a task as JSON up to which it is a variable; Linux bounds one at 128 KiB. Larger ones go as a file. */
const maxVariableBytes = 90_000

/** Bytes of a task as JSON at most: 16 MiB, more than Linux takes of arguments and environment together. */
const maxTaskBytes = 16 * 1024 * 1024

/** Bytes that are kept of each of stdout and stderr at most: 16 MiB; they come back in one line. */
const maxOutputBytes = 16 * 1024 * 1024

/** What an answer has beside the output, and what a login shell may say before it: 256 KiB. */
const answerRoom = 256 * 1024

/** How much longer than its own time a task may take before E2B ends it, in milliseconds. */
const graceMs = 15_000

/** The longest time that a run is given, in milliseconds: what a timer can hold, less the grace; 24 days. */
const maxRunMs = 2 ** 31 - 1 - graceMs

/** Ending what an interrupted run started may take this long, in milliseconds. */
const reapMs = 15_000

/** A sandbox that is reached, for one call. */
export interface Guest {
  readonly sandbox: Sandbox
  readonly fail: Fail
  readonly scrub: Scrub
  /** Node inside. */
  readonly node: string
}

const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`

const Problem = Schema.Struct({ problem: Schema.String })
const decodeProblem = Schema.decodeUnknownOption(Problem)

/** Runs the program and decodes its answer, of at most `room` bytes. Nothing that it says is trusted. */
const ask = <A, I>(
  guest: Guest,
  task: GuestTask,
  answer: Schema.Codec<A, I>,
  { room = 0, timeoutMs }: { readonly timeoutMs: number; readonly room?: number }
): Effect.Effect<A, SandboxProviderError> =>
  Effect.gen(function* () {
    const { fail, node, sandbox, scrub } = guest
    const told = Buffer.from(JSON.stringify(task))
    if (told.length > maxTaskBytes) {
      return yield* fail("invalid", `command, arguments and environment together have at most ${maxTaskBytes} bytes`)
    }
    const variable = told.length > maxVariableBytes ? `@${yield* uploadAside(guest, told)}` : told.toString("base64")
    const said = yield* Effect.tryPromise({
      try: async (signal) => {
        let size = 0
        const { stdout } = await sandbox.commands.run(`exec ${quoted(node)} -e ${quoted(guestProgram)}`, {
          envs: { [guestVariable]: variable },
          timeoutMs: timeoutMs + graceMs,
          requestTimeoutMs: 0,
          signal,
          // It keeps all that comes, so whoever says too much is left.
          onStdout: (piece) => {
            size += piece.length
            if (size > room + answerRoom) throw new TooMuch()
          },
          onStderr: (piece) => {
            size += piece.length
            if (size > room + answerRoom) throw new TooMuch()
          }
        })
        return stdout
      },
      catch: (thrown) => commandFailed(fail, scrub, node, thrown)
    })
    const line = said.slice(said.lastIndexOf(`\n${guestAnswer}`) + 1).split("\n", 1)[0]!
    const json = line.startsWith(guestAnswer) ? parse(line.slice(guestAnswer.length)) : undefined
    const problem = decodeProblem(json)
    if (Option.isSome(problem)) return yield* fail("invalid", scrub(problem.value.problem))
    return yield* Schema.decodeUnknownEffect(answer)(json).pipe(
      Effect.mapError(() =>
        fail("unexpected", `the sandbox answered something else than was asked: ${scrub(said.slice(-200))}`)
      )
    )
  })

class TooMuch extends Error {}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const commandFailed = (fail: Fail, scrub: Scrub, node: string, thrown: unknown): SandboxProviderError => {
  if (thrown instanceof TooMuch) return fail("unexpected", "the sandbox answered more than was asked for")
  const { exitCode, name, stderr } = thrown as { name?: string; exitCode?: number; stderr?: string }
  if (name !== "CommandExitError") return failedBy(fail, scrub, thrown)
  return exitCode === 127
    ? fail("invalid", `the template has no ${node} on the PATH of its login shell: name Node by its path`)
    : fail("unexpected", `Node in the sandbox ended with exit code ${exitCode}: ${scrub((stderr ?? "").slice(-500))}`)
}

const Started = Schema.Struct({ started: Schema.Literal(true) })
const Reaped = Schema.Struct({ reaped: Schema.Boolean })
const Looked = Schema.Struct({ begun: Schema.Boolean, runs: Schema.Boolean })
const Ran = Schema.Struct({
  exitCode: Schema.NullOr(Schema.Int),
  timedOut: Schema.Boolean,
  stdout: Schema.String,
  stderr: Schema.String,
  truncated: Schema.Boolean
})

/** Starts the bridge, unless it runs. */
export const startBridge = (guest: Guest, task: Omit<Extract<GuestTask, { do: "start" }>, "do">) =>
  Effect.asVoid(ask(guest, { do: "start", ...task }, Started, { timeoutMs: 30_000 }))

/** Whether the bridge was started in this sandbox, and whether it runs. */
export const lookForBridge = (guest: Guest, sandbox: string, data: string) =>
  ask(guest, { do: "look", sandbox, data }, Looked, { timeoutMs: 10_000 })

/** Runs a program to its end; `env` is below what the run itself has. When it is interrupted, all that it started is ended. */
export const runInGuest = (
  guest: Guest,
  run: SandboxExec,
  { cwd, env }: { readonly cwd: string; readonly env: Readonly<Record<string, string>> }
): Effect.Effect<SandboxExecResult, SandboxProviderError> =>
  Effect.gen(function* () {
    const { maxOutputBytes: limit = runDefaults.maxOutputBytes } = run
    const timeoutMs = Math.min(run.timeoutMs ?? runDefaults.timeoutMs, maxRunMs)
    if (!(limit >= 0 && limit <= maxOutputBytes)) {
      return yield* guest.fail("invalid", `of the output 0 to ${maxOutputBytes} bytes can be kept`)
    }
    const id = randomUUID()
    const stdin = run.stdin === undefined ? undefined : yield* uploadAside(guest, run.stdin)
    const ran = yield* ask(
      guest,
      {
        do: "exec",
        id,
        command: run.command,
        args: run.args ?? [],
        cwd: run.cwd ?? cwd,
        env: { ...env, ...run.environment },
        timeoutMs,
        maxOutputBytes: limit,
        ...(stdin === undefined ? {} : { stdin })
      },
      Ran,
      { timeoutMs, room: 4 * limit }
    ).pipe(
      Effect.onInterrupt(() =>
        ask(guest, { do: "reap", id }, Reaped, { timeoutMs: reapMs }).pipe(Effect.timeout(reapMs), Effect.ignore)
      )
    )
    return {
      ...ran,
      stdout: new Uint8Array(Buffer.from(ran.stdout, "base64").subarray(0, limit)),
      stderr: new Uint8Array(Buffer.from(ran.stderr, "base64").subarray(0, limit))
    }
  })

/** Writes a file as it is, with its folders. */
export const upload = ({ fail, sandbox, scrub }: Guest, path: string, content: Uint8Array) =>
  Effect.asVoid(
    Effect.tryPromise({
      try: (signal) =>
        sandbox.files.write(path, new Blob([content as Uint8Array<ArrayBuffer>]), {
          signal,
          useOctetStream: true,
          requestTimeoutMs: 0
        }),
      catch: (thrown) => failedBy(fail, scrub, thrown)
    })
  )

const uploadAside = (guest: Guest, content: Uint8Array) => {
  const path = `/tmp/.holdfast-${randomUUID()}`
  return Effect.as(upload(guest, path, content), path)
}

/** Reads a whole file. */
export const download = (
  { fail, sandbox, scrub }: Guest,
  path: string
): Effect.Effect<Uint8Array, SandboxProviderError> =>
  Effect.gen(function* () {
    const problem = pathProblem(path)
    if (problem !== undefined) return yield* fail("invalid", problem)
    return yield* Effect.tryPromise({
      try: async (signal) => {
        const pieces: Array<Uint8Array> = []
        let size = 0
        // Left, and so cancelled, where it is too large.
        for await (const piece of await sandbox.files.read(path, { format: "stream", signal, requestTimeoutMs: 0 })) {
          size += piece.length
          if (size > maxFileBytes) throw new TooMuch()
          pieces.push(piece)
        }
        return new Uint8Array(Buffer.concat(pieces))
      },
      catch: (thrown) =>
        thrown instanceof TooMuch
          ? fail("invalid", `${path} has more than ${maxFileBytes} bytes`)
          : failedBy(fail, scrub, thrown)
    })
  })

/** How long E2B's edge may not know a sandbox that was just made, in milliseconds. Mostly it does at once. */
const routedMs = 30_000

/** Waits until E2B's edge knows a sandbox that was just made: until then it answers as if there were none. */
export const awaitRouted = ({ fail, sandbox, scrub }: Guest): Effect.Effect<void, SandboxProviderError> =>
  Effect.tryPromise({
    try: (signal) => sandbox.isRunning({ signal, requestTimeoutMs: 0 }),
    catch: (thrown) => failedBy(fail, scrub, thrown)
  }).pipe(
    Effect.repeat({ until: (isThere) => isThere, schedule: Schedule.spaced(200) }),
    Effect.timeoutOrElse({
      duration: routedMs,
      orElse: () => Effect.fail(fail("unavailable", `E2B does not reach the new sandbox within ${routedMs / 1_000} s`))
    }),
    Effect.asVoid
  )
