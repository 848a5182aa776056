import { readFileSync } from "node:fs"
import { join } from "node:path"
import {
  agentTools,
  agentToolsOf,
  type ModelScript,
  ModelStep,
  writeCodexHome,
  writeOpencodeHome
} from "@holdfast/testkit"
import { assert, describe, it } from "vitest"
import { startCodex, startOpencode } from "./agentPrograms.ts"

/** Milliseconds for one of these tests. They take one and four seconds, and Opencode ten times that where many want the processor. */
const deadline = 120_000

/** One script for both agents. */
const script: ModelScript = [
  {
    when: "work",
    answers: [
      (request) => [
        ModelStep.reasoning("First the files."),
        ModelStep.text("I begin.", { chunkSize: 2 }),
        agentToolsOf(request).writeFile("notes.txt", "one\ntwo\nthree\n"),
        agentToolsOf(request).shell("echo shell-$((20 + 22))")
      ],
      (request) => [agentToolsOf(request).editFile("notes.txt", "two", "zwei")],
      (request) => [
        ModelStep.text(request.toolResults.map(({ name }) => name).join()),
        ModelStep.usage({ inputTokens: 7 })
      ]
    ]
  },
  {
    when: "fall",
    answers: [({ attempt }) => (attempt === 0 ? [ModelStep.drop("mid stream")] : [ModelStep.text("up")])]
  },
  { when: "break", answers: [[ModelStep.httpError(400, { message: "scripted trouble" })]] },
  {
    when: "ask",
    answers: [
      (request) => [
        agentToolsOf(request).question({
          header: "Colour",
          question: "Which colour?",
          options: [
            { label: "Red", description: "warm" },
            { label: "Blue", description: "cold" }
          ]
        })
      ],
      ({ toolResults }) => [ModelStep.text(`So ${/Blue/.exec(toolResults.at(-1)?.output ?? "")?.[0]}.`)]
    ]
  }
]

describe("codex app-server with a scripted model", () => {
  it(
    "streams text, works with its own tools, asks, retries, fails and compacts as the script says",
    { timeout: deadline },
    async () => {
      await using codex = await startCodex(
        { script },
        (folder, url) =>
          writeCodexHome({
            folder,
            url,
            retries: { stream: 1 },
            settings: { "features.default_mode_request_user_input": true }
          }),
        (method, params) => {
          assert.strictEqual(method, "item/tool/requestUserInput")
          const [question] = params["questions"] as ReadonlyArray<{ readonly id: string }>
          return { answers: { [question!.id]: { answers: ["Blue"] } } }
        }
      )
      const { model } = codex

      const plain = await codex.prompt("Say this back.")
      assert.deepStrictEqual([plain.status, plain.items.at(-1)?.["text"]], ["completed", "Say this back."])
      assert.notInclude(JSON.stringify(plain.notified), "Model metadata", "the catalogue is used")

      const work = await codex.prompt("Now work.")
      assert.strictEqual(work.status, "completed")
      const reasoning = work.items.find(({ type }) => type === "reasoning")
      assert.deepStrictEqual(reasoning?.["summary"], ["First the files."])
      const deltas = work.notified.filter(({ method }) => method === "item/agentMessage/delta")
      assert.deepStrictEqual(
        deltas.slice(0, 4).map(({ params }) => params["delta"]),
        ["I ", "be", "gi", "n."]
      )
      const command = work.items.find(({ type }) => type === "commandExecution")
      assert.deepStrictEqual([command?.["exitCode"], command?.["aggregatedOutput"]], [0, "shell-42\n"])
      assert.strictEqual(readFileSync(join(codex.folder, "notes.txt"), "utf8"), "one\nzwei\nthree\n")
      assert.strictEqual(work.items.at(-1)?.["text"], "apply_patch,exec_command,apply_patch")
      const tokens = work.notified.findLast(({ method }) => method === "thread/tokenUsage/updated")
      const usage = tokens?.params["tokenUsage"] as { readonly last: { readonly inputTokens: number } }
      assert.strictEqual(usage.last.inputTokens, 7)
      assert.deepStrictEqual(
        model.requests.slice(1).map(({ conversation, purpose, step }) => [conversation, purpose, step]),
        [0, 1, 2].map((step) => [codex.threadId, "turn", step])
      )
      assert.notInclude(JSON.stringify(work.notified), "HOLDFAST_MODEL_KEY")

      const asked = await codex.prompt("Please ask me.")
      assert.strictEqual(asked.items.at(-1)?.["text"], "So Blue.")

      const fallen = await codex.prompt("Now fall.")
      assert.deepStrictEqual([fallen.status, fallen.items.at(-1)?.["text"]], ["completed", "up"])
      assert.deepStrictEqual(
        model.requests.slice(-2).map(({ attempt, state }) => [attempt, state]),
        [
          [0, "broken"],
          [1, "answered"]
        ]
      )

      const broken = await codex.prompt("Now break.")
      assert.strictEqual(broken.status, "failed")
      assert.include(broken.error, "scripted trouble")
      assert.lengthOf(
        model.requests.filter(({ prompt }) => prompt === "Now break."),
        1
      )

      const shape = {
        type: "object",
        properties: { a: { type: "string" } },
        required: ["a"],
        additionalProperties: false
      }
      model.setScript((request) =>
        request.purpose === "structured" ? [agentTools.codex.structured({ a: "b" })] : undefined
      )
      const structured = await codex.turn("turn/start", {
        input: [{ type: "text", text: "json" }],
        outputSchema: shape
      })
      assert.strictEqual(structured.items.at(-1)?.["text"], `{"a":"b"}`)

      const compacted = await codex.turn("thread/compact/start", {})
      assert.strictEqual(compacted.status, "completed")
      assert.strictEqual(model.requests.at(-1)?.purpose, "compaction")
      assert.strictEqual((await codex.prompt("And on.")).items.at(-1)?.["text"], "And on.")
    }
  )
})

