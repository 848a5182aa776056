import { assert, describe, it } from "@effect/vitest"
import { BackendLost, LogUnavailable, type ParticipantId, type SessionId, type SessionState } from "@holdfast/core"
import { movedWorkspaces } from "@holdfast/git"
import { Effect, Fiber, Schedule, Stream } from "effect"
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { isQuiet } from "../agents/agentRuntime.ts"
import { prompt } from "../fixtures.ts"
import {
  backendsOf,
  bundlesIn,
  type HandoffHouse,
  type HandoffRuntime,
  openHandoffHouse,
  specIn,
  startHandoffRuntime,
  statusOf,
  thereIn
} from "./handoffHouse.ts"

const timeout = 60_000

/** The words that the model was told of, in what it was sent last. */
const knownTo = ({ model }: HandoffHouse) => [...new Set(JSON.stringify(model.requests.at(-1)!.body).match(/word\d+/g))]

const openHere = Effect.fnUntraced(function* (house: HandoffHouse, { holdfast, until }: HandoffRuntime) {
  const { sessionId } = yield* holdfast.create({ backend: "here", spec: specIn(house.project) })
  yield* until(sessionId, "the opening", isQuiet)
  return sessionId
})

/** The session is where it was, and as it was: it goes on, and nothing is left of where it was to go. */
const staysHere = Effect.fnUntraced(function* (
  house: HandoffHouse,
  { events, holdfast, say, until }: HandoffRuntime,
  sessionId: SessionId,
  before: string
) {
  yield* until(sessionId, "quiet", isQuiet)
  yield* say(sessionId, "say word9")
  const state = yield* say(sessionId, "recall")
  assert.deepInclude(state, { backend: "here", generation: 1 })
  assert.includeMembers(knownTo(house), ["word1", "word9"])
  assert.strictEqual(statusOf(house.project), before)
  assert.isFalse(existsSync(dirname(thereIn(house))))
  assert.deepStrictEqual(bundlesIn(house), [])
  assert.deepStrictEqual(readdirSync(dirname(house.project)), ["project"])
  assert.notInclude(
    (yield* events(sessionId)).map(({ type }) => type),
    "session.moved"
  )
  assert.deepInclude(yield* holdfast.summary(sessionId), { backend: "here", workspace: house.project })
})

