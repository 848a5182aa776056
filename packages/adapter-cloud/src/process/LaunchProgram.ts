/** Starts a program that outlives its host, with its output in a log of bounded size. */
import { identify, type ProcessIdentity } from "@holdfast/process"
import type { SandboxProviderError } from "@holdfast/core/cloud"
import { Effect } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { type Fail } from "../provider/ProviderErrors.ts"

/**
 * The program's output goes through `dd` into `$1`, 1 MiB at most; then that becomes `$1.1` and it goes on. What the
 * program is called by the system comes back on descriptor 3. The loop outlives whoever started it, costs two megabytes of
 * memory, and goes on swallowing where the disk is full: the program must not die of its log.
 */
const launcher = `
log=$1
shift
{ sh -c 'echo $$ >&3; exec 3>&-; exec "$@"' sh "$@" </dev/null 2>&1; } | {
  exec 3>&-
  while :; do
    if [ -e "$log" ]; then mv -f "$log" "$log.1"; fi
    dd bs=256 count=4096 of="$log" 2>/dev/null || exec cat >/dev/null
    [ -s "$log" ] || exit 0
  done
}`

/** What to start. */
export interface Launch {
  readonly words: ReadonlyArray<string>
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly log: string
}

/** Who runs now. */
export interface Launched {
  /** Undefined where it ended before anybody could look. */
  readonly launcher: ProcessIdentity | undefined
  readonly program: ProcessIdentity | undefined
}

/** Starts it in a session of its own. It cannot be interrupted: once started, somebody must know of it. */
export const launchProgram = (fail: Fail, launch: Launch): Effect.Effect<Launched, SandboxProviderError> =>
  Effect.gen(function* () {
    const child = yield* start(fail, launch)
    const pid = yield* pidOf(child)
    const look = (pid: number) =>
      Effect.mapError(identify(pid), (cause) => fail("unexpected", cause.message, { cause }))
    return {
      launcher: yield* look(child.pid!),
      program: pid === undefined ? undefined : yield* look(pid)
    }
  }).pipe(Effect.uninterruptible)

const start = (fail: Fail, { cwd, env, log, words }: Launch): Effect.Effect<ChildProcess, SandboxProviderError> =>
  Effect.callback((resume) => {
    const child = spawn("/bin/sh", ["-c", launcher, "sh", log, ...words], {
      cwd,
      env,
      detached: true,
      stdio: ["ignore", "ignore", "ignore", "pipe"]
    })
    child.once("error", (cause) => resume(Effect.fail(fail("unexpected", `no shell: ${cause.message}`, { cause }))))
    child.once("spawn", () => {
      child.unref()
      resume(Effect.succeed(child))
    })
  })

/** What it tells of itself. Undefined where it ended without a word, and after 5 s: then only its marker finds it. */
const pidOf = (child: ChildProcess): Effect.Effect<number | undefined> => {
  const told = child.stdio[3] as NonNullable<ChildProcess["stdout"]>
  return Effect.callback<number | undefined>((resume) => {
    let text = ""
    told.setEncoding("utf8")
    told.on("error", () => resume(Effect.succeed(undefined)))
    told.on("end", () => resume(Effect.succeed(undefined)))
    told.on("data", (piece: string) => {
      text += piece
      if (text.includes("\n")) resume(Effect.succeed(Number.parseInt(text, 10)))
    })
  }).pipe(
    Effect.timeoutOrElse({ duration: 5_000, orElse: () => Effect.succeed(undefined) }),
    Effect.ensuring(Effect.sync(() => told.destroy()))
  )
}
