/**
 * Between the callbacks of a backend's source and the runtime that pulls: what a source tells waits here, joined into
 * fewer and larger events, until it is asked for.
 */
import { Cause, Clock, Effect, Stream } from "effect"
import type { BackendEvent, BackendLost, OutputEvent, TakeOutput } from "./Backend.ts"
import { weigh } from "./EventRecord.ts"
import type { DataOf } from "./SessionEvent.ts"

/**
 * Most bytes of one `terminal.output` that the outbox hands out: 64 KiB. A reader's first paint waits for a whole event,
 * and below this size the cost of a row dominates. Larger pushes are cut.
 */
export const maxOutputBytes = 64 * 1024

/** Most UTF-16 units of one `item.delta`: 16 Ki, some pages of text. Larger pushes are cut, never within a character. */
export const maxDeltaLength = 16 * 1024

/**
 * Milliseconds between two batches that hold nothing but deltas: 20, which is 50 rows in the log a second at most for an
 * answer that streams, and less than what an eye can tell. The first delta after a pause does not wait.
 */
export const defaultDeltaPaceMs = 20

/** Entries at the end of what waits that are looked at for one that a delta can be joined with: the tools that run at once. */
const maxDeltaLookBack = 8

/** Bounds of an outbox. */
export interface BackendOutboxOptions {
  /** At this weight {@link BackendOutbox.isFull} turns true and the source should pause. Default 1 MiB: 15 ms of flood. */
  readonly highWater?: number
  /** Down to this weight {@link BackendOutboxOptions.onDrain} is called. Default 256 KiB: the pull after next still finds work. */
  readonly lowWater?: number
  /** Weight of one batch, or one event where that alone weighs more. Default 256 KiB: one page of the log. */
  readonly batch?: number
  /** Default {@link defaultDeltaPaceMs}; 0 hands out deltas as they come. */
  readonly deltaPaceMs?: number
  /** Called once when the outbox becomes full, inside `push`. */
  readonly onFull?: () => void
  /** Called once when a full outbox has drained, inside the consumer's pull. It may push. */
  readonly onDrain?: () => void
}

/**
 * A bounded hand-over for one producer and one consumer. It never drops and never refuses: the producer keeps the bound by
 * pausing when it is full, so what waits is at most the high water and what was already under way.
 */
export interface BackendOutbox {
  /**
   * Hands over, in order. A waiting consumer gets output at once, anything else when the event loop has gone round;
   * adjacent output, and deltas of one item's field with nothing but other deltas between them, are joined while they wait.
   * Deltas alone are handed out at their pace, anything else takes them along at once. The bytes belong to the outbox from
   * here on; empty output and empty deltas say nothing and are left out. False after the end: nobody will read it.
   */
  readonly push: (events: BackendEvent | ReadonlyArray<BackendEvent>) => boolean
  /** What {@link BackendSession.passOutput} promises. The last taker counts. */
  readonly passOutput: (take: TakeOutput) => void
  /** What {@link BackendSession.events} promises: non-empty batches, all that was pushed before the end. To be run once. */
  readonly stream: Stream.Stream<ReadonlyArray<BackendEvent>, BackendLost>
  /** Whether the source should pause. */
  readonly isFull: () => boolean
  /** Weight of what waits: payload bytes, about the JSON, and 160 an event. */
  readonly weight: () => number
  /** Ends the stream after what waits. The first of `end` and `fail` counts. */
  readonly end: () => void
  /** Fails the stream after what waits. */
  readonly fail: (error: BackendLost) => void
}

/** An event that waits, open to be joined with the next. */
interface Waiting {
  event: BackendEvent
  weight: number
  /** Of output: its pieces, which become one array when they are handed out. */
  readonly pieces: Array<Uint8Array> | undefined
  /** Of output its bytes, of a delta its UTF-16 units, otherwise 0. */
  size: number
}

