/** The coding agents that sessions may run on. Nothing is looked for or started before a session asks for one. */
import { codexBackend } from "@holdfast/adapter-codex"
import { opencodeBackend } from "@holdfast/adapter-opencode"
import type { Backend } from "@holdfast/core"
import { existsSync } from "node:fs"
import { dirname, join } from "node:path"

/** Names of the variables by which agents are given their accounts, and what `HOLDFAST_AGENT_ENV` adds to them. */
export const passedNames = (): ReadonlyArray<string> => [
  "OPENAI_API_KEY",
  "OPENAI_BASE_URL",
  "ANTHROPIC_API_KEY",
  "GEMINI_API_KEY",
  "OPENROUTER_API_KEY",
  ...(process.env["HOLDFAST_AGENT_ENV"] ?? "").split(",").filter((name) => name !== "")
]

/** The folder of agents that `npm run agents` fills in a checkout; undefined where this is none. */
const checkoutAgents = (): string | undefined => {
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) {
    const agents = join(folder, "agents")
    if (existsSync(join(agents, "package-lock.json"))) return agents
  }
  return undefined
}

/** Where agents are installed, where that is not where they are looked for by default. */
export const installedAgents = (): string | undefined => process.env["HOLDFAST_AGENTS"] ?? checkoutAgents()

/** Makes them. */
export const agentBackends = (): ReadonlyArray<Backend> => {
  const agentsFolder = installedAgents()
  const options = {
    ...(agentsFolder === undefined ? {} : { agentsFolder }),
    env: { pass: passedNames() }
  }
  return [codexBackend(options), opencodeBackend(options)]
}
