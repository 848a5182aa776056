/** Runs a program to its end, with a deadline, bounded output, and nothing left of it after. */
import { identify, type ProcessesRemain, type ProcessTableUnavailable, terminateTree } from "@holdfast/process"
import type { SandboxExec, SandboxExecResult, SandboxProviderError } from "@holdfast/core/cloud"
import { Effect } from "effect"
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process"
import { randomUUID } from "node:crypto"
import { makeBoundedOutput } from "../provider/BoundedOutput.ts"
import type { Fail } from "../provider/ProviderErrors.ts"
import { runDefaults } from "../provider/RunDefaults.ts"

/** The variable by which what one run started is found. */
const runMarkerName = "HOLDFAST_EXEC"

/** What to run. */
export interface ProgramRun {
  readonly words: ReadonlyArray<string>
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly run: SandboxExec
}

interface Ended {
  readonly code: number | null
  readonly timedOut: boolean
}

/** Runs it. When it ends, is interrupted or its time is over, everything that it started is ended too. */
export const runProgram = (
  fail: Fail,
  { cwd, env, run, words }: ProgramRun
): Effect.Effect<SandboxExecResult, SandboxProviderError> =>
  Effect.gen(function* () {
    const { maxOutputBytes = runDefaults.maxOutputBytes, timeoutMs = runDefaults.timeoutMs } = run
    const [stdout, stderr] = [makeBoundedOutput(maxOutputBytes), makeBoundedOutput(maxOutputBytes)]
    const mark = `${runMarkerName}=${randomUUID()}`
    const ended = yield* Effect.acquireUseRelease(
      start(fail, words, cwd, { ...env, [runMarkerName]: mark.slice(runMarkerName.length + 1) }),
      (child) => {
        child.stdout.pipe(stdout.sink)
        child.stderr.pipe(stderr.sink)
        // It need not read what it is given.
        child.stdin.on("error", () => undefined)
        child.stdin.end(run.stdin)
        return exitOf(child).pipe(
          Effect.map((code): Ended => ({ code, timedOut: false })),
          Effect.timeoutOrElse({
            duration: timeoutMs,
            orElse: () => Effect.succeed<Ended>({ code: null, timedOut: true })
          })
        )
      },
      (child) => end(fail, child, mark)
    )
    return {
      exitCode: ended.code,
      timedOut: ended.timedOut,
      stdout: stdout.bytes(),
      stderr: stderr.bytes(),
      truncated: stdout.isTruncated() || stderr.isTruncated()
    }
  })

const start = (
  fail: Fail,
  [command, ...args]: ReadonlyArray<string>,
  cwd: string,
  env: Readonly<Record<string, string>>
): Effect.Effect<ChildProcessWithoutNullStreams, SandboxProviderError> =>
  Effect.callback<ChildProcessWithoutNullStreams, SandboxProviderError>((resume) => {
    const child = spawn(command!, args, { cwd, env, detached: true, stdio: "pipe" })
    child.once("error", (cause) => resume(Effect.fail(fail("unexpected", cause.message, { cause }))))
    child.once("spawn", () => resume(Effect.succeed(child)))
  })

const exitOf = (child: ChildProcessWithoutNullStreams): Effect.Effect<number | null> =>
  Effect.callback((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.succeed(child.exitCode))
    const onExit = (code: number | null) => resume(Effect.succeed(code))
    child.once("exit", onExit)
    return Effect.sync(() => child.off("exit", onExit))
  })

/** Ends what is left, then reads the rest: nobody holds the pipes any more. */
const end = (
  fail: Fail,
  child: ChildProcessWithoutNullStreams,
  mark: string
): Effect.Effect<void, SandboxProviderError> =>
  Effect.gen(function* () {
    const root = child.exitCode === null && child.signalCode === null ? yield* identify(child.pid!) : undefined
    yield* terminateTree({ root, variables: [mark] }, { graceMs: 0 })
    yield* closed(child)
  }).pipe(
    Effect.mapError((cause: ProcessesRemain | ProcessTableUnavailable) => fail("unexpected", cause.message, { cause })),
    Effect.ensuring(
      Effect.sync(() => {
        child.kill("SIGKILL")
        for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy()
      })
    )
  )

/** All of its output was read; at most 2 s later, should something that hides from us hold on to its pipes. */
const closed = (child: ChildProcessWithoutNullStreams): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (child.stdout.closed && child.stderr.closed) return resume(Effect.void)
    child.once("close", () => resume(Effect.void))
  }).pipe(Effect.timeoutOrElse({ duration: 2_000, orElse: () => Effect.void }))
