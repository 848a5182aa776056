/**
 * Between the stream of a directory and one session's events: what is heard is normalised at once; what was missed, because
 * the stream broke or nobody took the session's events, is read again from the server and told from that.
 */
import { type BackendEvent, BackendLost, type BackendOutbox, makeBackendOutbox, type TurnId } from "@holdfast/core"
import { Clock, Effect, FiberSet, Result, Schema, type Scope, Semaphore } from "effect"
import type { OpencodeError } from "./OpencodeClient.ts"
import type { HeardEvent } from "./OpencodeEvents.ts"
import { type IdClock, makeIdClock } from "./OpencodeIds.ts"
import {
  messageIdOf,
  type OpencodeNormaliser,
  type OpencodeSnapshot,
  type ResyncOptions
} from "./OpencodeNormaliser.ts"
import type { OpencodeServer } from "./OpencodeServer.ts"
import { headsOf, readSnapshot } from "./OpencodeSnapshot.ts"

/** What a feed needs. */
export interface OpencodeFeedParts {
  readonly server: OpencodeServer
  readonly normaliser: OpencodeNormaliser
  readonly sessionId: string
  readonly directory: string
  /** Model calls that one turn may make. */
  readonly maxSteps: number
  /** What is told before anything else. */
  readonly first: ReadonlyArray<BackendEvent>
}

/** The feed of one open session. */
export interface OpencodeFeed {
  /** What the runtime reads. */
  readonly outbox: BackendOutbox
  readonly ids: IdClock
  /** Takes the session as it is found. What is heard is told from then on. */
  readonly adopt: (snapshot: OpencodeSnapshot) => void
  /** Tells events, and does what follows from the state after them. */
  readonly tell: (events: ReadonlyArray<BackendEvent>) => void
  /** Reads the session again, and tells what was not told. False: the stream is broken, and it will be read when it stands. */
  readonly look: (options: ResyncOptions) => Effect.Effect<boolean, OpencodeError>
  /** Completes when a condition on the normaliser, or on what was seen, holds; it is looked at after each event. */
  readonly until: (condition: () => boolean) => Effect.Effect<void>
  /** Whether a user message was seen. */
  readonly hasSeen: (messageId: string) => boolean
  /**
   * Sends one after the other what must not overtake each other: an abort that meets the next prompt would abort that, and a
   * refusal refuses all that the session asks at that moment.
   */
  readonly inOrder: <A, E>(request: Effect.Effect<A, E>) => Effect.Effect<A, E>
  /** Aborts a turn, if it is still the one that runs. */
  readonly abort: (turnId: TurnId) => Effect.Effect<void, OpencodeError>
  /** Ends the session as lost. */
  readonly lose: (reason: string, retryable: boolean) => void
  readonly isLost: () => boolean
}

/** Events that wait while the session is being read. Past it it is read anew: 10,000, some seconds of a flood. */
const maxBuffered = 10_000

/** Readings that a flood may spoil one after the other. */
const maxReadings = 5

/** Waits after the server said that it is idle, before it is asked what is still open of the turn: its last words take 40 ms. */
const settleMs = [60, 150, 400, 1_000]

/** Waits before what was missed is read again after the server failed to give it. */
const mendMs = [100, 500, 2_000, 5_000]

/** User messages that are remembered as seen: far more than are on their way at once. */
const maxSeen = 256

const isMessage = Schema.is(
  Schema.Struct({ info: Schema.Struct({ id: Schema.String, role: Schema.optionalKey(Schema.Unknown) }) })
)

