/** How a log answers readers: pages, the three answers, compaction, followers. */
import {
  type Compaction,
  type EventLogService,
  type Followed,
  makeSessionId,
  type NewEvent,
  type Page,
  type SessionId,
  SessionNotFound
} from "@holdfast/core"
import { Effect, Option, Stream } from "effect"
import { describe, expect, it } from "vitest"
import { eventsOf, follow, type MakeEventLogStore, readAll, seqsOf, withLog } from "./eventLogHarness.ts"
import { createdEvent, newEvent } from "./newEventArbitraries.ts"

const output = (offset: number, text: string) =>
  newEvent("terminal.output", { offset }, { bytes: new TextEncoder().encode(text) })
const snapshot = (through: number, text: string) =>
  newEvent(
    "terminal.snapshot",
    { through, offset: text.length, cols: 80, rows: 24, format: "ansi" },
    { bytes: new TextEncoder().encode(text) }
  )
const started = (itemId: string) => newEvent("item.started", { itemId, kind: "message" })
const delta = (itemId: string, text: string) => newEvent("item.delta", { itemId, field: "text", text })
const completed = (itemId: string, text: string) =>
  newEvent("item.completed", { itemId, kind: "message", status: "completed", text })

const session = Effect.fnUntraced(function* (log: EventLogService, events: ReadonlyArray<NewEvent> = []) {
  const id = makeSessionId()
  yield* log.append(id, 0, [createdEvent(), ...events])
  return id
})

const answer = (page: Page) => ({
  answer: page.answer,
  seqs: "events" in page ? seqsOf(page.events) : [],
  ...(page.answer === "snapshot" ? { covering: seqsOf(page.covering), wholeAt: page.wholeAt } : {}),
  cursor: page.cursor,
  head: page.head
})

