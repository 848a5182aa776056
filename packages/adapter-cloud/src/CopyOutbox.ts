/**
 * Between a sandbox's events and the runtime that pulls: what was copied waits here, one event as it was sent, with its number.
 * It joins nothing, so that the host's log has each of the sandbox's events once.
 */
import { type BackendEvent, type BackendLost, type NewEvent, weigh } from "@holdfast/core"
import { Cause, Effect, Stream } from "effect"

/** Weight of one batch, or one event where that alone weighs more: 256 KiB, one page of the log. */
const batchWeight = 256 * 1024

/** One producer, one consumer. Bounded by its producer: see {@link CopyOutbox.weight}. */
export interface CopyOutbox {
  /** Hands over, in order; false after the end. */
  readonly push: (events: ReadonlyArray<BackendEvent>) => boolean
  /** Non-empty batches, to be read once. */
  readonly stream: Stream.Stream<ReadonlyArray<BackendEvent>, BackendLost>
  /** Completes when all that was pushed so far is stored. */
  readonly stored: Effect.Effect<void>
  /** Weight of what waits: payload bytes, about the JSON, and 160 an event. */
  readonly weight: () => number
  /** Ends the stream after what waits. The first of `end` and `fail` counts. */
  readonly end: () => void
  /** Fails the stream after what waits. */
  readonly fail: (error: BackendLost) => void
}

/**
 * Makes an outbox. `onPassed` is told, at the next pull, what the one before has taken (and so what is stored by now): the
 * highest number among them and their weight.
 */
export const makeCopyOutbox = (onPassed: (through: number, weight: number) => void): CopyOutbox => {
  let waiting: Array<{ readonly event: BackendEvent; readonly weight: number }> = []
  let weight = 0
  let handed: { readonly through: number; readonly weight: number; readonly count: number } | undefined
  let ending: Effect.Effect<never, BackendLost | Cause.Done> | undefined
  let wake: (() => void) | undefined
  let started = false
  let pushed = 0
  let settled = 0
  const watchers = new Map<() => void, number>()

  const take = (): ReadonlyArray<BackendEvent> => {
    let taken = 0
    let count = 0
    let through = 0
    for (const entry of waiting) {
      if (count > 0 && taken + entry.weight > batchWeight) break
      taken += entry.weight
      through = Math.max(through, entry.event.origin ?? 0)
      count += 1
    }
    const batch = waiting.slice(0, count).map(({ event }) => event)
    waiting = waiting.slice(count)
    weight -= taken
    handed = { through, weight: taken, count }
    return batch
  }

  const passed = () => {
    const before = handed
    handed = undefined
    if (before === undefined) return
    settled += before.count
    for (const [tell, at] of watchers) if (at <= settled) tell()
    onPassed(before.through, before.weight)
  }

  const signal = () => {
    const waiter = wake
    wake = undefined
    waiter?.()
  }

  // Woken without a value, so that an interrupted wait loses nothing.
  const wait = Effect.callback<void>((resume) => {
    if (waiting.length > 0 || ending !== undefined) return resume(Effect.void)
    wake = () => resume(Effect.void)
    return Effect.sync(() => {
      wake = undefined
    })
  })

  const pull: Effect.Effect<readonly [ReadonlyArray<BackendEvent>], BackendLost | Cause.Done> = Effect.suspend(() => {
    passed()
    if (waiting.length > 0) return Effect.succeed([take()] as const)
    return ending ?? Effect.andThen(wait, pull)
  })

  return {
    push: (events) => {
      if (ending !== undefined) return false
      for (const event of events) {
        const cost = weighEvent(event)
        weight += cost
        pushed += 1
        waiting.push({ event, weight: cost })
      }
      signal()
      return true
    },
    stream: Stream.fromPull(
      Effect.suspend(() => {
        if (started) return Effect.succeed(Cause.done())
        started = true
        return Effect.succeed(pull)
      })
    ),
    stored: Effect.callback<void>((resume) => {
      if (settled >= pushed) return resume(Effect.void)
      const tell = () => resume(Effect.void)
      watchers.set(tell, pushed)
      return Effect.sync(() => watchers.delete(tell))
    }),
    weight: () => weight,
    end: () => {
      ending ??= Cause.done()
      signal()
    },
    fail: (error) => {
      ending ??= Effect.fail(error)
      signal()
    }
  }
}

const weighEvent = (event: BackendEvent): number =>
  event.type === "terminal.output"
    ? 160 + event.bytes.byteLength
    : weigh({ at: 0, generation: 0, version: 1, type: event.type, data: event.data } as NewEvent)
