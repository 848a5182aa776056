import { codexBackend } from "@holdfast/adapter-codex"
import { assert, describe, it } from "@effect/vitest"
import { readEvent, type SessionId } from "@holdfast/core"
import { type ProviderFailure, type SandboxProvider, SandboxProviderError } from "@holdfast/core/cloud"
import { Deferred, Effect, Fiber } from "effect"
import { readdirSync } from "node:fs"
import { dirname } from "node:path"
import { isQuiet, only } from "../agents/agentRuntime.ts"
import { codexInCloud, killBridges, openCloud } from "./cloudHouse.ts"
import { bundlesIn, openHandoffHouse, specIn, startHandoffRuntime, statusOf } from "./handoffHouse.ts"

/** Nobody listens there: a bridge dials it for as long as it lives. */
const nowhere = "http://127.0.0.1:9"

/** A provider that does otherwise what is named. */
type Instead = Partial<Pick<SandboxProvider, "create" | "putFile">>

const failure = (operation: string, kind: ProviderFailure, detail: string) =>
  new SandboxProviderError({ provider: "process", operation, failure: kind, detail, retryable: kind === "unavailable" })

/** A house with a session of Codex that has said something, and a cloud whose provider can be told to fail. */
const setUp = Effect.fnUntraced(function* (
  policy: { readonly connectTimeoutMs?: number; readonly maxSpawns?: number } = {}
) {
  const house = yield* openHandoffHouse
  let instead: (provider: SandboxProvider) => Instead = () => ({})
  const cloud = yield* openCloud(house.folder, {
    policy: { maxSpawns: 2, spawnCooldownMs: 10, connectTimeoutMs: 60_000, breakerFailures: 100, ...policy },
    provider: (provider) => ({
      ...provider,
      create: (request) => (instead(provider).create ?? provider.create)(request),
      putFile: (...file) => (instead(provider).putFile ?? provider.putFile)(...file)
    })
  })
  const { here } = house.environments
  const codex = codexBackend({ name: "here", home: here["CODEX_HOME"]!, env: { values: here } })
  const runtime = yield* startHandoffRuntime(house, { backends: [codex, cloud.backend] })
  const { sessionId } = yield* runtime.holdfast.create({ backend: "here", spec: specIn(house.project) })
  yield* runtime.until(sessionId, "the opening", isQuiet)
  yield* runtime.say(sessionId, "say word1")
  return {
    ...runtime,
    house,
    cloud,
    sessionId,
    be: (other: typeof instead) => {
      instead = other
    }
  }
})

type House = Effect.Success<ReturnType<typeof setUp>>

const toCloud = ({ holdfast, house, sessionId }: House, spec: object = {}) =>
  holdfast.handoff(sessionId, { backend: "cloud", spec: { ...codexInCloud(house), ...spec } })

/** What the log says of moves that failed. */
const whyNot = ({ events, sessionId }: House) =>
  Effect.map(events(sessionId), (records) =>
    only(
      records.flatMap((record) => {
        const read = readEvent(record)
        return read.kind === "known" ? [read.event] : []
      }),
      "backend.noted"
    ).flatMap(({ data }) => (data.code === "handoff_failed" ? [data.message] : []))
  )

/** The session works where it was, with all that it had, and nothing is left of where it was to go. */
const staysHere = Effect.fnUntraced(function* (parts: House, before: string, word: string) {
  const { cloud, events, house, say, sessionId } = parts
  const state = yield* say(sessionId, `say ${word}`)
  assert.deepInclude(state, { backend: "here", generation: 1, sandbox: null })
  const known = JSON.stringify(house.model.requests.at(-1)!.body)
  assert.include(known, "word1")
  assert.include(known, word)
  assert.strictEqual(statusOf(house.project), before)
  assert.deepStrictEqual(readdirSync(dirname(house.project)), ["project"])
  assert.lengthOf(yield* cloud.sandboxes, 0)
  assert.deepStrictEqual(bundlesIn(house), [])
  const records = yield* events(sessionId)
  assert.notInclude(
    records.map(({ type }) => type),
    "session.moved"
  )
})

