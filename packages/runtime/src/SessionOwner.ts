/**
 * The owner of one live session: one fiber, one bounded mailbox, one way for everything that happens: decide or accept,
 * append, evolve, effects, in that order. Nothing is visible or acknowledged before it is stored.
 */
import {
  acceptOutput,
  type AppendOptions,
  type Backend,
  type BackendLost,
  type BackendRefused,
  type Command,
  CommandRejected,
  type Compaction,
  decide,
  effectOf,
  effectsOf,
  type EventBody,
  type EventInvalid,
  type EventLogService,
  LogUnavailable,
  makeCommandId,
  note,
  type Observed,
  type PackedSession,
  type Performed,
  type QuestionOutcome,
  type Receipt,
  type SessionEffect,
  type SessionPolicy,
  type SessionState,
  stateVersion,
  type BackendCommand
} from "@holdfast/core"
import { Clock, Deferred, Effect, Exit, Fiber, FiberSet, type Scope } from "effect"
import { makeAlarm } from "./Alarm.ts"
import { dueEvents, nextDue } from "./dueEvents.ts"
import type { Missed, TellOutput } from "./Generation.ts"
import { makeGenerationSlot } from "./GenerationSlot.ts"
import { makeSessionHolds, type SessionHold } from "./handoff/SessionHold.ts"
import { Mailbox } from "./Mailbox.ts"
import { RecentReceipts } from "./RecentReceipts.ts"
import { type Message, type Transaction, transact } from "./Transaction.ts"

/** Messages that wait for the owner. A command past it is rejected as `busy`; a backend waits, and is so held back. */
export const mailboxCapacity = 256

/** Events between two checkpoints of the state: opening a session folds at most about this many. */
export const checkpointEvery = 2_000

/** A store that cannot take what a backend told is tried again after this, doubling up to {@link maxStoreRetryMs}. */
const storeRetryMs = 100
const maxStoreRetryMs = 5_000

/** Why a command had no receipt. */
export type CommandError = CommandRejected | EventInvalid | LogUnavailable

/** The payloads are the log's own once they are given to it. */
const frozen: AppendOptions = { frozenPayloads: true }

const discard = { discard: true } as const

type Reply = Deferred.Deferred<Receipt | undefined, CommandError>

/** A backend, and what holds for sessions on it. */
export interface Place {
  readonly backend: Backend
  readonly policy: SessionPolicy
}

/** What an owner is made of. */
export interface OwnerParts {
  readonly log: EventLogService
  /** The backend of a name. */
  readonly place: (backend: string) => Place
  /** The backend's name; the state of a session that is about to be made does not say it. */
  readonly backend: string
  /** The folded state, as the log has it. */
  readonly state: SessionState
  /** Told after each append, in order; must not block. The payloads belong to the log by then. */
  readonly onStored?: (events: number, before: SessionState, after: SessionState) => void
  /** Values that the first opening gets and the log does not. */
  readonly secrets?: unknown
  /** How many people look on. */
  readonly people?: () => number
}

/** What came of a keystroke. */
export type Typed =
  | { readonly accepted: true; readonly receipt: Receipt }
  | { readonly accepted: false; readonly rejection: CommandRejected }

