import { assert, describe, it } from "@effect/vitest"
import {
  type ClientCommand,
  CommandRejected,
  type EventLogService,
  makeCommandId,
  makeMemory,
  makeSessionId,
  type ParticipantId,
  type Role,
  type SessionId,
  SessionNotFound
} from "@holdfast/core"
import { makeHoldfast } from "@holdfast/runtime"
import { scriptedAgents, scriptedBackend } from "@holdfast/testkit"
import { Effect, Fiber, Stream } from "effect"
import { makeSessionAccess, organisationLabel } from "../../src/access/SessionAccess.ts"
import type { Caller } from "../../src/auth/Authenticator.ts"

const caller = (
  participantId: string,
  role: Role,
  organisation: string | null,
  sessionId: SessionId | null = null
): Caller => ({
  identity: { participantId, name: participantId.toUpperCase(), role, organisation, sessionId, expiresAt: null },
  tokenId: null,
  byCookie: false,
  refusedAt: null
})

const ada = caller("ada", "owner", "analytical")
const mallory = caller("mallory", "owner", "malicious")
const nobody = caller("nobody", "owner", null)

const rename: ClientCommand = { type: "session.rename", data: { title: "Renamed" } }

/** A runtime with a session of ada's organisation, and the access to it. */
const house = Effect.gen(function* () {
  const log = makeMemory()
  const backend = scriptedBackend({
    name: "agent",
    capabilities: { prompts: true, resume: true, fork: true, suspend: true },
    openings: scriptedAgents()
  })
  const holdfast = yield* makeHoldfast(log, { backends: [backend] })
  const access = yield* makeSessionAccess(holdfast)
  const { sessionId } = yield* access.create(ada, { backend: "agent", spec: {}, labels: { team: "engine" } })
  const send = (who: Caller, command: ClientCommand = rename, to = sessionId) =>
    access.command(who, to, command, makeCommandId())
  return { log, holdfast, access, sessionId, send }
})

const eventsOf = (log: EventLogService, sessionId: SessionId) =>
  Effect.map(log.read(sessionId, 0, { limit: 1_000 }), (page) => (page.answer === "gap" ? [] : page.events))

const forbidden = Effect.fnUntraced(function* <A, E>(effect: Effect.Effect<A, E>) {
  const error = yield* Effect.flip(effect)
  assert.instanceOf(error, CommandRejected)
  assert.strictEqual((error as CommandRejected).reason, "forbidden")
  return (error as CommandRejected).detail
})

