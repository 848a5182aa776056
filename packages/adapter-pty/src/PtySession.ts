/** One open terminal: what its program tells as events, and what is asked of it. */
import {
  type BackendCommand,
  type BackendEvent,
  BackendLost,
  BackendRefused,
  type BackendSession,
  type Capabilities,
  makeBackendOutbox,
  noCapabilities,
  type OpenRequest,
  type Performed,
  TerminalDimension
} from "@holdfast/core"
import { type ProcessIdentity, processMarker, signalProcess, terminateTree } from "@holdfast/process"
import { Deferred, Effect, Schema, type Scope } from "effect"
import { constants } from "node:os"
import type { LaunchProfile } from "./LaunchProfile.ts"
import { makeOutputPacer } from "./OutputPacer.ts"
import { maxPendingInput } from "./PtyInput.ts"
import { type NodePty, type PtyExit, type PtyLaunch, type PtyProcess, spawnPty } from "./PtyProcess.ts"

/**
 * Milliseconds that processes which outlive their terminal's program have to end by themselves. Long enough to save a file,
 * short enough that the end of a session is not put off noticeably.
 */
const leftOverGraceMs = 1_000

const signalNames: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.signals).map(([name, number]) => [number, name])
)

const isSignal = (name: string): name is NodeJS.Signals => Object.hasOwn(constants.signals, name)

/**
 * Bytes of output that wait for the log before the program is paused: 2 MiB, 30 ms of a flood. With 1 MiB a flood is paused
 * at least twice as often, and comes about a tenth slower.
 */
const maxWaiting = 2 * 1024 * 1024

const isDimension = Schema.is(TerminalDimension)

const done: Performed = {}

const lost = (reason: string, cause: unknown) => new BackendLost({ backend: "pty", reason, retryable: true, cause })

const refused = (command: BackendCommand["type"], reason: string, retryable = false) =>
  new BackendRefused({ backend: "pty", command, reason, retryable })

const refuse = (command: BackendCommand, reason: string, retryable = false) =>
  Effect.fail(refused(command.type, reason, retryable))

/** Exit code and signal, of which only one counts; neither where the program could not be ended. */
const exitOf = (exit: PtyExit | null) => {
  if (exit === null) return { exitCode: null, signal: null }
  // node-pty gives the exit code 0 with a signal.
  if (exit.signal === 0) return { exitCode: exit.exitCode, signal: null }
  return { exitCode: null, signal: signalNames.get(exit.signal) ?? `signal ${exit.signal}` }
}

/** What a terminal with one of these profiles can do. */
export const ptyCapabilities = (profiles: Iterable<LaunchProfile>): Capabilities => ({
  ...noCapabilities,
  terminal: true,
  signals: process.platform !== "win32",
  resume: [...profiles].some((profile) => profile.resume !== undefined)
})

/** A program that runs, and who it is. */
interface Started {
  readonly pty: PtyProcess
  readonly identity: ProcessIdentity | undefined
}

