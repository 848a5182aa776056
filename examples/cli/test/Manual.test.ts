import {
  modelKeyName,
  type PlainScriptedModel,
  startScriptedModel,
  writeCodexHome,
  writeOpencodeHome
} from "@holdfast/testkit"
import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { command, Home } from "./support/Home.ts"

const manual = readFileSync(join(import.meta.dirname, "../../../docs/cli.md"), "utf8")

/** Milliseconds for the whole manual: some forty lines, most of which start a program, an agent or a sandbox, one after the other. */
const manualTimeoutMs = 240_000

/** The lines of the manual's shell blocks, in order. */
const lines = [...manual.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block]) => block!.trim().split("\n"))

let home: Home
let model: PlainScriptedModel
const agents = mkdtempSync(join(tmpdir(), "holdfast-manual-"))
beforeAll(async () => {
  // The agents' commands need agents, which need a model.
  model = await startScriptedModel()
  home = await Home.make({
    ...writeOpencodeHome({ folder: join(agents, "opencode"), url: model.url }).environment,
    ...writeCodexHome({ folder: join(agents, "codex"), url: model.url }).environment,
    HOLDFAST_AGENT_ENV: `${modelKeyName},CODEX_HOME,OPENCODE_*`
  })
})
afterAll(async () => {
  await home.close()
  await model.close()
  rmSync(agents, { recursive: true })
})

/** Runs a line in a shell that goes on from line to line; `holdfast` is the real command. */
const makeShell = () => {
  const shell = spawn("bash", ["--norc"], { env: { ...home.env, CI: "1" }, cwd: home.directory, stdio: "pipe" })
  let output = ""
  let look = () => {}
  for (const stream of [shell.stdout, shell.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      output += chunk.toString()
      look()
    })
  }
  shell.stdin.write(`holdfast() { ${command.join(" ")} "$@"; }\n`)
  const run = (line: string) =>
    new Promise<{ readonly code: number; readonly output: string }>((resolve) => {
      output = ""
      look = () => {
        const end = /\[ended (\d+)\]/.exec(output)
        if (end !== null) resolve({ code: Number(end[1]), output: output.slice(0, end.index) })
      }
      // A pipe is its own input.
      shell.stdin.write(`${line}${line.includes(" | ") ? "" : " < /dev/null"}; echo "[ended $?]"\n`)
    })
  const close = () => new Promise<void>((resolve) => shell.once("close", () => resolve()).stdin.end("exit\n"))
  return { run, close }
}

/** `attach` reads the end of its input as Ctrl-D, which ends `cat`: the `kill` that follows comes too late. */
const expectedCode = (line: string): number =>
  line === "holdfast ls --follow" ? 130 : line.includes("kill $ID") ? 3 : 0

describe("the manual", () => {
  it("has commands that work, each as it is written", { timeout: manualTimeoutMs }, async () => {
    expect(lines.length).toBeGreaterThan(25)
    const shell = makeShell()
    /** Runs a line as a person would, and gives its exit code: those that go on for ever are left. */
    const use = async (line: string) => {
      if (line === "holdfast ls --follow") {
        const follower = home.start(["ls", "--follow"])
        await follower.printed("chat")
        follower.child.kill("SIGINT")
        return { line, code: (await follower.ended).code }
      }
      const { code, output } = await shell.run(line.includes("--read-only") ? `${line} & true` : line)
      return code === expectedCode(line) ? { line, code } : { line, code, output }
    }
    for (const line of lines) expect(await use(line)).toEqual({ line, code: expectedCode(line) })
    expect(statSync(join(home.directory, "chat.cast")).mode & 0o777).toBe(0o600)
    await shell.close()
  })

  it("names every command and every flag", async () => {
    const { out } = await home.run("--help")
    const commands = [...out.matchAll(/^ {2}([a-z]+)(?:, [a-z]+)? {2,}/gm)].map(([, name]) => name!)
    const helps = await Promise.all(commands.map((name) => home.run(name, "--help")))
    const flags = helps.flatMap((help) => [...help.out.matchAll(/^ {2}(--[a-z-]+)/gm)].map(([, flag]) => flag!))
    const unnamed = [...commands, ...flags].filter((word) => !manual.includes(word) && word !== "--help")
    expect(unnamed).toEqual([])
  })
})
