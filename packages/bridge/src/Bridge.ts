/** A bridge, whatever it is connected by: its log, its inner session, and what a control plane may ask of them. */
import type { Backend, BackendCommand, SessionId } from "@holdfast/core"
import { bridgeBounds, bridgeProtocolVersion, type ControlMessage } from "@holdfast/core/cloud"
import { Cause, Deferred, Effect, Exit, FiberSet, type Scope } from "effect"
import type { BridgeConnection, ConnectionListener } from "./BridgeConnection.ts"
import { type BridgeDatabase, DiskFull } from "./BridgeDatabase.ts"
import { type LoggedEvent, openBridgeLog } from "./BridgeLog.ts"
import { type CommandAnswer, openCommandLedger } from "./CommandLedger.ts"
import { type CredentialAsker, makeCredentialAsker } from "./Credentials.ts"
import type { BridgeBundles } from "./handoff/BridgeBundles.ts"
import { type EventSender, makeEventSender } from "./EventSender.ts"
import { failureOfError, makeInnerSession } from "./InnerSession.ts"
import { endProcessesLeft, makeProcessesLeft } from "./ProcessesLeft.ts"
import { makeStoring } from "./Storing.ts"
import type { WorkspacePreparer } from "./Workspace.ts"

/** Milliseconds that a bridge which ends waits for its last events to be acknowledged. */
const lastWordsMs = 5_000

/** UTF-16 units of a result's JSON: even if each took three bytes, its frame is within the protocol's bound of 4 MiB. */
const maxResultLength = 1.3 * 1024 * 1024

type Command = Extract<typeof ControlMessage.Type, { readonly type: "command" }>

/** What a bridge is made of. */
export interface BridgeParts {
  readonly sessionId: SessionId
  readonly generation: number
  readonly version: string
  readonly logBytes: number
  readonly database: BridgeDatabase
  readonly backend: (name: string) => Promise<Backend | undefined>
  readonly names: ReadonlyArray<string>
  readonly workspace: (credentials: CredentialAsker) => WorkspacePreparer
  readonly bundles: BridgeBundles
}

/** A bridge. */
export interface Bridge extends ConnectionListener {
  /** The connection that was welcomed has ended. */
  readonly onEnd: (connection: BridgeConnection) => void
  /** Fails where the bridge cannot go on: its file cannot be written, or it has a bug. */
  readonly isBroken: Effect.Effect<never>
  /** Completes when a `shutdown` was carried out. */
  readonly isShutDown: Effect.Effect<void>
  /**
   * Ends the inner backend, politely within `graceMs`, tells its end as a loss, and waits a little until the control plane has
   * it.
   */
  readonly stop: (reason: string, graceMs: number) => Effect.Effect<void>
}

