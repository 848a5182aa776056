/** Runs a program to its end in a container, with its input, bounded output and a deadline that ends all that it started. */
import type { SandboxExec, SandboxExecResult, SandboxProviderError } from "@holdfast/core/cloud"
import { keepOutput, type KeptOutput } from "@holdfast/process"
import type Dockerode from "dockerode"
import { Effect, Exit, Option, Schedule } from "effect"
import { randomUUID } from "node:crypto"
import { type Duplex, Writable } from "node:stream"
import { finished } from "node:stream/promises"
import type { Fail } from "../provider/ProviderErrors.ts"
import { runDefaults } from "../provider/RunDefaults.ts"
import { sandboxPlaces } from "../provider/SandboxPlaces.ts"
import { deadline, type Engine, engineFailure } from "./Engine.ts"
import { InspectedExec } from "./EngineAnswers.ts"

/** The variable by which what one run started is found. */
const runMarkerName = "HOLDFAST_EXEC"

/** The shell tells by its exit code and on stderr what engines tell in many ways. */
const enter = 'cd -- "$1" || exit 126; shift; exec "$@"'

/**
 * Stops and then kills whatever carries the mark, until nothing is found: what goes on forking is stopped first. The engine
 * has no call for it: ending its side of a run ends nothing inside.
 */
const endMarked = `
round=0
while [ $round -lt 20 ]; do
  found=
  for process in /proc/[0-9]*; do
    case "
$(tr '\\0' '\\n' <"$process/environ" 2>/dev/null)
" in
      *"
$1
"*) found="$found \${process#/proc/}" ;;
    esac
  done
  [ -n "$found" ] || exit 0
  kill -STOP $found 2>/dev/null
  kill -KILL $found 2>/dev/null
  round=$((round + 1))
done
exit 1`

/** How long ending may take, and how long output may still come after it, in milliseconds. */
const endDeadline = 15_000
const drainDeadline = 5_000

/** How long the engine may take to start a program, in milliseconds. */
const startDeadline = 30_000

interface Started {
  readonly exec: Dockerode.Exec
  readonly stream: Duplex
}

/** Runs it in a container that runs. */
export const runInContainer = (
  engine: Engine,
  fail: Fail,
  containerId: string,
  run: SandboxExec
): Effect.Effect<SandboxExecResult, SandboxProviderError> =>
  Effect.gen(function* () {
    const { maxOutputBytes = runDefaults.maxOutputBytes, timeoutMs = runDefaults.timeoutMs } = run
    const [stdout, stderr] = [keepOutput(maxOutputBytes), keepOutput(maxOutputBytes)]
    const mark = `${runMarkerName}=${randomUUID()}`
    const ended = yield* Effect.acquireUseRelease(
      start(engine, fail, containerId, run, mark),
      ({ exec, stream }) =>
        Effect.gen(function* () {
          yield* engine.call(fail, async (docker) => docker.modem.demuxStream(stream, sinkOf(stdout), sinkOf(stderr)))
          if (run.stdin !== undefined) stream.end(run.stdin)
          const hasEnded = endOf(fail, stream, run.stdin !== undefined)
          const inTime = yield* Effect.timeoutOption(hasEnded, timeoutMs)
          if (Option.isSome(inTime)) return { timedOut: false, exitCode: yield* exitCodeOf(engine, fail, exec) }
          yield* endRun(engine, fail, containerId, mark)
          yield* Effect.timeoutOption(hasEnded, drainDeadline)
          return { timedOut: true, exitCode: null }
        }),
      ({ stream }, exit) =>
        // Interrupted, or the connection broke: what runs is not to go on.
        (Exit.isSuccess(exit) ? Effect.void : Effect.ignore(endRun(engine, fail, containerId, mark))).pipe(
          Effect.ensuring(Effect.sync(() => stream.destroy()))
        )
    )
    return {
      ...ended,
      stdout: new Uint8Array(stdout.bytes()),
      stderr: new Uint8Array(stderr.bytes()),
      truncated: stdout.isTruncated() || stderr.isTruncated()
    }
  })

/** What the engine's client writes an output to. */
const sinkOf = (output: KeptOutput) =>
  new Writable({
    write: (chunk: Buffer, _, done) => {
      output.take(chunk)
      done()
    }
  })

const start = (
  engine: Engine,
  fail: Fail,
  containerId: string,
  run: SandboxExec,
  mark: string
): Effect.Effect<Started, SandboxProviderError> =>
  engine.call(fail, (docker) =>
    deadline(startDeadline, async (abortSignal) => {
      const hasInput = run.stdin !== undefined
      const exec = await docker.getContainer(containerId).exec({
        Cmd: ["/bin/sh", "-c", enter, "sh", run.cwd ?? sandboxPlaces.workspace, run.command, ...(run.args ?? [])],
        Env: [...Object.entries(run.environment ?? {}).map(([name, value]) => `${name}=${value}`), mark],
        WorkingDir: "/",
        AttachStdin: hasInput,
        AttachStdout: true,
        AttachStderr: true,
        abortSignal
      })
      const stream = await exec.start({ hijack: true, stdin: hasInput, abortSignal })
      // A program need not read what it is given, nor the engine wait for it.
      stream.on("error", () => undefined)
      return { exec, stream }
    })
  )

/** Everything that it wrote has come. What ended without reading all of its input resets the connection. */
const endOf = (fail: Fail, stream: Duplex, hasInput: boolean): Effect.Effect<void, SandboxProviderError> =>
  Effect.callback<void, SandboxProviderError>((resume) => {
    if (stream.readableEnded || stream.closed) return resume(Effect.void)
    const onEnd = () => resume(Effect.void)
    const onError = (cause: NodeJS.ErrnoException) => {
      const isUnread = hasInput && (cause.code === "ECONNRESET" || cause.code === "EPIPE")
      resume(isUnread ? Effect.void : Effect.fail(engineFailure(fail, cause)))
    }
    stream.once("end", onEnd).once("close", onEnd).once("error", onError)
    return Effect.sync(() => void stream.off("end", onEnd).off("close", onEnd).off("error", onError))
  })

/** Its output may end a moment before it does. */
const exitCodeOf = (
  engine: Engine,
  fail: Fail,
  exec: Dockerode.Exec
): Effect.Effect<number | null, SandboxProviderError> =>
  engine
    .ask(fail, InspectedExec, (_, abortSignal) => exec.inspect({ abortSignal }))
    .pipe(
      Effect.repeat({ while: ({ Running }) => Running, schedule: Schedule.spaced(10) }),
      Effect.map(({ ExitCode }) => ExitCode ?? null),
      Effect.timeoutOrElse({ duration: drainDeadline, orElse: () => Effect.succeed(null) })
    )

/** Ends everything that carries the mark. */
const endRun = (
  engine: Engine,
  fail: Fail,
  containerId: string,
  mark: string
): Effect.Effect<void, SandboxProviderError> =>
  engine.call(fail, (docker) =>
    deadline(endDeadline, async (abortSignal) => {
      const exec = await docker
        .getContainer(containerId)
        .exec({ Cmd: ["/bin/sh", "-c", endMarked, "sh", mark], AttachStdout: true, AttachStderr: true, abortSignal })
      const stream = await exec.start({ hijack: true, abortSignal })
      await finished(stream.resume(), { writable: false, signal: abortSignal })
      stream.destroy()
    })
  )
