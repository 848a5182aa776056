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
  type PackedSession,
  type PackRequest,
  type Performed,
  type PromptId,
  type SpecInvalid,
  type TakeOutput
} from "@holdfast/core"
import { Cause, Effect, Fiber, FiberSet, Scope, Semaphore, Stream } from "effect"

/** How long a backend may take to take a command unless it says otherwise, in milliseconds: past it, it counts as lost. */
const defaultPerformTimeoutMs = 60_000

/** Commands that are performed at once, those of the terminal aside: far more than a person or a turn brings. */
const maxPerforming = 64

/** Commands that wait to be performed. Past it the backend is stuck and counts as lost. */
const maxWaiting = 1_024

/** An interrupt that came before the provider had its turn is tried again this often, doubling from 50 ms. */
const interruptTries = 6

/** Where a generation tells. Completes when the events are stored. */
export type Tell = (generation: number, events: ReadonlyArray<Observed>) => Effect.Effect<void>

/** The plain way of output: see {@link BackendSession.passOutput}. */
export type TellOutput = (generation: number, ...output: Parameters<TakeOutput>) => boolean

/** A running generation. */
export interface Generation {
  readonly number: number
  /** Performs what was decided at `seq`. The outcome comes back as events. Never waits. */
  readonly perform: (command: BackendCommand, seq: number) => void
  /** Asks it directly, for what is not decided by the log: keystrokes, and the native side of a fork. */
  readonly ask: (command: BackendCommand) => Effect.Effect<Performed, BackendRefused | BackendLost>
  /** The plain way of a keystroke, where there is one; see {@link BackendSession.write}. */
  readonly write: () => BackendSession["write"]
  /** A release from now on leaves it running, for the next runtime. */
  readonly detach: Effect.Effect<void>
  /** What is performed from now on waits for this: the end of another backend's generation, where the session was moved. */
  readonly waitFor: (before: Effect.Effect<void>) => void
  /** Ends it and all that it started. Completes when nothing of it is left. */
  readonly release: Effect.Effect<void>
  /** Packs what another backend needs to go on with the session; undefined where its backend packs nothing. */
  readonly pack: (request: PackRequest) => Effect.Effect<PackedSession | undefined, BackendRefused | BackendLost>
  /**
   * The session is another backend's now: has it closed for good, with all that is kept for it elsewhere, and then ends it. What
   * does not close within the grace and `closeTimeoutMs` is ended by force.
   */
  readonly retire: (graceMs: number, closeTimeoutMs: number) => Effect.Effect<void>
}

/** How a generation comes about: anew, with the native session that there was, or as the one that goes on. */
export type Opening = "open" | "resume" | "reattach"

/** What was decided and a reattached backend has not taken, oldest first. */
export type Missed = (
  taken: ReadonlyArray<number>
) => Effect.Effect<ReadonlyArray<{ readonly command: BackendCommand; readonly seq: number }>>

/** What a generation is made of. */
export interface GenerationParts {
  readonly backend: Backend
  readonly request: Omit<OpenRequest, "tell">
  readonly opening: Opening
  readonly missed: Missed
  /** How many people look on. */
  readonly people: () => number
  readonly tell: Tell
  readonly tellOutput: TellOutput
  /** Given the error with which it ends, before that is told. */
  readonly onEnd?: (error: unknown) => void
}

/**
 * Starts to open, once the generation before has been released; returns at once. The generation lives in `scope` until it
 * ends by itself or is released.
 */
