/** One run of a program that somebody waits for: started without a shell, and ended with all that it started. */
import { Deferred, Effect, Schema, type Scope } from "effect"
import { type ChildProcess, spawn, type StdioPipe } from "node:child_process"
import type { Readable, Writable } from "node:stream"
import type { ProcessesRemain, ProcessIdentity, ProcessTableUnavailable } from "./ProcessIdentity.ts"
import { identify, terminateTree } from "./Processes.ts"
import type { ProcessTarget } from "./ProcessTree.ts"
import type { TerminateOptions } from "./TerminateTree.ts"

/** What to run. */
export interface ProgramLaunch {
  /** Path of the program, or a name that the system looks up in the `PATH` of {@link env}. */
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly cwd: string
  /** All of its environment. */
  readonly env: Readonly<Record<string, string>>
  /** By what everything that it started is found, also what has left its tree: what its environment marks it with. */
  readonly marks?: Pick<ProcessTarget, "marker" | "variables">
  /** Pipes that it gets besides its input and its two outputs, from file descriptor 3 on. Default 0. */
  readonly pipes?: number
}

/** How a program ended. */
export interface ProgramExit {
  /** Null where a signal ended it. */
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
}

/** A program that runs. */
export interface OwnedProgram {
  readonly stdin: Writable
  /** Its outputs. Nobody reads them unless the owner does, and a full pipe makes it wait. */
  readonly stdout: Readable
  readonly stderr: Readable
  /** All of its pipes, by file descriptor. */
  readonly stdio: ChildProcess["stdio"]
  /** Completes when it has ended, however it ended. */
  readonly exited: Effect.Effect<ProgramExit>
  /** Completes when its outputs have ended, too: not while something that it left behind holds them. */
  readonly closed: Effect.Effect<void>
  /** Ends the program alone, by force. */
  readonly kill: () => void
  /** Ends it and all that it started: asks first where there is a grace. The scope's end has nothing left to end then. */
  readonly end: (
    options: Pick<TerminateOptions, "graceMs" | "signal">
  ) => Effect.Effect<void, ProcessesRemain | ProcessTableUnavailable>
}

/** The system would not start it. */
export class ProgramNotStarted extends Schema.TaggedError<ProgramNotStarted>("@holdfast/process/ProgramNotStarted")(
  "ProgramNotStarted",
  {
    command: Schema.String,
    reason: Schema.String,
    /** The system's word for it, such as `E2BIG`; undefined where it has none. */
    code: Schema.optionalKey(Schema.String)
  }
) {
  override get message() {
    return `${this.command} could not be started: ${this.reason}`
  }
}

/** A child, how it ended, and whether its outputs have. */
export interface StartedChild {
  readonly child: ChildProcess
  readonly exited: Deferred.Deferred<ProgramExit>
  readonly closed: Deferred.Deferred<void>
}

/** Has the system start a child. Whoever waits is interrupted only once it is known to run or not. */
export const startChild = (
  command: string,
  spawnIt: () => ChildProcess
): Effect.Effect<StartedChild, ProgramNotStarted> =>
  Effect.callback<StartedChild, ProgramNotStarted>((resume) => {
    const cannot = (error: NodeJS.ErrnoException) => {
      const { code, message } = error
      resume(Effect.fail(new ProgramNotStarted({ command, reason: message, ...(code === undefined ? {} : { code }) })))
    }
    const exited = Deferred.makeUnsafe<ProgramExit>()
    const closed = Deferred.makeUnsafe<void>()
    try {
      const child = spawnIt()
      child.once("spawn", () => resume(Effect.succeed({ child, exited, closed })))
      // Also a signal that could not be sent: the child is there then, and its end is told all the same.
      child.on("error", cannot)
      child.once("exit", (exitCode, signal) => Deferred.doneUnsafe(exited, Effect.succeed({ exitCode, signal })))
      child.once("close", () => Deferred.doneUnsafe(closed, Effect.void))
    } catch (error) {
      cannot(error as NodeJS.ErrnoException)
    }
  }).pipe(Effect.uninterruptible)

/** Destroys what is left of a child's pipes. */
export const destroyPipes = ({ stdio }: ChildProcess): Effect.Effect<void> =>
  Effect.sync(() => {
    for (const stream of stdio) stream?.destroy()
  })

interface Running extends StartedChild {
  readonly identity: ProcessIdentity | undefined
  /** All that it started was ended. */
  isEnded: boolean
}

/**
 * Starts a program. The scope's end ends it by force with all that it started; where nothing marks that and the program has ended by
 * itself, there is nothing by which it could be found.
 */
export const startProgram = (launch: ProgramLaunch): Effect.Effect<OwnedProgram, ProgramNotStarted, Scope.Scope> =>
  Effect.acquireRelease(start(launch), (running) => release(running, launch)).pipe(
    Effect.map((running): OwnedProgram => {
      const { child, closed, exited } = running
      return {
        stdin: child.stdin!,
        stdout: child.stdout!,
        stderr: child.stderr!,
        stdio: child.stdio,
        exited: Deferred.await(exited),
        closed: Deferred.await(closed),
        kill: () => void child.kill("SIGKILL"),
        end: (options) => end(running, launch, options)
      }
    })
  )

const start = (launch: ProgramLaunch): Effect.Effect<Running, ProgramNotStarted> =>
  Effect.gen(function* () {
    const { args, command, cwd, env, pipes = 0 } = launch
    const stdio = Array.from({ length: 3 + pipes }, (): StdioPipe => "pipe")
    // In a group of its own: a Ctrl-C in the host's terminal is the host's to handle.
    const started = yield* startChild(command, () =>
      spawn(command, args, { cwd, env, stdio, detached: true, windowsHide: true })
    )
    // It need not read its input, and may end before it has.
    started.child.stdin!.on("error", () => undefined)
    const identity = yield* identify(started.child.pid!).pipe(Effect.orElseSucceed(() => undefined))
    return { ...started, identity, isEnded: false }
  })

const end = (
  running: Running,
  { marks }: ProgramLaunch,
  options: Pick<TerminateOptions, "graceMs" | "signal">
): Effect.Effect<void, ProcessesRemain | ProcessTableUnavailable> =>
  Effect.andThen(
    terminateTree({ root: running.identity, ...marks }, options),
    Effect.sync(() => {
      running.isEnded = true
    })
  )

const release = (running: Running, launch: ProgramLaunch): Effect.Effect<void> =>
  Effect.suspend(() => {
    const isOver = running.isEnded || (launch.marks === undefined && Deferred.isDoneUnsafe(running.exited))
    return isOver ? Effect.void : end(running, launch, { graceMs: 0 })
  }).pipe(
    Effect.catch((error) => {
      // Without a view of the processes there is still our own child.
      running.child.kill("SIGKILL")
      return Effect.logError(`the processes of ${launch.command} could not be ended: ${error.message}`)
    }),
    Effect.ensuring(destroyPipes(running.child))
  )