/** Makes an empty outbox. */
export const makeBackendOutbox = (options: BackendOutboxOptions = {}): BackendOutbox => {
  const highWater = options.highWater ?? 1024 * 1024
  const lowWater = Math.min(options.lowWater ?? 256 * 1024, highWater)
  const batchWeight = options.batch ?? 256 * 1024
  const paceMs = options.deltaPaceMs ?? defaultDeltaPaceMs

  let waiting: Array<Waiting> = []
  let weight = 0
  /** How many of those that wait are no deltas. */
  let others = 0
  let lastDeltas = Number.NEGATIVE_INFINITY
  let pacing = false
  let full = false
  let started = false
  let ending: Effect.Effect<never, BackendLost | Cause.Done> | undefined
  let wake: (() => void) | undefined
  let taker: TakeOutput | undefined
  /** What the taker has and has not stored yet: until then nothing is handed out. */
  let passing = false

  const put = (event: BackendEvent) => {
    if (event.type === "terminal.output") cut(event.bytes).forEach(putOutput)
    else if (event.type === "item.delta") cutText(event.data.text).forEach((text) => putDelta(event.data, text))
    else add(event, undefined, 0)
  }

  const putDelta = (data: DataOf<"item.delta">, text: string) => {
    for (let at = waiting.length - 1; at >= 0 && at >= waiting.length - maxDeltaLookBack; at--) {
      const entry = waiting[at]!
      if (entry.event.type !== "item.delta") break
      if (entry.event.data.itemId !== data.itemId || entry.event.data.field !== data.field) continue
      if (entry.size + text.length > maxDeltaLength) break
      entry.event = { type: "item.delta", data: { ...data, text: entry.event.data.text + text } }
      return grow(entry, text.length)
    }
    add({ type: "item.delta", data: { ...data, text } }, undefined, text.length)
  }

  const putOutput = (bytes: Uint8Array) => {
    const size = bytes.byteLength
    const last = waiting.at(-1)
    if (last?.pieces === undefined || last.size + size > maxOutputBytes) {
      return add({ type: "terminal.output", bytes }, [bytes], size)
    }
    last.pieces.push(bytes)
    grow(last, size)
  }

  const grow = (entry: Waiting, by: number) => {
    entry.size += by
    entry.weight += by
    weight += by
  }

  const add = (event: BackendEvent, pieces: Array<Uint8Array> | undefined, size: number) => {
    const entry = { event, pieces, size, weight: weighEvent(event) }
    weight += entry.weight
    if (event.type !== "item.delta") others += 1
    waiting.push(entry)
  }

  const take = (): ReadonlyArray<BackendEvent> => {
    let taken = 0
    let count = 0
    for (const entry of waiting) {
      if (count > 0 && taken + entry.weight > batchWeight) break
      taken += entry.weight
      count += 1
    }
    const batch = waiting.slice(0, count).map(handOut)
    waiting = waiting.slice(count)
    weight -= taken
    for (const event of batch) if (event.type !== "item.delta") others -= 1
    if (full && weight <= lowWater) {
      full = false
      options.onDrain?.()
    }
    return batch
  }

  const signal = () => {
    const waiter = wake
    wake = undefined
    waiter?.()
  }

  const isOutput = ({ pieces }: Waiting) => pieces !== undefined

  /** Whether there is somebody to offer output to who could take it. */
  const canPass = () => taker !== undefined && wake !== undefined && !passing

  /** Offers output to the taker; false where it takes none. */
  const offer = (batch: ReadonlyArray<OutputEvent>): boolean => {
    let hasReturned = false
    let taken = false
    passing = true
    try {
      taken = taker!(batch, () => {
        passing = false
        if (hasReturned) handOver()
      })
    } finally {
      hasReturned = true
      if (!taken) passing = false
    }
    return taken
  }

  /** Offers the taker what waits, as long as it takes and has stored it. */
  const pass = () => {
    while (canPass() && waiting.length > 0 && waiting.every(isOutput)) {
      const batch = take() as ReadonlyArray<OutputEvent>
      if (offer(batch)) continue
      others += batch.length
      waiting = [...batch.map(waitingOutput), ...waiting]
      for (const one of batch) weight += weighEvent(one)
      return
    }
  }

  const handOver = () => {
    pass()
    if (!passing && (waiting.length > 0 || ending !== undefined)) signal()
  }

  // Woken without a value: what is taken is taken in the consumer's own step, so that an interrupted wait loses nothing.
  const wait = Effect.callback<void>((resume) => {
    if (waiting.length > 0 || ending !== undefined) return resume(Effect.void)
    wake = () => resume(Effect.void)
    return Effect.sync(() => {
      wake = undefined
    })
  })

  /**
   * An agent's words mostly come several in one read: they are one batch, and so one commit, once the event loop has gone
   * round. A terminal's bytes do not wait.
   */
  const gathered = Effect.suspend(() => (waiting[0]?.event.type === "terminal.output" ? Effect.void : nextRound))

  /** Nothing but a few deltas: they may be joined by the next ones. */
  const canPace = () => others === 0 && ending === undefined && weight < maxDeltaLength

  const hurried = Effect.callback<void>((resume) => {
    pacing = true
    wake = () => resume(Effect.void)
    return Effect.sync(() => {
      pacing = false
      wake = undefined
    })
  })

  const pull: Effect.Effect<readonly [ReadonlyArray<BackendEvent>], BackendLost | Cause.Done> = Effect.suspend(() => {
    if (waiting.length === 0) return ending ?? Effect.andThen(Effect.andThen(wait, gathered), pull)
    if (paceMs <= 0 || !canPace()) return Effect.succeed([take()] as const)
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      // At most the pace, also when the clock was set back.
      const left = Math.min(paceMs, lastDeltas + paceMs - now)
      if (left > 0) {
        return Effect.andThen(Effect.raceFirst(Effect.sleep(left), hurried), pull)
      }
      lastDeltas = now
      return Effect.succeed([take()] as const)
    })
  })

  return {
    push: (events) => {
      if (ending !== undefined) return false
      // An echo: it has nothing to wait for, and nothing to be joined with.
      const alone = loneOutput(events)
      if (alone !== undefined && waiting.length === 0 && canPass() && offer([alone])) {
        handOver()
        return true
      }
      if (Array.isArray(events)) events.forEach(put)
      else put(events as BackendEvent)
      if (waiting.length > 0 && !(pacing && canPace())) handOver()
      if (!full && weight >= highWater) {
        full = true
        options.onFull?.()
      }
      return true
    },
    passOutput: (take) => {
      taker = take
    },
    stream: Stream.fromPull(
      Effect.suspend(() => {
        if (started) return Effect.die(new Error("The events of a backend session can be read once only"))
        started = true
        return Effect.succeed(pull)
      })
    ),
    isFull: () => full,
    weight: () => weight,
    end: () => {
      ending ??= Cause.done()
      handOver()
    },
    fail: (error) => {
      ending ??= Effect.fail(error)
      handOver()
    }
  }
}