describe("sessions behind who may use them", () => {
  it.effect("belong to the organisation of who made them, and to its maker as owner", () =>
    Effect.gen(function* () {
      const { access, holdfast, sessionId } = yield* house
      const summary = yield* access.allow(ada, sessionId, "owner")
      assert.deepStrictEqual(summary.labels, { team: "engine", [organisationLabel]: "analytical" })
      const { participants } = yield* holdfast.state(sessionId)
      assert.deepStrictEqual(participants, { ada: { name: "ADA", role: "owner", present: true } })
    })
  )

  it.effect("do not exist for another organisation, nor for callers without one, in any way", () =>
    Effect.gen(function* () {
      const { access, sessionId, send } = yield* house
      for (const other of [mallory, nobody]) {
        const attempts: ReadonlyArray<readonly [string, (id: SessionId) => Effect.Effect<unknown, Error>]> = [
          ["allow", (id: SessionId) => access.allow(other, id, "viewer")],
          ["command", (id: SessionId) => send(other, rename, id)],
          [
            "terminal.write",
            (id: SessionId) => send(other, { type: "terminal.write", data: { bytes: new Uint8Array(1) } }, id)
          ],
          ["fork", (id: SessionId) => access.fork(other, id)],
          ["remove", (id: SessionId) => access.remove(other, id)]
        ]
        for (const [what, attempt] of attempts) {
          const unknown = makeSessionId()
          const hidden = yield* Effect.flip(attempt(sessionId))
          const missing = yield* Effect.flip(attempt(unknown))
          assert.instanceOf(hidden, SessionNotFound, what)
          assert.strictEqual(hidden.message, missing.message.replace(unknown, sessionId), what)
        }
        assert.deepStrictEqual(yield* access.list(other), { sessions: [] })
        assert.deepStrictEqual(yield* access.list(other, { search: sessionId }), { sessions: [] })
        assert.deepStrictEqual(yield* access.list(other, { labels: { [organisationLabel]: "analytical" } }), {
          sessions: []
        })
      }
      yield* send(ada)
    })
  )

  it.effect("are not told to followers of another organisation's list, coming, changing or going", () =>
    Effect.gen(function* () {
      const { access, holdfast, sessionId, send } = yield* house
      const mine = yield* access.create(mallory, { backend: "agent", spec: {}, title: "mine" })
      const heard = yield* Effect.forkChild(
        access.followList(mallory).pipe(
          Stream.takeUntil((item) => item.kind === "changed" && item.sessions.some(({ title }) => title === "last")),
          Stream.runCollect
        ),
        { startImmediately: true }
      )
      yield* send(ada)
      yield* send(ada, { type: "session.close", data: {} })
      yield* holdfast.until(sessionId, (state) => state.chart.lifecycle === "closed")
      yield* access.remove(ada, sessionId)
      yield* send(mallory, { type: "session.rename", data: { title: "last" } }, mine.sessionId)
      const items = yield* Fiber.await(heard)
      assert.strictEqual(items._tag, "Success")
      const told = JSON.stringify(items)
      assert.include(told, mine.sessionId)
      assert.notInclude(told, sessionId)
    })
  )

  it.effect("are there without a label for callers without an organisation, and for no one else", () =>
    Effect.gen(function* () {
      const { access, holdfast } = yield* house
      const { sessionId } = yield* holdfast.create({ backend: "agent", spec: {} })
      yield* access.allow(nobody, sessionId, "owner")
      assert.instanceOf(yield* Effect.flip(access.allow(ada, sessionId, "viewer")), SessionNotFound)
    })
  )

  it.effect("cannot be labelled into another organisation by who makes them", () =>
    Effect.gen(function* () {
      const { access } = yield* house
      for (const label of [organisationLabel, "holdfast.other"]) {
        const error = yield* Effect.flip(
          access.create(mallory, { backend: "agent", spec: {}, labels: { [label]: "analytical" } })
        )
        assert.deepInclude(error, { reason: "invalid", field: `labels.${label}` })
      }
    })
  )

  it.effect("cannot be taken over, or be told of, by making one with the same ids", () =>
    Effect.gen(function* () {
      const { access, send } = yield* house
      const ids = { sessionId: makeSessionId(), commandId: makeCommandId() }
      const first = yield* access.create(ada, { backend: "agent", spec: {}, ...ids })
      assert.deepStrictEqual(yield* access.create(ada, { backend: "agent", spec: {}, ...ids }), first)
      const error = yield* Effect.flip(access.create(mallory, { backend: "agent", spec: {}, ...ids }))
      assert.deepInclude(error, { reason: "invalid", field: "sessionId" })
      const mine = yield* access.create(mallory, { backend: "agent", spec: {} })
      const fork = access.fork(mallory, mine.sessionId, { into: ids.sessionId, commandId: ids.commandId })
      assert.deepInclude(yield* Effect.flip(fork), { reason: "invalid", field: "sessionId" })
      yield* send(ada, rename, ids.sessionId)
    })
  )

  it.effect("stay in the organisation when they are branched, owned by who branched them", () =>
    Effect.gen(function* () {
      const { access, holdfast, sessionId } = yield* house
      yield* holdfast.until(sessionId, (state) => state.chart.lifecycle === "open")
      const branch = yield* access.fork(caller("lovelace", "owner", "analytical"), sessionId)
      assert.include((yield* access.allow(ada, branch.sessionId, "viewer")).labels, {
        [organisationLabel]: "analytical"
      })
      assert.instanceOf(yield* Effect.flip(access.allow(mallory, branch.sessionId, "viewer")), SessionNotFound)
      assert.deepInclude((yield* holdfast.state(branch.sessionId)).participants["lovelace"], { role: "owner" })
      const another = yield* access.fork(caller("babbage", "member", "analytical"), sessionId)
      assert.deepStrictEqual((yield* holdfast.state(another.sessionId)).participants, {})
    })
  )
})

