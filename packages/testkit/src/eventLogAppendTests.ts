/** What a log takes, refuses and keeps. */
import {
  AppendConflict,
  type CommandId,
  encodeRecord,
  EventInvalid,
  type ExactPage,
  type Followed,
  makeCommandId,
  makeSessionId,
  maxAppendEvents,
  maxEventBytes,
  type NewEvent,
  type SessionId
} from "@holdfast/core"
import { Effect, Option, Result, Stream } from "effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  collect,
  eventsOf,
  expectedText,
  follow,
  type MakeEventLogStore,
  readAll,
  seqsOf,
  withLog
} from "./eventLogHarness.ts"
import { createdEvent, newEvent, newEvents, sessionIds } from "./newEventArbitraries.ts"

const throwing = (): never => {
  throw new Error("data that throws")
}

/** Appends that must be refused: the field that is named, after which seq, and the events. */
const refused: ReadonlyArray<readonly [field: string, expectedSeq: number, events: ReadonlyArray<unknown>]> = [
  ["events", 1, []],
  ["events", 1, Array.from({ length: maxAppendEvents + 1 }, () => newEvent("link.connected"))],
  ["expectedSeq", -1, [newEvent("link.connected")]],
  ["expectedSeq", 1.5, [newEvent("link.connected")]],
  ["events[0].type", 0, [newEvent("link.connected")]],
  ["events[0].type", 1, [newEvent("Not A Type")]],
  ["events[0].at", 1, [newEvent("link.connected", {}, { at: -1 })]],
  ["events[0].at", 1, [newEvent("link.connected", {}, { at: Number.NaN })]],
  ["events[0].generation", 1, [newEvent("link.connected", {}, { generation: 0.5 })]],
  ["events[0].version", 1, [newEvent("link.connected", {}, { version: 0 })]],
  ["events[0].actor", 1, [newEvent("link.connected", {}, { actor: "" })]],
  ["events[0].actor", 1, [newEvent("link.connected", {}, { actor: "\ud800" })]],
  ["events[0].cause", 1, [newEvent("link.connected", {}, { cause: "not an id" as CommandId })]],
  ["events[0].bytes", 1, [{ ...newEvent("link.connected"), bytes: "text" }]],
  ["events[0].data", 1, [{ ...newEvent("link.connected"), data: [] }]],
  ["events[0].data", 1, [newEvent("some.thing", { big: 1n })]],
  [
    "events[0].data",
    1,
    [
      {
        ...newEvent("terminal.output", {}, { bytes: Uint8Array.of(65) }),
        data: {
          get offset() {
            return throwing()
          }
        }
      }
    ]
  ],
  [
    "events[0].data",
    1,
    [
      {
        ...newEvent("terminal.output", {}, { bytes: Uint8Array.of(65) }),
        data: new Proxy({ offset: 3 }, { getPrototypeOf: throwing })
      }
    ]
  ],
  ["events[1].data.title", 1, [newEvent("link.connected"), newEvent("session.renamed", { title: 3 })]],
  ["events[0].data.title", 1, [newEvent("session.renamed")]],
  ["events[0].data.cols", 1, [newEvent("terminal.resized", { cols: 0, rows: 24 })]],
  ["events[0].data.rows", 1, [newEvent("terminal.resized", { cols: 80, rows: 1_000_000_000 })]],
  ["events[0].bytes", 1, [newEvent("terminal.output", { offset: 0 }, { bytes: new Uint8Array(maxEventBytes) })]]
]