/** Those that go on when the event loop has gone round, besides the one that waits for it: at most as many as there are outboxes. */
let round: Set<() => void> | undefined

/**
 * Waits until the event loop has gone round, and goes on in one step with all others that do: what a server told several sessions
 * at once is one commit then.
 */
const nextRound: Effect.Effect<void> = Effect.suspend(() => {
  if (round !== undefined) return joined(round)
  const own = new Set<() => void>()
  round = own
  const goOn = Effect.sync(() => {
    round = undefined
    for (const go of own) go()
  })
  return Effect.ensuring(Effect.yieldNow, goOn)
})

const joined = (others: Set<() => void>): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const go = () => resume(Effect.void)
    others.add(go)
    return Effect.sync(() => others.delete(go))
  })

const weighEvent = (event: BackendEvent): number =>
  event.type === "terminal.output"
    ? 160 + event.bytes.byteLength
    : weigh({ at: 0, generation: 0, type: event.type, version: 1, data: event.data })

/** The output, where it is all that there is and one event of it. */
const loneOutput = (events: BackendEvent | ReadonlyArray<BackendEvent>): OutputEvent | undefined => {
  const event = Array.isArray(events) ? (events.length === 1 ? events[0] : undefined) : (events as BackendEvent)
  if (event?.type !== "terminal.output") return undefined
  const { byteLength } = event.bytes
  return byteLength > 0 && byteLength <= maxOutputBytes ? event : undefined
}

const waitingOutput = (event: OutputEvent): Waiting => ({
  event,
  pieces: [event.bytes],
  size: event.bytes.byteLength,
  weight: weighEvent(event)
})

const handOut = ({ event, pieces, size }: Waiting): BackendEvent => {
  if (pieces === undefined || pieces.length === 1) return event
  const bytes = new Uint8Array(size)
  let offset = 0
  for (const piece of pieces) {
    bytes.set(piece, offset)
    offset += piece.byteLength
  }
  return { type: "terminal.output", bytes }
}

const cut = (bytes: Uint8Array): ReadonlyArray<Uint8Array> => {
  const pieces: Array<Uint8Array> = []
  for (let at = 0; at < bytes.byteLength; at += maxOutputBytes) pieces.push(bytes.subarray(at, at + maxOutputBytes))
  return pieces
}

const cutText = (text: string): ReadonlyArray<string> => {
  const pieces: Array<string> = []
  let at = 0
  while (at < text.length) {
    let end = Math.min(at + maxDeltaLength, text.length)
    const unit = text.charCodeAt(end - 1)
    const isHighSurrogate = unit >= 0xd800 && unit <= 0xdbff
    if (end < text.length && isHighSurrogate) end -= 1
    pieces.push(text.slice(at, end))
    at = end
  }
  return pieces
}