/** A live session. */
export interface SessionOwner {
  /** The one that has the session now. */
  readonly backend: () => Backend
  readonly state: () => SessionState
  /**
   * Decides a command. The receipt means: stored. One whose id was `justMade` cannot be a repeat, and no receipt is looked for.
   */
  readonly submit: (command: Command, justMade?: boolean) => Effect.Effect<Receipt, CommandError>
  /**
   * The plain way of a keystroke: written before it returns. Undefined where that has to wait or to ask: then it is submitted.
   */
  readonly type: (command: Command<"terminal.write">, justMade?: boolean) => Typed | undefined
  /** Records what the runtime itself observed for the current generation. Waits until it is stored. */
  readonly tell: (events: ReadonlyArray<Observed>) => Effect.Effect<void>
  /** Asks the open backend for something that no event decides: the native side of a fork. */
  readonly ask: (command: BackendCommand) => Effect.Effect<Performed, BackendRefused | BackendLost | CommandRejected>
  /**
   * Lets no prompt begin a turn until the scope is over; rejected as `busy` where another one does so. What is told and asked
   * otherwise goes on, until {@link SessionHold.seal}.
   */
  readonly hold: Effect.Effect<SessionHold, CommandRejected, Scope.Scope>
  /** Takes up the generation that an earlier runtime left running; returns at once. What comes of it is told. */
  readonly reattach: Effect.Effect<void>
  /** From now on the end of the owner leaves its generation running, for the next runtime. */
  readonly detach: Effect.Effect<void>
  /** Completes with the first state, from now on, that fits; at once if the present one does. What `fits` throws is a defect. */
  readonly until: (fits: (state: SessionState) => boolean) => Effect.Effect<SessionState>
  /** Whether nothing runs and nothing waits: such an owner may be let go. */
  readonly isIdle: () => boolean
  /** Completes when the owner has stopped: its scope was closed, or the log is not its own any more. */
  readonly stopped: Effect.Effect<void>
}