/** Opens a bridge in a scope, which ends what it runs. What an earlier bridge left is ended before it returns. */
export const openBridge = Effect.fnUntraced(function* (
  parts: BridgeParts
): Effect.fn.Return<Bridge, never, Scope.Scope> {
  const { database, sessionId } = parts
  const log = openBridgeLog(database)
  const ledger = openCommandLedger(database)
  const run = yield* FiberSet.makeRuntime()
  const broken = Deferred.makeUnsafe<never>()
  const fork = (effect: Effect.Effect<void>): void => {
    const guarded = Effect.catchCause(effect, (cause) =>
      Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.asVoid(Deferred.failCause(broken, cause))
    )
    run(guarded)
  }
  const shutDown = Deferred.makeUnsafe<void>()
  let connection: BridgeConnection | undefined
  let sender: EventSender | undefined
  let drained: (() => void) | undefined

  const storing = yield* makeStoring({
    database,
    log,
    logBytes: parts.logBytes,
    onStored: (generation, first, events) => sender?.offer(generation, first, events),
    onHeld: (held) => connection?.tell({ type: "held", ...held }),
    onBroken: (error) => Deferred.doneUnsafe(broken, Effect.die(error))
  })
  const credentials = makeCredentialAsker((question) => connection?.tell(question))
  const inner = yield* makeInnerSession({
    sessionId,
    backend: parts.backend,
    names: parts.names,
    workspace: parts.workspace(credentials),
    storing,
    ledger,
    bundles: parts.bundles,
    processes: makeProcessesLeft(database, sessionId, storing, ledger),
    onSyncing: (detail) => connection?.tell({ type: "syncing", detail: detail.slice(0, 10_000) })
  })

  // The generation that died with the bridge before. It is told once it is known which numbers the host has.
  let dead = ledger.openGeneration()
  if (dead !== null) yield* endProcessesLeft(database, sessionId, dead)
  let isNoted = !database.isReplaced

  const tellDead = () => {
    const generation = dead
    dead = null
    if (generation === null) return
    const lost: LoggedEvent = { type: "backend.lost", data: { reason: "the bridge died", retryable: true } }
    const over = () => {
      // Another one may have been opened while this waited for room.
      if (ledger.openGeneration() === generation) ledger.setOpenGeneration(null)
    }
    fork(Effect.andThen(storing.tell(generation, [lost]), storing.store(over)))
  }

  const deliver = (id: number, answer: CommandAnswer) => {
    if (connection === undefined) return
    if ("typed" in answer) connection.typed(id)
    else if ("failure" in answer) connection.tell({ type: "failed", id, failure: answer.failure })
    else connection.tell({ type: "performed", id, result: answer.result })
  }

  const answer = (id: number, answer: CommandAnswer): Effect.Effect<void> =>
    Effect.andThen(
      storing.store(() => ledger.answer(id, answer)),
      Effect.sync(() => deliver(id, answer))
    )

  /** Says what is known of a command, or takes it. True when it is to be performed. */
  const isTaken = (id: number, seq: number | undefined, at?: CommandAnswer): boolean => {
    const known = ledger.look(id)
    if (known === "performing") return false
    if (known !== "new") {
      deliver(id, known)
      return false
    }
    try {
      ledger.take(id, seq, at)
      return true
    } catch (error) {
      if (!(error instanceof DiskFull)) throw error
      deliver(id, { failure: { kind: "refused", reason: error.message, retryable: true } })
      return false
    }
  }

  const runCommand = (id: number, effect: Effect.Effect<CommandAnswer, unknown>) =>
    fork(
      Effect.flatMap(Effect.exit(effect), (exit) =>
        answer(id, Exit.isSuccess(exit) ? exit.value : { failure: failureOfError(Cause.squash(exit.cause)) })
      )
    )

  const perform = (command: BackendCommand, seq: number | undefined): Effect.Effect<CommandAnswer, unknown> =>
    Effect.map(inner.perform(command, seq), (result) => {
      if (result.workspace === undefined || JSON.stringify(result).length <= maxResultLength) return { result }
      return { failure: { kind: "refused", reason: "the answer is too large to be sent", retryable: false } }
    })

  const noteReplaced = (generation: number) => {
    if (isNoted) return Effect.void
    isNoted = true
    const message = "the bridge's log was damaged and was begun anew: what was not acknowledged before is not here"
    return storing.tell(generation, [
      { type: "backend.noted", data: { level: "error", message, code: "bridge_log_damaged" } }
    ])
  }

  const carryOut = ({ command, id, seq }: Command): void => {
    switch (command.do) {
      case "perform":
        return runCommand(id, perform(command.command, seq))
      case "open":
        dead = null
        return fork(
          Effect.matchEffect(inner.open(command), {
            onFailure: (failure) => answer(id, { failure }),
            onSuccess: ({ opened, start }) =>
              answer(id, { result: { opened } }).pipe(
                Effect.andThen(noteReplaced(command.generation)),
                Effect.andThen(Effect.sync(start))
              )
          })
        )
      case "pack":
        return runCommand(
          id,
          Effect.map(inner.pack(command.restart), (result) => ({ result }))
        )
      case "receive":
        return runCommand(
          id,
          Effect.map(parts.bundles.receive, (folder) => ({ result: { folder } }))
        )
      case "end":
        if (dead === command.generation) dead = null
        return runCommand(id, Effect.as(inner.end(command.generation), { result: {} }))
      case "freeze": {
        // The answer is in the snapshot too: whoever is restored from it must not freeze again.
        const frozen: CommandAnswer = { result: {} }
        return fork(
          storing
            .store(() => ledger.answer(id, frozen))
            .pipe(
              Effect.andThen(Effect.sync(storing.freeze)),
              Effect.flatMap((isFrozen) =>
                isFrozen
                  ? Effect.sync(() => deliver(id, frozen))
                  : answer(id, { failure: { kind: "refused", reason: "the disk is full", retryable: true } })
              )
            )
        )
      }
      case "thaw":
        return runCommand(id, Effect.succeed({ result: {} }))
      case "shutdown":
        return fork(
          inner
            .finish(Math.max(0, command.graceMs), undefined)
            .pipe(
              Effect.andThen(Effect.suspend(() => answer(id, { result: {} }))),
              Effect.andThen(drain),
              Effect.andThen(Effect.sync(() => void Deferred.doneUnsafe(shutDown, Effect.void)))
            )
        )
    }
  }

  /** Waits until the control plane has everything, but not for long. */
  const drain = Effect.callback<void>((resume) => {
    drained = () => {
      if (log.floor() >= log.last() || connection === undefined) resume(Effect.void)
    }
    drained()
  }).pipe(Effect.timeoutOrElse({ duration: lastWordsMs, orElse: () => Effect.void }))

  let waiting = 0
  /** While a snapshot is taken, what is to be performed waits: taking it would write. */
  const afterThaw = (run: () => void) => {
    if (!storing.isFrozen()) return run()
    waiting += 1
    if (waiting > bridgeBounds.commands)
      return connection?.close(4400, `more than ${bridgeBounds.commands} commands wait`)
    storing.whenThawed(() => {
      waiting -= 1
      run()
    })
  }

  return {
    hello: () => ({
      type: "hello",
      protocol: bridgeProtocolVersion,
      sessionId,
      generation: parts.generation,
      bridge: parts.version,
      last: log.last(),
      open: inner.generation(),
      commands: ledger.highest(),
      taken: ledger.taken(),
      at: Date.now()
    }),
    onWelcome: (mirrored, welcomed) => {
      sender?.stop()
      connection = welcomed
      storing.acknowledged(mirrored)
      sender = makeEventSender(log, welcomed, log.floor())
      tellDead()
      const held = storing.held()
      if (held !== undefined) welcomed.tell({ type: "held", ...held })
      for (const question of credentials.waiting()) welcomed.tell(question)
    },
    onEnd: (ended) => {
      if (connection !== ended) return
      connection = undefined
      sender?.stop()
      sender = undefined
      drained?.()
    },
    onCommand: (command) => {
      const { id, seq } = command
      const take = () => {
        if (isTaken(id, seq)) carryOut(command)
      }
      if (command.command.do === "perform" || ledger.look(id) !== "new") return afterThaw(take)
      storing.thaw()
      take()
    },
    onKeystrokes: (id, typed) =>
      afterThaw(() => {
        // Counts as typed from the start: if the bridge dies in between, so does the terminal, and nobody asks again.
        if (!isTaken(id, undefined, { typed: true })) return
        const bytes = new Uint8Array(typed)
        fork(
          Effect.flatMap(Effect.exit(inner.perform({ type: "write", bytes }, undefined)), (exit) => {
            if (Exit.isSuccess(exit)) return Effect.sync(() => deliver(id, { typed: true }))
            return answer(id, { failure: failureOfError(Cause.squash(exit.cause)) })
          })
        )
      }),
    onAck: (through) => {
      if (through > log.last()) return connection?.close(4400, `ack: ${through} was never sent`)
      storing.acknowledged(through)
      sender?.acknowledged(through)
      drained?.()
    },
    onCredentials: ({ credentials: given, id }) => credentials.answered(id, given),
    isBroken: Deferred.await(broken),
    isShutDown: Deferred.await(shutDown),
    stop: (reason, graceMs) =>
      Effect.gen(function* () {
        storing.thaw()
        yield* inner.finish(graceMs, reason)
        yield* drain
      })
  }
})
