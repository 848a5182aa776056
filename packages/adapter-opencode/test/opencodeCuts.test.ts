/** A server that runs already, behind a connection that breaks at the worst moments. */
import type { Backend, BackendEvent } from "@holdfast/core"
import { agentTools, type ModelScript, ModelStep, openSession } from "@holdfast/testkit"
import { Effect, Exit, Scope } from "effect"
import * as fc from "fast-check"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { opencodeBackend } from "../src/index.ts"
import type { OpencodeServer } from "../src/OpencodeServer.ts"
import { startOpencode } from "../src/OpencodeServer.ts"
import { type CuttingProxy, startCuttingProxy } from "./CuttingProxy.ts"
import { type OpencodeHouse, openOpencodeHouse } from "./opencodeHouse.ts"

const words = Array.from({ length: 40 }, (_, index) => `word${index}`).join(" ")

const script: ModelScript = ({ prompt, step }) => {
  if (prompt === "wait" && step === 0) return [agentTools.opencode.shell("echo one"), ModelStep.gate("ready")]
  if (!prompt.startsWith("tell")) return undefined
  const pace = { chunkSize: 8, delayMs: 2 }
  const say = ModelStep.text(`${prompt} ${step} ${words}`, pace)
  return step < 2 ? [say, agentTools.opencode.shell(`echo ${prompt} ${step}`)] : [ModelStep.reasoning(words, pace), say]
}

const scope = Scope.makeUnsafe()
let house: OpencodeHouse
let own: OpencodeServer
let proxy: CuttingProxy
let backend: Backend

beforeAll(() =>
  Effect.runPromise(
    Scope.provide(
      Effect.gen(function* () {
        house = yield* openOpencodeHouse(script)
        own = (yield* startOpencode(house.options)).server
        proxy = yield* startCuttingProxy(own.client.address.url)
        backend = opencodeBackend({ server: { url: proxy.url, password: own.client.address.password } })
      }),
      scope
    )
  )
)
afterAll(() => Effect.runPromise(Effect.andThen(backend.release!, Scope.close(scope, Exit.void))))

const test = (name: string, run: () => Effect.Effect<unknown, unknown, Scope.Scope>) =>
  it(name, { timeout: 120_000 }, () => Effect.runPromise(Effect.scoped(run())))

const open = () => openSession(backend, { cwd: house.project, title: "Cut" })

/** Every turn and item begins once and ends once, in this order. */
const expectOnce = (events: ReadonlyArray<BackendEvent>) => {
  const state = new Map<string, "begun" | "ended">()
  const begin = (id: string) => {
    expect(state.get(id), `${id} begins once`).toBe(undefined)
    state.set(id, "begun")
  }
  const end = (id: string) => {
    expect(state.get(id), `${id} ends once, after its beginning`).toBe("begun")
    state.set(id, "ended")
  }
  for (const event of events) {
    if (event.type === "turn.started") begin(event.data.turnId)
    if (event.type === "item.started") begin(event.data.itemId)
    if (event.type === "item.completed") end(event.data.itemId)
    if (event.type === "turn.completed") end(event.data.turnId)
  }
  expect([...state].filter(([, each]) => each === "begun")).toEqual([])
}

describe("a server that runs already", () => {
  test("is used, and told neither as a process nor ended with the backend", () =>
    Effect.gen(function* () {
      const another = opencodeBackend({ server: own.client.address })
      const opened = yield* openSession(another, { cwd: house.project, title: "Used" })
      expect((yield* opened.ask("hello")).said).toBe("hello")
      expect(opened.events.some(({ type }) => type === "process.spawned")).toBe(false)
      yield* another.release!
      expect((yield* (yield* open()).ask("still here")).said).toBe("still here")
    }))
})

