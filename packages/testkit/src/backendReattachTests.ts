/** That a session goes on while no runtime looks, and is told on, gapless and once, to the next one. */
import { BackendLost, type BackendEvent, makeSessionId } from "@holdfast/core"
import { Effect, Exit, Scope } from "effect"
import { describe, expect, it } from "vitest"
import {
  type BackendSuiteOptions,
  type Bench,
  expectNoProcess,
  type MakeBackend,
  type Opened,
  openSession,
  prepare,
  withBackend
} from "./backendHarness.ts"

/** Numbers of events, each once: what one event brings with it has its number. */
const originsOf = (events: ReadonlyArray<BackendEvent>): ReadonlyArray<number> =>
  events
    .flatMap(({ origin }) => (origin === undefined ? [] : [origin]))
    .filter((origin, index, all) => origin !== all[index - 1])

/** Says that events are numbered without a gap, from `first` on. */
const expectGapless = (events: ReadonlyArray<BackendEvent>, first: number): void => {
  const origins = originsOf(events)
  expect(origins).toEqual(origins.map((_, index) => first + index))
  expect(events.every(({ origin }) => origin !== undefined)).toBe(true)
}

/** Leaves a session running, as a runtime does that stops. */
const leave = Effect.fnUntraced(function* (bench: Bench, opened: Opened, scope: Scope.Closeable) {
  yield* bench.within("detaching", opened.session.detach ?? Effect.die("a backend that reattaches can be detached"))
  yield* bench.within("closing the scope", Scope.close(scope, Exit.void))
})

/** Registers the tests of reattaching. */
export const reattachTests = (make: MakeBackend, options: BackendSuiteOptions, script: (source: string) => unknown) => {
  const reattachTest = (name: string, run: (bench: Bench) => Effect.Effect<void, unknown, Scope.Scope>) =>
    it(
      name,
      withBackend(make, options, (bench) => (bench.backend.capabilities.reattach === true ? run(bench) : Effect.void))
    )

  const detached = Effect.fnUntraced(function* (bench: Bench, source: string, ready: string) {
    const scope = yield* Scope.make()
    const spec = script(source)
    const opened = yield* openSession(bench, spec).pipe(Scope.provide(scope))
    yield* opened.waitForText(ready)
    yield* leave(bench, opened, scope)
    const again = (mirrored: number) =>
      openSession(bench, spec, {
        sessionId: opened.sessionId,
        generation: opened.generation,
        reattach: { mirrored }
      })
    return { opened, again }
  })

  const write = (opened: Opened, text: string) =>
    opened.perform({ type: "write", bytes: new TextEncoder().encode(text) })

  describe("reattaching", () => {
    reattachTest("goes on with the same program, told on from where it was, and numbered without a gap", (bench) =>
      Effect.gen(function* () {
        const { opened: first, again } = yield* detached(bench, "echo one; read line; echo got $line; exit 3", "one")
        expectGapless(first.events, 1)
        const mirrored = originsOf(first.events).at(-1)!
        const second = yield* again(mirrored)
        yield* write(second, "two\r")
        yield* second.waitForText("got two")
        yield* second.ended
        expectGapless(second.events, mirrored + 1)
        expect(second.output().toString()).not.toContain("one")
        expect(second.events.at(-1)).toMatchObject({ type: "backend.closed", data: { exitCode: 3 } })
        yield* expectNoProcess(bench, second)
      })
    )

    reattachTest("tells what happened while nobody looked", (bench) =>
      Effect.gen(function* () {
        const { opened: first, again } = yield* detached(bench, "echo one; sleep 0.5; echo later; read line", "one")
        const mirrored = originsOf(first.events).at(-1)!
        const second = yield* again(mirrored)
        yield* second.waitForText("later")
        expectGapless(second.events, mirrored + 1)
      })
    )

    reattachTest("tells again what was told and not stored", (bench) =>
      Effect.gen(function* () {
        const { opened: first, again } = yield* detached(bench, "echo one; read line; echo two; read line", "one")
        const mirrored = originsOf(first.events).at(-1)!
        const second = yield* again(mirrored)
        yield* write(second, "\r")
        yield* second.waitForText("two")
        // Nobody pulled past the newest: it may not be forgotten.
        const last = originsOf(second.events).at(-1)!
        expect(last).toBeGreaterThan(mirrored)
        expectGapless(second.events, mirrored + 1)
      })
    )

    reattachTest("names the decisions that it has taken", (bench) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const spec = script("echo ready; read line")
        const first = yield* openSession(bench, spec).pipe(Scope.provide(scope))
        yield* first.waitForText("ready")
        yield* bench.within("the resize", first.session.perform({ type: "resize", cols: 91, rows: 31 }, 7))
        yield* leave(bench, first, scope)
        const second = yield* openSession(bench, spec, {
          sessionId: first.sessionId,
          generation: first.generation,
          reattach: { mirrored: originsOf(first.events).at(-1)! }
        })
        expect(second.session.taken).toEqual([7])
      })
    )

    reattachTest("ends what was reattached with its scope", (bench) =>
      Effect.gen(function* () {
        const { opened: first, again } = yield* detached(bench, "echo one; sleep 300", "one")
        const scope = yield* Scope.make()
        const second = yield* again(originsOf(first.events).at(-1)!).pipe(Scope.provide(scope))
        yield* bench.within("closing the scope", Scope.close(scope, Exit.void))
        yield* expectNoProcess(bench, second)
      })
    )

    reattachTest("is lost where it is not there any more", (bench) =>
      Effect.gen(function* () {
        const request = yield* prepare(bench, script("read line"), { sessionId: makeSessionId() })
        const error = yield* bench.within(
          "the refusal",
          Effect.flip(bench.backend.open({ ...request, reattach: { mirrored: 3 } }))
        )
        expect(error).toBeInstanceOf(BackendLost)
      })
    )
  })
}
