/** What every backend does: check, open, tell everything in order, end once, and leave nothing behind. */
import {
  type BackendCommand,
  type Capabilities,
  type ItemId,
  makeUuid,
  type PromptId,
  SpecInvalid,
  type TurnId
} from "@holdfast/core"
import { Effect, Exit, Fiber, Result, Scope, Stream } from "effect"
import { describe, expect, it } from "vitest"
import {
  type BackendSuiteOptions,
  expectNoProcess,
  type MakeBackend,
  openSession,
  openUnread,
  prepare,
  releaseBackend,
  withBackend
} from "./backendHarness.ts"

/** Where an opening is interrupted, as the number of times that the other fibers run before. */
const interruptions = [0, 1, 2, 5, 20]

/** One command of each kind that a capability stands for, with that capability. */
const commands: ReadonlyArray<readonly [needs: keyof Capabilities, command: BackendCommand]> = [
  [
    "prompts",
    { type: "prompt", promptId: makeUuid() as PromptId, content: [{ type: "text", text: "Hello" }], delivery: "queue" }
  ],
  ["interrupt", { type: "interrupt", turnId: "none" as TurnId }],
  ["terminal", { type: "write", bytes: new Uint8Array([0x0d]) }],
  ["signals", { type: "signal", signal: "SIGCONT" }],
  ["configure", { type: "configure", model: "none" }],
  ["compact", { type: "compact" }],
  ["revert", { type: "revert", turnId: "none" as TurnId }],
  ["revert", { type: "restore" }],
  ["stopItems", { type: "stopItem", itemId: "none" as ItemId }],
  ["archive", { type: "archive", archived: true }],
  ["fork", { type: "fork" }],
  ["suspend", { type: "suspend" }]
]