describe("A session of an agent that is moved to another home and folder, and back", () => {
  it.live(
    "takes its workspace, its log and what the agent remembers along, and who follows it sees it go on",
    () =>
      Effect.gen(function* () {
        const house = yield* openHandoffHouse
        const runtime = yield* startHandoffRuntime(house)
        const { holdfast, say, until } = runtime
        const there = thereIn(house)
        const sessionId = yield* openHere(house, runtime)
        const seen: Array<number> = []
        const follower = yield* holdfast.follow(sessionId, 0).pipe(
          Stream.runForEach((item) =>
            Effect.sync(() => {
              if ("events" in item) seen.push(...item.events.map(({ seq }) => seq))
              else assert.notProperty(item, "reason")
            })
          ),
          Effect.forkScoped
        )
        yield* say(sessionId, "say word1")
        const before = statusOf(house.project)

        const moved = yield* holdfast.handoff(sessionId, {
          backend: "there",
          spec: { ...specIn(there), sandbox: "workspace-write" }
        })
        const state = yield* until(sessionId, "the opening there", isQuiet)
        assert.deepInclude(state, { backend: "there", generation: 2 })
        assert.strictEqual(statusOf(there), before)
        assert.isFalse(existsSync(join(there, "ignored")))
        // Where and how it works there is the new spec's word, not that of what was packed.
        yield* until(sessionId, "its mode", ({ mode }) => mode === "never/workspace-write")
        yield* say(sessionId, "say word2")
        writeFileSync(join(there, "changed"), "there\n")
        yield* say(sessionId, "recall")
        assert.deepStrictEqual(knownTo(house), ["word1", "word2"])
        assert.include(JSON.stringify(house.model.requests.at(-1)!.body), `<cwd>${there}</cwd>`)

        yield* holdfast.handoff(sessionId, { backend: "here", spec: specIn(house.project) })
        yield* until(sessionId, "the opening back here", isQuiet)
        yield* say(sessionId, "say word3")
        const after = yield* say(sessionId, "recall")
        assert.deepStrictEqual(knownTo(house), ["word1", "word2", "word3"])
        assert.strictEqual(statusOf(house.project), before)
        assert.strictEqual(readFileSync(join(house.project, "changed"), "utf8"), "there\n")
        assert.strictEqual(readFileSync(join(house.project, "ignored"), "utf8"), "stays\n")
        assert.deepStrictEqual(readdirSync(dirname(house.project)), ["project"])

        assert.isUndefined(follower.pollUnsafe())
        assert.deepStrictEqual(
          seen,
          seen.map((_, index) => index + 1)
        )
        assert.isAtLeast(seen.length, moved.lastSeq)
        assert.deepInclude(after, { backend: "here", generation: 3 })
        assert.deepStrictEqual(bundlesIn(house), [])
        assert.deepInclude(yield* holdfast.summary(sessionId), { backend: "here", workspace: house.project })
      }).pipe(Effect.scoped),
    timeout
  )

  it.live(
    "waits for the end of its turn, keeps prompts that come meanwhile for the new place, and answers a repeat with the same",
    () =>
      Effect.gen(function* () {
        const house = yield* openHandoffHouse
        const runtime = yield* startHandoffRuntime(house)
        const { events, holdfast, until } = runtime
        const sessionId = yield* openHere(house, runtime)
        yield* holdfast.command(sessionId, prompt("runs word1"))
        yield* until(sessionId, "its turn", ({ items }) => Object.keys(items).length > 0)
        const to = { backend: "there", spec: specIn(thereIn(house)) }
        const late = yield* Effect.flip(holdfast.handoff(sessionId, to, { timeoutMs: 50 }))
        assert.deepInclude(late, { reason: "busy", command: "session.move" })

        const command = "01a1fd04-e314-7ea2-9c82-3c3d4f481788" as never
        const moving = yield* Effect.forkScoped(holdfast.handoff(sessionId, to, { commandId: command }), {
          startImmediately: true
        })
        const second = yield* Effect.flip(holdfast.handoff(sessionId, to))
        assert.deepInclude(second, { reason: "busy" })
        yield* holdfast.command(sessionId, prompt("say word2"))
        yield* holdfast.command(sessionId, { type: "turn.interrupt", data: {} })
        const receipt = yield* Fiber.join(moving)
        yield* until(sessionId, "the turn there", (state) => isQuiet(state) && state.backend === "there")
        assert.deepStrictEqual(yield* holdfast.handoff(sessionId, to, { commandId: command }), receipt)
        const all = yield* events(sessionId)
        const fence = all.find(({ type }) => type === "session.moved")!
        const generations = all.filter(({ type }) => type === "prompt.dispatched").map(({ generation }) => generation)
        assert.deepStrictEqual(generations, [1, 2])
        assert.strictEqual(fence.seq + 1, all.find(({ generation }) => generation === 2)!.seq)
        assert.strictEqual(house.model.requests.filter((request) => request.prompt === "say word2").length, 1)
      }).pipe(Effect.scoped),
    timeout
  )

  it.live(
    "goes to another folder in the same home, and back",
    () =>
      Effect.gen(function* () {
        const house = yield* openHandoffHouse
        const runtime = yield* startHandoffRuntime(house)
        const sessionId = yield* openHere(house, runtime)
        yield* runtime.say(sessionId, "say word1")
        for (const folder of [thereIn(house), house.project]) {
          yield* runtime.holdfast.handoff(sessionId, { backend: "here", spec: specIn(folder) })
          yield* runtime.until(sessionId, "the opening", isQuiet)
          yield* runtime.say(sessionId, `make ${folder === house.project ? "word3" : "word2"}`)
        }
        yield* runtime.say(sessionId, "recall")
        assert.deepStrictEqual(knownTo(house), ["word1", "word2", "word3"])
        assert.isTrue(existsSync(join(house.project, "word2")))
        assert.isTrue(existsSync(join(house.project, "word3")))
        assert.isFalse(existsSync(join(thereIn(house), "word3")))
      }).pipe(Effect.scoped),
    timeout
  )
})

const broken = new Error("the disk is full")
const lost = new BackendLost({ backend: "there", reason: "there is no room", retryable: true })