describe("opencode serve with a scripted model", () => {
  it(
    "streams text, works with its own tools, asks, names its session, fails, plans, delegates and compacts as the script says",
    { timeout: deadline },
    async () => {
      await using opencode = await startOpencode({ script }, (folder, url, searchPath) =>
        writeOpencodeHome({ folder, url, searchPath, titles: true })
      )
      const { model } = opencode

      const plain = await opencode.prompt("Say this back.")
      assert.deepStrictEqual(
        plain.parts.map(({ text, type }) => [type, text]),
        [
          ["step-start", undefined],
          ["text", "Say this back."],
          ["step-finish", undefined]
        ]
      )
      const title = await model.waitForRequest(({ purpose }) => purpose === "title")
      assert.strictEqual(title.conversation, opencode.sessionId)

      const work = await opencode.prompt("Now work.")
      const tools = work.parts.filter(({ type }) => type === "tool")
      assert.deepStrictEqual(
        tools.map(({ state, tool }) => [tool, state?.status]),
        [
          ["write", "completed"],
          ["bash", "completed"],
          ["edit", "completed"]
        ]
      )
      assert.strictEqual(tools[1]?.state?.output, "shell-42\n")
      assert.strictEqual(readFileSync(join(opencode.folder, "notes.txt"), "utf8"), "one\nzwei\nthree\n")
      assert.deepStrictEqual(
        work.parts.flatMap(({ text, type }) => (type === "text" || type === "reasoning" ? [text] : [])),
        ["First the files.", "I begin.", "write,bash,edit"]
      )
      assert.deepStrictEqual(
        model.requests
          .filter(({ prompt, purpose }) => prompt === "Now work." && purpose === "turn")
          .map(({ conversation, step }) => [conversation, step]),
        [0, 1, 2].map((step) => [opencode.sessionId, step])
      )

      const asking = opencode.prompt("Please ask me.")
      await model.waitForRequest(({ prompt, state }) => prompt === "Please ask me." && state === "answered")
      interface Question {
        readonly id: string
      }
      let questions: ReadonlyArray<Question> = []
      while (questions.length === 0) questions = await opencode.request<ReadonlyArray<Question>>("GET", "/question")
      await opencode.request("POST", `/question/${questions[0]!.id}/reply`, { answers: [["Blue"]] })
      assert.strictEqual((await asking).parts.findLast(({ type }) => type === "text")?.text, "So Blue.")

      const broken = await opencode.prompt("Now break.")
      assert.strictEqual(broken.error, "APIError")

      model.setScript(({ prompt, step }) =>
        prompt === "Plan" && step === 0
          ? [
              agentTools.opencode.plan([{ content: "First", status: "in_progress" }]),
              agentTools.opencode.subtask("Look around.")
            ]
          : undefined
      )
      const planned = await opencode.prompt("Plan")
      assert.deepStrictEqual(
        planned.parts.filter(({ type }) => type === "tool").map(({ state, tool }) => [tool, state?.status]),
        [
          ["todowrite", "completed"],
          ["task", "completed"]
        ]
      )
      const child = model.requests.find(({ prompt }) => prompt === "Look around.")
      assert.strictEqual(child?.parent, opencode.sessionId)

      await opencode.summarize()
      assert.isTrue(model.requests.some(({ purpose }) => purpose === "compaction"))
    }
  )
})
