/** What the runtime's tests with real agents need: a scripted model, a home for an agent that knows no other, a project. */
import { codexBackend } from "@holdfast/adapter-codex"
import { opencodeBackend } from "@holdfast/adapter-opencode"
import type { Backend } from "@holdfast/core"
import {
  agentTools,
  makeScriptedModel,
  type ModelRequest,
  type ModelScript,
  ModelStep,
  type ScriptedModel,
  writeCodexHome,
  writeOpencodeHome
} from "@holdfast/testkit"
import { Effect, type Scope } from "effect"
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** The agents that the tests run. */
export const agentNames = ["codex", "opencode"] as const
export type AgentName = (typeof agentNames)[number]

/** What a process needs to run an agent's backend in a house: plain JSON, for processes that a test starts. */
export interface AgentPlace {
  readonly agent: AgentName
  readonly home: string
  readonly environment: Readonly<Record<string, string>>
  /** What sessions are created with. */
  readonly spec: unknown
  /** The same for sessions in which `ask` asks for a permission. */
  readonly askingSpec: unknown
  /** The file of the log. */
  readonly path: string
}

/** A place with the model that the agent there talks to. */
export interface AgentHouse extends AgentPlace {
  readonly model: ScriptedModel
}

/** The backend of a place. */
export const agentBackend = ({ agent, environment, home }: AgentPlace): Backend =>
  agent === "codex"
    ? codexBackend({ home, env: { values: environment } })
    : opencodeBackend({ env: { values: environment } })

type Act = (word: string, request: ModelRequest) => ReadonlyArray<ModelStep.ModelStep> | undefined

/** What the first word of a prompt lets the model do, with the second. What it leaves open is answered by default. */
const acts = (agent: AgentName): Readonly<Record<string, Act>> => ({
  say: (word) => [ModelStep.text(`said ${word}`, { chunkSize: 2, delayMs: 20 })],
  run: (word, { step }) => (step === 0 ? [agentTools[agent].shell(`echo ${word}`)] : undefined),
  make: (word, { step }) => (step === 0 ? [agentTools[agent].shell(`touch ${word}`)] : undefined),
  runs: (word, { step }) => (step === 0 ? [agentTools[agent].shell(`sh -c "sleep 60; echo ${word}"`)] : undefined),
  ask: (word, { step }) => (step === 0 ? [agentTools[agent].shell(`printf ${word}`)] : undefined),
  // A text whose second piece does not come.
  begin: (word) => [ModelStep.text([word, " and more"], { delayMs: 600_000 })],
  recall: (_, { body }) => [ModelStep.text([...new Set(JSON.stringify(body).match(/word\d+/g))].join(" "))]
})

/** Words by which a prompt and what came of it are known: `word1`, `word2` … */
const scriptOf = (agent: AgentName): ModelScript => {
  const known = acts(agent)
  return (request) => {
    const [act, word] = request.prompt.split(/\s+/)
    return request.purpose === "turn" ? known[act ?? ""]?.(word ?? "", request) : undefined
  }
}

/** Builds a house; the scope's end takes it down. */
export const openAgentHouse = (agent: AgentName): Effect.Effect<AgentHouse, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => realpathSync(mkdtempSync(join(tmpdir(), `holdfast-${agent}-`)))),
      (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }))
    )
    const model = yield* makeScriptedModel({ script: scriptOf(agent) })
    const cwd = join(folder, "project")
    mkdirSync(cwd)
    const home = join(folder, "home")
    const { environment } =
      agent === "codex"
        ? writeCodexHome({ folder: home, url: model.url })
        : writeOpencodeHome({
            folder: home,
            url: model.url,
            permission: { bash: { "*": "allow", "printf *": "ask" } }
          })
    const spec =
      agent === "codex" ? { cwd, approvalPolicy: "never", sandbox: "danger-full-access" } : { cwd, title: "A test" }
    const askingSpec = agent === "codex" ? { ...spec, approvalPolicy: "untrusted" } : spec
    return { agent, model, home, environment, spec, askingSpec, path: join(folder, "log.db") }
  })
