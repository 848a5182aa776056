/** The coding agents inside of a bridge: a turn of each, with a tool that really runs, and nothing left of them. */
import { makeUuid, PromptId } from "@holdfast/core"
import { promises } from "@holdfast/process"
import { agentTools, ModelStep, startScriptedModel, writeCodexHome, writeOpencodeHome } from "@holdfast/testkit"
import { execFileSync } from "node:child_process"
import { mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe } from "vitest"
import { bridgeIt, type BridgeTest } from "./support/bridgeTest.ts"
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

  const server = plane.events.find((event) => event.type === "process.spawned")
  assert(server?.type === "process.spawned")
  bridge.kill("SIGKILL")
  await bridge.exited
  made.start(environmentOf(join(made.folder, "agent"), model.url))
  await plane.waitUntil("the loss is told", () => plane.events.at(-1)?.type === "backend.lost")
  assert.isFalse(await promises.isAlive(server.data))
  const { nativeId } = plane.events.findLast((event) => event.type === "backend.identified")?.data ?? {}
  const known = nativeId ?? (opened.type === "performed" ? opened.result.opened?.nativeId : undefined)
  assert.isString(known)
  const again = await plane.command({
    ...opening(2),
    backend: agent,
    spec: { cwd: "project", ...spec },
    nativeId: known!
  })
  assert.deepInclude(again, { type: "performed" })
}

describe("an agent in a bridge", () => {
  bridgeIt("Codex performs a turn, dies with its bridge, and is opened again", (test) =>
    runTurn(test, "codex", (folder, url) => writeCodexHome({ folder, url }).environment)
  )

  bridgeIt("Opencode performs a turn, dies with its bridge, and is opened again", (test) =>
    runTurn(test, "opencode", (folder, url) => writeOpencodeHome({ folder, url }).environment)
  )
})