/** Registers the tests of `read`, `find`, `compact` and `follow`. */
export const readTests = (make: MakeEventLogStore) => {
  describe("read", () => {
    it(
      "bounds a page by events and by bytes, and always gets further",
      withLog(make, (log) =>
        Effect.gen(function* () {
          const bytes = new Uint8Array(1000)
          const id = yield* session(
            log,
            Array.from({ length: 20 }, () => newEvent("some.thing", {}, { bytes }))
          )
          expect(answer(yield* log.read(id, 0, { limit: 5 }))).toMatchObject({
            seqs: [1, 2, 3, 4, 5],
            cursor: 5,
            head: 21
          })
          const small = yield* log.read(id, 1, { maxBytes: 4000 })
          expect(eventsOf([small]).length).toBeGreaterThan(1)
          expect(eventsOf([small]).length).toBeLessThan(5)
          expect(answer(yield* log.read(id, 1, { maxBytes: 1 })).seqs).toEqual([2])
          expect(answer(yield* log.read(id, 1, { limit: 0 })).seqs).toEqual([2])
          const pages = yield* readAll(log, id, 0, { limit: 3 })
          expect(pages.every((page) => page.answer === "exact")).toBe(true)
          expect(seqsOf(eventsOf(pages))).toEqual(Array.from({ length: 21 }, (_, index) => index + 1))
        })
      )
    )

    it(
      "says that nothing is new, and that a cursor is ahead of the log",
      withLog(make, (log) =>
        Effect.gen(function* () {
          const id = yield* session(log)
          expect(answer(yield* log.read(id, 1))).toEqual({ answer: "exact", seqs: [], cursor: 1, head: 1 })
          const ahead = yield* log.read(id, 7)
          expect(ahead).toMatchObject({ answer: "gap", reason: "ahead", from: 2, to: 7, cursor: 0, head: 1 })
          const reader = yield* follow(log, id, 7)
          yield* reader.until(1)
          expect(reader.got.map((one) => one.answer)).toEqual(["gap", "exact", "caught-up"])
        })
      )
    )

    it(
      "tells that there is no such session",
      withLog(make, (log) =>
        Effect.gen(function* () {
          const id = makeSessionId()
          const compaction: Compaction = { kind: "item", itemId: "i", from: 1, by: 2 }
          const asked: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
            log.read(id, 0),
            log.head(id),
            log.find(id, { type: "session.created", from: 1, direction: "forward" }),
            log.compact(id, compaction),
            log.summary(id),
            log.remove(id),
            Stream.runDrain(log.follow(id, 0))
          ]
          for (const one of asked) expect(yield* Effect.flip(one)).toEqual(new SessionNotFound({ sessionId: id }))
        })
      )
    )

    it(
      "finds the nearest event of a type in both directions",
      withLog(make, (log) =>
        Effect.gen(function* () {
          const id = yield* session(log, [started("a"), delta("a", "x"), delta("a", "y"), completed("a", "xy")])
          const find = (type: string, from: number, direction: "backward" | "forward") =>
            Effect.map(
              log.find(id, { type, from, direction }),
              Option.map((record) => record.seq)
            )
          expect(yield* find("item.delta", 5, "backward")).toEqual(Option.some(4))
          expect(yield* find("item.delta", 3, "backward")).toEqual(Option.some(3))
          expect(yield* find("item.delta", 2, "backward")).toEqual(Option.none())
          expect(yield* find("item.delta", 1, "forward")).toEqual(Option.some(3))
          expect(yield* find("item.delta", 5, "forward")).toEqual(Option.none())
          expect(yield* find("session.created", 1_000_000, "backward")).toEqual(Option.some(1))
        })
      )
    )
  })

  describe("compact", () => {
    it(
      "takes the deltas of an item that is complete, and keeps every cursor valid",
      withLog(make, (log) =>
        Effect.gen(function* () {
          const id = yield* session(log, [
            started("a"),
            delta("a", "x"),
            delta("b", "1"),
            delta("a", "y"),
            completed("a", "xy"),
            delta("b", "2"),
            completed("b", "12")
          ])
          const removed = yield* log.compact(id, { kind: "item", itemId: "a", from: 2, by: 6 })
          expect(removed.events).toBe(2)
          expect(removed.bytes).toBeGreaterThan(0)
          expect(answer(yield* log.read(id, 0))).toEqual({
            answer: "snapshot",
            seqs: [1, 2, 4, 6, 7, 8],
            covering: [],
            wholeAt: 6,
            cursor: 8,
            head: 8
          })
          expect(answer(yield* log.read(id, 5))).toMatchObject({ answer: "exact", seqs: [6, 7, 8] })
          expect(answer(yield* log.read(id, 2, { limit: 1 }))).toMatchObject({
            answer: "snapshot",
            seqs: [4],
            cursor: 4
          })
          yield* log.compact(id, { kind: "item", itemId: "b", from: 1, by: 8 })
          expect(answer(yield* log.read(id, 0))).toMatchObject({ seqs: [1, 2, 6, 8], wholeAt: 8, cursor: 8 })
          expect(yield* log.compact(id, { kind: "item", itemId: "a", from: 2, by: 6 })).toEqual({ events: 0, bytes: 0 })
        })
      )
    )

    it(
      "takes nothing when the event that should stand for it does not",
      withLog(make, (log) =>
        Effect.gen(function* () {
          const id = yield* session(log, [delta("a", "x"), completed("b", ""), output(0, "one"), snapshot(4, "one")])
          const refused: ReadonlyArray<Compaction> = [
            { kind: "item", itemId: "a", from: 1, by: 3 },
            { kind: "item", itemId: "a", from: 1, by: 9 },
            { kind: "terminal", through: 4, by: 3 },
            { kind: "terminal", through: 9, by: 5 },
            { kind: "terminal", through: 4, by: 9 }
          ]
          for (const compaction of refused) {
            expect(yield* log.compact(id, compaction)).toEqual({ events: 0, bytes: 0 })
          }
          expect(answer(yield* log.read(id, 0))).toMatchObject({ answer: "exact", cursor: 5 })
        })
      )
    )

    it(
      "lets terminal output give way to a snapshot, which a reader across the hole gets first",
      withLog(make, (log) =>
        Effect.gen(function* () {
          const id = yield* session(log, [
            output(0, "a"),
            output(1, "b"),
            newEvent("terminal.titled", { title: "t" }),
            output(2, "c"),
            snapshot(5, "abc"),
            output(3, "d"),
            snapshot(7, "abcd"),
            output(4, "e")
          ])
          expect((yield* log.compact(id, { kind: "terminal", through: 5, by: 6 })).events).toBe(3)
          expect(answer(yield* log.read(id, 0))).toEqual({
            answer: "snapshot",
            seqs: [1, 4, 6, 7, 8, 9],
            covering: [6],
            wholeAt: 6,
            cursor: 9,
            head: 9
          })
          // A reader in the middle of the hole, and one behind what the snapshot shows.
          expect(answer(yield* log.read(id, 4))).toMatchObject({ answer: "snapshot", covering: [6], wholeAt: 6 })
          expect(answer(yield* log.read(id, 5))).toMatchObject({ answer: "exact", seqs: [6, 7, 8, 9] })

          expect((yield* log.compact(id, { kind: "terminal", through: 7, by: 8 })).events).toBe(2)
          expect(answer(yield* log.read(id, 0))).toMatchObject({ seqs: [1, 4, 8, 9], covering: [8], wholeAt: 8 })
          // The older snapshot would set the terminal back; it is gone, and takes nothing with it.
          expect(yield* log.compact(id, { kind: "terminal", through: 5, by: 6 })).toEqual({ events: 0, bytes: 0 })
        })
      )
    )

    it(
      "does not set back a reader that is past what the snapshot shows",
      withLog(make, (log) =>
        Effect.gen(function* () {
          const id = yield* session(log, [
            output(0, "a"),
            output(1, "b"),
            snapshot(2, "a"),
            output(2, "c"),
            snapshot(2, "a")
          ])
          yield* log.compact(id, { kind: "terminal", through: 2, by: 6 })
          expect(answer(yield* log.read(id, 3))).toEqual({
            answer: "snapshot",
            seqs: [5, 6],
            covering: [],
            wholeAt: 6,
            cursor: 6,
            head: 6
          })
        })
      )
    )
  })

  describe("follow", () => {
    it(
      "gives what is stored, says when that is all, and goes on with what is appended",
      withLog(make, (log) =>
        Effect.gen(function* () {
          const id = yield* session(
            log,
            Array.from({ length: 9 }, (_, n) => newEvent("some.thing", { n }))
          )
          const reader = yield* follow(log, id, 4, { limit: 4 })
          yield* reader.until(10)
          expect(reader.got.map((one) => [one.answer, one.cursor])).toEqual([
            ["exact", 8],
            ["exact", 10],
            ["caught-up", 10]
          ])
          yield* log.append(id, 10, [newEvent("some.thing"), newEvent("some.thing")])
          expect((yield* reader.next).map((one) => [one.answer, one.cursor])).toEqual([
            ["exact", 12],
            ["caught-up", 12]
          ])
        })
      )
    )

    it(
      "gives every one of many followers the same, however slow the others are",
      withLog(make, (log) =>
        Effect.gen(function* () {
          const id = yield* session(log)
          const readers = yield* Effect.all(Array.from({ length: 50 }, (_, n) => follow(log, id, n % 2)))
          const stalled = yield* follow(log, id, 0)
          let seq = 1
          for (let round = 0; round < 40; round++) {
            yield* log.append(id, seq, [newEvent("some.thing", { text: "x".repeat(10_000), round })])
            seq++
            yield* readers[round]!.until(seq)
          }
          for (const reader of [...readers, stalled]) yield* reader.until(seq)
          const first = eventsOf(stalled.got).map((event) => event.data["round"])
          expect(first).toHaveLength(seq)
          for (const [n, reader] of readers.entries()) {
            expect(eventsOf(reader.got).map((event) => event.data["round"])).toEqual(first.slice(n % 2))
          }
        })
      )
    )

    it(
      "tells followers that their session was deleted, and ends",
      withLog(make, (log) =>
        Effect.gen(function* () {
          const id = yield* session(log, [newEvent("link.connected")])
          const [reader, late] = [yield* follow(log, id, 0), yield* follow(log, id, 0, { limit: 1 })]
          yield* reader.until(2)
          yield* late.next
          yield* log.remove(id)
          const last: ReadonlyArray<Followed> = yield* reader.next
          expect(last).toMatchObject([{ answer: "gap", reason: "removed" }])
          expect(yield* Effect.flip(reader.next)).toMatchObject({ _tag: "Done" })
          expect(yield* late.next).toMatchObject([{ answer: "gap", reason: "removed" }])
          // Its id may be used again: an import, for one.
          yield* log.append(id, 0, [createdEvent()])
          expect(eventsOf(yield* readAll(log, id as SessionId)).length).toBe(1)
        })
      )
    )
  })
}
