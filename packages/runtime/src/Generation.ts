/**
 * One opening of a backend: opened in a scope, read until its stream ends, asked to perform what was decided. What it
 * tells goes to the owner batch by batch, each stored before the next is pulled: a log that cannot keep up holds the
 * backend back, and nothing else does.
 */
import {
  type Backend,
  type BackendCommand,
  BackendLost,
  type BackendRefused,
  type BackendSession,
  type Observed,
  type OpenRequest,
  type Performed,
  type PromptId,
  type SpecInvalid
} from "@holdfast/core"
import { Cause, Effect, Fiber, FiberSet, Scope, Semaphore, Stream } from "effect"

/** How long a backend may take to take a command, in milliseconds: past it, it counts as lost. */
const performTimeoutMs = 60_000

/** Commands that are performed at once, those of the terminal aside: far more than a person or a turn brings. */
const maxPerforming = 64

/** Commands that wait to be performed. Past it the backend is stuck and counts as lost. */
const maxWaiting = 1_024

/** An interrupt that came before the provider had its turn is tried again this often, doubling from 50 ms. */
const interruptTries = 6

/** Where a generation tells. Completes when the events are stored. */
export type Tell = (generation: number, events: ReadonlyArray<Observed>) => Effect.Effect<void>

/** A running generation. */
export interface Generation {
  readonly number: number
  /** Performs what was decided. The outcome comes back as events. Never waits. */
  readonly perform: (command: BackendCommand) => void
  /** Asks it directly, for what is not decided by the log: keystrokes, and the native side of a fork. */
  readonly ask: (command: BackendCommand) => Effect.Effect<Performed, BackendRefused | BackendLost>
  /** Ends it and all that it started. Completes when nothing of it is left. */
  readonly release: Effect.Effect<void>
}

/**
 * Starts to open, once the generation before has been released; returns at once. The generation lives in `scope` until it
 * ends by itself or is released.
 */
export const startGeneration = (
  backend: Backend,
  before: Effect.Effect<void>,
  request: OpenRequest,
  resume: boolean,
  tell: Tell,
  scope: Scope.Scope
): Effect.Effect<Generation> =>
  Effect.gen(function* () {
    const number = request.generation
    const fork = yield* Scope.provide(FiberSet.makeRuntime(), scope)
    // What goes to a terminal keeps its order; what goes to an agent must not wait behind a slow prompt.
    const terminalLane = Semaphore.makeUnsafe(1)
    const agentLane = Semaphore.makeUnsafe(maxPerforming)
    let waiting = 0
    let session: BackendSession | undefined

    const life = Effect.gen(function* () {
      yield* before
      session = yield* backend.open(request)
      yield* tell(number, openedEvents(session, request, resume))
      yield* Stream.runForEach(session.events, (batch) => tell(number, batch))
      // After an orderly end, which was told already, this is left out.
      return yield* new BackendLost({ backend: backend.name, reason: "it ended without a word", retryable: true })
    }).pipe(
      Effect.scoped,
      Effect.catchCause((cause) => {
        session = undefined
        return tellEnd(cause)
      })
    )

    const tellEnd = (cause: Cause.Cause<BackendLost | SpecInvalid>): Effect.Effect<void> => {
      if (Cause.hasInterruptsOnly(cause)) return Effect.void
      const error = Cause.squash(cause)
      if (error instanceof BackendLost) return tell(number, [lost(error)])
      // A spec that does not hold any more, or a defect of the adapter: trying again cannot help.
      const message = messageOf(error)
      return tell(number, [{ type: "backend.failed", data: { reason: "not usable", message, retryable: false } }])
    }

    const fiber = yield* Effect.forkIn(life, scope)

    const ask = (command: BackendCommand): Effect.Effect<Performed, BackendRefused | BackendLost> =>
      Effect.suspend(() => {
        if (session === undefined) return Effect.fail(gone(backend))
        const performed = session.perform(command)
        // A keystroke has no use for a timer: a backend takes it at once or refuses it.
        return command.type === "write"
          ? performed
          : Effect.timeoutOrElse(performed, {
              duration: performTimeoutMs,
              orElse: () => Effect.fail(unresponsive(backend, command))
            })
      })

    const perform = (command: BackendCommand): void => {
      if (command.type === "close" && session === undefined) {
        // Not open yet: there is nobody to ask, so the attempt itself is given up.
        const reason = "closed before it was open"
        fork(Effect.andThen(Fiber.interrupt(fiber), tell(number, [{ type: "backend.closed", data: { reason } }])))
        return
      }
      if (waiting >= maxWaiting) {
        const error = new BackendLost({ backend: backend.name, reason: "it takes no commands", retryable: true })
        fork(tell(number, [lost(error)]))
        return
      }
      waiting += 1
      const lane = command.type === "resize" || command.type === "signal" ? terminalLane : agentLane
      fork(
        lane.withPermit(performing(number, command, ask, tell)).pipe(
          Effect.ensuring(
            Effect.sync(() => {
              waiting -= 1
            })
          )
        )
      )
    }

    return {
      number,
      perform,
      ask,
      release: Fiber.interrupt(fiber)
    }
  })

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const lost = (error: BackendLost): Observed => ({
  type: "backend.lost",
  data: { reason: error.reason, retryable: error.retryable }
})