/** Makes the feed and listens. Nothing is told before {@link OpencodeFeed.adopt}. */
export const makeOpencodeFeed = Effect.fnUntraced(function* (
  parts: OpencodeFeedParts
): Effect.fn.Return<OpencodeFeed, OpencodeError, Scope.Scope> {
  const { normaliser, server } = parts
  const fork = yield* FiberSet.makeRuntime()
  const clock = yield* Clock.Clock
  const oneReader = Semaphore.makeUnsafe(1)
  const oneSender = Semaphore.makeUnsafe(1)
  const ids = makeIdClock()
  const seen = new Set<string>()
  const watchers = new Set<() => void>()

  /** What is heard waits in here while the session is being read; undefined: it is told at once. */
  let buffer: Array<HeardEvent> | undefined = []
  let isBufferShort = false
  /** Counts breaks of the stream: what was read before one says nothing about what was missed in it. */
  let breaks = 0
  let isBroken = false
  /** The log was told of a break, and not yet of its end. */
  let isBreakTold = false
  let isAdopted = false
  /** The outbox is full: what is heard is dropped, and read from the server once there is room. */
  let isBehind = false
  let isSettling = false
  let stoppedTurn: TurnId | undefined
  let newest = ""

  const outbox = makeBackendOutbox({
    onFull: () => {
      isBehind = true
    },
    onDrain: () => {
      isBehind = false
      if (isAdopted && !isBroken) mend()
    }
  })
  outbox.push(parts.first)

  let isLost = false
  const lose = (reason: string, retryable: boolean) => {
    isLost = true
    outbox.fail(new BackendLost({ backend: "opencode", reason, retryable }))
  }

  const tell = (events: ReadonlyArray<BackendEvent>) => {
    if (events.length > 0) outbox.push(events)
    if (normaliser.isDeleted()) lose("its session was deleted on the server", false)
    for (const { body, path } of normaliser.abandoned()) {
      const call = { directory: parts.directory, body: body ?? {} }
      fork(Effect.ignore(oneSender.withPermit(server.client.send("POST", path, Schema.Unknown, call))))
    }
    stopRunaway()
    if (normaliser.needsReread() && !isSettling) {
      isSettling = true
      fork(settle)
    }
    for (const watcher of watchers) watcher()
  }

  /** A stream without a finish reason is answered with another call, for ever. */
  const stopRunaway = () => {
    const turnId = normaliser.activeTurn()
    const steps = normaliser.steps()
    if (turnId === undefined || turnId === stoppedTurn || steps <= parts.maxSteps) return
    stoppedTurn = turnId
    const message = `it was stopped after ${steps} model calls: a turn may make ${parts.maxSteps}`
    normaliser.failTurn({ message, code: "too_many_steps", retryable: false })
    fork(Effect.ignore(abort(turnId)))
  }

  const abort = (turnId: TurnId) =>
    oneSender.withPermit(
      Effect.suspend(() =>
        normaliser.activeTurn() === turnId
          ? Effect.asVoid(server.client.send("POST", `/session/${parts.sessionId}/abort`, Schema.Unknown))
          : Effect.void
      )
    )

  const hear = (event: HeardEvent) => {
    if (isBehind) return
    if (event.type === "message.updated" && isMessage(event.properties)) see(event.properties.info)
    tell(normaliser.take(event))
  }

  const see = ({ id, role }: { readonly id: string; readonly role?: unknown }) => {
    ids.saw(id)
    if (role !== "user") return
    if (id > newest) newest = id
    seen.add(id)
    const [oldest] = seen
    if (seen.size > maxSeen && oldest !== undefined) seen.delete(oldest)
  }

  const seeAll = ({ messages }: OpencodeSnapshot) => headsOf(messages[parts.sessionId] ?? []).forEach(see)

  const release = () => {
    const waited = buffer ?? []
    buffer = undefined
    for (const event of waited) hear(event)
  }

  const read = Effect.suspend(() => {
    const turnId = normaliser.activeTurn()
    const enough = turnId === undefined ? newest : messageIdOf(turnId)
    return readSnapshot(server.client, {
      sessionId: parts.sessionId,
      directory: parts.directory,
      children: normaliser.children(),
      openChildren: normaliser.openChildren(),
      reached: (id) => id <= enough
    })
  })

  const reading = (options: ResyncOptions, readings: number): Effect.Effect<boolean, OpencodeError> =>
    Effect.gen(function* () {
      if (isBroken || isBehind) return false
      const at = breaks
      // What was heard before a reading is in it; only pieces of text are not, and of those some were missed anyway.
      if (options.missed !== false || buffer === undefined) buffer = []
      isBufferShort = false
      const snapshot = yield* Effect.tapError(read, () =>
        Effect.sync(() => {
          if (options.missed === false && at === breaks) release()
        })
      )
      if (at !== breaks) return false
      if (isBufferShort) {
        if (readings < maxReadings) return yield* reading({ ...options, missed: true }, readings + 1)
        lose("its events come faster than the session can be read", true)
        return false
      }
      seeAll(snapshot)
      tell(normaliser.resync(snapshot, options))
      release()
      return true
    })

  const look = (options: ResyncOptions) => oneReader.withPermit(reading(options, 1))

  /** Reads what was missed, until that succeeds or the stream breaks again. */
  const mend = () => {
    // At once: a piece of text that follows a missed one must not be told as if nothing was between.
    buffer ??= []
    const at = breaks
    const attempt = (tries: number): Effect.Effect<void> =>
      Effect.gen(function* () {
        const result = yield* Effect.result(look({ missed: true }))
        if (at !== breaks) return
        if (Result.isSuccess(result)) return
        const wait = mendMs[tries]
        const { message, reason } = result.failure
        if (reason === "not found") return lose("its session is gone from the server", false)
        if (wait === undefined) return lose(`what was missed could not be read: ${message}`, true)
        yield* Effect.sleep(wait)
        yield* attempt(tries + 1)
      })
    const connected = Effect.sync(() => {
      if (at !== breaks || !isBreakTold) return
      isBreakTold = false
      outbox.push({ type: "link.connected", data: {} })
    })
    fork(Effect.andThen(attempt(0), connected))
  }
  /** After idle: reads until nothing of the turn is open. */
  const settle = Effect.gen(function* () {
    for (const [index, wait] of settleMs.entries()) {
      yield* Effect.sleep(wait)
      if (!normaliser.needsReread()) return
      const isLast = index === settleMs.length - 1
      const looked = yield* Effect.result(look({ missed: false, final: isLast }))
      if (isLast && Result.isFailure(looked))
        lose(`the end of its turn could not be read: ${looked.failure.message}`, true)
    }
  }).pipe(
    Effect.ensuring(
      Effect.sync(() => {
        isSettling = false
      })
    )
  )

  const events = yield* server.events(parts.directory)
  yield* events.listen({
    onEvent: (event) => {
      ids.heard(event.id, clock.currentTimeMillisUnsafe())
      if (!normaliser.concerns(event)) return
      if (buffer === undefined) return hear(event)
      if (buffer.length < maxBuffered) buffer.push(event)
      else isBufferShort = true
    },
    onBreak: (attempt, reason) => {
      breaks += 1
      isBroken = true
      buffer = []
      isBreakTold = true
      outbox.push({ type: "link.reconnecting", data: { attempt, reason } })
    },
    onMend: () => {
      isBroken = false
      if (isAdopted) mend()
    },
    onEnd: (error) => {
      const isRefused = error.reason === "unauthorized"
      if (!isRefused) server.giveUp(error.message)
      lose(`its events cannot be heard: ${error.message}`, !isRefused)
    }
  })

  return {
    outbox,
    ids,
    adopt: (snapshot) => {
      seeAll(snapshot)
      tell(normaliser.adopt(snapshot))
      isAdopted = true
      if (breaks === 0) release()
      else if (!isBroken) mend()
    },
    tell,
    look,
    until: (condition) =>
      Effect.callback<void>((resume) => {
        const watcher = () => {
          if (!condition()) return
          watchers.delete(watcher)
          resume(Effect.void)
        }
        watchers.add(watcher)
        watcher()
        return Effect.sync(() => watchers.delete(watcher))
      }),
    hasSeen: (messageId) => seen.has(messageId),
    inOrder: (request) => oneSender.withPermit(request),
    abort,
    lose,
    isLost: () => isLost
  }
})
