/**
 * The events of a session as server-sent events, for clients without WebSockets: the same events in the same JSON as a page of
 * the log. Read a page at a time, when the client has taken the one before.
 */
import {
  encodeRecord,
  type CommandRejected,
  type Followed,
  type LogUnavailable,
  problem,
  type Problem,
  type SessionId,
  type SessionNotFound
} from "@holdfast/core"
import type { HoldfastService } from "@holdfast/runtime"
import { Cause, Deferred, Effect, Exit, Fiber, Schedule, Scope, Stream } from "effect"
import { HttpServerResponse } from "effect/http"
import { problemOf } from "../api/ProblemOf.ts"
import { Refused } from "../api/Problems.ts"
import type { SessionAccessService } from "../access/SessionAccess.ts"
import type { AuthenticatorService, Caller } from "../auth/Authenticator.ts"
import { defaultLiveLimits, type LiveLimits } from "./LiveLimits.ts"

/** What is read at once, and so what a slow client holds. */
const streamPage = { limit: 512, maxBytes: 64 * 1024 } as const

/** What event streams are made of. */
export interface EventStreamParts {
  readonly holdfast: HoldfastService
  readonly access: SessionAccessService
  readonly authenticator: Pick<AuthenticatorService, "onEnd">
  /** Overrides of {@link defaultLiveLimits}. */
  readonly limits?: LiveLimits
}

/** Event streams of a server. */
export interface EventStreams {
  /**
   * The answer to a request for the events after `after`, and what comes. It ends when the session is removed, the caller's
   * token ends or the server stops; an `end` event says which, where there is a problem.
   */
  readonly open: (
    caller: Caller,
    sessionId: SessionId,
    after: number
  ) => Effect.Effect<
    HttpServerResponse.HttpServerResponse,
    CommandRejected | SessionNotFound | LogUnavailable | Refused
  >
  /** Ends all streams: the server stops, and clients come back after `retryAfterMs`. */
  readonly drain: (reason: string, retryAfterMs: number) => Effect.Effect<void>
  /** Streams that are open. */
  readonly count: () => number
}

const utf8 = new TextEncoder()

const named = (event: string, data: unknown, id?: number): string =>
  `${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`

/** Pages that were written as text. Readers side by side share a page, and so its text. */
const texts = new WeakMap<Followed, Uint8Array>()

const textOf = (page: Followed): string => {
  switch (page.answer) {
    case "caught-up":
      return named("caught-up", { cursor: page.cursor })
    case "gap": {
      const { answer: _answer, ...gap } = page
      return named("gap", gap, page.cursor)
    }
    default: {
      let text = ""
      if (page.answer === "snapshot") {
        // Without an id: a client that loses the connection after it gets it again.
        const covering = `[${page.covering.map(encodeRecord).join(",")}]`
        text = `event: snapshot\ndata: {"wholeAt":${page.wholeAt},"covering":${covering},"cursor":${page.cursor}}\n\n`
      }
      for (const record of page.events) text += `id: ${record.seq}\ndata: ${encodeRecord(record)}\n\n`
      return text
    }
  }
}

const bytesOf = (page: Followed): Uint8Array => {
  let bytes = texts.get(page)
  if (bytes === undefined) {
    bytes = utf8.encode(textOf(page))
    texts.set(page, bytes)
  }
  return bytes
}

const heartbeat = utf8.encode(":\n\n")

