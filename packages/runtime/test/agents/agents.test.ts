import { assert, describe, it } from "@effect/vitest"
import type { SessionState } from "@holdfast/core"
import { Effect, Exit, Scope } from "effect"
import { agentNames, openAgentHouse } from "./agentHouse.ts"
import {
  isQuiet,
  noCommandWith,
  nothingMarked,
  only,
  patience,
  saidAfter,
  serverOf,
  startRuntime
} from "./agentRuntime.ts"

/** Milliseconds for one test. They take two to five seconds, and several times that on a loaded machine. */
const deadline = 3 * patience

const hasRequest = ({ requests }: SessionState) => Object.keys(requests).length > 0
const runsTool = ({ items }: SessionState) => Object.values(items).some(({ kind }) => kind === "tool_call")
const saysSomething = ({ items }: SessionState) =>
  Object.values(items).some(({ kind, turnId }) => kind === "message" && turnId !== null)

describe.each(agentNames)("a runtime with %s", (agent) => {
  it.live(
    "lets a permission that nobody answers expire, and the agent goes on",
    () =>
      Effect.gen(function* () {
        const house = yield* openAgentHouse(agent)
        const { begin, events, open, say, until } = yield* startRuntime(house, { requestTimeoutMs: 300 })
        const sessionId = yield* open(house.askingSpec)
        yield* begin(sessionId, "ask word1", hasRequest)
        yield* until(sessionId, "the end of the turn", isQuiet)
        const told = yield* events(sessionId)
        assert.deepInclude(only(told, "permission.resolved")[0]?.data, { by: "deadline" })
        const ran = only(told, "item.completed").filter(
          ({ data }) => data.kind === "tool_call" && data.status === "completed" && data.output?.includes("word1")
        )
        assert.isEmpty(ran)
        const { seq } = told.at(-1)!
        yield* say(sessionId, "say word2")
        assert.include(saidAfter(yield* events(sessionId), seq), "word2")
      }),
    deadline
  )

  for (const [when, word, reached] of [
    ["says something", "begin", saysSomething],
    ["runs a tool", "runs", runsTool]
  ] as const) {
    it.live(
      `goes on after its server was killed while it ${when}`,
      () =>
        Effect.gen(function* () {
          const house = yield* openAgentHouse(agent)
          const { begin, events, open, say, until } = yield* startRuntime(house)
          const sessionId = yield* open()
          yield* say(sessionId, "say word1")
          const { turn } = yield* begin(sessionId, `${word} word2`, reached)
          const server = yield* serverOf(yield* events(sessionId))
          // Parents come first. Opencode's server is the child of its keeper.
          const victim = server.processes[agent === "opencode" ? 1 : 0]!
          process.kill(victim.pid, "SIGKILL")
          const { seq } = yield* until(sessionId, "the loss", ({ generation }) => generation === 2)
          const told = yield* events(sessionId)
          const end = only(told, "turn.completed").at(-1)!.data
          assert.deepInclude(end, { turnId: turn!.turnId as typeof end.turnId, outcome: "interrupted" })
          assert.match(end.reason!, /\w/)
          for (const { data } of only(told, "item.completed").filter((event) => event.data.turnId === end.turnId)) {
            if (data.role !== "user") assert.notStrictEqual(data.status, "completed", JSON.stringify(data))
            if (data.kind === "tool_call") assert.strictEqual(data.tool?.status, "failed")
          }
          yield* until(sessionId, "the resuming", isQuiet)
          yield* nothingMarked(server.marker)
          yield* noCommandWith("word2")
          yield* say(sessionId, "recall")
          const said = saidAfter(yield* events(sessionId), seq)
          assert.include(said, "word1")
          const after = yield* events(sessionId)
          assert.isEmpty(only(after, "backend.noted").filter(({ data }) => /left out|malformed/.test(data.message)))
          assert.strictEqual(only(after, "backend.resumed").length, 1)
        }),
      deadline
    )
  }

  it.live(
    "runs two sessions on one server, branches one at an event, and leaves no process at its end",
    () =>
      Effect.gen(function* () {
        const house = yield* openAgentHouse(agent)
        const scope = yield* Scope.make()
        const { events, holdfast, open, say, until } = yield* startRuntime(house).pipe(Scope.provide(scope))
        const [one, other] = [yield* open(), yield* open()]
        const first = yield* say(one, "run word11")
        yield* Effect.all([say(one, "run word12"), say(other, "run word21"), say(other, "say word22")], {
          concurrency: "unbounded"
        })
        const [toldOne, toldOther] = [yield* events(one), yield* events(other)]
        const servers = [yield* serverOf(toldOne), yield* serverOf(toldOther)]
        assert.strictEqual(servers[0]!.marker, servers[1]!.marker)
        assert.notInclude(JSON.stringify(toldOne), "word2")
        assert.notInclude(JSON.stringify(toldOther), "word1")

        const { sessionId: branch } = yield* holdfast.fork(one, { at: first.seq })
        const opened = yield* until(branch, "the branch's opening", isQuiet)
        yield* say(branch, "recall")
        const recalled = saidAfter(yield* events(branch), opened.seq)
        assert.include(recalled, "word11")
        assert.notInclude(recalled, "word12")

        yield* Scope.close(scope, Exit.void)
        yield* nothingMarked(servers[0]!.marker)
      }),
    deadline
  )
})
