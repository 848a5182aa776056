/**
 * What a server tells of one directory, as it happens. The server's stream has no memory: whatever is said while nobody
 * listens is gone. So it is kept open, its silence is noticed, and whoever listens learns of every break, to read again what
 * the server has kept.
 */
import { Clock, Deferred, Effect, Option, Random, Schema, type Scope, Stream } from "effect"
import { Sse } from "effect/encoding"
import { type OpencodeClient, OpencodeError } from "./OpencodeClient.ts"
import type { OpencodeEvent } from "./OpencodeNormaliser.ts"

/** An event with its id, which tells the server's time. */
export interface HeardEvent extends OpencodeEvent {
  readonly id?: unknown
}

/** One who listens. What it does must be quick, and must not throw. */
export interface OpencodeListener {
  readonly onEvent: (event: HeardEvent) => void
  /** The connection broke; it is being made again, for the `attempt`th time. */
  readonly onBreak: (attempt: number, reason: string) => void
  /** It stands again: what was said meanwhile was missed. */
  readonly onMend: () => void
  /** It was given up. Nothing will be told any more. */
  readonly onEnd: (error: OpencodeError) => void
}

/** The events of one directory. */
export interface OpencodeEvents {
  /** Listens from now on until the scope closes. */
  readonly listen: (listener: OpencodeListener) => Effect.Effect<void, never, Scope.Scope>
}

/** The server says something every 10 s. Three times that, and the connection is dead whatever the system thinks. */
const silenceMs = 30_000

/** How often the silence is looked at. */
const lookMs = 5_000

/** Waits between two attempts: from 50 ms, doubling, each ± 25 %. */
const shortestWaitMs = 50
const longestWaitMs = 5_000

/** A connection that cannot be made for this long is given up: 60 s, some twenty attempts. */
const giveUpMs = 60_000

/** Longest event, in UTF-16 units: 32 Mi. Images travel inside of them. A longer one breaks the connection. */
const maxEventLength = 32 * 1024 * 1024

const decodeEvent = Schema.decodeUnknownOption(
  Schema.fromJsonString(
    Schema.Struct({
      type: Schema.String,
      id: Schema.optionalKey(Schema.Unknown),
      properties: Schema.optionalKey(Schema.Unknown)
    })
  )
)

/** Opens the stream of a directory; completes when it stands. It is kept open until the scope closes. */
export const openOpencodeEvents = Effect.fnUntraced(function* (
  client: OpencodeClient,
  directory: string
): Effect.fn.Return<OpencodeEvents, OpencodeError, Scope.Scope> {
  const listeners = new Set<OpencodeListener>()
  const stands = Deferred.makeUnsafe<void, OpencodeError>()
  let hasStood = false
  let attempt = 0
  let brokenSince = 0
  let ended: OpencodeError | undefined

  const broken = (detail: string) => new OpencodeError({ request: "GET /event", reason: "unreachable", detail })

  const dispatch = (event: HeardEvent) => {
    if (event.type === "server.connected") {
      attempt = 0
      if (hasStood) for (const listener of listeners) listener.onMend()
      hasStood = true
    }
    for (const listener of listeners) listener.onEvent(event)
    Deferred.doneUnsafe(stands, Effect.void)
  }

  const connection = Effect.scoped(
    Effect.gen(function* () {
      const chunks = yield* client.openStream("/event", { directory })
      let heardAt = yield* Clock.currentTimeMillis
      let garbage: OpencodeError | undefined
      const decoder = new TextDecoder()
      const parser = Sse.makeParser(
        (message) => {
          if (message._tag !== "Event") return
          const event = decodeEvent(message.data)
          if (Option.isSome(event)) dispatch(event.value)
          // What it said cannot be known: it is read again from what the server keeps.
          else garbage ??= broken(`it sent what is no event: ${JSON.stringify(message.data.slice(0, 200))}`)
        },
        { maxEventSize: maxEventLength }
      )
      const reading = Stream.runForEach(chunks, (chunk) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => {
          heardAt = now
          const tooLong = parser.feed(decoder.decode(chunk, { stream: true }))
          if (tooLong !== undefined) return Effect.fail(broken(tooLong.message))
          return garbage === undefined ? Effect.void : Effect.fail(garbage)
        })
      )
      const watching = Effect.gen(function* () {
        for (;;) {
          yield* Effect.sleep(lookMs)
          if ((yield* Clock.currentTimeMillis) - heardAt > silenceMs) {
            return yield* broken(`the server said nothing for ${silenceMs / 1_000} s`)
          }
        }
      })
      yield* Effect.raceFirst(reading, watching)
      // A clean end: the instance of the directory was disposed of, or the server stopped.
      return yield* broken("the server ended the stream")
    })
  )

  const keep = Effect.gen(function* () {
    for (;;) {
      const error: OpencodeError = yield* Effect.flip(connection)
      const now = yield* Clock.currentTimeMillis
      if (attempt === 0) brokenSince = now
      attempt += 1
      const isHopeless = error.reason === "unauthorized" || error.reason === "unexpected"
      if (!hasStood || isHopeless || now - brokenSince >= giveUpMs) {
        ended = error
        Deferred.doneUnsafe(stands, Effect.fail(error))
        for (const listener of listeners) listener.onEnd(error)
        return
      }
      for (const listener of listeners) listener.onBreak(attempt, error.message)
      const wait = Math.min(longestWaitMs, shortestWaitMs * 2 ** (attempt - 1))
      yield* Effect.sleep(wait * (0.75 + 0.5 * (yield* Random.next)))
    }
  })

  yield* Effect.forkScoped(keep)
  yield* Deferred.await(stands)
  return {
    listen: (listener) =>
      Effect.asVoid(
        Effect.acquireRelease(
          Effect.sync(() => {
            listeners.add(listener)
            if (ended !== undefined) listener.onEnd(ended)
          }),
          () => Effect.sync(() => listeners.delete(listener))
        )
      )
  }
})
