/** The coding agents inside of a bridge: a turn of each, with a tool that really runs, and nothing left of them. */
import { makeUuid, PromptId } from "@holdfast/core"
import { promises } from "@holdfast/process"
import { agentTools, ModelStep, startScriptedModel, writeCodexHome, writeOpencodeHome } from "@holdfast/testkit"
import { execFileSync } from "node:child_process"
import { mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe } from "vitest"
import { bridgeIt, type BridgeTest } from "./support/bridgeTest.ts"
import type { CopiedEvent } from "./support/ControlPlane.ts"
import { opening } from "./support/opening.ts"

/** Runs one prompt, in whose turn the model writes a file by a tool, and kills the bridge afterwards. */
const runTurn = async (
  { closing, control, house }: BridgeTest,
  agent: "codex" | "opencode",
  environmentOf: (home: string, url: string) => Readonly<Record<string, string>>
) => {
  const shell = agentTools[agent].shell
  const model = await startScriptedModel({
    script: [
      { when: "write it", answers: [[shell("echo by the agent > written")], [ModelStep.text("It is written.")]] }
    ]
  })
  closing(model.close)
  const plane = await control()
  const made = await house({
    HOLDFAST_BRIDGE_URL: plane.url,
    HOLDFAST_AGENTS: process.env["HOLDFAST_AGENTS"] ?? ""
  })
  const project = join(made.workspace, "project")
  mkdirSync(project)
  execFileSync("git", ["init", "--quiet", project])
  const bridge = made.start(environmentOf(join(made.folder, "agent"), model.url))
  await plane.waitUntil("it greets", () => plane.hellos.length === 1)

  const spec = agent === "codex" ? { sandbox: "danger-full-access", approvalPolicy: "never" } : {}
  const opened = await plane.command({ ...opening(1), backend: agent, spec: { cwd: "project", ...spec } })
  assert.deepNestedInclude(opened, { type: "performed", "result.opened.capabilities.prompts": true })
  const promptId = PromptId.make(makeUuid())
  const content = [{ type: "text" as const, text: "write it" }]
  const delivered = await plane.perform({ type: "prompt", promptId, content, delivery: "queue" }, 3)
  assert.deepInclude(delivered, { type: "performed" })
  await plane.waitUntil("the turn ends", () => plane.events.some(({ type }) => type === "turn.completed"), 30_000)
  assert.strictEqual(readFileSync(join(project, "written"), "utf8"), "by the agent\n")
  assert.include(JSON.stringify(plane.events), "It is written.")

  const { nativeId } = plane.events.findLast((event) => event.type === "backend.identified")?.data ?? {}
  const known = nativeId ?? (opened.type === "performed" ? opened.result.opened?.nativeId : undefined)
  assert.isString(known)
  const lostOf = async (generation: number) => {
    await plane.waitUntil("the loss is told", () => plane.events.at(-1)?.type === "backend.lost")
    assert.strictEqual(plane.events.at(-1)!.generation, generation)
  }
  const openAgain = async (generation: number) => {
    const again = { ...opening(generation), backend: agent, spec: { cwd: "project", ...spec }, nativeId: known! }
    assert.deepInclude(await plane.command(again), { type: "performed" })
    const isServer = (event: CopiedEvent) => event.type === "process.spawned" && event.generation === generation
    await plane.waitUntil("its server is told", () => plane.events.some(isServer))
    const server = plane.events.find(isServer)
    assert(server?.type === "process.spawned")
    return server.data
  }

  // The agent dies alone: the sandbox and its bridge live on.
  const server = plane.events.find((event) => event.type === "process.spawned")
  assert(server?.type === "process.spawned")
  process.kill(server.data.pid, "SIGKILL")
  await lostOf(1)
  const second = await openAgain(2)
  assert.strictEqual(plane.hellos.length, 1)

  bridge.kill("SIGKILL")
  await bridge.exited
  made.start(environmentOf(join(made.folder, "agent"), model.url))
  await lostOf(2)
  assert.isFalse(await promises.isAlive(second))
  await openAgain(3)
}

describe("an agent in a bridge", () => {
  bridgeIt("Codex performs a turn, and is opened again when it dies, alone or with its bridge", (test) =>
    runTurn(test, "codex", (folder, url) => writeCodexHome({ folder, url }).environment)
  )

  bridgeIt("Opencode performs a turn, and is opened again when it dies, alone or with its bridge", (test) =>
    runTurn(test, "opencode", (folder, url) => writeOpencodeHome({ folder, url }).environment)
  )
})