/** Registers the tests of checking and of a session's life. */
export const lifeTests = (make: MakeBackend, options: BackendSuiteOptions) => {
  describe("check", () => {
    for (const { spec, field } of options.badSpecs) {
      it(
        `refuses ${JSON.stringify(spec).slice(0, 100)} and names ${field}`,
        withBackend(make, options, ({ backend, within }) =>
          Effect.gen(function* () {
            const checked = yield* Effect.result(within("check", backend.check(spec)))
            const error = Result.isFailure(checked) ? checked.failure : undefined
            expect(error).toBeInstanceOf(SpecInvalid)
            expect(error).toMatchObject({ backend: backend.name, field })
          })
        )
      )
    }

    it(
      "gives a spec of plain JSON, which opens as it comes back from the log",
      withBackend(make, options, (bench) =>
        Effect.gen(function* () {
          const { spec } = yield* bench.backend.check(options.spec)
          expect(JSON.parse(JSON.stringify(spec))).toEqual(spec)
          const opened = yield* openSession(bench, options.spec, { spec: JSON.parse(JSON.stringify(spec)) })
          yield* opened.perform({ type: "close", force: true, graceMs: 0 })
          expect(Exit.isSuccess(yield* opened.ended)).toBe(true)
        })
      )
    )

    for (const secret of options.secret === undefined ? [] : [options.secret]) {
      it(
        "keeps secret values out of what is logged, and out of every event",
        withBackend(make, options, (bench) =>
          Effect.gen(function* () {
            const { spec, title, workspace } = yield* bench.backend.check(secret.spec)
            expect(JSON.stringify([spec, title, workspace])).not.toContain(secret.value)
            const opened = yield* openSession(bench, secret.spec)
            yield* opened.perform({ type: "close", force: true, graceMs: 0 })
            yield* opened.ended
            expect(JSON.stringify(opened.events)).not.toContain(secret.value)
          })
        )
      )
    }
  })

  describe("the life of a session", () => {
    for (const force of [false, true]) {
      it(
        `ends ${force ? "by force" : "when it is asked to"}: backend.closed is the last event, then the stream ends`,
        withBackend(make, options, (bench) =>
          Effect.gen(function* () {
            const opened = yield* openSession(bench, options.spec)
            yield* bench.within("close", opened.perform({ type: "close", force, graceMs: 2_000 }))
            expect(Exit.isSuccess(yield* opened.ended)).toBe(true)
            const types = opened.events.map((event) => event.type)
            expect(types.at(-1)).toBe("backend.closed")
            expect(types.filter((type) => type === "backend.closed")).toHaveLength(1)
            yield* expectNoProcess(bench, opened)
          })
        )
      )
    }

    it(
      "tells of a process before anything that it does, and of its exit after everything",
      withBackend(make, options, (bench) =>
        Effect.gen(function* () {
          const opened = yield* openSession(bench, options.spec)
          yield* opened.perform({ type: "close", force: false, graceMs: 2_000 })
          yield* opened.ended
          const types = opened.events.map((event) => event.type)
          const spawned = opened.events.find((event) => event.type === "process.spawned")
          if (spawned === undefined) return
          expect(opened.events[0]).toBe(spawned)
          // It outlives the session.
          if (spawned.data.shared === true) return
          expect(types.indexOf("process.exited")).toBeGreaterThan(types.lastIndexOf("terminal.output"))
          expect(types.filter((type) => type === "process.exited")).toHaveLength(1)
        })
      )
    )

    it(
      "stops everything when its scope closes, though nobody asked it to end",
      withBackend(make, options, (bench) =>
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          const opened = yield* openSession(bench, options.spec).pipe(Scope.provide(scope))
          yield* bench.within("closing the scope", Scope.close(scope, Exit.void))
          yield* opened.ended
          yield* expectNoProcess(bench, opened)
        })
      )
    )

    it(
      "stops everything when its scope closes before anybody read a word",
      withBackend(make, options, (bench) =>
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          const { request } = yield* openUnread(bench, options.spec).pipe(Scope.provide(scope))
          yield* bench.within("closing the scope", Scope.close(scope, Exit.void))
          yield* expectNoProcess(bench, request)
        })
      )
    )

    for (const turns of interruptions) {
      it(
        `leaves nothing of an opening that is interrupted after ${turns} turns of the others`,
        withBackend(make, options, (bench) =>
          Effect.gen(function* () {
            const request = yield* prepare(bench, options.spec)
            const opening = yield* Effect.scoped(bench.backend.open(request)).pipe(
              Effect.forkChild({ startImmediately: true })
            )
            for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
            yield* bench.within("the interruption", Fiber.interrupt(opening))
            yield* expectNoProcess(bench, request)
          })
        )
      )
    }

    it(
      "answers every command after its end: refused or done, never left hanging",
      withBackend(make, options, (bench) =>
        Effect.gen(function* () {
          const opened = yield* openSession(bench, options.spec)
          yield* opened.perform({ type: "close", force: true, graceMs: 0 })
          yield* opened.ended
          for (const [, command] of commands) {
            const exit = yield* Effect.result(bench.within(command.type, opened.perform(command)))
            expect(Result.isFailure(exit), `${command.type} after the end`).toBe(true)
            if (Result.isFailure(exit)) expect(exit.failure).toHaveProperty("_tag", "BackendRefused")
          }
          yield* bench.within("resize", Effect.result(opened.perform({ type: "resize", cols: 80, rows: 24 })))
          yield* bench.within("close", Effect.result(opened.perform({ type: "close", force: false, graceMs: 0 })))
        })
      )
    )

    it(
      "refuses what it has not the capability for",
      withBackend(make, options, (bench) =>
        Effect.gen(function* () {
          const opened = yield* openSession(bench, options.spec)
          for (const [needs, command] of commands) {
            if (opened.session.capabilities[needs] === true) continue
            const error = yield* Effect.flip(bench.within(command.type, opened.perform(command)))
            expect(error).toMatchObject({ _tag: "BackendRefused", command: command.type, retryable: false })
          }
        })
      )
    )

    it(
      "keeps two sessions apart: one ends, the other goes on",
      withBackend(make, options, (bench) =>
        Effect.gen(function* () {
          const [one, other] = yield* Effect.all([
            openSession(bench, options.spec),
            openSession(bench, options.spec, { generation: 2 })
          ])
          yield* one.perform({ type: "close", force: true, graceMs: 0 })
          yield* one.ended
          yield* expectNoProcess(bench, one)
          expect(other.events.some((event) => event.type === "backend.closed")).toBe(false)
          yield* other.perform({ type: "close", force: false, graceMs: 2_000 })
          expect(Exit.isSuccess(yield* other.ended)).toBe(true)
        })
      )
    )

    it(
      "can be released at any time between sessions: nothing is left, and the next session starts afresh",
      withBackend(make, options, (bench) =>
        Effect.gen(function* () {
          for (let round = 0; round < 2; round++) {
            yield* releaseBackend(bench)
            const opened = yield* openSession(bench, options.spec)
            yield* opened.perform({ type: "close", force: false, graceMs: 2_000 })
            expect(Exit.isSuccess(yield* opened.ended)).toBe(true)
            yield* releaseBackend(bench)
          }
        })
      )
    )

    it(
      "tells everything once: a second reader gets nothing that was told",
      withBackend(make, options, (bench) =>
        Effect.gen(function* () {
          const opened = yield* openSession(bench, options.spec)
          yield* opened.perform({ type: "close", force: true, graceMs: 0 })
          yield* opened.ended
          const again: Array<unknown> = []
          yield* bench.within(
            "a second reading",
            Effect.exit(Stream.runForEach(opened.session.events, (batch) => Effect.sync(() => again.push(...batch))))
          )
          expect(again).toEqual([])
        })
      )
    )
  })
}
