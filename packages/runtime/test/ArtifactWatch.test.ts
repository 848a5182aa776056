import { assert, describe, it } from "@effect/vitest"
import { type Artifact, type ArtifactId, makeMemory, type SessionId } from "@holdfast/core"
import { makeHoldfast } from "@holdfast/runtime"
import { Effect, Latch } from "effect"
import { TestClock } from "effect/testing"
import { agent, eventsOf, isClosed } from "./fixtures.ts"

const artifactId = "pull-request-1" as ArtifactId
const pullRequest = (state: Artifact["state"]): Artifact => ({
  kind: "pull_request",
  title: "#1 Do it",
  state: state ?? "open"
})

/** An agent whose sessions have a pull request that is opened, and what its forge says of it. */
const setUp = Effect.gen(function* () {
  const forge = { state: "open" as Artifact["state"], asked: [] as Array<boolean>, fails: false }
  /** Opened by each answer. */
  const answered = yield* Latch.make(false)
  const backend = {
    ...agent(),
    refresh: ({ artifacts }: { readonly artifacts: object }, isRepeat: boolean) =>
      Effect.gen(function* () {
        forge.asked.push(isRepeat)
        yield* answered.open
        if (forge.fails) return yield* Effect.die(new Error("a defect"))
        if (!(artifactId in artifacts)) return { artifacts: [] }
        const again = forge.state === "open" || forge.state === "draft" ? { againMs: 60_000 } : {}
        return { artifacts: [{ artifactId, artifact: pullRequest(forge.state) }], ...again }
      })
  }
  const log = makeMemory()
  const holdfast = yield* makeHoldfast(log, { backends: [backend] })
  const { sessionId } = yield* holdfast.create({ backend: "agent", spec: {}, open: false })
  yield* holdfast.command(sessionId, {
    type: "artifact.add",
    data: { artifactId, artifact: pullRequest("open") }
  })
  const watch = (people: number) => holdfast.signal(sessionId, { type: "watched", people })
  const isIn = (state: Artifact["state"]) =>
    holdfast.until(sessionId, ({ artifacts }) => artifacts[artifactId]?.state === state)
  const asked = Effect.andThen(answered.await, answered.close)
  return { forge, holdfast, log, sessionId, watch, isIn, asked }
})

const updatesOf = (log: ReturnType<typeof makeMemory>, sessionId: SessionId) =>
  Effect.map(eventsOf(log, sessionId), (events) => events.filter(({ type }) => type === "artifact.updated"))

describe("an artifact that changes outside of its session", () => {
  it.effect("is brought up to date when somebody comes to look, once, though nothing of the session is open", () =>
    Effect.gen(function* () {
      const { forge, isIn, log, sessionId, watch } = yield* setUp
      forge.state = "merged"
      yield* Effect.all([watch(1), watch(2), watch(3)], { concurrency: "unbounded" })
      yield* isIn("merged")
      yield* TestClock.adjust("1 hour")
      const updates = yield* updatesOf(log, sessionId)
      assert.lengthOf(updates, 1)
      assert.strictEqual(updates[0]?.actor, "runtime")
      // A state that is final is asked for no more, however long they look.
      assert.isAtMost(forge.asked.length, 2)
    })
  )

  it.effect("is looked after while somebody looks, and no longer", () =>
    Effect.gen(function* () {
      const { asked, forge, isIn, log, sessionId, watch } = yield* setUp
      yield* watch(1)
      yield* asked
      assert.deepStrictEqual(forge.asked, [false])
      yield* TestClock.adjust("59 seconds")
      assert.lengthOf(forge.asked, 1)
      forge.state = "draft"
      yield* TestClock.adjust("1 second")
      yield* isIn("draft")
      assert.deepStrictEqual(forge.asked, [false, true])
      yield* watch(0)
      yield* TestClock.adjust("1 hour")
      assert.lengthOf(forge.asked, 2)
      forge.state = "closed"
      yield* watch(1)
      yield* isIn("closed")
      assert.lengthOf(yield* updatesOf(log, sessionId), 2)
    })
  )

  it.effect("is brought up to date in a session that has ended, too", () =>
    Effect.gen(function* () {
      const { forge, holdfast, isIn, sessionId, watch } = yield* setUp
      yield* holdfast.command(sessionId, { type: "session.close", data: {} })
      yield* holdfast.until(sessionId, isClosed)
      forge.state = "merged"
      yield* watch(1)
      const state = yield* isIn("merged")
      assert.isTrue(isClosed(state))
    })
  )

  it.effect("whose backend has a defect keeps what is known of it, and is asked for again by who comes next", () =>
    Effect.gen(function* () {
      const { asked, forge, isIn, watch } = yield* setUp
      forge.fails = true
      yield* watch(1)
      yield* asked
      forge.fails = false
      forge.state = "merged"
      yield* watch(0)
      yield* watch(1)
      yield* isIn("merged")
    })
  )

  it.effect("costs nothing where a session has none", () =>
    Effect.gen(function* () {
      const { asked, forge, holdfast, watch } = yield* setUp
      const { sessionId: other } = yield* holdfast.create({ backend: "agent", spec: {}, open: false })
      yield* holdfast.signal(other, { type: "watched", people: 1 })
      yield* watch(1)
      yield* asked
      assert.lengthOf(forge.asked, 1)
    })
  )
})
