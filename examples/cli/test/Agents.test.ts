import {
  agentTools,
  modelKeyName,
  ModelStep,
  type PlainScriptedModel,
  startScriptedModel,
  writeCodexHome,
  writeOpencodeHome
} from "@holdfast/testkit"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Home } from "./support/Home.ts"

interface Agent {
  readonly name: "codex" | "opencode"
  readonly tools: typeof agentTools.codex | typeof agentTools.opencode
  /** Its sandbox does not work from a temporary folder. */
  readonly flags: ReadonlyArray<string>
  /** Writes the agent's home and gives its environment. */
  readonly environment: (folder: string, url: string) => Readonly<Record<string, string>>
}

const agents: ReadonlyArray<Agent> = [
  {
    name: "codex",
    tools: agentTools.codex,
    flags: ["--backend", "codex", "--mode", "untrusted/danger-full-access"],
    environment: (folder, url) =>
      writeCodexHome({
        folder,
        url,
        settings: { "features.default_mode_request_user_input": true }
      }).environment
  },
  {
    name: "opencode",
    tools: agentTools.opencode,
    flags: ["--backend", "opencode"],
    environment: (folder, url) => writeOpencodeHome({ folder, url, permission: { bash: "ask" } }).environment
  }
]

for (const { environment, flags, name, tools } of agents) {
  describe(`with ${name}`, () => {
    let home: Home
    let model: PlainScriptedModel
    let folder: string

    beforeAll(async () => {
      model = await startScriptedModel({
        script: [
          { when: "greet", answers: [[ModelStep.text("Hello from the model.", { chunkSize: 4 })]] },
          { when: "take care", answers: [[ModelStep.text("With care.")]] },
          { when: "run it", answers: [[tools.shell("echo ran-it")], [ModelStep.text("It ran.")]] },
          {
            when: "ask me",
            answers: [
              [
                tools.question({
                  header: "Colour",
                  question: "Which colour?",
                  options: [
                    { label: "Red", description: "warm" },
                    { label: "Blue", description: "cold" }
                  ]
                })
              ],
              [ModelStep.text("Thank you.")]
            ]
          },
          { when: "go on", answers: [[ModelStep.text("Well, "), ModelStep.gate("never"), ModelStep.text("so.")]] },
          { when: "break", answers: [[ModelStep.httpError(400, { message: "the model is out of order" })]] }
        ]
      })
      folder = mkdtempSync(join(tmpdir(), "holdfast-cli-agent-"))
      const variables = environment(join(folder, name), model.url)
      home = await Home.make({ ...variables, HOLDFAST_AGENT_ENV: `${modelKeyName},CODEX_HOME,OPENCODE_*` })
    })
    afterAll(async () => {
      await home.close()
      await model.close()
      rmSync(folder, { recursive: true })
    })

    /** Starts a session that only waits; gives its id. */
    const detached = async (prompt: string) => {
      const { code, err, out } = await home.run("run", ...flags, "--detach", prompt)
      expect({ code, err }).toEqual({ code: 0, err: "" })
      return out.trim()
    }
    /** The session's first event of a type, waiting for it. */
    const waitFor = async (id: string, type: string) => {
      const log = home.start(["log", id, "--follow", "--json"])
      await log.printed(`"type":"${type}"`)
      log.child.kill("SIGINT")
      await log.ended
    }

    it("runs one prompt, streams the answer as text, and ends with 0", async () => {
      const { code, out } = await home.run("run", ...flags, "please greet me")
      expect({ code, out: out.trim() }).toEqual({ code: 0, out: "Hello from the model." })
    })

    it("takes the prompt from a pipe", async () => {
      const { code, out } = await home.start(["run", ...flags], "greet me from a pipe\n").ended
      expect({ code, out: out.trim() }).toEqual({ code: 0, out: "Hello from the model." })
    })

    it("goes on with a session that has ended, and knows what was said", async () => {
      const { out } = await home.run("run", ...flags, "--json", "greet me")
      const events = out
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as { readonly sessionId: string; readonly type: string })
      expect(events.at(-1)?.type).toBe("turn.completed")
      const { sessionId } = events[0]!
      const second = await home.run("prompt", sessionId, "greet me again")
      expect({ code: second.code, out: second.out.trim() }).toEqual({ code: 0, out: "Hello from the model." })
      const last = model.requests.at(-1)!
      expect(JSON.stringify(last.body)).toContain("Hello from the model.")
      await home.run("kill", sessionId)
    })

    it("waits for a permission until it is approved, and shows what came of it", async () => {
      const id = await detached("run it")
      await waitFor(id, "permission.requested")
      expect((await home.run("answer", id, "x")).code).toBe(2)
      const approved = await home.run("approve", id)
      expect(approved.code).toBe(0)
      await waitFor(id, "turn.completed")
      expect((await home.run("log", id, "--json")).out).toContain("ran-it\\n")
      const text = await home.run("export", id, "--format", "text")
      expect(text.out).toContain("run it")
      expect(text.out).toContain("It ran.")
      expect((await home.run("screen", id)).out).toBe(text.out)
      expect((await home.run("replay", id, "--speed", "1000")).out).toBe(text.out)
      const [header, ...lines] = (await home.run("export", id, "--format", "cast")).out.trim().split("\n")
      expect(JSON.parse(header!)).toMatchObject({ version: 2 })
      expect(lines.map((line) => (JSON.parse(line) as [number, string, string])[2]).join("")).toContain("It ran.")
      await home.run("kill", id)
    })

    it("steers the turn that runs with a prompt, and refuses to where none does", async () => {
      const id = await detached("run it")
      await waitFor(id, "permission.requested")
      expect((await home.run("prompt", id, "--steer", "--detach", "take care")).code).toBe(0)
      expect((await home.run("approve", id)).code).toBe(0)
      await waitFor(id, "turn.completed")
      const events = (await home.run("log", id, "--json")).out
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as { readonly type: string })
      expect(events.filter(({ type }) => type === "turn.started")).toHaveLength(1)
      expect(events.filter(({ type }) => type === "prompt.delivered")).toHaveLength(2)
      expect(JSON.stringify(model.requests.at(-1)!.body)).toContain("take care")
      const late = await home.run("prompt", id, "--steer", "once more")
      expect(late.code).toBe(3)
      expect(late.err).toContain("send the prompt without --steer")
      await home.run("kill", id)
    })

    it("does not run what is rejected", async () => {
      const id = await detached("run it")
      await waitFor(id, "permission.requested")
      expect((await home.run("approve", id, "--option", "nonsense")).err).toContain("there is no such option")
      expect((await home.run("approve", id, "--reject")).code).toBe(0)
      await waitFor(id, "turn.completed")
      const { out } = await home.run("log", id, "--json")
      expect(out).not.toContain('"exitCode":0')
      await home.run("kill", id)
    })

    it("answers a question by an option's number", async () => {
      const id = await detached("ask me")
      await waitFor(id, "question.asked")
      const shown = await home.run("answer", id)
      expect(shown.err).toContain("Which colour?")
      expect((await home.run("answer", id, "2")).code).toBe(0)
      await waitFor(id, "turn.completed")
      const { out } = await home.run("log", id, "--json")
      expect(out).toContain('["Blue"]')
      await home.run("kill", id)
    })

    it("interrupts a turn with Ctrl-C and with the command, and ends with 130", async () => {
      const running = home.start(["run", ...flags, "go on"])
      await running.printed("Well,")
      running.child.kill("SIGINT")
      expect((await running.ended).code).toBe(130)

      const id = await detached("go on")
      await waitFor(id, "turn.started")
      expect((await home.run("interrupt", id)).code).toBe(0)
      await waitFor(id, "turn.completed")
      expect((await home.run("log", id)).out).toContain("interrupted")
      await home.run("kill", id)
    })

    it("says why a turn failed, and ends with 5", async () => {
      const { code, err } = await home.run("run", ...flags, "break")
      expect(code).toBe(5)
      expect(err).toContain("the model is out of order")
    })

    it("is a terminal to talk in: shows the answer, takes the next prompt and answers, and is left running", async () => {
      const terminal = home.terminal(["run", ...flags, "greet me"], { cols: 100, rows: 30 })
      await terminal.shows("Hello from the model.")
      terminal.type("run it\r")
      await terminal.shows("1)")
      terminal.type("1\r")
      await terminal.shows("It ran.")
      terminal.type("\u001c")
      expect(await terminal.exited).toBe(0)
      const { sessions } = await home.json<{
        readonly sessions: ReadonlyArray<{ readonly sessionId: string; readonly lifecycle: string }>
      }>("ls")
      const left = sessions.filter(({ lifecycle }) => lifecycle === "open")
      expect(left).toHaveLength(1)
      const again = home.terminal(["attach", left[0]!.sessionId], { cols: 60, rows: 20 })
      await again.shows("It ran.")
      again.type("\u001c")
      await again.exited
      await home.run("kill", left[0]!.sessionId)
    })
  })
}

describe("without an agent", () => {
  it("says how to install it, and ends with 5", async () => {
    const home = await Home.make({ PATH: "/nonesuch", HOLDFAST_AGENTS: "/nonesuch" })
    try {
      const { code, err } = await home.run("run", "--backend", "codex", "hello")
      expect(code).toBe(5)
      expect(err).toContain("npm install --prefix /nonesuch @openai/codex@")
    } finally {
      await home.close()
    }
  })

  it("refuses flags that make no sense together", async () => {
    const home = await Home.make()
    try {
      expect((await home.run("run", "--model", "m", "--", "true")).err).toContain("--backend")
      expect((await home.run("run", "--backend", "codex", "--env", "A=b", "hello")).err).toContain("--env")
      expect((await home.run("run", "--backend", "codex")).err).toContain("nothing to say")
      expect((await home.run("run", "--backend", "codex", "--mode", "bold", "hello")).err).toContain("untrusted/")
    } finally {
      await home.close()
    }
  })
})
