/**
 * One subscription: a cursor in a session's log. It reads a page when the client can take one and not before, so that a client
 * that stalls holds its place and nothing else; whoever watches a terminal and is too far behind gets its screen instead.
 */
import {
  encodePage,
  type EventRecord,
  type Followed,
  FrameKind,
  type LogUnavailable,
  type Page,
  type SessionId,
  type SessionNotFound,
  type SubscribeFrom,
  type SessionSummary,
  type TerminalMode,
  weigh
} from "@holdfast/core"
import type { HoldfastService, ScreenUnavailable } from "@holdfast/runtime"
import { Clock, Data, Effect, Stream } from "effect"
import type { Opening, SessionOpenings } from "./SessionOpenings.ts"
import { type SentKind, SharedBody } from "./SharedBody.ts"

/** What is read at once, half of which is a page while others follow too: a quarter of a window. */
const followPage = { limit: 1024, maxBytes: 128 * 1024 } as const

/** Output that a watched terminal may be behind: 1 MiB, a second of a modem and twenty of a reader. Past it, the screen. */
export const maxBehindBytes = 1024 * 1024

/** A page that says of more events to come than this may be far behind: an event has at most 64 KiB of output. */
const nearEvents = 16

/** Milliseconds between two looks at how far behind a subscription is, and so between two screens. */
const lookMs = 250

/** Bytes of a page of what is left when output is not. */
const restBytes = 64 * 1024

/** Pages that were encoded. Readers side by side share a page, and so its body. */
const bodies = new WeakMap<Followed, SharedBody>()

/** Bytes of a body from which on it is kept for its page: 512. To keep one takes as long as to make a smaller one again. */
const keptBytes = 512

/** The page that was encoded last. Who looks on mostly gets a page in the same step as the others. */
let encoded: { readonly page: Followed; readonly body: SharedBody } | undefined

const bodyOf = (page: Followed): SharedBody => {
  if (encoded?.page === page) return encoded.body
  const kept = bodies.get(page)
  if (kept !== undefined) return kept
  const body = new SharedBody(encodePage(page))
  if (body.size >= keptBytes) bodies.set(page, body)
  encoded = { page, body }
  return body
}

/** What a subscription sends with, and on what. */
export interface SubscriptionParts {
  readonly holdfast: HoldfastService
  readonly openings: SessionOpenings
  readonly subscription: number
  readonly sessionId: SessionId
  readonly from: SubscribeFrom
  readonly terminal: TerminalMode
  readonly summary: SessionSummary
  /** Whether the client, and the connection to it, take more. */
  readonly isReady: () => boolean
  /** Waits until they do. */
  readonly ready: Effect.Effect<void>
  readonly sendText: (json: string) => void
  readonly sendFrame: (kind: SentKind, body: SharedBody) => void
}

/** Output is too far ahead: the screen goes on instead. */
class FellBehind extends Data.TaggedError("FellBehind") {}

type Failure = ScreenUnavailable | SessionNotFound | LogUnavailable

