/** Logs that break one promise each: the memory log behind something that lies. */
import {
  type Append,
  AppendConflict,
  type EventLogService,
  type EventRecord,
  type Followed,
  makeMemory,
  type Page
} from "@holdfast/core"
import { Effect, Option, Stream } from "effect"
import { eventLogSuite } from "../../src/suites.ts"
import type { Fault } from "./Fault.ts"

/** What is different, each time that the log is opened. */
type Spoil = (log: EventLogService, opened: number) => Partial<EventLogService>

const ofLog = (name: string, breaks: string, says: RegExp, spoil: Spoil): Fault => ({
  name,
  breaks,
  says,
  register: (title, isFaulty) => {
    const make = Effect.sync(() => {
      const log = makeMemory()
      let opened = 0
      return { open: Effect.sync(() => (isFaulty ? { ...log, ...spoil(log, opened++) } : log)) }
    })
    eventLogSuite(title, { make, persistent: true, runs: 20 })
  }
})

const changePage = <P extends Followed>(
  page: P,
  change: (events: ReadonlyArray<EventRecord>) => ReadonlyArray<EventRecord>
): P => ("events" in page ? { ...page, events: change(page.events) } : page)

/** Changes the events that readers and followers are given. */
const giving =
  (change: (events: ReadonlyArray<EventRecord>) => ReadonlyArray<EventRecord>): Spoil =>
  (log) => ({
    read: (...asked) => Effect.map(log.read(...asked), (page) => changePage(page, change)),
    follow: (...asked) => Stream.map(log.follow(...asked), (page) => changePage(page, change))
  })

const appending =
  (append: (log: EventLogService) => EventLogService["append"]): Spoil =>
  (log) => ({ append: append(log) })

/** All of them. */
export const logFaults: ReadonlyArray<Fault> = [
  ofLog(
    "leaves a gap in the numbers",
    "numbers the events of a session from 1 without a gap",
    /1, 2, 4/,
    giving((events) => events.map((event) => (event.seq > 2 ? { ...event, seq: event.seq + 1 } : event)))
  ),
  ofLog(
    "appends behind whatever was there",
    "lets exactly one of many appends after the same seq win",
    /have a length of 1 but got/,
    appending(
      (log) =>
        (sessionId, expectedSeq, ...rest) =>
          Effect.catchTag(log.append(sessionId, expectedSeq, ...rest), "AppendConflict", (conflict) =>
            log.append(sessionId, conflict.actualSeq, ...rest)
          )
    )
  ),
  ofLog(
    "names a wrong seq in a conflict",
    "answers a stale expectedSeq with the actual one and stores nothing",
    /AppendConflict/,
    appending(
      (log) =>
        (sessionId, expectedSeq, ...rest) =>
          Effect.mapError(log.append(sessionId, expectedSeq, ...rest), (error) =>
            error._tag === "AppendConflict" ? new AppendConflict({ ...error, actualSeq: error.expectedSeq }) : error
          )
    )
  ),
  ofLog(
    "stores half of an append that it refuses",
    "names the bad field of an event that it refuses, and stores nothing of its append",
    /expected 2 to be 1/,
    appending(
      (log) => (sessionId, expectedSeq, events, options) =>
        Effect.tapError(log.append(sessionId, expectedSeq, events, options), () =>
          Effect.ignore(log.append(sessionId, expectedSeq, events.slice(0, 1), options))
        )
    )
  ),
  ofLog(
    "says in the plain way that it stored what it did not",
    "tells in the plain way, where it has one, what it tells in the other",
    /instance of AppendConflict/,
    (log) => ({
      append: Object.assign((...asked: Parameters<Append>) => log.append(...asked), {
        plain: (...[, expectedSeq, events, , done]: Parameters<NonNullable<Append["plain"]>>) =>
          done({ firstSeq: expectedSeq + 1, lastSeq: expectedSeq + events.length })
      })
    })
  ),
  ofLog(
    "brings what was taken in the plain way by its stream as well",
    "brings a follower what is stored while it waits once and in order, also where it takes some of it in the plain way",
    /deeply equal|to equal/,
    (log) => ({
      follow: (sessionId, after, options) =>
        Stream.tap(log.follow(sessionId, after, { ...options, take: () => false }), (page) =>
          Effect.sync(() => page.answer === "exact" && options?.take?.(page))
        )
    })
  ),
  ofLog(
    "keeps less of a terminal's output than was said of it",
    "keeps what the data of terminal output says beside its offset, and what JSON would make of it",
    /deeply equal|to equal/,
    giving((events) =>
      events.map((event) =>
        event.type === "terminal.output" ? { ...event, data: { offset: event.data["offset"] } } : event
      )
    )
  ),
  ofLog(
    "keeps the caller's own bytes",
    "keeps what it was given when the caller changes it afterwards",
    /sessionId/,
    appending(
      (log) => (sessionId, expectedSeq, events) => log.append(sessionId, expectedSeq, events, { frozenPayloads: true })
    )
  ),
  ofLog(
    "makes up a receipt",
    "gives the receipt of a command, the first one if it comes again",
    /lastSeq|Option/,
    (log) => ({
      receipt: (...asked) =>
        Effect.map(
          log.receipt(...asked),
          Option.map((receipt) => ({ ...receipt, lastSeq: receipt.lastSeq + 1 }))
        )
    })
  ),
  ofLog(
    "clamps a cursor that is ahead",
    "says that nothing is new, and that a cursor is ahead of the log",
    /'exact'.* to match/,
    (log) => ({
      read: (sessionId, after, options) =>
        Effect.flatMap(log.head(sessionId), (head) => log.read(sessionId, Math.min(after, head), options))
    })
  ),
  ofLog("is silent about what was compacted", "takes the deltas of an item that is complete", /exact/, (log) => ({
    read: (...asked) =>
      Effect.map(log.read(...asked), (page): Page => {
        if (page.answer !== "snapshot") return page
        const { covering: _, wholeAt: __, ...rest } = page
        return { ...rest, answer: "exact" }
      })
  })),
  ofLog(
    "loses an event of a follower's",
    "gives every one of many followers the same",
    /have a length of 41 but got/,
    (log) => ({
      follow: (...asked) =>
        Stream.map(log.follow(...asked), (page) =>
          changePage(page, (events) => events.filter(({ seq }) => seq % 7 !== 0))
        )
    })
  ),
  ofLog(
    "shows what a crash takes back",
    "has everything that it acknowledged, and goes on where it was",
    /equal/,
    (log, opened) => {
      const lost = ({ seq }: EventRecord) => opened > 0 && seq === 104
      return {
        read: (...asked) =>
          Effect.map(log.read(...asked), (page) => changePage(page, (events) => events.filter((event) => !lost(event))))
      }
    }
  ),
  ofLog("lists sessions of other labels", "filters by labels, in full pages", /deeply equal|length/, (log) => ({
    sessions: (query) => log.sessions({ ...query, labels: {} })
  })),
  ofLog("cuts pages short by filtering them", "filters by labels, in full pages", /length/, (log) => ({
    sessions: ({ labels, ...query } = {}) =>
      Effect.map(log.sessions(query), (page) =>
        labels === undefined
          ? page
          : {
              ...page,
              sessions: page.sessions.filter((one) =>
                Object.entries(labels).every(([name, value]) => (one.labels[name] ?? null) === value)
              )
            }
      )
  }))
]