/** Starts an owner in a scope. Closing the scope ends the backend by force and the owner with it. */
export const startOwner = (parts: OwnerParts): Effect.Effect<SessionOwner, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { log } = parts
    let { backend, policy } = parts.place(parts.backend)
    const sessionId = parts.state.sessionId
    const clock = yield* Clock.Clock
    const mailbox = new Mailbox<Message<Reply>>(mailboxCapacity)
    const fork = yield* FiberSet.makeRuntime()
    const runFork = Effect.runForkWith(yield* Effect.context<never>())
    const receipts = new RecentReceipts()

    let state = parts.state
    /** Of a batch that is told one by one, because the log refused something in it: what is left of it. */
    const untold = new WeakMap<Reply, ReadonlyArray<Observed>>()
    let inHand: ReadonlyArray<Message<Reply>> = []
    let checkpointed = state.seq

    const watchers = new Set<(state: SessionState) => void>()

    const now = () => clock.currentTimeMillisUnsafe()

    /** The turn of a prompt has told already that it was delivered: what is in the log needs no round of the owner. */
    const isKnown = (event: Observed): boolean => {
      const { data, type } = (event ?? {}) as {
        readonly type?: unknown
        readonly data?: { readonly promptId?: unknown }
      }
      if (type !== "prompt.delivered" || typeof data?.promptId !== "string") return false
      return state.prompts.every(({ promptId }) => promptId !== data.promptId)
    }

    const tell = (number: number, events: ReadonlyArray<Observed>): Effect.Effect<void> =>
      Effect.suspend(() => {
        if (events.every(isKnown)) return Effect.void
        const reply: Reply = Deferred.makeUnsafe()
        // An answer that is an error is the end of the owner, and so of whoever tells.
        if (mailbox.put({ kind: "told", generation: number, events, reply }))
          return Effect.ignore(Deferred.await(reply))
        return Effect.void
      })

    /**
     * What a terminal prints, which is most of what there is to do: stored without waking the owner, where it sleeps. A store that
     * does not take it is the owner's own affair.
     */
    const tellOutput: TellOutput = (number, output, stored) => {
      if (!mailbox.hold()) return false
      const drafts = acceptOutput(state, number, output, { at: now() })
      if (drafts === undefined) {
        mailbox.release()
        return false
      }
      const before = state
      const settle = (isStored: boolean) => {
        if (isStored) {
          try {
            // One that has stopped meanwhile tells nobody: the log has it, and the next owner reads it there.
            if (!mailbox.isClosed) goOn(before, drafts.state, drafts.records.length)
          } finally {
            mailbox.release()
          }
          stored()
        } else {
          const told = tell(number, output)
          mailbox.release()
          runFork(told).addObserver(stored)
        }
      }
      const { plain } = log.append
      if (plain === undefined) {
        const append = log.append(sessionId, before.seq, drafts.records, frozen)
        runFork(append).addObserver((exit) => settle(Exit.isSuccess(exit)))
      } else plain(sessionId, before.seq, drafts.records, frozen, (outcome) => settle("firstSeq" in outcome))
      return true
    }

    /** Reads what was decided and not taken. What cannot be read was not to be performed. */
    const missed: Missed = (taken) =>
      Effect.forEach(
        state.decided.filter((seq) => !taken.includes(seq)),
        (seq) =>
          Effect.map(log.read(sessionId, seq - 1, { limit: 1 }), (page) => {
            const record = page.answer === "exact" ? page.events[0] : undefined
            const effect = record?.seq === seq ? effectOf(state, record) : undefined
            return effect?.do === "perform" ? [{ command: effect.command, seq }] : []
          })
      ).pipe(
        Effect.map((all) => all.flat()),
        Effect.catchCause((cause) =>
          Effect.as(Effect.logWarning("what a backend may have missed could not be read", cause), [])
        )
      )

    const slot = yield* makeGenerationSlot({
      backend: () => backend,
      policy,
      tell,
      tellOutput,
      secrets: parts.secrets,
      missed,
      people: parts.people ?? (() => 0)
    })
    const alarm = yield* makeAlarm(
      clock,
      Effect.sync(() => mailbox.put({ kind: "tick" }))
    )

    /** Stores a transaction and lives by it. */
    const commit = (transaction: Transaction<Reply>): Effect.Effect<void, EventInvalid | LogUnavailable> => {
      const { before, records } = transaction
      if (records.length === 0) return Effect.suspend(() => liveBy(transaction))
      return Effect.matchEffect(log.append(sessionId, before.seq, records, frozen), {
        onFailure: (error) => Effect.fail(error._tag === "AppendConflict" ? otherOwner(error.message) : error),
        onSuccess: () => liveBy(transaction)
      })
    }

    const liveBy = ({ after, answers, before, records, secrets }: Transaction<Reply>): Effect.Effect<void> => {
      state = after
      // Before the answers: whoever moved it lets go of it in the very step in which they have theirs.
      if (records.some(({ type }) => type === "session.moved")) settleAt(state.backend)
      for (const { reply, outcome } of answers) {
        if (outcome instanceof CommandRejected) Deferred.doneUnsafe(reply, Exit.fail(outcome))
        else {
          if (outcome !== undefined) receipts.add(outcome)
          Deferred.doneUnsafe(reply, Exit.succeed(outcome))
        }
      }
      if (records.length === 0) return Effect.void
      goOn(before, after, records.length)
      const effects = effectsOf(before, records)
      return effects.length === 0 ? Effect.void : Effect.forEach(effects, (effect) => run(effect, secrets), discard)
    }

    /** The session is as the log has it now. */
    const goOn = (before: SessionState, after: SessionState, events: number) => {
      state = after
      parts.onStored?.(events, before, after)
      for (const watch of watchers) watch(after)
      if (after.seq - checkpointed >= checkpointEvery) checkpoint()
    }

    const run = (effect: SessionEffect, secrets: ReadonlyMap<string, QuestionOutcome>): Effect.Effect<void> => {
      if (effect.do !== "compact") return slot.run(withSecrets(effect, secrets), state)
      compact(effect.compaction)
      return Effect.void
    }

    const settleAt = (name: string) => {
      ;({ backend, policy } = parts.place(name))
      const prepared = holds.prepared()
      if (prepared !== undefined) slot.give(prepared)
    }

    const compact = (compaction: Compaction) => {
      fork(
        log.compact(sessionId, compaction).pipe(
          Effect.catchCause((cause) => Effect.logWarning("compaction failed; the events stay", cause)),
          Effect.annotateLogs({ sessionId })
        )
      )
    }

    const checkpoint = () => {
      checkpointed = state.seq
      fork(
        log.saveCheckpoint(sessionId, { fold: "session", version: stateVersion, seq: state.seq, state }).pipe(
          Effect.catchCause((cause) => Effect.logWarning("no checkpoint was saved; opening takes longer", cause)),
          Effect.annotateLogs({ sessionId })
        )
      )
    }

    const prepare = (messages: ReadonlyArray<Message<Reply>>): Transaction<Reply> => {
      const at = now()
      return transact(state, messages, {
        at,
        policy,
        capabilities: backend.capabilities,
        holds: holds.isHeld(),
        known: (commandId) => receipts.get(commandId),
        due: (after) => dueEvents(after, at, policy, backend.capabilities)
      })
    }

    /** One batch; on an event that the log refuses, message by message, so that one cannot spoil the others. */
    const handle = (messages: ReadonlyArray<Message<Reply>>): Effect.Effect<void, LogUnavailable> =>
      commit(prepare(messages)).pipe(
        Effect.catchTag("EventInvalid", (invalid) => {
          if (messages.length > 1) return Effect.forEach(messages, (one) => handle([one]), { discard: true })
          const message = messages[0]!
          if (message.kind === "command") return answer(message.reply, Exit.fail(invalid))
          if (message.kind === "tick") return Effect.void
          if (message.events.length > 1) {
            const oneByOne = Effect.forEach(
              message.events,
              (event, index) =>
                Effect.tap(handle([{ ...message, events: [event], reply: Deferred.makeUnsafe() }]), () =>
                  Effect.sync(() => untold.set(message.reply, message.events.slice(index + 1)))
                ),
              { discard: true }
            )
            return oneByOne.pipe(
              Effect.andThen(Effect.sync(() => untold.delete(message.reply))),
              Effect.andThen(answer(message.reply, Exit.succeed(undefined)))
            )
          }
          const left = note("error", `what the backend told was left out: ${invalid.message}`) as Observed
          return handle([{ ...message, events: [left] }])
        })
      )

    const answer = (reply: Reply, exit: Exit.Exit<Receipt | undefined, CommandError>): Effect.Effect<void> =>
      Effect.sync(() => void Deferred.doneUnsafe(reply, exit))

    /** What a backend told is kept and tried again while the store cannot take it: the backend waits meanwhile. */
    const handleOrRetry = (
      messages: ReadonlyArray<Message<Reply>>,
      delayMs = storeRetryMs
    ): Effect.Effect<void, LogUnavailable> =>
      Effect.catchTag(handle(messages), "LogUnavailable", (unavailable) => {
        const kept: Array<Message<Reply>> = []
        for (const message of messages) {
          if (message.kind === "command") Deferred.doneUnsafe(message.reply, Exit.fail(unavailable))
          // What was taken one by one may be stored already, and must not be told again.
          else if (message.kind === "tick") kept.push(message)
          else if (!Deferred.isDoneUnsafe(message.reply)) {
            kept.push({ ...message, events: untold.get(message.reply) ?? message.events })
          }
        }
        if (isFinal(unavailable)) return Effect.fail(unavailable)
        return Effect.gen(function* () {
          yield* Effect.logWarning("the log cannot take events; trying again", unavailable)
          yield* Effect.sleep(delayMs)
          inHand = [...kept, ...mailbox.drain()]
          yield* handleOrRetry(inHand, Math.min(delayMs * 2, maxStoreRetryMs))
        })
      })

    const loop = Effect.gen(function* () {
      alarm.set(nextDue(state, policy))
      yield* mailbox.filled
      inHand = mailbox.drain()
      yield* handleOrRetry(inHand)
      inHand = []
    }).pipe(
      Effect.forever,
      Effect.catchCause((cause) => Effect.logError("the session's owner stopped", cause)),
      Effect.annotateLogs({ sessionId }),
      Effect.ensuring(
        Effect.gen(function* () {
          for (const message of [...inHand, ...mailbox.close()]) {
            if (message.kind !== "tick") Deferred.doneUnsafe(message.reply, Exit.fail(stoppedOwner))
          }
          inHand = []
          yield* slot.release
        })
      )
    )
    const fiber = yield* Effect.forkScoped(loop)

    const submit = (command: Command, justMade = false): Effect.Effect<Receipt, CommandError> =>
      Effect.suspend(() => {
        const known = receipts.get(command.commandId)
        if (known !== undefined) return Effect.succeed(known)
        if (holds.refuses(command.type)) {
          return busy(command, "the session is being moved to another backend: wait until it is there")
        }
        if (command.type === "terminal.write") return write(command)
        if (justMade) return enqueue(command)
        return Effect.flatMap(log.receipt(sessionId, command.commandId), (stored) =>
          stored._tag === "Some" ? Effect.succeed(stored.value) : enqueue(command)
        )
      })

    const enqueue = (command: Command, told?: () => ReadonlyArray<Observed>): Effect.Effect<Receipt, CommandError> =>
      Effect.gen(function* () {
        const reply: Reply = Deferred.makeUnsafe()
        if (mailbox.isFull) return yield* busy(command, `${mailboxCapacity} messages wait already: try again`)
        if (!mailbox.put({ kind: "command", command, reply, ...(told === undefined ? {} : { told }) }))
          return yield* stoppedOwner
        const receipt = yield* Deferred.await(reply)
        return receipt!
      })

    /**
     * Keystrokes go straight to the terminal: nothing of them is logged but that somebody typed, and that once a burst.
     * They keep the order in which they were submitted.
     */
    const write = (command: Command<"terminal.write">): Effect.Effect<Receipt, CommandError> => {
      const typed = type(command)
      if (typed !== undefined) return typed.accepted ? Effect.succeed(typed.receipt) : Effect.fail(typed.rejection)
      const decision = decide(state, command, { policy, capabilities: backend.capabilities })
      if (!decision.accepted) return Effect.fail(decision.rejection)
      const open = slot.current()
      if (open === undefined) return Effect.fail(busyWith(command, "the terminal is not open"))
      const receipt = taken(command)
      return Effect.matchEffect(open.ask({ type: "write", bytes: command.data.bytes }), {
        onFailure: (error) => {
          receipts.delete(command.commandId)
          return busy(command, error.message)
        },
        onSuccess: () => {
          noteTyping(command, decision.events)
          return Effect.succeed(receipt)
        }
      })
    }

    const type = (command: Command<"terminal.write">, justMade = false): Typed | undefined => {
      const toTerminal = slot.current()?.write()
      if (toTerminal === undefined || holds.refuses(command.type)) return undefined
      const known = justMade ? undefined : receipts.get(command.commandId)
      if (known !== undefined) return { accepted: true, receipt: known }
      const decision = decide(state, command, { policy, capabilities: backend.capabilities })
      if (!decision.accepted) return decision
      const refused = refusalOf(() => toTerminal(command.data.bytes))
      if (refused !== undefined) return { accepted: false, rejection: busyWith(command, refused) }
      const receipt = taken(command)
      noteTyping(command, decision.events)
      return { accepted: true, receipt }
    }

    const taken = ({ commandId }: Command): Receipt => {
      const receipt = { sessionId, commandId, firstSeq: state.seq + 1, lastSeq: state.seq }
      receipts.add(receipt)
      return receipt
    }

    /** A burst's first keystroke: that it was typed is logged under an id of its own, after the fact. */
    const noteTyping = (command: Command, events: ReadonlyArray<EventBody>) => {
      if (events.length > 0) fork(Effect.ignore(enqueue({ ...command, commandId: makeCommandId() })))
    }

    const until = (fits: (state: SessionState) => boolean): Effect.Effect<SessionState> =>
      Effect.callback<SessionState>((resume) => {
        const watch = (current: SessionState) => {
          try {
            if (fits(current)) resume(Effect.succeed(current))
          } catch (cause) {
            // The host's own code: what it throws is for whoever waits.
            resume(Effect.die(cause))
          }
        }
        watchers.add(watch)
        watch(state)
        return Effect.sync(() => watchers.delete(watch))
      }).pipe(
        Effect.raceFirst(
          Effect.andThen(
            Fiber.await(fiber),
            Effect.sync(() => state)
          )
        )
      )

    const holds = makeSessionHolds({
      sessionId,
      pack: (request) =>
        Effect.suspend((): Effect.Effect<PackedSession | undefined, BackendRefused | BackendLost | CommandRejected> => {
          const generation = slot.current()
          return generation === undefined ? Effect.fail(notOpen("session.move")) : generation.pack(request)
        }),
      prepare: (preparing) => {
        const { openTimeoutMs } = parts.place(preparing.backend.name).policy
        return slot.prepare({ ...preparing, timeoutMs: openTimeoutMs })
      },
      move: enqueue,
      letGo: () => void mailbox.put({ kind: "tick" })
    })

    const notOpen = (command: string) => {
      const detail = `the session is ${state.chart.lifecycle}, not open`
      return new CommandRejected({ sessionId, command, reason: "illegal_state", detail })
    }

    const ask = (command: BackendCommand): Effect.Effect<Performed, BackendRefused | BackendLost | CommandRejected> =>
      Effect.suspend((): Effect.Effect<Performed, BackendRefused | BackendLost | CommandRejected> => {
        const generation = slot.current()
        if (generation !== undefined) return generation.ask(command)
        return Effect.fail(notOpen(command.type))
      })

    return {
      backend: () => backend,
      state: () => state,
      submit,
      type,
      tell: (events) => tell(state.generation, events),
      ask,
      hold: holds.hold,
      reattach: Effect.suspend(() => slot.reattach(state)),
      detach: Effect.suspend(() => slot.current()?.detach ?? Effect.void),
      until,
      isIdle: () =>
        // Whoever waits for a state would be told one that does not fit.
        watchers.size === 0 &&
        !holds.isHeld() &&
        slot.current() === undefined &&
        inHand.length === 0 &&
        mailbox.size === 0 &&
        !mailbox.isHeld &&
        nextDue(state, policy) === undefined,
      stopped: Effect.asVoid(Fiber.await(fiber))
    }
  })

