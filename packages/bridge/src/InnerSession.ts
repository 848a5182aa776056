/** The inner backend of a bridge: one generation at a time, opened, read into the log, asked, and ended with all it started. */
import {
  type Backend,
  type BackendCommand,
  BackendLost,
  BackendRefused,
  type BackendSession,
  type OpenRequest,
  type Performed,
  type SessionId,
  SpecInvalid
} from "@holdfast/core"
import type { BridgeFailure, BridgeOpen, BridgeOpened } from "@holdfast/core/cloud"
import { Cause, Deferred, Effect, Exit, Fiber, Semaphore, Stream } from "effect"
import type { LoggedEvent } from "./BridgeLog.ts"
import type { BridgeBundles, PackedBundle } from "./handoff/BridgeBundles.ts"
import type { CommandLedger } from "./CommandLedger.ts"
import type { ProcessesLeft } from "./ProcessesLeft.ts"
import type { Storing } from "./Storing.ts"
import { WorkspaceFailed, type WorkspacePreparer } from "./Workspace.ts"

/** An opening ends after this long at the latest: half an hour, which is a very large repository over a slow line. */
const openTimeoutMs = 30 * 60 * 1_000

/** A generation has this long to end once it is told to, in milliseconds; adapters force their processes after 5 to 10 s. */
const endTimeoutMs = 20_000

/** The inner session. */
export interface InnerSession {
  /** The generation that is open; null while none is. */
  readonly generation: () => number | null
  /**
   * Ends the generation before, makes the workspace ready, checks the spec and opens. Nothing is told before `start` is called.
   */
  readonly open: (
    command: BridgeOpen
  ) => Effect.Effect<{ readonly opened: typeof BridgeOpened.Type; readonly start: () => void }, BridgeFailure>
  readonly perform: (
    command: BackendCommand,
    seq: number | undefined
  ) => Effect.Effect<Performed, BackendRefused | BackendLost | WorkspaceFailed>
  /** Packs what is open. */
  readonly pack: (restart: boolean) => Effect.Effect<PackedBundle, BackendRefused | BackendLost>
  /** Ends this generation by force; does nothing where it is not there. Nothing of it is told any more. */
  readonly end: (generation: number) => Effect.Effect<void>
  /**
   * Ends whatever is open, politely first. With `asLost` its end is told as a loss, which a host may open again, and not as
   * the session's own end.
   */
  readonly finish: (graceMs: number, asLost: string | undefined) => Effect.Effect<void>
}

/** What it is made of. */
export interface InnerSessionParts {
  readonly sessionId: SessionId
  /** Loads the backend of a name when it is first needed; undefined where there is none of that name. */
  readonly backend: (name: string) => Promise<Backend | undefined>
  readonly names: ReadonlyArray<string>
  readonly workspace: WorkspacePreparer
  readonly storing: Storing
  readonly ledger: CommandLedger
  readonly processes: ProcessesLeft
  readonly bundles: BridgeBundles
  /** How far opening is, for people. */
  readonly onSyncing: (detail: string) => void
}

interface Life {
  readonly generation: number
  readonly opened: Deferred.Deferred<typeof BridgeOpened.Type, BridgeFailure>
  readonly mayTell: Deferred.Deferred<void>
  fiber: Fiber.Fiber<void> | undefined
  session: BackendSession | undefined
  /** The folder that it works in. */
  folder: string | undefined
  asLost: string | undefined
}

/** What was found wrong, as the protocol says it. */
const failureOf = (cause: Cause.Cause<BackendRefused | BackendLost | SpecInvalid | WorkspaceFailed>): BridgeFailure => {
  if (Cause.hasInterruptsOnly(cause))
    return { kind: "lost", reason: "it was ended before it was open", retryable: true }
  return failureOfError(Cause.squash(cause))
}

/** The same of one error. */
export const failureOfError = (error: unknown): BridgeFailure => {
  if (error instanceof SpecInvalid) {
    return { kind: "invalid", reason: short(error.expected), retryable: false, field: short(error.field) }
  }
  if (error instanceof WorkspaceFailed && error.field !== undefined) {
    return { kind: "invalid", reason: short(error.reason), retryable: error.retryable, field: short(error.field) }
  }
  if (error instanceof BackendRefused || error instanceof WorkspaceFailed) {
    return { kind: "refused", reason: short(error.reason), retryable: error.retryable }
  }
  if (error instanceof BackendLost) return { kind: "lost", reason: short(error.reason), retryable: error.retryable }
  return { kind: "lost", reason: short(error instanceof Error ? error.message : String(error)), retryable: false }
}