/** Serves a subscription until it is interrupted, the session is removed, or its log fails. */
export const serveSubscription = (parts: SubscriptionParts): Effect.Effect<void, Failure> =>
  Effect.gen(function* () {
    const {
      from,
      holdfast,
      isReady,
      openings,
      ready,
      sendFrame: send,
      sessionId,
      subscription,
      summary,
      terminal
    } = parts
    const clock = yield* Clock.Clock
    const watches = terminal === "screen"
    let cursor = 0
    /** Bytes of output that the client has; not known of one that came with a cursor, until it got some. */
    let offset: number | undefined
    let lookedAt = Number.NEGATIVE_INFINITY
    /** Whether the last page said that there is no more. */
    let atHead = false

    const subscribed = (state: string | undefined) => {
      const begin = `{"type":"subscribed","subscription":${subscription},"cursor":${cursor}`
      parts.sendText(`${begin}${state === undefined ? "" : `,"state":${state}`},"summary":${JSON.stringify(summary)}}`)
    }

    const open: Effect.Effect<void, Failure> = Effect.gen(function* () {
      if ("after" in from) {
        cursor = from.after
        return subscribed(undefined)
      }
      const now: Opening = yield* watches ? openings.withScreen(sessionId) : openings.state(sessionId)
      cursor = now.seq
      subscribed(now.state)
      send(FrameKind.history, yield* openings.history(sessionId, cursor, from.latest))
      const { screen } = now
      if (screen === undefined) {
        offset = watches && !now.hasTerminal ? 0 : undefined
        return
      }
      offset = screen.offset
      send(FrameKind.screen, screen.bodyFor("opened"))
    })

    /** Whether a page tells of nothing that the client could be far behind of: nearly every one. */
    const isNear = (page: Followed): boolean =>
      !watches ||
      page.answer === "caught-up" ||
      page.answer === "gap" ||
      (page.answer === "exact" && page.head - page.cursor < nearEvents)

    /** Whether a page that is not near shows that the client is too far behind to be given all output. */
    const fellBehind = Effect.fnUntraced(function* (page: Page) {
      if (page.answer === "snapshot") return page.covering.length > 0
      if (page.answer === "gap") return false
      const now = clock.currentTimeMillisUnsafe()
      if (now - lookedAt < lookMs) return false
      lookedAt = now
      const known = offset ?? firstOffset(page.events)
      if (known === undefined) return false
      const { outputBytes } = yield* holdfast.summary(sessionId)
      return outputBytes - known > maxBehindBytes
    })

    const deliver = (page: Followed) => {
      if (page.answer === "caught-up") {
        if (atHead) return
      } else {
        cursor = page.cursor
        if (page.answer === "gap") offset = page.reason === "ahead" ? undefined : offset
        else if (watches) offset = endOffset(page.events) ?? offset
      }
      atHead = page.answer === "caught-up" || page.cursor >= page.head
      send(FrameKind.page, bodyOf(page))
    }

    /** Gives pages while the client takes them: plain steps, of which nearly all have nothing to wait for. */
    const take = (pages: ReadonlyArray<Followed>, from: number): Effect.Effect<void, FellBehind | Failure> => {
      for (let at = from; at < pages.length; at++) {
        const page = pages[at]!
        if (!isReady()) {
          return Effect.andThen(
            ready,
            Effect.suspend(() => take(pages, at))
          )
        }
        if (!isNear(page)) {
          return Effect.flatMap(fellBehind(page as Page), (fell) => {
            if (fell) return Effect.fail(new FellBehind())
            deliver(page)
            return take(pages, at + 1)
          })
        }
        deliver(page)
      }
      return isReady() ? Effect.void : ready
    }

    /** The plain way of a page that has nothing to wait for: an echo, and most of what comes while somebody looks on. */
    const takeNow = (page: Page): boolean => {
      if (!isReady() || !isNear(page)) return false
      deliver(page)
      return true
    }

    /**
     * Pages while the client takes them: nothing is read before, and what was waited for is held until then, since other
     * subscriptions may have used the connection's room meanwhile.
     */
    const follow = Effect.suspend(() =>
      Stream.runForEachArray(holdfast.follow(sessionId, cursor, { ...followPage, take: takeNow }), (pages) =>
        take(pages, 0)
      )
    )

    /** What is not output up to the screen, then the screen. */
    const resync = Effect.gen(function* () {
      const now = yield* openings.screenFrom(sessionId, cursor)
      let rest: Array<EventRecord> = []
      let weight = 0
      let wholeAt = now.seq
      const flush = Effect.fnUntraced(function* (head: number) {
        yield* ready
        const page: Followed = { answer: "snapshot", wholeAt, covering: [], events: rest, cursor, head }
        send(FrameKind.page, new SharedBody(encodePage(page)))
        rest = []
        weight = 0
      })
      while (cursor < now.seq) {
        const page = yield* holdfast.read(sessionId, cursor, {
          limit: Math.min(10_000, now.seq - cursor),
          maxBytes: 1024 * 1024
        })
        if (page.answer === "gap") {
          if (rest.length > 0) yield* flush(page.head)
          yield* ready
          deliver(page)
          if (page.cursor <= cursor && page.reason === "ahead") return
          continue
        }
        if (page.answer === "snapshot") wholeAt = Math.max(wholeAt, page.wholeAt)
        for (const event of page.events) {
          if (event.seq > now.seq) break
          if (event.type === "terminal.output" || event.type === "terminal.snapshot") continue
          rest.push(event)
          weight += weigh(event)
        }
        cursor = Math.min(page.cursor, now.seq)
        if (weight >= restBytes || cursor >= now.seq) yield* flush(page.head)
      }
      atHead = false
      lookedAt = clock.currentTimeMillisUnsafe()
      if (now.screen === undefined) return
      yield* ready
      offset = now.screen.offset
      send(FrameKind.screen, now.screen.bodyFor("resync"))
    })

    yield* open
    yield* ready
    const followed: Effect.Effect<void, Failure> = Effect.suspend(() =>
      Effect.catchTag(follow, "FellBehind", () => Effect.andThen(resync, Effect.andThen(ready, followed)))
    )
    yield* followed
  })

const outputOf = (event: EventRecord): number | undefined => {
  const at = event.type === "terminal.output" ? event.data["offset"] : undefined
  return typeof at === "number" ? at : undefined
}

const firstOffset = (events: ReadonlyArray<EventRecord>): number | undefined => {
  for (const event of events) {
    const at = outputOf(event)
    if (at !== undefined) return at
  }
  return undefined
}

const endOffset = (events: ReadonlyArray<EventRecord>): number | undefined => {
  for (let index = events.length - 1; index >= 0; index--) {
    const event = events[index]!
    const at = outputOf(event)
    if (at !== undefined) return at + (event.bytes?.byteLength ?? 0)
  }
  return undefined
}