describe("a turn that goes on while its host is away", () => {
  test("is told by the next host from where it is, with the prompt that had arrived", () =>
    Effect.gen(function* () {
      const gone = yield* open()
      const { promptId } = yield* gone.send("wait")
      yield* gone.event("item.started", ({ data: { kind } }) => kind === "tool_call")
      const another = opencodeBackend({ server: own.client.address })
      yield* Effect.addFinalizer(() => another.release!)
      const more = { nativeId: gone.session.nativeId!, generation: 2, inDoubt: [promptId] }
      const next = yield* openSession(another, { cwd: house.project }, more)
      expect(next.session.arrived).toEqual([promptId])
      const { turnId } = (yield* next.event("turn.started", ({ data }) => data.promptId === promptId)).data
      house.model.open("ready")
      expect(yield* next.end(turnId)).toMatchObject({
        data: { outcome: "completed" },
        said: "Done.",
        tools: [{ status: "completed", output: "one\n" }]
      })
      expectOnce(next.events)
      expect((yield* next.ask("hello")).said).toBe("hello")
    }))

  test("is lost to whoever used a backend that is released", () =>
    Effect.gen(function* () {
      const another = opencodeBackend({ server: own.client.address })
      const opened = yield* openSession(another, { cwd: house.project })
      yield* another.release!
      expect(Exit.isFailure(yield* opened.ended)).toBe(true)
    }))
})

describe("a connection that breaks", () => {
  const seed = Date.now() % 1_000_000_007

  test(`anywhere in the stream of events loses nothing and doubles nothing (seed ${seed})`, () =>
    Effect.gen(function* () {
      const points = fc.sample(fc.integer({ min: 200, max: 12_000 }), { seed, numRuns: 60 })
      proxy.cutStreams(() => points.pop())
      yield* Effect.addFinalizer(() => Effect.sync(() => proxy.cutStreams(() => undefined)))
      const sessions = yield* Effect.all([open(), open()], { concurrency: "unbounded" })
      yield* Effect.forEach(
        sessions,
        (opened, index) =>
          Effect.gen(function* () {
            for (let round = 0; round < 2; round++) {
              const prompt = `tell ${index}${round}`
              const { data, said: text, tools } = yield* opened.ask(prompt)
              expect(data.outcome).toBe("completed")
              const said = [0, 1, 2].map((step) => `${prompt} ${step} ${words}`)
              expect(text.split("\n")).toEqual(said)
              expect(tools.map(({ output }) => output?.trim())).toEqual([`${prompt} 0`, `${prompt} 1`])
            }
          }),
        { concurrency: "unbounded" }
      )
      expect(proxy.cuts()).toBeGreaterThan(5)
      for (const { events } of sessions) {
        expectOnce(events)
        expect(events.filter(({ type }) => type === "turn.started")).toHaveLength(2)
        const links = events.filter(({ type }) => type.startsWith("link.")).map(({ type }) => type)
        expect(links).toContain("link.reconnecting")
        expect(events.some(({ type }) => type === "usage.reported")).toBe(true)
      }
    }))

  test("while a prompt is being taken delivers it once, whether or not it had arrived", () =>
    Effect.gen(function* () {
      const opened = yield* open()
      for (const [prompt, lose] of [
        ["the answer is lost", proxy.loseAnswer],
        ["the request is lost", proxy.loseRequest]
      ] as const) {
        lose("/prompt_async")
        expect((yield* opened.ask(prompt)).said).toBe(prompt)
        const asked = house.model.requests.filter((request) => request.prompt === prompt)
        expect(asked).toHaveLength(1)
        expect(JSON.stringify(asked[0]?.body).split(prompt)).toHaveLength(2)
      }
      expect(opened.events.filter(({ type }) => type === "turn.started")).toHaveLength(2)
    }))

  test("behind a prompt that is taken and never run ends that as failed, and the next one works", () =>
    Effect.gen(function* () {
      const opened = yield* open()
      proxy.swallow("/prompt_async")
      expect((yield* opened.ask("lost")).data).toMatchObject({
        outcome: "failed",
        error: { code: "not_run", retryable: true }
      })
      expect((yield* opened.ask("hello")).said).toBe("hello")
    }))
})