describe("a role", () => {
  it.effect("bounds what its bearer may do, whatever they are in the session", () =>
    Effect.gen(function* () {
      const { access, log, sessionId, send } = yield* house
      const viewer = caller("ada", "viewer", "analytical")
      const before = (yield* eventsOf(log, sessionId)).length
      assert.include(yield* forbidden(send(viewer)), "viewer")
      yield* forbidden(access.create(viewer, { backend: "agent", spec: {} }))
      yield* forbidden(access.create(caller("ada", "member", "analytical"), { backend: "agent", spec: {} }))
      yield* forbidden(access.fork(viewer, sessionId))
      yield* forbidden(access.remove(caller("ada", "member", "analytical"), sessionId))
      yield* forbidden(send(caller("ada", "member", "analytical"), { type: "session.archive", data: {} }))
      yield* forbidden(access.allow(viewer, sessionId, "member"))
      yield* access.allow(viewer, sessionId, "viewer")
      assert.lengthOf(yield* eventsOf(log, sessionId), before)
    })
  )

  it.effect("is taken into a session at the first command, and not before", () =>
    Effect.gen(function* () {
      const { access, log, sessionId, send } = yield* house
      const charles = caller("charles", "member", "analytical")
      yield* access.allow(charles, sessionId, "member")
      assert.isFalse((yield* eventsOf(log, sessionId)).some(({ data }) => data["participantId"] === "charles"))
      yield* Effect.all([send(charles), send(charles), send(charles)], { concurrency: "unbounded" })
      const events = yield* eventsOf(log, sessionId)
      const joined = events.filter(
        ({ data, type }) => type === "participant.joined" && data["participantId"] === "charles"
      )
      assert.lengthOf(joined, 1)
      assert.deepInclude(joined[0]!, {
        actor: "host",
        data: { participantId: "charles", name: "CHARLES", role: "member" }
      })
      const renamed = events.filter(({ type }) => type === "session.renamed")
      assert.deepStrictEqual(
        renamed.map(({ actor }) => actor),
        ["charles", "charles", "charles"]
      )
      // What the session says of them counts from then on, too.
      yield* send(ada, {
        type: "participant.change",
        data: { participantId: "charles" as ParticipantId, role: "viewer" }
      })
      yield* forbidden(send(charles))
      yield* forbidden(access.allow(charles, sessionId, "member"))
    })
  )

  it.effect("does not bring back who was made to leave", () =>
    Effect.gen(function* () {
      const { access, holdfast, log, sessionId, send } = yield* house
      const charles = caller("charles", "member", "analytical")
      yield* send(charles)
      yield* send(ada, { type: "participant.leave", data: { participantId: "charles" as ParticipantId } })
      yield* forbidden(send(charles))
      yield* forbidden(access.allow(charles, sessionId, "member"))
      // Nor with another token, nor where nothing is remembered of them.
      yield* forbidden(send(caller("charles", "owner", "analytical")))
      const later = yield* makeSessionAccess(holdfast)
      yield* forbidden(later.command(charles, sessionId, rename, makeCommandId()))
      const joins = (yield* eventsOf(log, sessionId)).filter(({ type }) => type === "participant.joined")
      assert.lengthOf(joins, 2)
    })
  )

  it.effect("of a viewer makes nobody else leave", () =>
    Effect.gen(function* () {
      const { send } = yield* house
      const viewer = caller("charles", "viewer", "analytical")
      const leave = (participantId: string): ClientCommand => ({
        type: "participant.leave",
        data: { participantId: participantId as ParticipantId }
      })
      yield* forbidden(send(viewer, leave("ada")))
      yield* forbidden(send(viewer, leave("charles")))
      const join = { participantId: "charles" as ParticipantId, name: "Charles", role: "viewer" } as const
      yield* send(ada, { type: "participant.join", data: join })
      yield* forbidden(send(viewer, leave("ada")))
      yield* send(viewer, leave("charles"))
    })
  )
})

describe("a token for one session", () => {
  it.effect("knows that session alone", () =>
    Effect.gen(function* () {
      const { access, sessionId, send } = yield* house
      const other = (yield* access.create(ada, { backend: "agent", spec: {} })).sessionId
      const guest = caller("guest", "owner", "analytical", sessionId)
      assert.deepStrictEqual(
        (yield* access.list(guest)).sessions.map((one) => one.sessionId),
        [sessionId]
      )
      assert.deepStrictEqual(yield* access.list(guest, { search: other }), { sessions: [] })
      assert.deepStrictEqual(yield* access.list(guest, { archived: true }), { sessions: [] })
      yield* send(guest)
      for (const attempt of [
        access.allow(guest, other, "viewer"),
        send(guest, rename, other),
        access.fork(guest, other),
        access.remove(guest, other)
      ]) {
        assert.instanceOf(yield* Effect.flip(attempt as Effect.Effect<unknown, Error>), SessionNotFound)
      }
      yield* forbidden(access.create(guest, { backend: "agent", spec: {} }))
      yield* forbidden(access.fork(guest, sessionId))
      const heard = yield* access.followList(guest).pipe(
        Stream.takeUntil((item) => item.kind === "caught-up"),
        Stream.runCollect
      )
      assert.notInclude(JSON.stringify(heard), other)
      assert.include(JSON.stringify(heard), sessionId)
    })
  )

  it.effect("of another organisation knows none", () =>
    Effect.gen(function* () {
      const { access, sessionId } = yield* house
      const guest = caller("guest", "owner", "malicious", sessionId)
      assert.deepStrictEqual(yield* access.list(guest), { sessions: [] })
      assert.instanceOf(yield* Effect.flip(access.allow(guest, sessionId, "viewer")), SessionNotFound)
    })
  )
})
