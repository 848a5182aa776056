import { codexBackend } from "@holdfast/adapter-codex"
import { assert, describe, it } from "@effect/vitest"
import type { SandboxProvider } from "@holdfast/core/cloud"
import { Effect, Stream } from "effect"
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { isQuiet } from "../agents/agentRuntime.ts"
import {
  bundlesIn,
  type HandoffHouse,
  openHandoffHouse,
  specIn,
  startHandoffRuntime,
  statusOf
} from "./handoffHouse.ts"
import { bridgesOf, type CloudHouseOptions, codexInCloud, openCloud } from "./cloudHouse.ts"

const timeout = 90_000

/** The words that the model was told of, in what it was sent last. */
const knownTo = ({ model }: HandoffHouse) => [...new Set(JSON.stringify(model.requests.at(-1)!.body).match(/word\d+/g))]

const setUp = Effect.fnUntraced(function* (options: CloudHouseOptions = {}) {
  const house = yield* openHandoffHouse
  const cloud = yield* openCloud(house.folder, options)
  const { here } = house.environments
  const codex = codexBackend({ name: "here", home: here["CODEX_HOME"]!, env: { values: here } })
  const runtime = yield* startHandoffRuntime(house, { backends: [codex, cloud.backend] })
  const { sessionId } = yield* runtime.holdfast.create({ backend: "here", spec: specIn(house.project) })
  yield* runtime.until(sessionId, "the opening", isQuiet)
  return { house, cloud, sessionId, ...runtime }
})

/** A provider that takes its time to end a sandbox, as a remote one does. */
const slowToEnd = (provider: SandboxProvider): SandboxProvider => ({
  ...provider,
  destroy: (sandboxId) => Effect.delay(provider.destroy(sandboxId), 500)
})

describe("A session between this machine and a sandbox", () => {
  it.live(
    "goes there and comes back with its workspace, its log and what the agent remembers, and nothing of the sandbox is left",
    () =>
      Effect.gen(function* () {
        const { cloud, events, holdfast, house, say, sessionId, until } = yield* setUp()
        const seen: Array<number> = []
        yield* holdfast.follow(sessionId, 0).pipe(
          Stream.runForEach((item) =>
            Effect.sync(() => {
              if ("events" in item) seen.push(...item.events.map(({ seq }) => seq))
            })
          ),
          Effect.forkScoped
        )
        yield* say(sessionId, "say word1")
        const before = statusOf(house.project)

        yield* holdfast.handoff(sessionId, { backend: "cloud", spec: codexInCloud(house) })
        yield* until(sessionId, "the opening in the cloud", (state) => isQuiet(state) && state.backend === "cloud")
        yield* say(sessionId, "make word2")
        yield* say(sessionId, "recall")
        assert.deepStrictEqual(knownTo(house), ["word1", "word2"])
        assert.strictEqual(statusOf(house.project), before)
        assert.lengthOf(yield* cloud.sandboxes, 1)
        assert.deepStrictEqual(bundlesIn(house), [])

        yield* holdfast.handoff(sessionId, { backend: "here", spec: specIn(house.project) })
        yield* until(sessionId, "the opening back here", (state) => isQuiet(state) && state.backend === "here")
        assert.strictEqual(statusOf(house.project), `${before}? word2\n`)
        assert.strictEqual(readFileSync(join(house.project, "ignored"), "utf8"), "stays\n")
        assert.deepStrictEqual(readdirSync(dirname(house.project)), ["project"])
        yield* say(sessionId, "say word3")
        // A prompt waits for the end of what was left behind.
        assert.lengthOf(yield* cloud.sandboxes, 0)
        const state = yield* say(sessionId, "recall")
        assert.deepStrictEqual(knownTo(house), ["word1", "word2", "word3"])
        assert.deepInclude(state, { backend: "here", sandbox: null })
        assert.deepStrictEqual(
          seen,
          seen.map((_, index) => index + 1)
        )
        const turns = (yield* events(sessionId)).filter(({ type }) => type === "turn.completed")
        assert.lengthOf(turns, 5)
        assert.deepStrictEqual(bundlesIn(house), [])
      }).pipe(Effect.scoped),
    timeout
  )

  it.live(
    "takes along what was written between its turns, and comes back to where its folder is gone",
    () =>
      Effect.gen(function* () {
        const { holdfast, house, say, sessionId, until } = yield* setUp()
        yield* say(sessionId, "say word1")
        const before = statusOf(house.project)
        writeFileSync(join(house.project, "late"), "written between the turns\n")
        yield* holdfast.handoff(sessionId, { backend: "cloud", spec: codexInCloud(house) })
        yield* say(sessionId, "recall")
        assert.deepStrictEqual(knownTo(house), ["word1"])

        rmSync(house.project, { recursive: true })
        yield* holdfast.handoff(sessionId, { backend: "here", spec: specIn(house.project) })
        yield* until(sessionId, "the opening back here", (state) => isQuiet(state) && state.backend === "here")
        assert.strictEqual(statusOf(house.project), before.replace("? untracked", "? late\n? untracked"))
        assert.isFalse(existsSync(join(house.project, "ignored")))
      }).pipe(Effect.scoped),
    timeout
  )

  it.live(
    "leaves nothing of the sandbox behind, though the runtime is stopped as soon as it is back",
    () =>
      Effect.gen(function* () {
        const folder = yield* Effect.gen(function* () {
          const { holdfast, house, say, sessionId } = yield* setUp({ provider: slowToEnd })
          yield* say(sessionId, "say word1")
          yield* holdfast.handoff(sessionId, { backend: "cloud", spec: codexInCloud(house) })
          yield* say(sessionId, "recall")
          assert.isNotEmpty(bridgesOf(house.folder))
          yield* holdfast.handoff(sessionId, { backend: "here", spec: specIn(house.project) })
          return house.folder
        }).pipe(Effect.scoped)
        assert.deepStrictEqual(bridgesOf(folder), [])
      }),
    timeout
  )
})