/** Starts the program and gives its session; the scope's end stops it with all that it started. */
export const openPtySession = Effect.fnUntraced(function* (
  nodePty: NodePty,
  profile: LaunchProfile,
  request: Pick<OpenRequest, "sessionId" | "generation">,
  launch: PtyLaunch
): Effect.fn.Return<BackendSession, BackendLost, Scope.Scope> {
  const marker = processMarker(request.sessionId, request.generation)
  const exited = Deferred.makeUnsafe<PtyExit | null>()
  const lingers = Deferred.makeUnsafe<void>()
  let closing: "closed" | "killed" | undefined
  let isEnded = false

  const outbox = makeBackendOutbox({
    highWater: maxWaiting,
    lowWater: maxWaiting / 4,
    onFull: () => pty.pause(),
    onDrain: () => pty.resume()
  })
  const understand = profile.understand?.()
  const push = (events: ReadonlyArray<BackendEvent>) => {
    try {
      outbox.push(understand === undefined ? events : events.flatMap(understand))
    } catch (cause) {
      // A profile is the host's code; what it throws must not reach the event loop.
      const reason = `the profile ${profile.name} failed to understand its program`
      outbox.fail(new BackendLost({ backend: "pty", reason, retryable: false, cause }))
    }
  }
  const pacer = makeOutputPacer(push)

  const start: Effect.Effect<Started, BackendLost> = Effect.gen(function* () {
    const pty = yield* Effect.try({
      try: () =>
        spawnPty(nodePty, launch, {
          onData: pacer.write,
          onExit: (exit) => Deferred.doneUnsafe(exited, Effect.succeed(exit)),
          onLinger: () => Deferred.doneUnsafe(lingers, Effect.void)
        }),
      catch: (cause) => lost("the system allows no further terminal or process", cause)
    })
    // Nothing may be told before `process.spawned` is.
    pty.pause()
    const identity = yield* Effect.tryPromise({
      try: () => pty.identity,
      catch: (cause) => lost("its process cannot be watched", cause)
    }).pipe(Effect.tapError(() => Effect.sync(pty.destroy)))
    return { pty, identity }
  })

  const stop = ({ pty, identity }: Started) =>
    Effect.suspend(() => (isEnded ? Effect.void : terminateTree({ root: identity, marker }, { graceMs: 0 }))).pipe(
      Effect.catch((error) => Effect.logError(error.message)),
      Effect.andThen(
        Effect.sync(() => {
          pacer.end()
          outbox.end()
          pty.destroy()
        })
      )
    )

  const { pty, identity } = yield* Effect.acquireRelease(start, stop)
  push([spawned(pty, identity, launch)])
  pty.resume()

  /** Ends what is left of the tree. What resists is noted; false then. */
  const terminate = (graceMs: number) =>
    terminateTree({ root: identity, marker }, { graceMs }).pipe(
      Effect.as(true),
      Effect.catch((error) =>
        Effect.sync(() => {
          push([{ type: "backend.noted", data: { level: "error", message: error.message, code: error._tag } }])
          return false
        })
      )
    )

  const ending = Effect.gen(function* () {
    yield* Effect.raceFirst(Deferred.await(exited), Deferred.await(lingers))
    if (!Deferred.isDoneUnsafe(exited)) {
      // Its output is told before its exit: others that write to the terminal have to end first.
      yield* terminate(leftOverGraceMs)
      pty.release()
    }
    const { exitCode, signal } = exitOf(yield* Deferred.await(exited))
    pacer.end()
    push([{ type: "process.exited", data: { pid: pty.pid, exitCode, signal } }])
    yield* terminate(leftOverGraceMs)
    isEnded = true
    const reason = closing ?? (signal === null ? `exited with code ${exitCode}` : `ended by ${signal}`)
    push([{ type: "backend.closed", data: { reason, exitCode, signal } }])
    outbox.end()
  }).pipe(Effect.catchDefect((defect) => Effect.sync(() => outbox.fail(lost("its end was not handled", defect)))))
  yield* Effect.forkScoped(ending)

  const scope = yield* Effect.scope
  const close = (graceMs: number) =>
    Effect.gen(function* () {
      if (yield* terminate(graceMs)) return
      pty.destroy()
      Deferred.doneUnsafe(exited, Effect.succeed(null))
    }).pipe(Effect.forkIn(scope))

  const write = (bytes: Uint8Array): BackendRefused | undefined => {
    if (!pty.isOpen()) return refused("write", "its program has ended")
    if (bytes.byteLength > maxPendingInput) return refused("write", `more than ${maxPendingInput} bytes`)
    if (!pty.write(bytes)) return refused("write", "its program has not read what was typed before", true)
    pacer.answerInput()
    return undefined
  }

  const perform = (command: BackendCommand): Effect.Effect<Performed, BackendRefused> => {
    switch (command.type) {
      case "write": {
        const refusal = write(command.bytes)
        return refusal === undefined ? Effect.succeed(done) : Effect.fail(refusal)
      }
      case "resize":
        if (!isDimension(command.cols) || !isDimension(command.rows)) {
          return refuse(command, "columns and rows are whole numbers from 1 to 10,000")
        }
        pty.resize(command.cols, command.rows)
        return Effect.succeed(done)
      case "signal": {
        const name = command.signal
        if (!isSignal(name)) return refuse(command, `${name} is no signal of this system`)
        if (identity === undefined) return refuse(command, "its program has ended")
        return signalProcess(identity, name).pipe(
          Effect.catch((error) => refuse(command, error.message, true)),
          Effect.flatMap((result) =>
            result === "delivered"
              ? Effect.succeed(done)
              : refuse(command, result === "gone" ? "its program has ended" : "its program belongs to another user")
          )
        )
      }
      case "close":
        if (isEnded) return Effect.succeed(done)
        closing = command.force ? "killed" : (closing ?? "closed")
        return Effect.as(close(command.force ? 0 : command.graceMs), done)
      default:
        return refuse(command, "a terminal cannot do that")
    }
  }

  return {
    capabilities: ptyCapabilities([profile]),
    size: { cols: launch.cols, rows: launch.rows },
    events: outbox.stream,
    passOutput: outbox.passOutput,
    perform: (command) => Effect.suspend(() => perform(command)),
    write
  }
})

/** Of a program that had ended before anybody could look, nothing is left that a later process could be taken for. */
const spawned = (pty: PtyProcess, identity: ProcessIdentity | undefined, launch: PtyLaunch): BackendEvent => ({
  type: "process.spawned",
  data: {
    pid: pty.pid,
    startTime: identity?.startTime ?? "ended",
    host: identity?.host ?? "",
    command: launch.command,
    args: launch.args,
    cwd: launch.cwd,
    env: Object.keys(launch.env).toSorted()
  }
})
