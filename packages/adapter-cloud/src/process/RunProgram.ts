/** Runs a program to its end, with a deadline, bounded output, and nothing left of it after. */
import type { SandboxExec, SandboxExecResult, SandboxProviderError } from "@holdfast/core/cloud"
import { keepOutput, type OwnedProgram, startProgram } from "@holdfast/process"
import { Effect, Option } from "effect"
import { randomUUID } from "node:crypto"
import type { Fail } from "../provider/ProviderErrors.ts"
import { runDefaults } from "../provider/RunDefaults.ts"

/** The variable by which what one run started is found. */
const runMarkerName = "HOLDFAST_EXEC"

/** Milliseconds that outputs have to end once everything was ended, should something that hides from us hold on to them: 2 s. */
const closeWaitMs = 2_000

/** What to run. */
export interface ProgramRun {
  readonly words: ReadonlyArray<string>
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly run: SandboxExec
}

/** Runs it. When it ends, is interrupted or its time is over, everything that it started is ended too. */
export const runProgram = (
  fail: Fail,
  { cwd, env, run, words }: ProgramRun
): Effect.Effect<SandboxExecResult, SandboxProviderError> => {
  const [command, ...args] = words
  const mark = randomUUID()
  return startProgram({
    command: command!,
    args,
    cwd,
    env: { ...env, [runMarkerName]: mark },
    marks: { variables: [`${runMarkerName}=${mark}`] }
  }).pipe(
    Effect.flatMap((program) => attend(program, run)),
    Effect.scoped,
    Effect.mapError((cause) => fail("unexpected", cause.message, { cause }))
  )
}

const attend = Effect.fnUntraced(function* (program: OwnedProgram, run: SandboxExec) {
  const { maxOutputBytes = runDefaults.maxOutputBytes, timeoutMs = runDefaults.timeoutMs } = run
  const [stdout, stderr] = [keepOutput(maxOutputBytes), keepOutput(maxOutputBytes)]
  program.stdout.on("data", stdout.take)
  program.stderr.on("data", stderr.take)
  program.stdin.end(run.stdin)
  const exit = yield* Effect.timeoutOption(program.exited, timeoutMs)
  // What is left, then the rest of its output: nobody holds the pipes any more.
  yield* program.end({ graceMs: 0 })
  yield* Effect.timeoutOption(program.closed, closeWaitMs)
  return {
    exitCode: Option.isSome(exit) ? exit.value.exitCode : null,
    timedOut: Option.isNone(exit),
    stdout: new Uint8Array(stdout.bytes()),
    stderr: new Uint8Array(stderr.bytes()),
    truncated: stdout.isTruncated() || stderr.isTruncated()
  }
})
