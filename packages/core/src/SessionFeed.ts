/**
 * How every log serves `follow`: readers are cursors. The live tail of a session is one small ring that all its
 * followers share; whoever falls out of it reads the store. Publishing costs the same whoever stalls, and a follower
 * that stalls holds nothing but its place.
 */
import { Cause, Effect, Stream } from "effect"
import {
  defaultPageBytes,
  defaultPageEvents,
  type ExactPage,
  type Followed,
  type FollowOptions,
  type LogUnavailable,
  type Page,
  type ReadOptions,
  type SessionNotFound
} from "./EventLog.ts"
import { type EventRecord, weigh } from "./EventRecord.ts"
import type { SessionId } from "./Ids.ts"

/**
 * Bytes of recent events kept per session for followers that have not taken them yet: 256 KiB, about four screens of
 * flood. Past it a follower reads the store instead, which costs it a few milliseconds and nobody else anything.
 */
export const defaultRingBytes = 256 * 1024

/**
 * Bytes of all rings together: 32 MiB, that is 128 full ones. Past it the ring of the session that has been quiet for
 * longest is emptied, and its followers read the store.
 */
export const defaultFeedBytes = 32 * 1024 * 1024

/** Pages of a ring that are kept to be shared: 16, twice what a ring is cut into by followers with pages of a quarter of it. */
const maxSharedPages = 16

/** Bounds of a feed. */
export interface SessionFeedOptions {
  /** Default {@link defaultRingBytes}; 0 keeps no ring, so that every follower reads the store. */
  readonly ringBytes?: number
  /** Default {@link defaultFeedBytes}. */
  readonly totalBytes?: number
}

/** The live side of a log. A store tells it what it has committed, and lets it answer `follow`. */
export interface SessionFeed {
  /** Whether anybody follows the session: if not, a store need not even build the records to publish. */
  readonly isFollowed: (sessionId: SessionId) => boolean
  /** The sessions that somebody follows. */
  readonly followed: () => Iterable<SessionId>
  /** Tells of events that are now durable (law 2), in order of their seq. */
  readonly publish: (sessionId: SessionId, records: ReadonlyArray<EventRecord>) => void
  /** Tells that the store has events up to `head`, for a store that learns of them without having them at hand. */
  readonly advance: (sessionId: SessionId, head: number) => void
  /** Tells that the session was deleted: its followers get a `removed` gap, then the end. */
  readonly remove: (sessionId: SessionId) => void
  /** Ends every follower with an error: the log closes or cannot serve. */
  readonly fail: (error: LogUnavailable) => void
  /** Answers {@link EventLogService.follow}. */
  readonly follow: (
    sessionId: SessionId,
    after: number,
    options?: FollowOptions
  ) => Stream.Stream<Followed, SessionNotFound | LogUnavailable>
}

/** How far a follower is. */
interface Place {
  cursor: number
  /** Fell out of the ring: it goes on in the store, and needs nothing that is kept. */
  isLost: boolean
}

/** The recent events of one followed session, and who waits for more. */
interface Tail {
  readonly sessionId: SessionId
  /** The newest seq that was told of; 0 before the first. */
  head: number
  records: Array<EventRecord>
  /** Where each record ends, in bytes since the ring was last empty. */
  ends: Array<number>
  /** Where the first one begins. */
  start: number
  bytes: number
  followers: number
  /** Followers that have everything: each is told when there is more, and takes itself out unless it has that too. */
  readonly waiting: Set<() => void>
  /** They are just being told. */
  isWaking: boolean
  /** Followers that neither wait nor fell out of the ring. */
  readonly reading: Set<Place>
  /** How many fell out of it. */
  lost: number
  removed: boolean
  /** The pages that were cut from what is kept, by where they begin and their bounds: followers share them. */
  readonly pages: Map<string, ExactPage>
}

