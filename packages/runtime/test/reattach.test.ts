import { assert, describe, it } from "@effect/vitest"
import {
  type Backend,
  type BackendCommand,
  type BackendEvent,
  BackendLost,
  type BackendSession,
  type EventLogService,
  LogUnavailable,
  makeMemory,
  noCapabilities,
  type OpenRequest,
  type SessionId,
  type TurnId
} from "@holdfast/core"
import { type HoldfastService, makeHoldfast } from "@holdfast/runtime"
import { Deferred, Effect, Exit, References, Scope, Stream } from "effect"
import * as fc from "fast-check"
import { eventsOf, isOpen, prompt, typesOf } from "./fixtures.ts"

/** What runs elsewhere and outlives every runtime: it tells, numbered, and takes each decision. */
interface Elsewhere {
  readonly told: Array<BackendEvent>
  readonly taken: Array<number>
  readonly performed: Array<BackendCommand>
  readonly requests: Array<OpenRequest>
  isThere: boolean
  /** Does not take commands while it is away. */
  isAway: boolean
  /** Who takes it up waits for this. */
  found: Effect.Effect<void>
  readonly wakers: Set<() => void>
}

const makeElsewhere = (): Elsewhere => ({
  told: [],
  taken: [],
  performed: [],
  requests: [],
  isThere: true,
  isAway: false,
  found: Effect.void,
  wakers: new Set()
})

const capabilities = {
  ...noCapabilities,
  prompts: true,
  configure: true,
  resume: true,
  reattach: true,
  workspace: true
}

const tellOf = (world: Elsewhere, event: BackendEvent): void => {
  world.told.push(event)
  // Who finds nothing comes back into the set.
  const wakers = Array.from(world.wakers)
  for (const wake of wakers) wake()
}

/** Whether a runtime was killed: then nothing that it does any more reaches anybody. */
interface Fate {
  isDead: boolean
}

/** The backend of it, in one runtime. It tells again some of what it told before, as after a broken connection. */
const distant = (world: Elsewhere, again: number, fate: Fate): Backend => ({
  name: "distant",
  capabilities,
  check: (spec) => Effect.succeed({ spec }),
  open: (request) =>
    Effect.gen(function* () {
      world.requests.push(request)
      if (!world.isThere) return yield* new BackendLost({ backend: "distant", reason: "it is gone", retryable: false })
      // Until it is handed over nobody has asked to end it.
      if (request.reattach !== undefined) yield* world.found
      let isDetached = request.reattach !== undefined
      let isOver = false
      let pulled = Math.max(0, (request.reattach?.mirrored ?? 0) - again)
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          isOver = true
          if (!isDetached && !fate.isDead) world.isThere = false
        })
      )
      const next = Effect.callback<ReadonlyArray<BackendEvent>>((resume) => {
        const look = () => {
          if (isOver || fate.isDead) return
          world.wakers.delete(look)
          const batch = world.told.slice(pulled).map((event, index) => ({ ...event, origin: pulled + index + 1 }))
          if (batch.length === 0) {
            world.wakers.add(look)
            return
          }
          pulled += batch.length
          resume(Effect.succeed(batch))
        }
        look()
      })
      const session: BackendSession = {
        capabilities,
        nativeId: "far",
        ...(request.reattach === undefined ? {} : { taken: [...world.taken] }),
        arrived: request.inDoubt.filter((id) =>
          world.performed.some((command) => command.type === "prompt" && command.promptId === id)
        ),
        events: Stream.fromEffectRepeat(next),
        perform: (command, seq) =>
          Effect.suspend(() => {
            if (world.isAway || fate.isDead) return Effect.never
            if (seq !== undefined) world.taken.push(seq)
            world.performed.push(command)
            if (command.type === "configure")
              tellOf(world, { type: "backend.configured", data: { model: command.model! } })
            if (command.type === "prompt") {
              const turnId = `turn-${command.promptId}` as TurnId
              tellOf(world, { type: "turn.started", data: { turnId, promptId: command.promptId } })
              tellOf(world, { type: "turn.completed", data: { turnId, outcome: "completed" } })
            }
            return Effect.succeed(
              command.type === "workspace" ? { workspace: { done: "commit" as const, sha: "abc" } } : {}
            )
          }),
        detach: Effect.sync(() => {
          isDetached = true
        })
      }
      isDetached = false
      return session
    })
})

