/** How a log keeps its list of sessions, its checkpoints and its size. */
import {
  emptySummary,
  evolveSummary,
  makeCommandId,
  makeSessionId,
  type SessionId,
  type SessionListItem,
  type SessionQuery,
  SessionNotFound,
  type EventLogService
} from "@holdfast/core"
import { Effect, Option } from "effect"
import { describe, expect, it } from "vitest"
import { collect, eventsOf, type MakeEventLogStore, readAll, withLog } from "./eventLogHarness.ts"
import { createdEvent, newEvent, sessionIds } from "./newEventArbitraries.ts"

const changedIds = (items: ReadonlyArray<SessionListItem>) =>
  items.flatMap((item) => (item.kind === "changed" ? item.sessions.map((one) => one.sessionId) : []))
const goneIds = (items: ReadonlyArray<SessionListItem>) =>
  items.flatMap((item) => (item.kind === "gone" ? item.sessionIds : []))
const caughtUp = (items: ReadonlyArray<SessionListItem>) => items.some((item) => item.kind === "caught-up")

const listed = Effect.fnUntraced(function* (log: EventLogService, query: SessionQuery) {
  const ids: Array<SessionId> = []
  for (let cursor: string | undefined; ;) {
    const page = yield* log.sessions({ ...query, ...(cursor === undefined ? {} : { cursor }) })
    ids.push(...page.sessions.map((one) => one.sessionId))
    cursor = page.next
    if (cursor === undefined) return ids
  }
})