/** Registers the tests of `append` and `receipt`. */
export const appendTests = (make: MakeEventLogStore, runs: number) =>
  describe("append", () => {
    it(
      "numbers the events of a session from 1 without a gap",
      withLog(make, (log) =>
        Effect.gen(function* () {
          const id = makeSessionId()
          expect(yield* log.append(id, 0, [createdEvent(), newEvent("link.connected")])).toEqual({
            firstSeq: 1,
            lastSeq: 2
          })
          expect(yield* log.append(id, 2, [newEvent("link.connected")])).toEqual({ firstSeq: 3, lastSeq: 3 })
          expect(seqsOf(eventsOf(yield* readAll(log, id)))).toEqual([1, 2, 3])
          expect(yield* log.head(id)).toBe(3)
        })
      )
    )

    it(
      "answers a stale expectedSeq with the actual one and stores nothing",
      withLog(make, (log) =>
        Effect.gen(function* () {
          const id = makeSessionId()
          const early = yield* Effect.flip(log.append(id, 3, [newEvent("link.connected")]))
          expect(early).toEqual(new AppendConflict({ sessionId: id, expectedSeq: 3, actualSeq: 0 }))
          yield* log.append(id, 0, [createdEvent()])
          for (const expectedSeq of [0, 2]) {
            const error = yield* Effect.flip(log.append(id, expectedSeq, [createdEvent()]))
            expect(error).toEqual(new AppendConflict({ sessionId: id, expectedSeq, actualSeq: 1 }))
            expect((error as Error).message).toContain("decide again")
          }
          expect(yield* log.head(id)).toBe(1)
        })
      )
    )

    it(
      "lets exactly one of many appends after the same seq win, and fails none of another session",
      withLog(make, (log) =>
        Effect.gen(function* () {
          const [id, ...others] = sessionIds(21) as [SessionId, ...ReadonlyArray<SessionId>]
          yield* log.append(id, 0, [createdEvent()])
          const contenders = Array.from({ length: 20 }, (_, n) =>
            Effect.result(log.append(id, 1, [newEvent("session.renamed", { title: String(n) })]))
          )
          const bystanders = others.map((other) => log.append(other, 0, [createdEvent()]))
          const [results] = yield* Effect.all(
            [
              Effect.all(contenders, { concurrency: "unbounded" }),
              Effect.all(bystanders, { concurrency: "unbounded" })
            ],
            { concurrency: "unbounded" }
          )
          const winners = results.flatMap((result, n) => (Result.isSuccess(result) ? [String(n)] : []))
          expect(winners).toHaveLength(1)
          for (const result of results) {
            if (Result.isFailure(result)) {
              expect(result.failure).toEqual(new AppendConflict({ sessionId: id, expectedSeq: 1, actualSeq: 2 }))
            }
          }
          const stored = eventsOf(yield* readAll(log, id))
          expect(stored.map((event) => event.data["title"])).toEqual([undefined, winners[0]])
        })
      )
    )

    it(
      "keeps the order of what one caller appends without waiting",
      withLog(make, (log) =>
        Effect.gen(function* () {
          const id = makeSessionId()
          yield* log.append(id, 0, [createdEvent()])
          const appends = Array.from({ length: 200 }, (_, n) => log.append(id, n + 1, [newEvent("some.thing", { n })]))
          yield* Effect.all(appends, { concurrency: "unbounded" })
          const stored = eventsOf(yield* readAll(log, id, 1))
          expect(stored.map((event) => event.data["n"])).toEqual(appends.map((_, n) => n))
        })
      )
    )

    it(
      "names the bad field of an event that it refuses, and stores nothing of its append",
      withLog(make, (log) =>
        Effect.gen(function* () {
          const id = makeSessionId()
          yield* log.append(id, 0, [createdEvent()])
          for (const [field, expectedSeq, events] of refused) {
            const error = yield* Effect.flip(log.append(id, expectedSeq, events as ReadonlyArray<NewEvent>))
            expect(error, `${field} refused`).toBeInstanceOf(EventInvalid)
            expect((error as EventInvalid).field).toBe(field)
            expect((error as EventInvalid).message).toContain(field)
          }
          const unnamed = yield* Effect.flip(log.append("nonsense" as SessionId, 0, [createdEvent()]))
          expect((unnamed as EventInvalid).field).toBe("sessionId")
          expect(yield* log.head(id)).toBe(1)
        })
      )
    )

    it("hands out every event exactly as it was given, known or not, to readers and followers", () =>
      fc.assert(
        fc.asyncProperty(fc.array(fc.array(newEvents(), { minLength: 1, maxLength: 4 }), { maxLength: 8 }), (appends) =>
          withLog(make, (log) =>
            Effect.gen(function* () {
              const id = makeSessionId()
              const expected = [expectedText(id, 1, createdEvent())]
              yield* log.append(id, 0, [createdEvent()])
              const live = yield* follow(log, id, 0)
              yield* live.until(1)
              for (const events of appends) {
                yield* log.append(id, expected.length, events)
                for (const event of events) expected.push(expectedText(id, expected.length + 1, event))
              }
              yield* live.until(expected.length)
              expect(eventsOf(yield* readAll(log, id)).map(encodeRecord)).toEqual(expected)
              expect(eventsOf(live.got).map(encodeRecord)).toEqual(expected)
            })
          )()
        ),
        { numRuns: runs }
      ))

    it(
      "keeps what it was given when the caller changes it afterwards",
      withLog(make, (log) =>
        Effect.gen(function* () {
          const id = makeSessionId()
          yield* log.append(id, 0, [createdEvent()])
          const live = yield* follow(log, id, 0)
          yield* live.until(1)
          const event = newEvent("terminal.output", { offset: 7 }, { bytes: new Uint8Array([1, 2, 3]) })
          const expected = expectedText(id, 2, event)
          yield* log.append(id, 1, [event])
          event.bytes?.fill(9)
          Object.assign(event.data, { offset: 8 })
          yield* live.until(2)
          expect(encodeRecord(eventsOf(live.got)[1]!)).toBe(expected)
          expect(encodeRecord(eventsOf(yield* readAll(log, id))[1]!)).toBe(expected)
        })
      )
    )

    it(
      "tells in the plain way, where it has one, what it tells in the other",
      withLog(make, (log) =>
        Effect.gen(function* () {
          const { plain } = log.append
          if (plain === undefined) return
          const id = makeSessionId()
          const append = (expectedSeq: number, events: ReadonlyArray<NewEvent>) =>
            Effect.promise(() => new Promise((resolve) => plain(id, expectedSeq, events, undefined, resolve)))
          expect(yield* append(0, [createdEvent(), newEvent("some.thing")])).toEqual({ firstSeq: 1, lastSeq: 2 })
          expect(yield* append(1, [newEvent("some.thing")])).toBeInstanceOf(AppendConflict)
          expect(yield* append(2, [])).toBeInstanceOf(EventInvalid)
          const many = Array.from({ length: 100 }, (_, n) => append(2 + n, [newEvent("some.thing", { n })]))
          const told = yield* Effect.all(many, { concurrency: "unbounded" })
          expect(told).toEqual(many.map((_, n) => ({ firstSeq: 3 + n, lastSeq: 3 + n })))
          expect(seqsOf(eventsOf(yield* readAll(log, id)))).toEqual(Array.from({ length: 102 }, (_, n) => n + 1))
        })
      )
    )

    it(
      "keeps what the data of terminal output says beside its offset, and what JSON would make of it",
      withLog(make, (log) =>
        Effect.gen(function* () {
          const id = makeSessionId()
          yield* log.append(id, 0, [createdEvent()])
          const said = { offset: 9, toJSON: () => ({ offset: 4 }) }
          const data = [{ offset: 3 }, { offset: 3, more: ["than", "that"] }, { offset: 0 }, { offset: -0 }, said]
          const bytes = Uint8Array.of(65)
          for (const [at, each] of data.entries()) {
            yield* log.append(id, at + 1, [newEvent("terminal.output", each, { bytes })])
          }
          const stored = eventsOf(yield* readAll(log, id, 1))
          expect(stored.map((event) => event.data)).toEqual(data.map((each) => JSON.parse(JSON.stringify(each))))
        })
      )
    )

    it(
      "brings a follower what is stored while it waits once and in order, also where it takes some of it in the plain way",
      withLog(make, (log) =>
        Effect.gen(function* () {
          const id = makeSessionId()
          yield* log.append(id, 0, [createdEvent()])
          const seqs: Array<number> = []
          const note = (page: Followed) => {
            if (page.answer === "exact") seqs.push(...seqsOf(page.events))
          }
          let offered = 0
          const take = (page: ExactPage) => {
            const takes = offered++ % 3 > 0
            if (takes) note(page)
            return takes
          }
          const behind = yield* collect(
            Stream.tap(log.follow(id, 0, { take }), (page) => Effect.sync(() => note(page)))
          )
          yield* behind.until((got) => got.some(({ answer }) => answer === "caught-up"))
          for (let seq = 1; seq <= 30; seq++) yield* log.append(id, seq, [newEvent("some.thing", { seq })])
          yield* Effect.whileLoop({
            while: () => seqs.at(-1) !== 31,
            body: () => Effect.promise(() => new Promise((resolve) => setImmediate(resolve))),
            step: () => {}
          })
          expect(seqs).toEqual(Array.from({ length: 31 }, (_, at) => at + 1))
        })
      )
    )

    it(
      "keeps large events whole",
      withLog(make, (log) =>
        Effect.gen(function* () {
          const id = makeSessionId()
          const bytes = Uint8Array.from({ length: 3_000_001 }, (_, at) => (at * 31) % 251)
          const text = "é😀\u0000".repeat(300_000)
          const events = [newEvent("terminal.output", { offset: 0 }, { bytes }), newEvent("some.thing", { text })]
          yield* log.append(id, 0, [createdEvent(), ...events])
          const stored = eventsOf(yield* readAll(log, id, 1))
          expect(Buffer.compare(stored[0]!.bytes!, bytes)).toBe(0)
          expect(stored[1]!.data["text"] === text).toBe(true)
        })
      )
    )

    it(
      "gives the receipt of a command, the first one if it comes again",
      withLog(make, (log) =>
        Effect.gen(function* () {
          const id = makeSessionId()
          const [one, two, never] = [makeCommandId(), makeCommandId(), makeCommandId()]
          const by = (cause: CommandId) => newEvent("link.connected", {}, { cause })
          yield* log.append(id, 0, [{ ...createdEvent(), cause: one }, newEvent("link.connected"), by(one), by(two)])
          yield* log.append(id, 4, [by(two)])
          expect(yield* log.receipt(id, one)).toEqual(
            Option.some({ sessionId: id, commandId: one, firstSeq: 1, lastSeq: 3 })
          )
          expect(yield* log.receipt(id, two)).toEqual(
            Option.some({ sessionId: id, commandId: two, firstSeq: 4, lastSeq: 4 })
          )
          expect(yield* log.receipt(id, never)).toEqual(Option.none())
          expect(yield* log.receipt(makeSessionId(), one)).toEqual(Option.none())
        })
      )
    )
  })