/** A log that can be taken away from its owner, as by the death of the process. */
const fenced = (log: EventLogService): { readonly log: EventLogService; readonly cut: () => void } => {
  let isCut = false
  const refuse = new LogUnavailable({ operation: "append", reason: "owner-lost", detail: "the process has died" })
  return {
    log: { ...log, append: (...args) => (isCut ? Effect.fail(refuse) : log.append(...args)) },
    cut: () => {
      isCut = true
    }
  }
}

interface Life {
  readonly holdfast: HoldfastService
  readonly kill: () => void
  readonly scope: Scope.Closeable
}

const start = (log: EventLogService, world: Elsewhere, again: number) =>
  Effect.gen(function* () {
    const fence = fenced(log)
    const fate = { isDead: false }
    const scope = yield* Scope.make()
    const holdfast = yield* makeHoldfast(fence.log, { backends: [distant(world, again, fate)] }).pipe(
      Scope.provide(scope)
    )
    const kill = () => {
      fate.isDead = true
      fence.cut()
    }
    return { holdfast, kill, scope } satisfies Life
  })

const note = (text: string): BackendEvent => ({ type: "backend.noted", data: { level: "info", message: text } })

const isLinked = (state: { readonly chart: { readonly lifecycle: string; readonly link: string } }) =>
  state.chart.lifecycle === "open" && state.chart.link === "connected"

const originsOf = (log: EventLogService, sessionId: SessionId) =>
  Effect.map(eventsOf(log, sessionId), (events) =>
    events.flatMap(({ origin }) => (origin === undefined ? [] : [origin]))
  )

type Step =
  | { readonly do: "tell"; readonly count: number }
  | { readonly do: "configure" }
  | { readonly do: "prompt" }
  | { readonly do: "restart"; readonly how: "stopped" | "killed"; readonly again: number; readonly deaf: boolean }

const steps: fc.Arbitrary<ReadonlyArray<Step>> = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant("tell" as const), count: fc.integer({ min: 1, max: 5 }) }),
    fc.record({ do: fc.constant("configure" as const) }),
    fc.record({ do: fc.constant("prompt" as const) }),
    fc.record({
      do: fc.constant("restart" as const),
      how: fc.constantFrom("stopped" as const, "killed" as const),
      again: fc.integer({ min: 0, max: 4 }),
      deaf: fc.boolean()
    })
  ),
  { minLength: 1, maxLength: 14 }
)