/** What goes wrong in the new place, and what the log says of it. */
const failures: ReadonlyArray<{
  readonly what: string
  readonly be?: (sessionId: SessionId) => (provider: SandboxProvider) => Instead
  readonly spec?: (house: House["house"]) => object
  readonly says: RegExp
}> = [
  {
    what: "no sandbox can be made, however often it is tried",
    be: () => () => ({ create: () => Effect.fail(failure("create", "unavailable", "the engine is down")) }),
    says: /the engine is down/
  },
  {
    what: "the provider refuses for good",
    be: () => () => ({ create: () => Effect.fail(failure("create", "exhausted", "the quota is used up")) }),
    says: /the quota is used up/
  },
  {
    what: "the disk of the sandbox is full",
    be: () => () => ({ putFile: () => Effect.fail(failure("putFile", "exhausted", "no space is left on the device")) }),
    says: /no space is left/
  },
  {
    what: "what it brings does not arrive whole",
    be: () => (provider) => ({
      putFile: (id, path, bytes, mode) => provider.putFile(id, path, bytes.subarray(0, bytes.byteLength / 2), mode)
    }),
    says: /it could not be opened there/
  },
  {
    what: "the bridge is killed while it takes up what it brings",
    be: (sessionId) => (provider) => ({
      putFile: (...file) => Effect.andThen(provider.putFile(...file), killBridges(sessionId))
    }),
    says: /it could not be opened there/
  },
  {
    what: "the agent cannot be started there",
    spec: ({ environments }) => ({ environment: { ...environments.there, HOLDFAST_AGENTS: "/nonexistent" } }),
    says: /it could not be opened there: .*codex/i
  }
]

describe("A move into a sandbox that does not come up", () => {
  it.live(
    `leaves the session where it was, working, and the log says why: ${failures.map(({ what }) => what).join("; ")}`,
    () =>
      Effect.gen(function* () {
        const parts = yield* setUp()
        const before = statusOf(parts.house.project)
        for (const [index, { be, says, spec, what }] of failures.entries()) {
          parts.be(be?.(parts.sessionId) ?? (() => ({})))
          const error = yield* Effect.flip(toCloud(parts, spec?.(parts.house)))
          assert.deepInclude(error, { _tag: "CommandRejected", command: "session.move" }, what)
          const told = yield* whyNot(parts)
          assert.lengthOf(told, index + 1, what)
          assert.match(told.at(-1)!, says, what)
          assert.match(told.at(-1)!, /^it was not moved to cloud and goes on where it was: /)
          yield* staysHere(parts, before, `word${index + 10}`)
        }
        parts.be(() => ({}))
        yield* toCloud(parts)
        const state = yield* parts.say(parts.sessionId, "recall")
        assert.deepInclude(state, { backend: "cloud", generation: 2 })
        yield* parts.holdfast.command(parts.sessionId, { type: "session.close", data: {} })
        yield* parts.until(parts.sessionId, "its end", ({ chart }) => chart.lifecycle === "closed")
      }).pipe(Effect.scoped),
    180_000
  )

  it.live(
    "is given up when its bridge never connects",
    () =>
      Effect.gen(function* () {
        const parts = yield* setUp({ connectTimeoutMs: 1_000, maxSpawns: 1 })
        const before = statusOf(parts.house.project)
        parts.be((provider) => ({ create: (request) => provider.create({ ...request, controlPlane: nowhere }) }))
        yield* Effect.flip(toCloud(parts))
        assert.match((yield* whyNot(parts)).at(-1)!, /its bridge did not come in time$/)
        yield* staysHere(parts, before, "word2")
      }).pipe(Effect.scoped),
    120_000
  )

  it.live(
    "is given up when it is called off, and when the session is closed where it is",
    () =>
      Effect.gen(function* () {
        const parts = yield* setUp()
        const before = statusOf(parts.house.project)
        const { events, holdfast, sessionId, until } = parts
        const isMade = Effect.fnUntraced(function* () {
          const made = yield* Deferred.make<void>()
          parts.be((provider) => ({
            create: (request) =>
              Effect.tap(provider.create({ ...request, controlPlane: nowhere }), () =>
                Deferred.succeed(made, undefined)
              )
          }))
          return Deferred.await(made)
        })

        const first = yield* isMade()
        const called = yield* Effect.forkScoped(toCloud(parts), { startImmediately: true })
        yield* first
        yield* Fiber.interrupt(called)
        assert.match((yield* whyNot(parts)).at(-1)!, /the move was called off$/)
        yield* staysHere(parts, before, "word2")

        const second = yield* isMade()
        const moving = yield* Effect.forkScoped(Effect.flip(toCloud(parts)), { startImmediately: true })
        yield* second
        yield* holdfast.command(sessionId, { type: "session.close", data: {} })
        assert.deepInclude(yield* Fiber.join(moving), { reason: "illegal_state", command: "session.move" })
        yield* until(sessionId, "its end", ({ chart }) => chart.lifecycle === "closed")
        assert.lengthOf(yield* parts.cloud.sandboxes, 0)
        assert.deepStrictEqual(bundlesIn(parts.house), [])
        const steps = (yield* events(sessionId)).filter(
          ({ data }) => (data as { code?: string }).code === "handoff_step"
        )
        assert.isAtLeast(steps.length, 4)
      }).pipe(Effect.scoped),
    120_000
  )
})
