/** What sessions may run on, on this machine: terminals, and the coding agents. Nothing is started before a session asks for it. */
import { codexBackend } from "@holdfast/adapter-codex"
import { opencodeBackend } from "@holdfast/adapter-opencode"
import { ptyBackend } from "@holdfast/adapter-pty"
import type { Backend } from "@holdfast/core"
import { existsSync } from "node:fs"
import { join, resolve } from "node:path"

/** Variables by which agents are given their accounts; `HOLDFAST_AGENT_ENV` adds to them. */
const passed = ["OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "OPENROUTER_API_KEY"]

/** Where `npm run agents` puts the agents, in a checkout. */
const installed = resolve(import.meta.dirname, "../../../agents")

/** Names of what agents are given of this process's environment. */
export const agentVariables = (): ReadonlyArray<string> => [
  ...passed,
  ...(process.env["HOLDFAST_AGENT_ENV"] ?? "").split(",").filter((name) => name !== "")
]

/** Where agents are installed, where that is not where they are looked for by default. */
export const agentsFolder = (): string | undefined =>
  process.env["HOLDFAST_AGENTS"] ?? (existsSync(join(installed, "node_modules")) ? installed : undefined)

/** Makes them. */
export const backends = (): ReadonlyArray<Backend> => {
  const folder = agentsFolder()
  const options = { ...(folder === undefined ? {} : { agentsFolder: folder }), env: { pass: agentVariables() } }
  return [ptyBackend(), codexBackend(options), opencodeBackend(options)]
}