/** The first events of a generation: what became of prompts in doubt, that it is open, and how large its terminal is. */
const openedEvents = (session: BackendSession, request: OpenRequest, resume: boolean): ReadonlyArray<Observed> => {
  const arrived = new Set<string>(session.arrived ?? [])
  const doubts = request.inDoubt.map((promptId): Observed =>
    arrived.has(promptId)
      ? { type: "prompt.delivered", data: { promptId } }
      : { type: "prompt.returned", data: { promptId, error: { message: "it had not arrived", retryable: true } } }
  )
  const data = {
    capabilities: session.capabilities,
    ...(session.nativeId === undefined ? {} : { nativeId: session.nativeId }),
    ...(session.version === undefined ? {} : { version: session.version })
  }
  const opened: Observed = { type: resume ? "backend.resumed" : "backend.opened", data }
  const sized: ReadonlyArray<Observed> =
    session.size === undefined ? [] : [{ type: "terminal.resized", data: session.size }]
  return [...doubts, opened, ...sized]
}

const gone = (backend: Backend) => new BackendLost({ backend: backend.name, reason: "it is not open", retryable: true })

const unresponsive = (backend: Backend, command: BackendCommand) =>
  new BackendLost({
    backend: backend.name,
    reason: `it did not take ${command.type} within ${performTimeoutMs} ms`,
    retryable: true
  })

/** Performs one command and tells what came of it. */
const performing = (
  generation: number,
  command: BackendCommand,
  ask: Generation["ask"],
  tell: Tell
): Effect.Effect<void> =>
  Effect.matchEffect(command.type === "interrupt" ? retryRefused(ask(command)) : ask(command), {
    onSuccess: (performed) =>
      command.type === "prompt" ? tell(generation, [delivered(command.promptId, performed)]) : Effect.void,
    onFailure: (error) => {
      if (error._tag === "BackendLost") return tell(generation, [lost(error)])
      const { message, retryable } = error
      return command.type === "prompt"
        ? tell(generation, [
            { type: "prompt.returned", data: { promptId: command.promptId, error: { message, retryable } } }
          ])
        : tell(generation, [
            { type: "backend.noted", data: { level: "error", message, code: `${command.type}_refused` } }
          ])
    }
  })

const delivered = (promptId: PromptId, performed: Performed): Observed => ({
  type: "prompt.delivered",
  data: { promptId, ...(performed.turnId === undefined ? {} : { turnId: performed.turnId }) }
})

const retryRefused = <A>(
  attempt: Effect.Effect<A, BackendRefused | BackendLost>,
  tries = interruptTries,
  delayMs = 50
): Effect.Effect<A, BackendRefused | BackendLost> =>
  Effect.catchTag(attempt, "BackendRefused", (refused) =>
    refused.retryable && tries > 1
      ? Effect.andThen(Effect.sleep(delayMs), retryRefused(attempt, tries - 1, delayMs * 2))
      : Effect.fail(refused)
  )