describe("a backend that goes on while no runtime looks", () => {
  it("is copied once and commanded once, however often its runtime is stopped or killed", async () => {
    await fc.assert(
      fc.asyncProperty(steps, (schedule) =>
        Effect.runPromise(
          Effect.gen(function* () {
            const world = makeElsewhere()
            const log = makeMemory()
            let life = yield* start(log, world, 0)
            const { sessionId } = yield* life.holdfast.create({ backend: "distant", spec: {} })
            yield* life.holdfast.until(sessionId, isOpen)
            let configured = 0
            let prompted = 0
            const tell = (text: string) => tellOf(world, note(text))
            const settled = () =>
              life.holdfast.until(sessionId, (state) => isLinked(state) && state.mirrored === world.told.length)
            for (const step of schedule) {
              if (step.do === "tell") {
                for (let index = 0; index < step.count; index++) tell(`word ${world.told.length + 1}`)
              } else if (step.do === "configure") {
                configured += 1
                yield* life.holdfast.command(sessionId, {
                  type: "backend.configure",
                  data: { model: `m${configured}` }
                })
              } else if (step.do === "prompt") {
                // One at a time: the turn of the one before begins and ends first.
                yield* settled()
                yield* life.holdfast.until(sessionId, (state) => state.prompts.length === 0)
                prompted += 1
                yield* life.holdfast.command(sessionId, prompt(`p${prompted}`))
              } else {
                // What is decided from now on does not get there before the runtime is gone.
                world.isAway = step.deaf
                if (step.deaf) {
                  configured += 1
                  yield* life.holdfast.command(sessionId, {
                    type: "backend.configure",
                    data: { model: `m${configured}` }
                  })
                }
                tell(`while it goes down ${world.told.length + 1}`)
                if (step.how === "killed") {
                  life.kill()
                  yield* Scope.close(life.scope, Exit.void)
                } else {
                  yield* Scope.close(life.scope, Exit.void)
                }
                tell(`while nobody looks ${world.told.length + 1}`)
                world.isAway = false
                life = yield* start(log, world, step.again)
              }
            }
            yield* settled()
            yield* life.holdfast.until(
              sessionId,
              (state) => state.prompts.length === 0 && (configured === 0 || state.model === `m${configured}`)
            )
            yield* settled()
            const origins = yield* originsOf(log, sessionId)
            assert.deepStrictEqual(
              // What one event brings with it, such as the delivery of a turn's prompt, has its number.
              origins.filter((origin, index) => origin !== origins[index - 1]),
              world.told.map((_, index) => index + 1)
            )
            const models = world.performed.flatMap((command) => (command.type === "configure" ? [command.model] : []))
            assert.deepStrictEqual(
              [...models].toSorted(),
              Array.from({ length: configured }, (_, index) => `m${index + 1}`).toSorted()
            )
            assert.strictEqual(world.performed.filter(({ type }) => type === "prompt").length, prompted)
            const types = yield* typesOf(log, sessionId)
            assert.notInclude(types, "backend.lost")
            assert.strictEqual(types.filter((type) => type === "backend.opening").length, 1)
            world.isThere = false
            yield* Scope.close(life.scope, Exit.void)
          }).pipe(
            Effect.timeoutOrElse({ duration: 10_000, orElse: () => Effect.fail(new Error("it hangs")) }),
            // That the log was taken from a killed runtime is what this is about.
            Effect.provideService(References.MinimumLogLevel, "None")
          )
        )
      ),
      { numRuns: 500 }
    )
  })

  it.effect("is given what was decided while it was being taken up, once, and is not lost by it", () =>
    Effect.gen(function* () {
      const world = makeElsewhere()
      const log = makeMemory()
      const first = yield* start(log, world, 0)
      const { sessionId } = yield* first.holdfast.create({ backend: "distant", spec: {} })
      yield* first.holdfast.until(sessionId, isOpen)
      first.kill()
      yield* Scope.close(first.scope, Exit.void)
      const found = yield* Deferred.make<void>()
      world.found = Deferred.await(found)
      const second = yield* start(log, world, 0)
      yield* second.holdfast.command(sessionId, { type: "backend.configure", data: { model: "m" } })
      yield* second.holdfast.command(sessionId, prompt("hello"))
      yield* Deferred.succeed(found, undefined)
      yield* second.holdfast.until(
        sessionId,
        (state) => isLinked(state) && state.model === "m" && state.prompts.length === 0
      )
      assert.deepStrictEqual(world.performed.map(({ type }) => type).toSorted(), ["configure", "prompt"])
      assert.notInclude(yield* typesOf(log, sessionId), "backend.lost")
      world.isThere = false
      yield* Scope.close(second.scope, Exit.void)
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
  )

  it.effect("is lost, with the reason, where it is not there any more", () =>
    Effect.gen(function* () {
      const world = makeElsewhere()
      const log = makeMemory()
      const first = yield* start(log, world, 0)
      const { sessionId } = yield* first.holdfast.create({ backend: "distant", spec: {} })
      yield* first.holdfast.until(sessionId, isOpen)
      yield* Scope.close(first.scope, Exit.void)
      world.isThere = false
      const second = yield* start(log, world, 0)
      const ended = yield* second.holdfast.until(sessionId, ({ chart }) => chart.lifecycle === "failed")
      assert.strictEqual(ended.end?.reason, "it is gone")
      yield* Scope.close(second.scope, Exit.void)
    })
  )
})

describe("what clients signal", () => {
  it.effect("opens a session that was made unopened once somebody types, and once only", () =>
    Effect.gen(function* () {
      const world = makeElsewhere()
      const { holdfast, scope } = yield* start(makeMemory(), world, 0)
      const { sessionId } = yield* holdfast.create({ backend: "distant", spec: {}, open: false })
      assert.lengthOf(world.requests, 0)
      yield* Effect.all(
        Array.from({ length: 20 }, () => holdfast.signal(sessionId, { type: "typing" })),
        { concurrency: "unbounded" }
      )
      yield* holdfast.until(sessionId, isOpen)
      assert.lengthOf(world.requests, 1)
      yield* Scope.close(scope, Exit.void)
    })
  )

  it.effect("leaves a session unopened until its first prompt", () =>
    Effect.gen(function* () {
      const world = makeElsewhere()
      const { holdfast, scope } = yield* start(makeMemory(), world, 0)
      const { sessionId } = yield* holdfast.create({ backend: "distant", spec: {}, open: false })
      yield* holdfast.command(sessionId, prompt("hello"))
      yield* holdfast.until(sessionId, (state) => isOpen(state) && state.prompts.length === 0)
      assert.deepStrictEqual(
        world.performed.map(({ type }) => type),
        ["prompt"]
      )
      yield* Scope.close(scope, Exit.void)
    })
  )

  it.effect("tells the backend how many people look on, also those who came before it was open", () =>
    Effect.gen(function* () {
      const world = makeElsewhere()
      const { holdfast, scope } = yield* start(makeMemory(), world, 0)
      const { sessionId } = yield* holdfast.create({ backend: "distant", spec: {}, open: false })
      yield* holdfast.signal(sessionId, { type: "watched", people: 2 })
      yield* holdfast.command(sessionId, { type: "session.open", data: {} })
      yield* holdfast.until(sessionId, isOpen)
      yield* holdfast.signal(sessionId, { type: "watched", people: 0 })
      assert.deepStrictEqual(
        world.performed.map((command) => (command.type === "watched" ? command.people : command.type)),
        [2, 0]
      )
      yield* Scope.close(scope, Exit.void)
    })
  )
})

describe("the workspace of a session", () => {
  it.effect("is asked only of a session that has one, that is open, and by who may", () =>
    Effect.gen(function* () {
      const world = makeElsewhere()
      const { holdfast, scope } = yield* start(makeMemory(), world, 0)
      const owner = { participantId: "ada" as never, name: "Ada" }
      const { sessionId } = yield* holdfast.create({ backend: "distant", spec: {}, owner })
      yield* holdfast.until(sessionId, isOpen)
      const join = { participantId: "vera" as never, name: "Vera", role: "viewer" as const }
      yield* holdfast.command(sessionId, { type: "participant.join", data: join })
      const commit = { do: "commit", message: "All of it" } as const
      assert.deepStrictEqual(yield* holdfast.workspace(sessionId, commit, { actor: "ada" as never }), {
        done: "commit",
        sha: "abc"
      })
      assert.deepStrictEqual(world.performed.at(-1), {
        type: "workspace",
        action: { ...commit, author: { name: "Ada" } }
      })
      const refused = yield* Effect.flip(holdfast.workspace(sessionId, commit, { actor: "vera" as never }))
      assert.propertyVal(refused, "reason", "forbidden")
      const bad = yield* Effect.flip(holdfast.workspace(sessionId, { do: "commit", message: "" }))
      assert.propertyVal(bad, "reason", "invalid")
      yield* Scope.close(scope, Exit.void)
    })
  )
})
