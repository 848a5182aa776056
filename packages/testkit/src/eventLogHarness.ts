/** What the conformance suite of logs is given, and the small tools that its tests share. */
import {
  type EventLogService,
  encodeRecord,
  type EventRecord,
  type Followed,
  type LogUnavailable,
  type NewEvent,
  type Page,
  type ReadOptions,
  type SessionId,
  type SessionNotFound
} from "@holdfast/core"
import { type Cause, Effect, Fiber, type Pull, type Scope, Stream } from "effect"
import { expect } from "vitest"

/** A store under test, which is empty at first and goes away with the scope that it was made in. */
export interface EventLogStore {
  /** Opens the log for the scope. A persistent store may be opened again once that scope is closed. */
  readonly open: Effect.Effect<EventLogService, unknown, Scope.Scope>
}

/** Makes an empty store of its own for one test. */
export type MakeEventLogStore = Effect.Effect<EventLogStore, unknown, Scope.Scope>

/** A test over an open log. */
export const withLog =
  (make: MakeEventLogStore, test: (log: EventLogService) => Effect.Effect<void, unknown, Scope.Scope>) => () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.flatMap(
          Effect.flatMap(make, (store) => store.open),
          test
        )
      )
    )

/** Reads page after page until the head. */
export const readAll = Effect.fnUntraced(function* (
  log: EventLogService,
  sessionId: SessionId,
  after = 0,
  options?: ReadOptions
) {
  const pages: Array<Page> = []
  for (let cursor = after; ;) {
    const page = yield* log.read(sessionId, cursor, options)
    pages.push(page)
    expect(page.cursor === page.head || page.cursor !== cursor, "a page that is not the last one gets further").toBe(
      true
    )
    cursor = page.cursor
    if (cursor === page.head) return pages
  }
})

/** The events of pages, in the order they came. */
export const eventsOf = (pages: ReadonlyArray<Followed>): ReadonlyArray<EventRecord> =>
  pages.flatMap((page) => ("events" in page ? page.events : []))

/** Seqs of records. */
export const seqsOf = (records: ReadonlyArray<EventRecord>): ReadonlyArray<number> => records.map(({ seq }) => seq)

/** The record that a log should hand out for an event: as text, so that everything counts. */
export const expectedText = (sessionId: SessionId, seq: number, event: NewEvent): string =>
  encodeRecord({ ...event, data: JSON.parse(JSON.stringify(event.data)) as EventRecord["data"], sessionId, seq })

/** A follower that reads when it is told to. */
export interface Reader {
  /** What it got so far. */
  readonly got: ReadonlyArray<Followed>
  readonly cursor: () => number
  /** Takes what comes next; waits for it if need be. */
  readonly next: Effect.Effect<ReadonlyArray<Followed>, SessionNotFound | LogUnavailable | Cause.Done>
  /** Reads until it has everything up to `seq`. */
  readonly until: (seq: number) => Effect.Effect<void, SessionNotFound | LogUnavailable | Cause.Done>
}

/** Makes a follower. It joins with the first page that it takes. */
export const follow = Effect.fnUntraced(function* (
  log: EventLogService,
  sessionId: SessionId,
  after: number,
  options?: ReadOptions
) {
  const pull: Pull.Pull<ReadonlyArray<Followed>, SessionNotFound | LogUnavailable> = yield* Stream.toPull(
    log.follow(sessionId, after, options)
  )
  const got: Array<Followed> = []
  let cursor = after
  const next = Effect.map(pull, (items) => {
    for (const item of items) {
      got.push(item)
      cursor = item.cursor
    }
    return items
  })
  const reader: Reader = {
    got,
    cursor: () => cursor,
    next,
    until: (seq) =>
      Effect.whileLoop({
        while: () => cursor < seq || got.at(-1)?.answer !== "caught-up",
        body: () => next,
        step: () => {}
      })
  }
  return reader
})

/** Collects a stream in the background; `until` waits until enough came. */
export const collect = Effect.fnUntraced(function* <A, E>(stream: Stream.Stream<A, E>) {
  const got: Array<A> = []
  let check = () => {}
  const fiber = yield* Effect.forkScoped(
    Stream.runForEach(stream, (item) =>
      Effect.sync(() => {
        got.push(item)
        check()
      })
    )
  )
  const until = (enough: (got: ReadonlyArray<A>) => boolean) =>
    Effect.raceFirst(
      Effect.callback<void>((resume) => {
        check = () => {
          if (enough(got)) resume(Effect.void)
        }
        check()
      }),
      Effect.andThen(
        Fiber.join(fiber),
        Effect.suspend(() => (enough(got) ? Effect.void : Effect.die("the stream ended before enough came")))
      )
    )
  return { got: got as ReadonlyArray<A>, until }
})