describe("A move that fails on its way", () => {
  const failing = (what: string, instead: (house: HandoffHouse) => Parameters<typeof startHandoffRuntime>[1]) =>
    it.live(
      `leaves the session where it was, with all that it had: ${what}`,
      () =>
        Effect.gen(function* () {
          const house = yield* openHandoffHouse
          const runtime = yield* startHandoffRuntime(house, instead(house))
          const sessionId = yield* openHere(house, runtime)
          yield* runtime.say(sessionId, "say word1")
          const before = statusOf(house.project)
          const to = { backend: "there", spec: specIn(thereIn(house)) }
          const error = yield* Effect.flip(runtime.holdfast.handoff(sessionId, to))
          assert.include(["CommandRejected", "LogUnavailable", "SpecInvalid"], error._tag)
          const last = (yield* runtime.events(sessionId)).at(-1)!
          assert.deepInclude(last, { type: "backend.noted", generation: 1 })
          assert.match(
            (last.data as { readonly message: string }).message,
            /^it was not moved to there and goes on where it was: .*(room|disk|history|open)/
          )
          yield* staysHere(house, runtime, sessionId, before)
        }).pipe(Effect.scoped),
      timeout
    )

  const workspaces = movedWorkspaces()
  failing("its workspace cannot be packed", () => ({
    handoff: { workspaces: { ...workspaces, pack: () => Effect.fail(broken) } }
  }))
  failing("its workspace cannot be unpacked", () => ({
    handoff: { workspaces: { ...workspaces, unpack: () => Effect.fail(broken) } }
  }))
  failing("the new backend cannot take it up", (house) => ({
    backends: backendsOf(house).map((backend) =>
      backend.name === "there" ? { ...backend, unpack: () => Effect.fail(lost) } : backend
    )
  }))
  failing("the new backend does not know such a history", (house) => ({
    backends: backendsOf(house).map(({ unpack, ...backend }) =>
      backend.name === "there" || unpack === undefined ? backend : { ...backend, unpack }
    )
  }))
  failing("the new backend cannot open it", (house) => ({
    backends: backendsOf(house).map((backend) =>
      backend.name === "there" ? { ...backend, open: () => Effect.fail(lost) } : backend
    )
  }))
  failing("the new backend does not come to an end with opening it", (house) => ({
    backends: backendsOf(house).map((backend) =>
      backend.name === "there" ? { ...backend, open: () => Effect.never, openTimeoutMs: 500 } : backend
    )
  }))
  failing("the log does not take the move", () => ({
    log: (log) => ({
      ...log,
      append: (sessionId, expected, events, options) =>
        events.some(({ type }) => type === "session.moved")
          ? Effect.fail(new LogUnavailable({ operation: "append", reason: "io", detail: "the disk is full" }))
          : log.append(sessionId, expected, events, options)
    })
  }))
})

describe("A program in a terminal", () => {
  it.live(
    "is moved only by being started anew, by an owner, and into a folder that is named",
    () =>
      Effect.gen(function* () {
        const house = yield* openHandoffHouse
        const { holdfast, until } = yield* startHandoffRuntime(house)
        const catIn = (cwd?: string) => ({
          backend: "pty",
          spec: { profile: "command", command: "cat", ...(cwd === undefined ? {} : { cwd }) }
        })
        const ada = "ada" as ParticipantId
        const max = "max" as ParticipantId
        const { sessionId } = yield* holdfast.create({
          ...catIn(house.project),
          owner: { participantId: ada, name: "Ada" }
        })
        yield* holdfast.command(sessionId, {
          type: "participant.join",
          data: { participantId: max, name: "Max", role: "member" }
        })
        const isOpen = (state: SessionState) => state.chart.lifecycle === "open"
        const { processes } = yield* until(
          sessionId,
          "the opening",
          (state) => isOpen(state) && state.processes.length > 0
        )
        const refused = (...how: Parameters<typeof holdfast.handoff>) => Effect.flip(holdfast.handoff(...how))
        const to = catIn(thereIn(house))
        const whole = yield* refused(sessionId, to, { actor: ada })
        assert.deepInclude(whole, { reason: "unsupported", command: "session.move" })
        const members = yield* refused(sessionId, { ...to, restart: true }, { actor: max })
        assert.deepInclude(members, { reason: "forbidden" })
        const nowhere = yield* refused(sessionId, { ...catIn(), restart: true })
        assert.deepInclude(nowhere, { _tag: "SpecInvalid", field: "cwd" })
        const somewhere = yield* refused(sessionId, { ...catIn("there"), restart: true })
        assert.deepInclude(somewhere, { field: "cwd", expected: "an absolute path, not there" })
        const around = yield* refused(sessionId, { ...catIn(dirname(house.project)), restart: true })
        assert.deepInclude(around, { _tag: "SpecInvalid", field: "cwd" })
        assert.isFalse(existsSync(dirname(thereIn(house))))
        assert.deepInclude(yield* until(sessionId, "no change", isOpen), { generation: 1 })

        yield* holdfast.handoff(sessionId, { ...to, restart: true }, { actor: ada })
        yield* until(sessionId, "the opening there", (state) => isOpen(state) && state.generation === 2)
        assert.strictEqual(statusOf(thereIn(house)), statusOf(house.project))
        // It is ended when the new one is there already, and nobody tells when that is done.
        const isThere = Effect.sync(() => existsSync(`/proc/${processes[0]!.pid}/cwd`))
        yield* Effect.repeat(isThere, { while: (there) => there, schedule: Schedule.spaced(10) })
        yield* holdfast.command(sessionId, { type: "terminal.write", data: { bytes: Buffer.from("hello\r") } })
        yield* until(sessionId, "its output", ({ terminal }) => (terminal?.offset ?? 0) > 0)
      }).pipe(Effect.scoped),
    timeout
  )
})