export const startGeneration = (
  parts: GenerationParts,
  before: Effect.Effect<void>,
  scope: Scope.Scope
): Effect.Effect<Generation> =>
  Effect.gen(function* () {
    const { backend, opening, tell } = parts
    const number = parts.request.generation
    const request: OpenRequest = { ...parts.request, tell: (events) => tell(number, events) }
    const timeoutMs = backend.performTimeoutMs ?? defaultPerformTimeoutMs
    const fork = yield* Scope.provide(FiberSet.makeRuntime(), scope)
    // What goes to a terminal keeps its order; what goes to an agent must not wait behind a slow prompt.
    const terminalLane = Semaphore.makeUnsafe(1)
    const agentLane = Semaphore.makeUnsafe(maxPerforming)
    let waiting = 0
    let session: BackendSession | undefined
    /** What was decided while a generation that goes on was being taken up: performed once it is. */
    let early: Array<{ readonly command: BackendCommand; readonly seq: number }> = []
    /** What was missed is known: until then whatever is decided may be among it, and is not performed for itself. */
    let isTakenUp = opening !== "reattach"
    /** Decisions that a reattached backend has: one may be read as missed before its own effect comes. */
    const begun = new Set<number>()
    let isDetached = false
    let gate: Effect.Effect<void> = Effect.void

    const life = Effect.gen(function* () {
      yield* before
      session = yield* backend.open(request)
      if (isDetached) yield* session.detach ?? Effect.void
      yield* tell(number, openedEvents(session, request, opening))
      if (opening === "reattach") {
        const missed = yield* parts.missed(session.taken ?? [])
        for (const seq of session.taken ?? []) begun.add(seq)
        isTakenUp = true
        for (const { command, seq } of [...missed, ...early]) {
          perform(command, seq)
          begun.add(seq)
        }
        early = []
      }
      if (parts.people() > 0 && backend.capabilities.reattach === true) {
        fork(Effect.ignore(ask({ type: "watched", people: parts.people() })))
      }
      session.passOutput?.((output, stored) => parts.tellOutput(number, output, stored))
      yield* Stream.runForEachArray(session.events, tellAll)
      // After an orderly end, which was told already, this is left out.
      return yield* new BackendLost({ backend: backend.name, reason: "it ended without a word", retryable: true })
    }).pipe(
      Effect.scoped,
      Effect.catchCause((cause) => {
        session = undefined
        return tellEnd(cause)
      })
    )

    /** A pull nearly always brings one batch. */
    const tellAll = (batches: ReadonlyArray<ReadonlyArray<Observed>>): Effect.Effect<void> =>
      batches.length === 1
        ? tell(number, batches[0]!)
        : Effect.forEach(batches, (batch) => tell(number, batch), { discard: true })

    const tellEnd = (cause: Cause.Cause<BackendLost | SpecInvalid>): Effect.Effect<void> => {
      if (Cause.hasInterruptsOnly(cause)) return Effect.void
      const error = Cause.squash(cause)
      parts.onEnd?.(error)
      if (error instanceof BackendLost) return tell(number, [lost(error)])
      // A spec that does not hold any more, or a defect of the adapter: trying again cannot help.
      const message = messageOf(error)
      return tell(number, [{ type: "backend.failed", data: { reason: "not usable", message, retryable: false } }])
    }

    const fiber = yield* Effect.forkIn(life, scope)

    const ask = (command: BackendCommand, seq?: number): Effect.Effect<Performed, BackendRefused | BackendLost> =>
      Effect.suspend(() => {
        if (session === undefined) return Effect.fail(gone(backend))
        const performed = session.perform(command, seq)
        // A keystroke has no use for a timer: a backend takes it at once or refuses it.
        return command.type === "write"
          ? performed
          : Effect.timeoutOrElse(performed, {
              duration: timeoutMs,
              orElse: () => Effect.fail(unresponsive(backend, command, timeoutMs))
            })
      })

    const perform = (command: BackendCommand, seq: number): void => {
      if (command.type === "close" && session === undefined) {
        // Not open yet: there is nobody to ask, so the attempt itself is given up.
        const reason = "closed before it was open"
        fork(Effect.andThen(Fiber.interrupt(fiber), tell(number, [{ type: "backend.closed", data: { reason } }])))
        return
      }
      if (begun.has(seq)) return
      if (!isTakenUp && early.length < maxWaiting) {
        early.push({ command, seq })
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
        lane.withPermit(Effect.andThen(gate, performing(number, command, ask(command, seq), tell))).pipe(
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
      write: () => session?.write,
      detach: Effect.suspend(() => {
        isDetached = true
        return session?.detach ?? Effect.void
      }),
      waitFor: (before) => {
        gate = before
      },
      release: Fiber.interrupt(fiber),
      pack: (request) =>
        Effect.suspend(() => {
          if (session === undefined) return Effect.fail(gone(backend))
          return session.pack === undefined ? Effect.undefined : session.pack(request)
        }),
      retire: (graceMs, closeTimeoutMs) =>
        Effect.suspend(() => session?.perform({ type: "close", force: false, graceMs }) ?? Effect.void).pipe(
          Effect.andThen(Fiber.await(fiber)),
          Effect.timeoutOption(graceMs + closeTimeoutMs),
          Effect.catch((error) => Effect.logWarning("what a session left behind did not close by itself", error)),
          Effect.ensuring(Fiber.interrupt(fiber)),
          Effect.asVoid
        )
    }
  })

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const lost = (error: BackendLost): Observed => ({
  type: "backend.lost",
  data: { reason: error.reason, retryable: error.retryable }
})

/** The first events of a generation: what became of prompts in doubt, that it is open, and how large its terminal is. */
const openedEvents = (session: BackendSession, request: OpenRequest, how: Opening): ReadonlyArray<Observed> => {
  const arrived = new Set<string>(session.arrived ?? [])
  const doubts = request.inDoubt.flatMap((promptId): ReadonlyArray<Observed> => {
    if (arrived.has(promptId)) return [{ type: "prompt.delivered", data: { promptId } }]
    // It is on its way still, and is performed again.
    if (how === "reattach") return []
    return [{ type: "prompt.returned", data: { promptId, error: { message: "it had not arrived", retryable: true } } }]
  })
  if (how === "reattach") return [...doubts, { type: "link.connected", data: {} }]
  const data = {
    capabilities: session.capabilities,
    ...(session.nativeId === undefined ? {} : { nativeId: session.nativeId }),
    ...(session.version === undefined ? {} : { version: session.version })
  }
  const opened: Observed = { type: how === "resume" ? "backend.resumed" : "backend.opened", data }
  const sized: ReadonlyArray<Observed> =
    session.size === undefined ? [] : [{ type: "terminal.resized", data: session.size }]
  return [...doubts, opened, ...sized]
}

const gone = (backend: Backend) => new BackendLost({ backend: backend.name, reason: "it is not open", retryable: true })

const unresponsive = (backend: Backend, command: BackendCommand, timeoutMs: number) =>
  new BackendLost({
    backend: backend.name,
    reason: `it did not take ${command.type} within ${timeoutMs} ms`,
    retryable: true
  })

/** Performs one command and tells what came of it. */
const performing = (
  generation: number,
  command: BackendCommand,
  performed: Effect.Effect<Performed, BackendRefused | BackendLost>,
  tell: Tell
): Effect.Effect<void> =>
  Effect.matchEffect(command.type === "interrupt" ? retryRefused(performed) : performed, {
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