/** Makes the event streams in a scope. Closing the scope ends them. */
export const makeEventStreams = (parts: EventStreamParts): Effect.Effect<EventStreams, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { access, authenticator, holdfast } = parts
    const limits = { ...defaultLiveLimits, ...parts.limits }
    const perParticipant = new Map<string, number>()
    const open = new Set<Deferred.Deferred<Uint8Array>>()

    const full = (key: string): Problem | undefined => {
      const which =
        open.size >= limits.maxEventStreams
          ? `${limits.maxEventStreams} event streams are open, which is this server's limit`
          : (perParticipant.get(key) ?? 0) >= limits.maxEventStreamsPerParticipant
            ? `you have ${limits.maxEventStreamsPerParticipant} event streams, which is the limit: end one first`
            : undefined
      return which === undefined ? undefined : problem("busy", which, { retryAfterMs: 10_000 })
    }

    const end = (over: Deferred.Deferred<Uint8Array>, why: Problem) =>
      Deferred.doneUnsafe(over, Exit.succeed(utf8.encode(named("end", why))))

    /** Counts the stream while it is open, and ends it with its caller's token. Completes with the stream's last words. */
    const enter = (caller: Caller, key: string) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const over = Deferred.makeUnsafe<Uint8Array>()
          const why = full(key)
          open.add(over)
          perParticipant.set(key, (perParticipant.get(key) ?? 0) + 1)
          if (why !== undefined) end(over, why)
          const off = authenticator.onEnd(caller, (ended) => {
            end(
              over,
              problem("unauthenticated", ended === "expired" ? "the token has expired" : "the token was revoked")
            )
          })
          return { over, off }
        }),
        ({ off, over }) =>
          Effect.sync(() => {
            off()
            open.delete(over)
            const left = perParticipant.get(key)! - 1
            if (left === 0) perParticipant.delete(key)
            else perParticipant.set(key, left)
          })
      )

    const events = (caller: Caller, key: string, sessionId: SessionId, after: number) =>
      Effect.gen(function* () {
        const { over } = yield* enter(caller, key)
        const scope = yield* Scope.Scope
        const pull = yield* Stream.toPull(holdfast.follow(sessionId, after, streamPage))
        /** The page that is being read; it goes on while a heartbeat is sent. */
        let reading: Fiber.Fiber<ReadonlyArray<Followed>, unknown> | undefined
        let reader: Fiber.Fiber<unknown, unknown> | undefined
        let givenAt: number | undefined
        let isOver = false

        const taken = (exit: Exit.Exit<ReadonlyArray<Followed>, unknown>): ReadonlyArray<Uint8Array> => {
          reading = undefined
          if (Exit.isSuccess(exit)) return exit.value.map(bytesOf)
          isOver = true
          const why = Cause.squash(exit.cause)
          return Cause.isDone(why) ? [] : [utf8.encode(named("end", problemOf(why)))]
        }

        const next = Effect.gen(function* () {
          if (isOver) return yield* Cause.done()
          reading ??= yield* Effect.forkIn(pull, scope)
          const said = yield* Effect.raceAllFirst([
            Effect.map(Deferred.await(over), (words) => {
              isOver = true
              return [words]
            }),
            Effect.map(Fiber.await(reading), taken),
            Effect.as(Effect.sleep(limits.heartbeatMs), [heartbeat])
          ])
          return said.length === 0 ? yield* Cause.done() : (said as unknown as [Uint8Array, ...Array<Uint8Array>])
        })

        // Whoever takes nothing for too long does not keep a stream from somebody else.
        const clock = yield* Effect.clockWith(Effect.succeed)
        const watch = Effect.sync(() => {
          if (givenAt !== undefined && clock.currentTimeMillisUnsafe() - givenAt >= limits.stalledMs) {
            reader?.interruptUnsafe()
          }
        })
        yield* Effect.forkScoped(Effect.repeat(watch, Schedule.spaced(limits.stalledMs / 4)))

        return Stream.fromPull(
          Effect.succeed(
            Effect.withFiber<[Uint8Array, ...Array<Uint8Array>], Cause.Done>((fiber) => {
              reader = fiber as Fiber.Fiber<unknown, unknown>
              givenAt = undefined
              return Effect.tap(next, () => Effect.sync(() => (givenAt = clock.currentTimeMillisUnsafe())))
            })
          )
        )
      })

    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        for (const over of open) end(over, problem("unavailable", "the server stops", { retryAfterMs: 1_000 }))
      })
    )

    return {
      open: (caller, sessionId, after) =>
        Effect.gen(function* () {
          yield* access.allow(caller, sessionId, "viewer")
          const { organisation, participantId } = caller.identity
          const key = JSON.stringify([organisation, participantId])
          const why = full(key)
          if (why !== undefined) return yield* new Refused({ problem: why })
          return HttpServerResponse.stream(Stream.unwrap(events(caller, key, sessionId, after)), {
            contentType: "text/event-stream; charset=utf-8",
            headers: { "cache-control": "no-store", "x-accel-buffering": "no" }
          })
        }),
      drain: (reason, retryAfterMs) =>
        Effect.sync(() => {
          const retry = utf8.encode(
            `retry: ${retryAfterMs}\n${named("end", problem("unavailable", reason, { retryAfterMs }))}`
          )
          for (const over of open) Deferred.doneUnsafe(over, Exit.succeed(retry))
        }),
      count: () => open.size
    }
  })
