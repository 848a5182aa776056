/** That an agent's session outlives its openings: resuming, prompts in doubt, branches, taking turns back. */
import { makeUuid, type PromptId } from "@holdfast/core"
import { Effect, Exit, Result, Scope } from "effect"
import { describe, expect, it } from "vitest"
import {
  agentTest,
  completed,
  expectWellFormed,
  prompt,
  recalled,
  saying,
  sayNext,
  startedBy
} from "./backendAgentHarness.ts"
import {
  type BackendSuiteOptions,
  type Bench,
  type MakeBackend,
  makeToken,
  type Opened,
  openSession,
  releaseBackend,
  withBackend
} from "./backendHarness.ts"
import { type BackendSuiteAgent, suiteTokens } from "./BackendSuiteAgent.ts"

/** The id under which a session can be resumed. */
const nativeIdOf = (opened: Opened) =>
  opened.session.nativeId === undefined
    ? Effect.map(opened.waitFor("backend.identified"), (event) => event.data.nativeId)
    : Effect.succeed(opened.session.nativeId)

/** Ends an opening. */
const close = Effect.fnUntraced(function* (bench: Bench, opened: Opened) {
  yield* bench.within("the close", opened.perform({ type: "close", force: false, graceMs: 2_000 }))
  yield* opened.ended
})

