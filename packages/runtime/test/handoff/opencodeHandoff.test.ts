import { assert, describe, it } from "@effect/vitest"
import { opencodeBackend } from "@holdfast/adapter-opencode"
import { Effect } from "effect"
import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { openAgentHouse } from "../agents/agentHouse.ts"
import { isQuiet } from "../agents/agentRuntime.ts"
import { openCloud } from "./cloudHouse.ts"
import { makeProject, startHandoffRuntime } from "./handoffHouse.ts"

describe("A session of Opencode that is moved", () => {
  it.live(
    "takes its workspace and what it remembers to another folder, into a sandbox, and back to the home that it came from",
    () =>
      Effect.gen(function* () {
        const { environment, model, path } = yield* openAgentHouse("opencode")
        const folder = dirname(path)
        const project = join(folder, "work", "project")
        const there = join(folder, "elsewhere", "project")
        makeProject(project)
        const knows = () => [...new Set(JSON.stringify(model.requests.at(-1)!.body).match(/word\d+/g))]
        const cloud = yield* openCloud(folder)
        const { holdfast, say, until } = yield* startHandoffRuntime(
          { folder, project, environments: { here: environment, there: environment } },
          { backends: [opencodeBackend({ env: { values: environment } }), cloud.backend] }
        )
        const local = (cwd: string) => ({ backend: "opencode", spec: { cwd, title: "A test" } })
        const { sessionId } = yield* holdfast.create(local(project))
        yield* until(sessionId, "the opening", isQuiet)
        yield* say(sessionId, "make word1")

        yield* holdfast.handoff(sessionId, local(there))
        yield* until(sessionId, "the opening there", isQuiet)
        yield* say(sessionId, "make word2")
        assert.isTrue(existsSync(join(there, "word1")))
        assert.isTrue(existsSync(join(there, "word2")))
        assert.isFalse(existsSync(join(project, "word2")))
        assert.deepStrictEqual(knows(), ["word1", "word2"])

        // The sandbox has its own data, and the same configuration.
        const { HOME: _, PATH: __, ...names } = environment as Record<string, string>
        const inside = { ...names, XDG_DATA_HOME: join(folder, "inside"), XDG_STATE_HOME: join(folder, "inside") }
        yield* holdfast.handoff(sessionId, {
          backend: "cloud",
          spec: {
            inner: { backend: "opencode", spec: { title: "A test" } },
            environment: { ...inside, HOLDFAST_AGENTS: process.env["HOLDFAST_AGENTS"]! }
          }
        })
        yield* until(sessionId, "the opening in the cloud", (state) => isQuiet(state) && state.backend === "cloud")
        yield* say(sessionId, "make word3")

        yield* holdfast.handoff(sessionId, local(there))
        yield* until(sessionId, "the opening back here", (state) => isQuiet(state) && state.backend === "opencode")
        yield* say(sessionId, "recall")
        assert.deepStrictEqual(knows(), ["word1", "word2", "word3"])
        assert.isTrue(existsSync(join(there, "word3")))
      }).pipe(Effect.scoped),
    240_000
  )
})