/** The protocol's bound of a reason. */
const short = (text: string): string => text.slice(0, 10_000)

const isEnd = ({ type }: LoggedEvent): boolean => type === "backend.closed" || type === "backend.suspended"

/** Makes an inner session in which nothing is open. The scope's end ends what is. */
export const makeInnerSession = Effect.fnUntraced(function* (parts: InnerSessionParts) {
  const { bundles, ledger, processes, storing, workspace } = parts
  const scope = yield* Effect.scope
  const turn = Semaphore.makeUnsafe(1)
  let life: Life | undefined

  const backendOf = (name: string): Effect.Effect<Backend, SpecInvalid | BackendLost> =>
    Effect.tryPromise({
      try: () => parts.backend(name),
      catch: (cause) =>
        new BackendLost({ backend: name, reason: `it cannot be loaded: ${String(cause)}`, retryable: false })
    }).pipe(
      Effect.flatMap((backend) =>
        backend === undefined
          ? Effect.fail(
              new SpecInvalid({ backend: name, field: "backend", expected: `one of ${parts.names.join(", ")}` })
            )
          : Effect.succeed(backend)
      )
    )

  /** Makes the repository ready. What the session has brought is taken as it is. */
  const workspaceOf = ({ bundle, workspace: spec }: BridgeOpen) => {
    if (spec === undefined) return Effect.succeed([])
    if (bundle?.packed.workspace === undefined) return workspace.prepare(spec, parts.sessionId, parts.onSyncing)
    return workspace.adopt(spec, parts.sessionId)
  }

  const live = (self: Life, command: BridgeOpen) =>
    Effect.gen(function* () {
      const { generation } = self
      const tell = (events: ReadonlyArray<LoggedEvent>) =>
        processes.remember(generation, events).pipe(Effect.andThen(storing.tell(generation, events)))
      const backend = yield* backendOf(command.backend)
      yield* Effect.addFinalizer(() => backend.release ?? Effect.void)

      const opening = Effect.gen(function* () {
        const { bundle, forkOf, inDoubt, size } = command
        const brought = bundle === undefined ? undefined : yield* bundles.bring(bundle)
        const first = yield* workspaceOf(command)
        const checked = yield* backend.check(command.spec)
        self.folder = checked.workspace
        const secrets = command.secrets ?? checked.secrets
        const taken =
          bundle === undefined || brought === undefined
            ? undefined
            : yield* bundles.takeUp(backend, {
                sessionId: parts.sessionId,
                generation,
                spec: checked.spec,
                folder: brought,
                packed: bundle.packed
              })
        const nativeId = taken === undefined ? command.nativeId : taken.nativeId
        const request: OpenRequest = {
          sessionId: parts.sessionId,
          generation,
          spec: taken?.spec ?? checked.spec,
          inDoubt,
          ...(secrets === undefined ? {} : { secrets }),
          ...(nativeId === undefined ? {} : { nativeId }),
          ...(forkOf === undefined ? {} : { forkOf }),
          ...(size === undefined ? {} : { size }),
          tell
        }
        const session = yield* backend.open(request)
        if (bundle !== undefined) yield* bundles.forget
        return { first, session }
      })
      const { first, session } = yield* Effect.timeoutOrElse(opening, {
        duration: openTimeoutMs,
        orElse: () =>
          Effect.fail(
            new BackendLost({ backend: backend.name, reason: `not open within ${openTimeoutMs} ms`, retryable: true })
          )
      })
      self.session = session
      yield* Deferred.succeed(self.opened, openedOf(session))
      yield* Deferred.await(self.mayTell)
      if (first.length > 0) yield* tell(first)
      let isOver = false
      const take = (batch: ReadonlyArray<LoggedEvent>) => {
        const ends = batch.some(isEnd)
        isOver ||= ends
        return tell(ends && self.asLost !== undefined ? batch.map((each) => endAsLost(each, self.asLost!)) : batch)
      }
      const end = yield* Effect.exit(Stream.runForEach(session.events, take))
      self.session = undefined
      if (isOver) return
      if (Exit.isFailure(end) && Cause.hasInterruptsOnly(end.cause)) return yield* end
      yield* tell([lostBy(end, self.asLost)])
    }).pipe(
      Effect.scoped,
      Effect.onExit((exit) => {
        if (Exit.isFailure(exit)) Deferred.doneUnsafe(self.opened, Effect.fail(failureOf(exit.cause)))
        return Effect.void
      }),
      Effect.catchCause((cause) =>
        Cause.hasInterruptsOnly(cause)
          ? Effect.void
          : Effect.logWarning(`generation ${self.generation} ended: ${failureOf(cause).reason}`)
      ),
      Effect.ensuring(
        Effect.suspend(() => {
          // One that was left behind because it hung must not speak for the one after it.
          if (life !== self) return Effect.void
          life = undefined
          return processes.over
        })
      )
    )

  /** Ends what there is, and waits. Whoever hangs past the bound is left behind, and said so. */
  const stop = Effect.suspend(() => {
    const fiber = life?.fiber
    if (fiber === undefined) return Effect.void
    return Fiber.interrupt(fiber).pipe(
      Effect.timeoutOrElse({
        duration: endTimeoutMs,
        orElse: () => Effect.logError(`the inner backend did not end within ${endTimeoutMs} ms`)
      })
    )
  })
  yield* Effect.addFinalizer(() => stop)

  const begin = (command: BridgeOpen) =>
    Effect.gen(function* () {
      yield* stop
      const self: Life = {
        generation: command.generation,
        opened: Deferred.makeUnsafe(),
        mayTell: Deferred.makeUnsafe(),
        fiber: undefined,
        session: undefined,
        folder: undefined,
        asLost: undefined
      }
      life = self
      // Before anything is started: after a death of the bridge it says whose processes may be left.
      yield* storing.store(() => ledger.setOpenGeneration(command.generation))
      self.fiber = yield* Effect.forkIn(live(self, command), scope)
      return self
    })

  const session: InnerSession = {
    generation: () => (life?.session === undefined ? null : life.generation),
    open: (command) =>
      Effect.gen(function* () {
        const self = yield* turn.withPermit(begin(command))
        const opened = yield* Deferred.await(self.opened)
        return { opened, start: () => void Deferred.doneUnsafe(self.mayTell, Effect.void) }
      }),
    perform: (command, seq) => {
      const open = life?.session
      if (open === undefined) {
        return Effect.fail(new BackendLost({ backend: "bridge", reason: "no inner backend is open", retryable: true }))
      }
      if (command.type === "workspace") {
        const generation = life!.generation
        return Effect.gen(function* () {
          const { events, result } = yield* workspace.act(command.action)
          if (events.length > 0) yield* storing.tell(generation, events)
          return { workspace: result }
        })
      }
      if (command.type === "prompt" && command.author !== undefined) {
        return Effect.andThen(workspace.authorIs(command.author), open.perform(command, seq))
      }
      return open.perform(command, seq)
    },
    pack: (restart) =>
      Effect.suspend(() => {
        if (life?.session !== undefined) return bundles.pack(life.session, life.folder, restart)
        return Effect.fail(new BackendLost({ backend: "bridge", reason: "no inner backend is open", retryable: true }))
      }),
    end: (generation) => Effect.suspend(() => (life?.generation === generation ? turn.withPermit(stop) : Effect.void)),
    finish: (graceMs, asLost) =>
      Effect.suspend(() => {
        const self = life
        if (self?.fiber === undefined || self.session === undefined) return turn.withPermit(stop)
        self.asLost = asLost
        return self.session
          .perform({ type: "close", force: false, graceMs })
          .pipe(
            Effect.ignore,
            Effect.andThen(Fiber.await(self.fiber)),
            Effect.timeoutOrElse({ duration: graceMs + 3_000, orElse: () => turn.withPermit(stop) }),
            Effect.asVoid
          )
      })
  }
  return session
})

const openedOf = ({ arrived, capabilities, nativeId, size, version }: BackendSession): typeof BridgeOpened.Type => ({
  capabilities,
  ...(nativeId === undefined ? {} : { nativeId }),
  ...(version === undefined ? {} : { version }),
  ...(arrived === undefined ? {} : { arrived }),
  ...(size === undefined ? {} : { size })
})

const endAsLost = (event: LoggedEvent, reason: string): LoggedEvent =>
  isEnd(event) ? { type: "backend.lost", data: { reason, retryable: true } } : event

const lostBy = (end: Exit.Exit<void, BackendLost>, asLost: string | undefined): LoggedEvent => {
  if (asLost !== undefined) return { type: "backend.lost", data: { reason: asLost, retryable: true } }
  if (Exit.isSuccess(end)) return { type: "backend.lost", data: { reason: "it ended without a word", retryable: true } }
  const { reason, retryable } = failureOfError(Cause.squash(end.cause))
  return { type: "backend.lost", data: { reason, retryable } }
}