/** Makes a feed over a store's `read`. */
export const makeSessionFeed = (
  read: (
    sessionId: SessionId,
    after: number,
    options?: ReadOptions
  ) => Effect.Effect<Page, SessionNotFound | LogUnavailable>,
  { ringBytes = defaultRingBytes, totalBytes = defaultFeedBytes }: SessionFeedOptions = {}
): SessionFeed => {
  const tails = new Map<SessionId, Tail>()
  /** Tails that were published to, the last one at the end. */
  const recent = new Set<Tail>()
  let newest: Tail | undefined
  let heldBytes = 0
  let failure: LogUnavailable | undefined

  const clear = (tail: Tail) => {
    heldBytes -= tail.bytes
    tail.records = []
    tail.ends = []
    tail.start = 0
    tail.bytes = 0
    if (tail.pages.size > 0) tail.pages.clear()
  }

  const forget = (tail: Tail) => {
    clear(tail)
    recent.delete(tail)
    if (newest === tail) newest = undefined
  }

  /** Once everybody has everything, or goes on in the store, nobody needs the ring. */
  const clearUnread = (tail: Tail) => {
    if (!tail.isWaking && tail.waiting.size + tail.lost === tail.followers) clear(tail)
  }

  const wake = (tail: Tail) => {
    // Whoever takes what is new may have stored it: then this is not the first that runs.
    const isInner = tail.isWaking
    tail.isWaking = true
    try {
      // Whoever is woken may wait again in the same step.
      const waiting = [...tail.waiting]
      for (const wakeup of waiting) if (tail.waiting.has(wakeup)) wakeup()
    } finally {
      tail.isWaking = isInner
      clearUnread(tail)
    }
  }

  const dropQuiet = () => {
    for (const quiet of recent) {
      if (heldBytes <= totalBytes) return
      forget(quiet)
    }
  }

  const publish: SessionFeed["publish"] = (sessionId, records) => {
    const tail = tails.get(sessionId)
    const last = records.at(-1)
    if (tail === undefined || last === undefined || last.seq <= tail.head) return
    // A ring has no gap in it: what does not go on where it ends starts it afresh.
    if (tail.records.length > 0 && records[0]!.seq !== tail.head + 1) clear(tail)
    let end = tail.ends.at(-1) ?? tail.start
    for (const record of records) {
      end += weigh(record)
      tail.records.push(record)
      tail.ends.push(end)
    }
    let drop = 0
    while (drop < tail.records.length && end - tail.start > ringBytes) tail.start = tail.ends[drop++]!
    if (drop > 0) {
      tail.records.splice(0, drop)
      tail.ends.splice(0, drop)
    }
    const kept = end - tail.start
    heldBytes += kept - tail.bytes
    tail.bytes = kept
    tail.head = last.seq
    const first = tail.records[0]?.seq ?? tail.head + 1
    if (drop > 0) {
      for (const place of tail.reading) {
        if (place.cursor >= first - 1) continue
        place.isLost = true
        tail.lost++
        tail.reading.delete(place)
      }
    }
    for (const [key, page] of tail.pages) {
      // What ended because there was no more yet is cut anew, and what is not kept any more is forgotten.
      if (page.cursor === page.head || page.events[0]!.seq < first) tail.pages.delete(key)
    }
    if (newest !== tail) {
      recent.delete(tail)
      recent.add(tail)
      newest = tail
    }
    if (heldBytes > totalBytes) dropQuiet()
    wake(tail)
  }

  const advance: SessionFeed["advance"] = (sessionId, head) => {
    const tail = tails.get(sessionId)
    if (tail === undefined || head <= tail.head) return
    clear(tail)
    tail.head = head
    wake(tail)
  }

  const remove: SessionFeed["remove"] = (sessionId) => {
    const tail = tails.get(sessionId)
    if (tail === undefined) return
    // A session may be made again under its id: those who followed the old one keep their own tail.
    tails.delete(sessionId)
    forget(tail)
    tail.removed = true
    wake(tail)
  }

  const fail: SessionFeed["fail"] = (error) => {
    failure = error
    for (const tail of tails.values()) wake(tail)
  }

  const join = (sessionId: SessionId, after: number): { readonly tail: Tail; readonly place: Place } => {
    let tail = tails.get(sessionId)
    if (tail === undefined) {
      tail = {
        sessionId,
        head: 0,
        records: [],
        ends: [],
        start: 0,
        bytes: 0,
        followers: 0,
        waiting: new Set(),
        isWaking: false,
        reading: new Set(),
        lost: 0,
        removed: false,
        pages: new Map()
      }
      tails.set(sessionId, tail)
    }
    const place = { cursor: after, isLost: false }
    tail.followers++
    tail.reading.add(place)
    return { tail, place }
  }

  const find = (tail: Tail, place: Place) => {
    if (!place.isLost) return
    place.isLost = false
    tail.lost--
    tail.reading.add(place)
  }

  const leave = (tail: Tail, place: Place) => {
    tail.followers--
    find(tail, place)
    tail.reading.delete(place)
    if (tail.followers > 0) return
    forget(tail)
    if (tails.get(tail.sessionId) === tail) tails.delete(tail.sessionId)
  }

  /**
   * The page after a cursor that lies within the ring. Pages end where half of their most bytes are full, counted from the ring's
   * beginning and not from the cursor: so followers that are not side by side meet at the same ends, and share their pages again.
   */
  const cut = (tail: Tail, after: number, limit: number, maxBytes: number): ExactPage | undefined => {
    const first = tail.records[0]
    if (first === undefined || after < first.seq - 1 || after >= tail.head) return undefined
    // A page that nobody else wants need not be found again.
    const key = tail.followers > 1 ? `${after}/${limit}/${maxBytes}` : undefined
    const known = key === undefined ? undefined : tail.pages.get(key)
    if (known !== undefined) return known
    const from = after - first.seq + 1
    const begin = from === 0 ? tail.start : tail.ends[from - 1]!
    const blockOf = (index: number) => Math.floor((tail.ends[index]! - 1) / (maxBytes / 2))
    const block = blockOf(from)
    let to = from + 1
    while (to < tail.records.length && to - from < limit) {
      if (tail.ends[to]! - begin > maxBytes || blockOf(to) !== block) break
      to++
    }
    const events = tail.records.slice(from, to)
    const page: ExactPage = {
      answer: "exact",
      events,
      cursor: after + events.length,
      head: tail.head
    }
    if (key === undefined) return page
    tail.pages.set(key, page)
    if (tail.pages.size > maxSharedPages) tail.pages.delete(tail.pages.keys().next().value!)
    return page
  }

  const pullFrom = (tail: Tail, place: Place, options: FollowOptions | undefined) => {
    const limit = options?.limit ?? defaultPageEvents
    const maxBytes = options?.maxBytes ?? defaultPageBytes
    // Until the store has answered to the end once, what is live is not known to go on where the cursor is.
    let joined = false
    let ended = false

    const removedGap = (): Followed => ({
      answer: "gap",
      reason: "removed",
      from: place.cursor + 1,
      to: Math.max(place.cursor + 1, tail.head),
      detail: "the session was deleted",
      cursor: Math.max(place.cursor, tail.head),
      head: Math.max(place.cursor, tail.head)
    })

    const deliver = (page: Page): readonly [Followed, ...Array<Followed>] | undefined => {
      const { cursor } = page
      place.cursor = cursor
      const empty = page.answer === "exact" && page.events.length === 0
      if (cursor < page.head || cursor < tail.head) return empty ? undefined : [page]
      joined = true
      const caughtUp: Followed = { answer: "caught-up", cursor }
      return empty ? [caughtUp] : [page, caughtUp]
    }

    const end = (): readonly [Followed] => {
      ended = true
      return [removedGap()]
    }

    type Delivered = readonly [Followed, ...Array<Followed>]
    type Pulled = Effect.Effect<Delivered, SessionNotFound | LogUnavailable | Cause.Done>

    const fromStore: Pulled = Effect.suspend(() => read(tail.sessionId, place.cursor, options)).pipe(
      Effect.map((page) => (tail.removed ? end() : deliver(page))),
      Effect.catchTag("SessionNotFound", (error) => (tail.removed ? Effect.sync(end) : Effect.fail(error))),
      Effect.flatMap((delivered) => (delivered === undefined ? pull : Effect.succeed(delivered)))
    )

    /** Whether everything there is was taken in the plain way. */
    const isTaken = (): boolean => {
      if (options?.take === undefined || failure !== undefined || tail.removed) return false
      while (place.cursor < tail.head) {
        const page = cut(tail, place.cursor, limit, maxBytes)
        if (page === undefined || !options.take(page)) return false
        place.cursor = page.cursor
      }
      return true
    }

    const wait: Pulled = Effect.callback((resume) => {
      let isOver = false
      let isTaking = false
      const wakeup = () => {
        // By what it stored as it took something: it sees that as it goes on.
        if (isTaking) return
        let next = pull
        let taken = false
        isTaking = true
        try {
          taken = isTaken()
        } catch (defect) {
          // The follower's own code: what it throws must not reach whoever stores, nor other followers.
          next = Effect.die(defect)
        }
        isTaking = false
        // It may have ended itself by what it took.
        if (isOver || taken) return
        tail.waiting.delete(wakeup)
        tail.reading.add(place)
        resume(next)
      }
      find(tail, place)
      tail.reading.delete(place)
      tail.waiting.add(wakeup)
      clearUnread(tail)
      return Effect.sync(() => {
        isOver = true
        if (tail.waiting.delete(wakeup)) tail.reading.add(place)
      })
    })

    const pull: Pulled = Effect.suspend((): Pulled => {
      if (ended) return Cause.done()
      if (failure !== undefined) return Effect.fail(failure)
      if (tail.removed) return Effect.sync(end)
      if (!joined) return fromStore
      const page = cut(tail, place.cursor, limit, maxBytes)
      if (page === undefined) return place.cursor < tail.head ? fromStore : wait
      find(tail, place)
      const delivered = deliver(page)
      return delivered === undefined ? pull : Effect.succeed(delivered)
    })

    return pull
  }

  return {
    isFollowed: (sessionId) => tails.has(sessionId),
    followed: () => tails.keys(),
    publish,
    advance,
    remove,
    fail,
    follow: (sessionId, after, options) =>
      Stream.unwrap(
        Effect.map(
          Effect.acquireRelease(
            Effect.sync(() => join(sessionId, after)),
            ({ place, tail }) => Effect.sync(() => leave(tail, place))
          ),
          ({ place, tail }) => Stream.fromPull(Effect.succeed(pullFrom(tail, place, options)))
        )
      )
  }
}
