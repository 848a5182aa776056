import { assert, describe, it } from "@effect/vitest"
import { buildLocalImage, dockerSandboxes } from "@holdfast/adapter-cloud/docker"
import { processSandboxes } from "@holdfast/adapter-cloud/process"
import { codexBackend } from "@holdfast/adapter-codex"
import { opencodeBackend } from "@holdfast/adapter-opencode"
import type { Backend } from "@holdfast/core"
import type { SandboxProvider } from "@holdfast/core/cloud"
import { makeContainerEngine, writeCodexHome } from "@holdfast/testkit"
import { Effect, type Scope } from "effect"
import { execFileSync } from "node:child_process"
import { cpSync, existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { sandboxesOn } from "../../../adapter-cloud/test/docker/engineOfTests.ts"
import { type AgentHouse, openAgentHouse } from "../agents/agentHouse.ts"
import { isQuiet } from "../agents/agentRuntime.ts"
import { bridgeIn, buildBridgeIn, openCloud } from "./cloudHouse.ts"
import { makeProject, startHandoffRuntime, statusOf } from "./handoffHouse.ts"

const agents = process.env["HOLDFAST_AGENTS"]!

/** An agent on this machine, and in a sandbox: its configuration is on this machine, what it remembers in the sandbox alone. */
interface Mover {
  readonly here: (house: AgentHouse) => Backend
  readonly spec: object
  /** Another home of it, for a sandbox. */
  readonly furnish: (house: AgentHouse, home: string) => void
  /** Variables of the sandbox, whose own copy of that home is at `home`. */
  readonly inside: (house: AgentHouse, home: string) => Readonly<Record<string, string>>
}

const movers: Readonly<Record<"codex" | "opencode", Mover>> = {
  codex: {
    here: ({ environment, home }) => codexBackend({ home, env: { values: environment } }),
    furnish: ({ model }, folder) => void writeCodexHome({ folder, url: model.url }),
    spec: { approvalPolicy: "never", sandbox: "danger-full-access" },
    inside: ({ environment }, home) => ({ ...environment, CODEX_HOME: home })
  },
  opencode: {
    here: ({ environment }) => opencodeBackend({ env: { values: environment } }),
    // As it is before the agent of this machine has written to its own.
    furnish: (house, folder) => cpSync(house.home, folder, { recursive: true }),
    spec: { title: "A test" },
    inside: ({ environment }, home) => {
      const { HOME: _, PATH: __, ...names } = environment as Record<string, string>
      const moved = Object.entries(names).map(([name, value]) => [name, value.replace(/^.*\/home(?=\/)/, home)])
      return Object.fromEntries(moved) as Record<string, string>
    }
  }
}

/** Where a sandbox has its copy of the agent's configuration. */
const homeIn = "/tmp/agent-home"

/** Starts the bridge with a copy of a folder. */
const withHome = (from: string, ...words: ReadonlyArray<string>) => [
  "/bin/sh",
  "-c",
  `cp -r "$0" ${homeIn} && exec "$@"`,
  from,
  ...words
]

type Where = "a container" | "a folder of its own behind bubblewrap"

/** Sandboxes with a file system of their own. */
const sandboxes: Readonly<
  Record<Where, (home: string, folder: string) => Effect.Effect<SandboxProvider, unknown, Scope.Scope>>
> = {
  "a container": Effect.fnUntraced(function* (home, folder) {
    const engine = yield* makeContainerEngine
    yield* buildLocalImage({ engine: { socketPath: engine.socketPath }, program: bridgeIn(folder) })
    // For the user of the container.
    execFileSync("chmod", ["-R", "a+rwX", home])
    return dockerSandboxes({
      ...sandboxesOn(engine),
      // The scripted model listens on this machine's loopback interface.
      network: "host",
      mounts: [{ from: home, writable: true }, { from: agents }]
    })
  }),
  "a folder of its own behind bubblewrap": (home, folder) =>
    Effect.succeed(
      processSandboxes({
        folder: join(folder, "sandboxes"),
        isolation: "bubblewrap",
        program: withHome(home, process.execPath, bridgeIn(folder)),
        readable: [home, agents, process.execPath, bridgeIn(folder)]
      })
    )
}

/** Opencode takes a minute where the machine is busy: once is enough. */
const ways: ReadonlyArray<readonly [agent: "codex" | "opencode", where: Where]> = [
  ["codex", "a container"],
  ["opencode", "a container"],
  ["codex", "a folder of its own behind bubblewrap"]
]

describe("A session that is moved into a sandbox with a file system of its own", () => {
  it.live.each(ways)(
    "has its uncommitted and new files there and what %s remembers, in %s, and brings both back",
    ([agent, where]) =>
      Effect.gen(function* () {
        const house = yield* openAgentHouse(agent)
        const folder = dirname(house.path)
        const project = join(folder, "work", "project")
        makeProject(project)
        yield* buildBridgeIn(folder)
        const { furnish, here, inside, spec } = movers[agent]
        const home = join(folder, "agent-home")
        furnish(house, home)
        const provider = yield* sandboxes[where](home, folder)
        const isContainer = where === "a container"
        const cloud = yield* openCloud(folder, { provider: () => provider })
        const { holdfast, say, until } = yield* startHandoffRuntime(
          { folder, project, environments: { here: house.environment, there: house.environment } },
          { backends: [here(house), cloud.backend] }
        )
        const knows = () => [...new Set(JSON.stringify(house.model.requests.at(-1)!.body).match(/word\d+/g))]
        const local = { backend: agent, spec: { ...spec, cwd: project } }
        const { sessionId } = yield* holdfast.create(local)
        yield* until(sessionId, "the opening", isQuiet)
        yield* say(sessionId, "make word1")
        const before = statusOf(project)
        assert.include(before, "? word1")

        yield* holdfast.handoff(sessionId, {
          backend: "cloud",
          spec: {
            inner: { backend: agent, spec },
            environment: { ...inside(house, isContainer ? home : homeIn), HOLDFAST_AGENTS: agents }
          }
        })
        yield* say(sessionId, "make word2")
        const there = yield* say(sessionId, "recall")
        assert.deepStrictEqual(knows(), ["word1", "word2"])
        assert.deepInclude(there, { backend: "cloud", generation: 2 })
        assert.isFalse(existsSync(join(project, "word2")))

        yield* holdfast.handoff(sessionId, local)
        const back = yield* say(sessionId, "recall")
        assert.deepInclude(back, { backend: agent, generation: 3, sandbox: null })
        assert.deepStrictEqual(knows(), ["word1", "word2"])
        assert.strictEqual(statusOf(project), `${before}? word2\n`)
        assert.strictEqual(readFileSync(join(project, "changed"), "utf8"), "after\n")
        assert.deepStrictEqual(yield* provider.list("handoff-test"), [])
      }).pipe(Effect.scoped),
    240_000
  )
})
