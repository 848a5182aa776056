/**
 * The gate before the bridge's file: everything that is stored passes it. It is closed while a snapshot is taken, while the log
 * is at its bound, and while the disk is full; whoever wants to store waits, and so the inner backend is held back.
 */
import { Effect, Latch } from "effect"
import { type BridgeDatabase, DiskFull } from "./BridgeDatabase.ts"
import type { BridgeLog, LoggedEvent } from "./BridgeLog.ts"

/** Milliseconds between two tries to store while the disk is full. An acknowledgement, which makes room, is a try too. */
const retryMs = 500

/**
 * Milliseconds that a freeze lasts at most: ten minutes, longer than a snapshot takes. A control plane that dies in between
 * must not leave the session frozen.
 */
const maxFrozenMs = 10 * 60 * 1_000

/** Events that the host acknowledged are deleted this much later, so that many acknowledgements make one transaction. */
const forgetMs = 100

/** Why the inner backend is held. */
export interface Held {
  readonly full: boolean
  readonly detail: string
}

/** The gate. */
export interface Storing {
  /** Stores events of one generation; completes when they are stored. Waits while it must. */
  readonly tell: (generation: number, events: ReadonlyArray<LoggedEvent>) => Effect.Effect<void>
  /** Runs what stores something, again and again while the disk is full. */
  readonly store: (run: () => void) => Effect.Effect<void>
  /** Whether something can be stored at once. */
  readonly isFrozen: () => boolean
  /** Everything is on the disk, and nothing more is stored. False where it could not be brought there. */
  readonly freeze: () => boolean
  readonly thaw: () => void
  /** Runs as soon as it is not frozen: now, or at the thaw, in order. */
  readonly whenThawed: (run: () => void) => void
  /** The host has everything up to here. */
  readonly acknowledged: (through: number) => void
  /** The state of the gate, to be told to whoever has just connected; undefined while nothing is held. */
  readonly held: () => Held | undefined
}

/** What it works with. */
export interface StoringParts {
  readonly database: BridgeDatabase
  readonly log: BridgeLog
  /** Weight at which the inner backend is held; below half of it, it goes on. */
  readonly logBytes: number
  /** In the same step in which the events were stored. */
  readonly onStored: (generation: number, first: number, events: ReadonlyArray<LoggedEvent>) => void
  readonly onHeld: (held: Held) => void
  /** The file cannot be written any more, and waiting does not help. */
  readonly onBroken: (error: unknown) => void
}

/** Makes an open gate. Its timers end with the scope. */
export const makeStoring = Effect.fnUntraced(function* ({
  database,
  log,
  logBytes,
  onBroken,
  onHeld,
  onStored
}: StoringParts) {
  const thawed = Latch.makeUnsafe(true)
  const roomy = Latch.makeUnsafe(true)
  const freed = Latch.makeUnsafe(false)
  let isFrozen = false
  let isAtBound = false
  /** Those that have found the disk full, and wait. */
  let stuck = 0
  let thawTimer: NodeJS.Timeout | undefined
  let forgetTimer: NodeJS.Timeout | undefined
  const waiting: Array<() => void> = []
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      clearTimeout(thawTimer)
      clearTimeout(forgetTimer)
    })
  )

  const held = (): Held | undefined => {
    if (stuck > 0) return { full: true, detail: "the disk of the sandbox is full" }
    return isAtBound ? { full: true, detail: `${logBytes} bytes of events wait to be acknowledged` } : undefined
  }

  const change = (apply: () => void) => {
    const before = held()
    apply()
    const after = held()
    if (before?.detail !== after?.detail) onHeld(after ?? { full: false, detail: "there is room again" })
  }

  const look = () => {
    if (!isAtBound && log.weight() >= logBytes) {
      roomy.closeUnsafe()
      change(() => (isAtBound = true))
    } else if (isAtBound && log.weight() < logBytes / 2) {
      change(() => (isAtBound = false))
      roomy.openUnsafe()
    }
  }

  const attempt = (run: () => void): boolean => {
    try {
      run()
    } catch (error) {
      if (!(error instanceof DiskFull)) {
        onBroken(error)
        throw error
      }
      makeRoom()
      return false
    }
    return true
  }

  /** As far as it goes: what the host has is deleted, and what is free inside of the file is given back. */
  const makeRoom = () => {
    try {
      while (log.forget()) continue
      database.squeeze()
    } catch (error) {
      if (!(error instanceof DiskFull)) throw error
    }
  }

  const store = (run: () => void): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (isFrozen) return Effect.andThen(thawed.await, store(run))
      if (attempt(run)) return Effect.void
      change(() => stuck++)
      return Effect.ensuring(
        retry(run),
        Effect.sync(() => change(() => stuck--))
      )
    })

  const retry = (run: () => void): Effect.Effect<void> =>
    Effect.suspend(() => {
      freed.closeUnsafe()
      return Effect.raceFirst(Effect.sleep(retryMs), freed.await).pipe(
        Effect.andThen(Effect.suspend(() => (isFrozen ? thawed.await : Effect.void))),
        Effect.flatMap(() => (!isFrozen && attempt(run) ? Effect.void : retry(run)))
      )
    })

  const forget = () => {
    forgetTimer = undefined
    if (isFrozen) return
    try {
      if (log.forget()) forgetLater(0)
      freed.openUnsafe()
    } catch (error) {
      // Deleting takes a little room for a moment: when somebody else has freed some, or with the next acknowledgement.
      if (!(error instanceof DiskFull)) throw error
      forgetLater(retryMs)
    }
  }
  const forgetLater = (ms: number) => {
    forgetTimer ??= setTimeout(forget, ms)
  }

  const thaw = () => {
    clearTimeout(thawTimer)
    if (!isFrozen) return
    isFrozen = false
    for (const run of waiting.splice(0)) run()
    thawed.openUnsafe()
    forgetLater(forgetMs)
  }

  const storing: Storing = {
    tell: (generation, events) =>
      Effect.suspend(() => {
        if (isAtBound) return Effect.andThen(roomy.await, storing.tell(generation, events))
        return store(() => {
          const first = log.append(generation, events)
          onStored(generation, first, events)
          look()
        })
      }),
    store,
    isFrozen: () => isFrozen,
    freeze: () => {
      thaw()
      const settle = () => {
        // What the host has need not be in the snapshot.
        while (log.forget()) continue
        database.settle()
      }
      if (!attempt(settle)) return false
      isFrozen = true
      thawed.closeUnsafe()
      thawTimer = setTimeout(thaw, maxFrozenMs)
      return true
    },
    thaw,
    whenThawed: (run) => {
      if (isFrozen) waiting.push(run)
      else run()
    },
    acknowledged: (through) => {
      log.raise(through)
      look()
      freed.openUnsafe()
      forgetLater(forgetMs)
    },
    held
  }
  return storing
})