/** Registers the tests of a session's history. */
export const historyTests = (make: MakeBackend, options: BackendSuiteOptions, agent: BackendSuiteAgent) => {
  const test = agentTest(make, options)
  const { long, recall } = agent

  const backendTest = (name: string, run: (bench: Bench) => Effect.Effect<void, unknown, Scope.Scope>) =>
    it(name, withBackend(make, options, run))

  /** Opens the session again, as its next generation. */
  const reopen = Effect.fnUntraced(function* (bench: Bench, before: Opened, inDoubt: ReadonlyArray<PromptId> = []) {
    const nativeId = yield* nativeIdOf(before)
    const more = { sessionId: before.sessionId, generation: before.generation + 1, nativeId, inDoubt }
    return yield* openSession(bench, options.spec, more)
  })

  const expectKnown = Effect.fnUntraced(function* (
    bench: Bench,
    opened: Opened,
    known: ReadonlyArray<string>,
    unknown: ReadonlyArray<string> = []
  ) {
    if (recall === undefined) return
    const tokens = suiteTokens(yield* recalled(bench, opened, recall))
    expect(tokens).toEqual(expect.arrayContaining([...known]))
    for (const token of unknown) expect(tokens).not.toContain(token)
  })

  describe("the agent's history", () => {
    for (const how of [
      "its closing",
      "the loss of its scope",
      "the release of its backend",
      "its suspending"
    ] as const) {
      backendTest(`goes on after ${how}, under the id that it gave`, (bench) =>
        Effect.gen(function* () {
          const { resume, suspend } = bench.backend.capabilities
          if (!resume || (how === "its suspending" && !suspend)) return
          const scope = yield* Scope.make()
          const first = yield* openSession(bench, options.spec).pipe(Scope.provide(scope))
          const { token } = yield* sayNext(bench, first, agent)
          yield* nativeIdOf(first)
          if (how === "its closing") yield* close(bench, first)
          if (how === "its suspending") {
            yield* bench.within("the suspending", first.perform({ type: "suspend" }))
            yield* first.ended
            expect(first.events.at(-1)?.type).toBe("backend.suspended")
          }
          yield* bench.within("closing the scope", Scope.close(scope, Exit.void))
          if (how === "the release of its backend") yield* releaseBackend(bench)
          const second = yield* reopen(bench, first)
          yield* expectKnown(bench, second, [token])
          yield* sayNext(bench, second, agent)
          expectWellFormed([...first.events, ...second.events])
        })
      )
    }

    if (long !== undefined) {
      backendTest(
        "goes on after its backend was lost in the middle of a turn, and tells which prompts had arrived",
        (bench) =>
          Effect.gen(function* () {
            if (!bench.backend.capabilities.resume) return
            const scope = yield* Scope.make()
            const first = yield* openSession(bench, options.spec).pipe(Scope.provide(scope))
            const said = yield* sayNext(bench, first, agent)
            const token = makeToken()
            const prompted = yield* prompt(bench, first, long(token))
            yield* startedBy(first, prompted)
            yield* saying(first, token)
            yield* bench.within("closing the scope", Scope.close(scope, Exit.void))
            yield* releaseBackend(bench)
            const never = makeUuid() as PromptId
            const second = yield* reopen(bench, first, [said.promptId, prompted.promptId, never])
            expect([...(second.session.arrived ?? [])].toSorted()).toEqual(
              [said.promptId, prompted.promptId].toSorted()
            )
            yield* sayNext(bench, second, agent)
            yield* expectKnown(bench, second, [said.token])
            expect(second.events.filter((event) => event.type === "turn.started")).toHaveLength(
              recall === undefined ? 1 : 2
            )
            expectWellFormed(second.events)
          })
      )
    }

    for (const from of ["its head", "an earlier turn"] as const) {
      backendTest(`can be branched at ${from}, and neither branch knows what the other is told`, (bench) =>
        Effect.gen(function* () {
          if (!bench.backend.capabilities.fork) return
          const opened = yield* openSession(bench, options.spec)
          if (!opened.session.capabilities.fork) return
          const one = yield* sayNext(bench, opened, agent)
          const other = yield* sayNext(bench, opened, agent)
          const through = from === "its head" ? {} : { throughTurn: one.turnId }
          const { nativeId } = yield* bench.within("the fork", opened.perform({ type: "fork", ...through }))
          expect(nativeId).toBeTypeOf("string")
          expect(nativeId).not.toBe(yield* nativeIdOf(opened))
          const branch = yield* openSession(bench, options.spec, { nativeId: nativeId! })
          const here = yield* sayNext(bench, branch, agent)
          const there = yield* sayNext(bench, opened, agent)
          const [kept, left] = from === "its head" ? [[one, other], []] : [[one], [other]]
          const tokens = (turns: ReadonlyArray<{ readonly token: string }>) => turns.map(({ token }) => token)
          yield* expectKnown(bench, branch, tokens([...kept, here]), tokens([...left, there]))
          yield* expectKnown(bench, opened, tokens([one, other, there]), tokens([here]))
        })
      )
    }

    test("loses what is reverted, and has it again when that is restored", (bench, opened) =>
      Effect.gen(function* () {
        if (opened.session.capabilities.revert !== true) return
        const kept = yield* sayNext(bench, opened, agent)
        const reverted = yield* sayNext(bench, opened, agent)
        const revert = bench.within("the revert", opened.perform({ type: "revert", turnId: reverted.turnId }))
        yield* revert
        const reversions = (count: number) =>
          opened.waitUntil("history.reverted", (events) => {
            const all = events.filter((event) => event.type === "history.reverted")
            return all.length === count ? all.at(-1) : undefined
          })
        expect((yield* reversions(1)).data.turnId).toBe(reverted.turnId)
        const restored = yield* Effect.result(bench.within("the restoring", opened.perform({ type: "restore" })))
        expect(Result.isSuccess(restored)).toBe(agent.restores === true)
        if (Result.isSuccess(restored)) {
          yield* opened.waitFor("history.restored")
          yield* expectKnown(bench, opened, [kept.token, reverted.token])
          yield* revert
          yield* reversions(2)
        }
        const after = yield* sayNext(bench, opened, agent)
        yield* expectKnown(bench, opened, [kept.token, after.token], [reverted.token])
      }))

    test("stays whole when it is archived and taken out of the archive", (bench, opened) =>
      Effect.gen(function* () {
        if (opened.session.capabilities.archive !== true) return
        const { token } = yield* sayNext(bench, opened, agent)
        for (const archived of [true, false]) {
          yield* bench.within("archiving", opened.perform({ type: "archive", archived }))
        }
        yield* expectKnown(bench, opened, [token])
        const turnId = yield* startedBy(opened, yield* prompt(bench, opened, agent.say(makeToken())))
        expect(yield* completed(opened, turnId)).toMatchObject({ outcome: "completed" })
      }))
  })
}