/** The effect with the secret answers that the log does not have. */
const withSecrets = <E extends SessionEffect>(effect: E, secrets: ReadonlyMap<string, QuestionOutcome>): E => {
  if (effect.do !== "perform" || effect.command.type !== "answerQuestion") return effect
  const outcome = secrets.get(effect.command.requestId)
  return outcome === undefined ? effect : { ...effect, command: { ...effect.command, outcome } }
}

const isFinal = (error: LogUnavailable): boolean =>
  error.reason === "owner-lost" || error.reason === "closed" || error.reason === "read-only" || error.reason === "owned"

const otherOwner = (detail: string) =>
  new LogUnavailable({
    operation: "append",
    reason: "owner-lost",
    detail: `another owner wrote to the session (${detail})`
  })

const stoppedOwner = new LogUnavailable({
  operation: "take the command",
  reason: "closed",
  detail: "the session's owner has stopped: open the log again"
})

/** Why a plain write did not happen. What a backend throws must not reach a host's event loop, which called it without a fiber. */
const refusalOf = (write: () => BackendRefused | undefined): string | undefined => {
  try {
    return write()?.message
  } catch (error) {
    return `the backend failed to write: ${error instanceof Error ? error.message : String(error)}`
  }
}

const busyWith = ({ sessionId, type }: Command, detail: string) =>
  new CommandRejected({ sessionId, command: type, reason: "busy", detail })

const busy = (command: Command, detail: string): Effect.Effect<never, CommandRejected> =>
  Effect.fail(busyWith(command, detail))