/** Registers the tests of the list, of checkpoints, and of what makes a log smaller. */
export const listTests = (make: MakeEventLogStore) => {
  describe("sessions", () => {
    it(
      "lists sessions newest first, in pages, with the summary that their events fold to",
      withLog(make, (log) =>
        Effect.gen(function* () {
          const ids = sessionIds(25)
          for (const [n, id] of ids.entries()) {
            yield* log.append(id, 0, [
              createdEvent({ title: `Session ${n}` }),
              newEvent("turn.started", { turnId: "t" }),
              newEvent("terminal.output", { offset: 0 }, { bytes: new Uint8Array(n) })
            ])
          }
          expect(yield* listed(log, { limit: 10 })).toEqual(ids.toReversed())
          expect(yield* listed(log, {})).toEqual(ids.toReversed())
          const exact = yield* log.sessions({ limit: 25 })
          expect(exact.sessions).toHaveLength(25)
          expect(exact.next).toBeUndefined()
          const events = eventsOf(yield* readAll(log, ids[7]!))
          const folded = events.reduce(evolveSummary, emptySummary(ids[7]!))
          expect(yield* log.summary(ids[7]!)).toEqual(folded)
          expect(exact.sessions[25 - 8]).toEqual(folded)
        })
      )
    )

    it(
      "filters by archive, backend, status and text",
      withLog(make, (log) =>
        Effect.gen(function* () {
          const [a, b, c] = sessionIds(3) as [SessionId, SessionId, SessionId]
          yield* log.append(a, 0, [createdEvent({ title: "Fix the Ä-Bug", workspace: "/home/me/Project" })])
          yield* log.append(b, 0, [createdEvent({ backend: "pty" }), newEvent("session.archived")])
          yield* log.append(c, 0, [
            createdEvent({ title: "100%_done" }),
            newEvent("backend.opening", { attempt: 1, resume: false })
          ])
          const found = (query: SessionQuery) => listed(log, query)
          expect(yield* found({ archived: false })).toEqual([c, a])
          expect(yield* found({ archived: true })).toEqual([b])
          expect(yield* found({ backend: "pty" })).toEqual([b])
          expect(yield* found({ status: ["working"] })).toEqual([c])
          expect(yield* found({ status: ["working", "idle"], archived: false })).toEqual([c, a])
          expect(yield* found({ status: [] })).toEqual([])
          expect(yield* found({ search: "ä-bug" })).toEqual([a])
          expect(yield* found({ search: "me/PROJ" })).toEqual([a])
          expect(yield* found({ search: "%_" })).toEqual([c])
          expect(yield* found({ search: b.toUpperCase() })).toEqual([b])
        })
      )
    )

    it(
      "filters by labels, in full pages, whatever their names are",
      withLog(make, (log) =>
        Effect.gen(function* () {
          const ids = sessionIds(40)
          const odd = {
            'a "] b': "1",
            "a.b[0]": "2",
            "": "3",
            "é\n\\": "4",
            toString: "5",
            "$.labels": "6",
            "a\u0000b": "7\u00008"
          }
          for (const [n, id] of ids.entries()) {
            const labels = n % 4 === 0 ? { team: "a" } : n % 4 === 1 ? { team: "b", ...odd } : { other: "a" }
            yield* log.append(id, 0, [createdEvent(n % 4 === 3 ? {} : { labels })])
          }
          const every = (...rests: ReadonlyArray<number>) => ids.filter((_, n) => rests.includes(n % 4)).toReversed()
          const found = (labels: NonNullable<SessionQuery["labels"]>) => listed(log, { labels, limit: 7 })
          expect((yield* log.sessions({ labels: { team: "a" }, limit: 7 })).sessions).toHaveLength(7)
          expect(yield* found({ team: "a" })).toEqual(every(0))
          expect(yield* found({ team: "" })).toEqual([])
          expect(yield* found({ team: null })).toEqual(every(2, 3))
          expect(yield* found({ team: null, other: null })).toEqual(every(3))
          expect(yield* found({ team: null, other: "a" })).toEqual(every(2))
          expect(yield* found({ team: "a", other: "a" })).toEqual([])
          expect(yield* found({})).toEqual(ids.toReversed())
          for (const [name, value] of Object.entries(odd)) {
            expect({ name, ids: yield* found({ [name]: value }) }).toEqual({ name, ids: every(1) })
            expect({ name, ids: yield* found({ [name]: null }) }).toEqual({ name, ids: every(0, 2, 3) })
            expect({ name, ids: yield* found({ [name]: "another" }) }).toEqual({ name, ids: [] })
          }
          expect(yield* found({ a: null, hasOwnProperty: null, team: "b", ...odd })).toEqual(every(1))
        })
      )
    )

    it(
      "tells a follower of some labels nothing of other sessions",
      withLog(make, (log) =>
        Effect.gen(function* () {
          const [a, b, none, later, other, last] = sessionIds(6) as [
            SessionId,
            SessionId,
            SessionId,
            SessionId,
            SessionId,
            SessionId
          ]
          yield* log.append(a, 0, [createdEvent({ labels: { "org.name": "a" } })])
          yield* log.append(b, 0, [createdEvent({ labels: { "org.name": "b" } })])
          yield* log.append(none, 0, [createdEvent()])
          const ofA = yield* collect(log.followSessions({ labels: { "org.name": "a" } }))
          const ofNobody = yield* collect(log.followSessions({ labels: { "org.name": null } }))
          yield* ofA.until(caughtUp)
          yield* ofNobody.until(caughtUp)
          yield* log.append(other, 0, [createdEvent({ labels: { "org.name": "b" } })])
          yield* log.append(b, 1, [newEvent("session.renamed", { title: "new" })])
          yield* log.remove(b)
          yield* log.append(later, 0, [createdEvent({ labels: { "org.name": "a" } })])
          yield* log.append(last, 0, [createdEvent()])
          yield* ofA.until((got) => changedIds(got).includes(later))
          yield* ofNobody.until((got) => changedIds(got).includes(last))
          expect([...new Set(changedIds(ofA.got))]).toEqual([a, later])
          expect([...new Set(changedIds(ofNobody.got))]).toEqual([none, last])
          expect([...goneIds(ofA.got), ...goneIds(ofNobody.got)]).toEqual([])
        })
      )
    )

    it(
      "lets a list be followed: what is there, then every change, each session once with its newest summary",
      withLog(make, (log) =>
        Effect.gen(function* () {
          const [a, b, c] = sessionIds(3) as [SessionId, SessionId, SessionId]
          yield* log.append(a, 0, [createdEvent({ title: "a" })])
          yield* log.append(b, 0, [createdEvent({ title: "b" }), newEvent("session.archived")])
          const list = yield* collect(log.followSessions({ archived: false }))
          yield* list.until(caughtUp)
          expect(changedIds(list.got)).toEqual([a])

          yield* log.append(c, 0, [createdEvent({ title: "c" })])
          yield* list.until((got) => changedIds(got).includes(c))
          yield* log.append(b, 2, [newEvent("session.unarchived")])
          yield* list.until((got) => changedIds(got).includes(b))
          yield* log.append(a, 1, [newEvent("session.archived")])
          yield* list.until((got) => goneIds(got).includes(a))
          yield* log.remove(c)
          yield* list.until((got) => goneIds(got).includes(c))
          yield* log.append(b, 3, [newEvent("session.renamed", { title: "new" })])
          yield* list.until((got) =>
            got.some((item) => item.kind === "changed" && item.sessions.some((one) => one.title === "new"))
          )
          expect(goneIds(list.got)).toEqual([a, c])
        })
      )
    )

    it(
      "brings a follower of the list up to date after more changes than it can be told one by one",
      withLog(make, (log) =>
        Effect.gen(function* () {
          const ids = sessionIds(1500)
          const list = yield* collect(log.followSessions())
          yield* list.until(caughtUp)
          yield* Effect.all(
            ids.map((id) => log.append(id, 0, [createdEvent()])),
            { concurrency: "unbounded" }
          )
          yield* list.until((got) => new Set(changedIds(got)).size === ids.length)
        })
      )
    )
  })

  describe("checkpoints", () => {
    it(
      "keeps the last one of each fold, and forgets those of another version",
      withLog(make, (log) =>
        Effect.gen(function* () {
          const id = makeSessionId()
          yield* log.append(id, 0, [createdEvent()])
          const state = { deep: [1, "é", null], text: "x".repeat(100_000) }
          expect(yield* log.loadCheckpoint(id, "session", 1)).toEqual(Option.none())
          yield* log.saveCheckpoint(id, { fold: "session", version: 1, seq: 1, state })
          yield* log.saveCheckpoint(id, { fold: "other", version: 1, seq: 1, state: 7 })
          expect(yield* log.loadCheckpoint(id, "session", 1)).toEqual(
            Option.some({ fold: "session", version: 1, seq: 1, state })
          )
          expect(yield* log.loadCheckpoint(id, "session", 2)).toEqual(Option.none())
          yield* log.saveCheckpoint(id, { fold: "session", version: 2, seq: 1, state: null })
          expect(yield* log.loadCheckpoint(id, "session", 1)).toEqual(Option.none())
          expect(yield* log.loadCheckpoint(id, "session", 2)).toMatchObject({ value: { state: null } })
          expect(yield* log.loadCheckpoint(id, "other", 1)).toMatchObject({ value: { state: 7 } })
          // Of a session that is not there nothing is kept.
          const missing = makeSessionId()
          yield* log.saveCheckpoint(missing, { fold: "session", version: 1, seq: 1, state })
          expect(yield* log.loadCheckpoint(missing, "session", 1)).toEqual(Option.none())
        })
      )
    )
  })

  describe("size", () => {
    it(
      "deletes a session with all that belongs to it",
      withLog(make, (log) =>
        Effect.gen(function* () {
          const [id, other] = sessionIds(2) as [SessionId, SessionId]
          const cause = makeCommandId()
          yield* log.append(id, 0, [{ ...createdEvent(), cause }])
          yield* log.append(other, 0, [createdEvent()])
          yield* log.saveCheckpoint(id, { fold: "session", version: 1, seq: 1, state: 1 })
          yield* log.remove(id)
          expect(yield* Effect.flip(log.read(id, 0))).toEqual(new SessionNotFound({ sessionId: id }))
          expect(yield* listed(log, {})).toEqual([other])
          expect(yield* log.receipt(id, cause)).toEqual(Option.none())
          expect(yield* log.loadCheckpoint(id, "session", 1)).toEqual(Option.none())
          expect(yield* log.stats).toMatchObject({ sessions: 1, events: 1 })
        })
      )
    )

    it(
      "collects archived sessions that have been quiet for long, and nothing else",
      withLog(make, (log) =>
        Effect.gen(function* () {
          const [old, fresh, open] = sessionIds(3) as [SessionId, SessionId, SessionId]
          const archived = (at: number) => newEvent("session.archived", {}, { at })
          yield* log.append(old, 0, [createdEvent({}, 1000), archived(1000), newEvent("some.thing", {}, { at: 2000 })])
          yield* log.append(fresh, 0, [createdEvent({}, 1000), archived(9000)])
          yield* log.append(open, 0, [createdEvent({}, 1000)])
          expect(yield* log.gc({ now: 10_000 })).toMatchObject({ sessions: 0, events: 0 })
          expect(yield* log.gc({ now: 10_000, archivedOlderThanMs: 5000 })).toMatchObject({ sessions: 1, events: 3 })
          expect(yield* listed(log, {})).toEqual([open, fresh])
        })
      )
    )

    it(
      "weighs itself, and gets no heavier by giving space back",
      withLog(make, (log) =>
        Effect.gen(function* () {
          const id = makeSessionId()
          const bytes = new Uint8Array(100_000)
          yield* log.append(id, 0, [
            createdEvent(),
            ...Array.from({ length: 20 }, () => newEvent("some.thing", {}, { bytes }))
          ])
          const full = yield* log.stats
          expect(full).toMatchObject({ sessions: 1, events: 21 })
          expect(full.bytes).toBeGreaterThan(2_000_000)
          yield* log.remove(id)
          yield* log.vacuum
          const empty = yield* log.stats
          expect(empty).toMatchObject({ sessions: 0, events: 0, reclaimable: 0 })
          expect(empty.bytes).toBeLessThan(200_000)
        })
      )
    )
  })
}
