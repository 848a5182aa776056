import { assert, describe, it } from "@effect/vitest"
import type { Observed } from "@holdfast/core"
import { makeTerminalFace } from "../src/index.ts"
import { delta, item, message, openSession, prompt, request, startTurn, turn, Watched, whole } from "./session.ts"

/** The colour of a cell, as xterm's palette numbers it; undefined for the terminal's own. */
const colourOf = (watched: Watched, text: string): number | undefined => {
  const cell = watched.screen.cellOf(text)
  return cell.isFgPalette() ? cell.getFgColor() : undefined
}
const [red, green, cyan] = [1, 2, 6]

const command = (status: "in_progress" | "completed", exitCode?: number) =>
  ({
    name: "bash",
    kind: "execute",
    status,
    input: { command: "npm test" },
    ...(exitCode === undefined ? {} : { exitCode })
  }) as const

const has = (watched: Watched, ...lines: ReadonlyArray<string>) => {
  for (const line of lines) assert.include(watched.screen.lines, line, watched.screen.lines.join("\n"))
}
const hasNot = (watched: Watched, text: string) => assert.notInclude(watched.screen.lines.join("\n"), text)

describe("A conversation in a terminal", () => {
  it("prints what is finished and keeps a line to type at the bottom", async () => {
    const session = openSession()
    startTurn(session, "Fix the parser")
    session.tell([...message("m", "I will"), whole("m", "I will look at it.")])
    session.tell([{ type: "turn.completed", data: { turnId: turn("t1"), outcome: "completed" } }])
    const watched = await Watched.join(session)
    assert.deepStrictEqual(watched.screen.lines, [
      "· Session on scripted",
      "· Opened",
      "",
      "❯ Fix the parser",
      "",
      "● I will look at it.",
      "",
      "· Done · 0.0s",
      "",
      "idle · ? helps",
      "❯"
    ])
    assert.deepStrictEqual(watched.screen.cursor, { x: 2, y: 10 })
  })

  it("shows a message as it streams, and each of its words once", async () => {
    const session = openSession()
    startTurn(session, "Go")
    const watched = await Watched.join(session)
    await watched.tell(...message("m", "One two three four five six seven eight nine ten "))
    await watched.tell(delta("m", "eleven twelve thirteen"))
    has(watched, "● One two three four five six seven eight nine ten eleven", "  twelve thirteen")
    await watched.tell(delta("m", "\n\nAnother paragraph"))
    has(watched, "  Another paragraph")
    await watched.tell(
      whole("m", "One two three four five six seven eight nine ten eleven twelve thirteen\n\nAnother paragraph.")
    )
    const words = watched.screen.lines.join(" ").match(/\b(one|twelve|thirteen|Another)\b/gi)
    assert.deepStrictEqual(words, ["One", "twelve", "thirteen", "Another"])
  })

  it("shows a follower that joins in the middle what was said so far", async () => {
    const session = openSession()
    startTurn(session, "Go")
    session.tell(message("m", "The answer ", "is forty"))
    const watched = await Watched.join(session)
    has(watched, "● The answer is forty")
    await watched.tell(delta("m", "-two"))
    has(watched, "● The answer is forty-two")
  })

  it("shows an item whose pieces were compacted away, and one that was cut off and has only its pieces", async () => {
    const session = openSession()
    startTurn(session, "Go")
    session.tell([...message("a", "first"), whole("a", "first, whole")])
    session.tell(message("b", "second, as far as it c"))
    session.tell([{ type: "backend.lost", data: { reason: "gone", retryable: false } }])
    const compacted = session.records().filter((one) => one.type !== "item.delta" || one.data["itemId"] !== "a")
    const watched = new Watched(session)
    await watched.write(watched.face.show(compacted) + watched.face.caughtUp())
    has(watched, "● first, whole", "● second, as far as it c", "  (interrupted)", "! Lost: gone")
  })

  it("says how its sandbox starts, and not that it works and rests", async () => {
    const session = openSession()
    const watched = await Watched.join(session)
    session.tell([
      { type: "sandbox.warming", data: { provider: "docker", reason: "restoring what was kept" } },
      { type: "sandbox.syncing", data: {} },
      { type: "sandbox.ready", data: {} },
      { type: "sandbox.running", data: {} },
      { type: "sandbox.ready", data: {} },
      { type: "sandbox.stale", data: { reason: "no heartbeat" } }
    ])
    await watched.tell()
    has(
      watched,
      "· Starting a docker sandbox: restoring what was kept",
      "· Preparing the workspace",
      "! The sandbox does not answer: no heartbeat"
    )
    assert.notInclude(watched.screen.lines.join("\n"), "ready")
  })

  it("starts with the last thousand lines of a long past, and says how many there are before", async () => {
    const session = openSession()
    startTurn(session, "Go")
    const text = Array.from({ length: 3_000 }, (_, index) => `line ${index}`).join("\n")
    session.tell([...message("m"), whole("m", text)])
    const watched = await Watched.join(session)
    assert.match(watched.screen.lines[0]!, /^· 2,?\d+ earlier lines are in the session's log$/)
    assert.strictEqual(watched.screen.lines[2], "  line 2000")
    has(watched, "  line 2999")
  })

  it("shows two texts that stream at once one after the other", async () => {
    const session = openSession()
    startTurn(session, "Go")
    const watched = await Watched.join(session)
    await watched.tell(...message("a", "first a\n"), ...message("b", "then b\nmore of b\nlast"), delta("a", "second a"))
    await watched.tell(whole("b", "then b\nmore of b\nlast of b"), whole("a", "first a\nsecond a"))
    const shown = watched.screen.lines.filter((line) => /\b[ab]$/.test(line))
    assert.deepStrictEqual(shown, ["● first a", "● then b", "  more of b", "  last of b", "⋯ second a"])
  })

  it("says so when the whole text is not what streamed", async () => {
    const session = openSession()
    startTurn(session, "Go")
    const watched = await Watched.join(session)
    await watched.tell(...message("m", "a draft\nof two lines\nand"))
    await watched.tell(whole("m", "The final answer."))
    has(watched, "  (the whole text differs from what streamed)", "● The final answer.")
  })

  it("takes a text that was only trimmed for the one that streamed", async () => {
    const session = openSession()
    startTurn(session, "Go")
    const watched = await Watched.join(session)
    await watched.tell(...message("m", "\n\nFirst line\n\n"), delta("m", "second\n\n"))
    await watched.tell(whole("m", "First line\n\nsecond"))
    const from = watched.screen.lines.indexOf("● First line")
    assert.deepStrictEqual(watched.screen.lines.slice(from, from + 4), ["● First line", "", "  second", ""])
    assert.lengthOf(
      watched.screen.lines.filter((line) => line.includes("First")),
      1
    )
    hasNot(watched, "differs")
  })

  it("does not repeat a prompt that the agent repeats as a message", async () => {
    const session = openSession()
    startTurn(session, "Fix it\nplease")
    const data = { itemId: item("u"), kind: "message", role: "user", status: "completed" } as const
    session.tell([{ type: "item.completed", data: { ...data, text: "Fix it\nplease\n" } }])
    session.tell([{ type: "item.completed", data: { ...data, itemId: item("v"), text: "Something else" } }])
    const watched = await Watched.join(session)
    assert.lengthOf(
      watched.screen.lines.filter((line) => line.includes("Fix it")),
      1
    )
    has(watched, "❯ Something else")
  })

  it("signs what others wrote", async () => {
    const session = openSession()
    session.command({ type: "participant.join", data: { participantId: "ann" as never, name: "Ann", role: "member" } })
    const promptId = prompt(session, "From me to it", {}, "ann")
    session.tell([{ type: "prompt.delivered", data: { promptId } }])
    const watched = await Watched.join(session)
    has(watched, "· Ann joined as member", "❯ Ann: From me to it")
  })

  it("shows prompts that wait", async () => {
    const session = openSession()
    startTurn(session, "Go")
    prompt(session, "And then\nthis")
    prompt(session, "Rather so", { delivery: "steer", turnId: "t1" })
    const watched = await Watched.join(session)
    has(watched, "◦ queued · And then this", "◦ on its way · Rather so")
  })
})

describe("Tool calls in a terminal", () => {
  const started = (): ReadonlyArray<Observed> => [
    {
      type: "item.started",
      data: { itemId: item("c"), turnId: turn("t1"), kind: "tool_call", tool: command("in_progress") }
    }
  ]
  const output = Array.from({ length: 30 }, (_, index) => `line ${index}`).join("\n")
  const completed = (exitCode: number, status: "completed" | "failed" = "completed") =>
    ({
      type: "item.completed",
      data: {
        itemId: item("c"),
        turnId: turn("t1"),
        kind: "tool_call",
        status,
        tool: command("completed", exitCode),
        output
      }
    }) as const

  it("show the last lines of their output while they run, and both ends of it once they have ended", async () => {
    const session = openSession()
    startTurn(session, "Go")
    const watched = await Watched.join(session)
    await watched.tell(...started(), delta("c", output, "output"))
    has(watched, "◌ Run npm test", "  │ line 27", "  │ line 29")
    hasNot(watched, "line 26")
    await watched.tell(completed(0))
    has(watched, "✓ Run npm test (exit 0)", "  │ line 3", "  │ … 18 lines …", "  │ line 22", "  │ line 29")
    hasNot(watched, "line 15")
    hasNot(watched, "◌")
  })

  it("show the same of an output that is far too long to keep", async () => {
    const session = openSession()
    startTurn(session, "Go")
    const watched = await Watched.join(session)
    await watched.tell(...started())
    for (let part = 0; part < 100; part++) {
      await watched.tell(
        delta("c", Array.from({ length: 100 }, (_, index) => `row ${part * 100 + index}\n`).join(""), "output")
      )
    }
    session.tell([{ type: "turn.completed", data: { turnId: turn("t1"), outcome: "interrupted" } }])
    await watched.update()
    has(watched, "✗ Run npm test (interrupted)", "  │ row 3", "  │ … 9988 lines …", "  │ row 9992", "  │ row 9999")
  })

  it("say how they failed, in red", async () => {
    const session = openSession()
    startTurn(session, "Go")
    const watched = await Watched.join(session)
    await watched.tell(...started(), completed(2, "failed"))
    has(watched, "✗ Run npm test (exit 2)")
    assert.strictEqual(colourOf(watched, "✗"), red)
  })

  it("show diffs in colour, and do not take a removed line for a header", async () => {
    const session = openSession()
    startTurn(session, "Go")
    const watched = await Watched.join(session)
    const diff = "--- a/q.sql\n+++ b/q.sql\n@@ -1,3 +1,3 @@\n kept\n--- a comment\n+select 1\n end\n"
    await watched.tell(
      ...started(),
      {
        type: "file.changed",
        data: { path: "q.sql", change: "modified", additions: 1, deletions: 1, diff, itemId: item("c") }
      },
      completed(0)
    )
    has(watched, "  Modified q.sql +1 −1", "  │ @@ -1,3 +1,3 @@", "  │ --- a comment", "  │ +select 1")
    assert.strictEqual(colourOf(watched, "@@"), cyan)
    assert.strictEqual(colourOf(watched, "--- a comment"), red)
    assert.strictEqual(colourOf(watched, "+select"), green)
    assert.isUndefined(colourOf(watched, "--- a/q.sql"))
    assert.isUndefined(colourOf(watched, "kept"))
  })

  it("show a change that no tool call made, and one that only says how much", async () => {
    const watched = await Watched.join(openSession())
    await watched.tell({
      type: "file.changed",
      data: { path: "new.ts", from: "old.ts", change: "moved", additions: 3 }
    })
    has(watched, "  Moved old.ts to new.ts +3")
  })

  it("show plans as boxes to tick", async () => {
    const session = openSession()
    startTurn(session, "Go")
    const watched = await Watched.join(session)
    const entries = [
      { content: "Read", status: "completed" },
      { content: "Write", status: "in_progress" },
      { content: "Test", status: "pending" }
    ] as const
    await watched.tell(
      { type: "item.started", data: { itemId: item("p"), kind: "plan" } },
      { type: "item.updated", data: { itemId: item("p"), entries } }
    )
    has(watched, "● Plan", "  ☑ Read", "  ▸ Write", "  ☐ Test")
    const done = entries.map((entry) => ({ ...entry, status: "completed" as const }))
    await watched.tell({
      type: "item.completed",
      data: { itemId: item("p"), kind: "plan", status: "completed", entries: done }
    })
    has(watched, "  ☑ Test")
    hasNot(watched, "☐")
  })

  it("stand under the tool call that they belong to", async () => {
    const session = openSession()
    startTurn(session, "Go")
    const tool = { name: "grep", kind: "search", status: "completed", title: "needle" } as const
    session.tell([
      {
        type: "item.completed",
        data: { itemId: item("s"), parentId: item("c"), kind: "tool_call", status: "completed", tool }
      }
    ])
    const watched = await Watched.join(session)
    has(watched, "  ✓ Search needle")
  })
})

describe("The end of a turn in a terminal", () => {
  it("says how long it took and what it used, in one dim line", async () => {
    const session = openSession()
    startTurn(session, "Go")
    session.wait(65_000)
    const usage = { inputTokens: 12_345, outputTokens: 67, cachedInputTokens: 10_000, costUsd: 0.0123 }
    session.tell([
      { type: "usage.reported", data: { turnId: turn("t1"), usage } },
      { type: "turn.completed", data: { turnId: turn("t1"), outcome: "completed" } },
      { type: "usage.reported", data: { turnId: turn("t1"), usage: { outputTokens: 3 } } }
    ])
    const watched = await Watched.join(session, { cols: 80 })
    has(watched, "· Done · 1m 05s · 12,345 in · 10,000 cached · 67 out · $0.0123", "· Usage · 3 out")
    assert.notStrictEqual(watched.screen.cellOf("Done").isDim(), 0)
  })

  it("says what went wrong, and whether trying again may help", async () => {
    const session = openSession()
    startTurn(session, "Go")
    const error = { message: "Too many requests", retryable: true }
    session.tell([
      { type: "turn.retrying", data: { turnId: turn("t1"), attempt: 2, error } },
      { type: "turn.completed", data: { turnId: turn("t1"), outcome: "failed", error } }
    ])
    const watched = await Watched.join(session)
    has(
      watched,
      "! Trying again (attempt 2): Too many requests",
      "✗ Too many requests (trying again may help)",
      "· Failed · 0.0s"
    )
  })

  it("is told from the state of the session, and so is its status", async () => {
    const session = openSession()
    const watched = await Watched.join(session, { cols: 80 })
    const status = () => watched.screen.lines.at(-2)
    assert.strictEqual(status(), "idle · ? helps")
    startTurn(session, "Go")
    await watched.update()
    assert.strictEqual(status(), "working · Ctrl-C interrupts, ? helps")
    await watched.enter("\u0003")
    assert.strictEqual(status(), "working · interrupting · Ctrl-C interrupts, ? helps")
    await watched.tell({ type: "link.reconnecting", data: { attempt: 1, reason: "network" } })
    assert.strictEqual(status(), "offline · reconnecting · interrupting · Ctrl-C interrupts, ? helps")
    await watched.tell({ type: "backend.failed", data: { reason: "crash", message: "It crashed", retryable: false } })
    assert.strictEqual(status(), "failed · ? helps")
    has(watched, "✗ Failed: It crashed")
  })
})

describe("Requests in a terminal", () => {
  const options = [
    { optionId: "once", name: "Allow once", kind: "allow_once" },
    { optionId: "always", name: "Always", kind: "allow_always" },
    { optionId: "no", name: "No", kind: "reject_once" }
  ] as const
  const asked = (id: string, title: string) =>
    ({
      type: "permission.requested",
      data: {
        requestId: request(id),
        turnId: turn("t1"),
        title,
        description: "It cannot be undone",
        options,
        tool: { name: "bash", kind: "execute", status: "pending", input: { command: ["npm", "publish"] } }
      }
    }) as const
  const asking = async () => {
    const session = openSession()
    startTurn(session, "Go")
    return Watched.join(session, { cols: 80 })
  }

  it("are shown with what they are about and numbered choices, and vanish once they are answered", async () => {
    const watched = await asking()
    await watched.tell(asked("r", "Publish?"))
    has(
      watched,
      "? Publish?",
      "  It cannot be undone",
      "  npm publish",
      "  1) Allow once",
      "  2) Always",
      "  3) No",
      "  0) Dismiss"
    )
    await watched.enter("1\r")
    hasNot(watched, "1) Allow once")
    has(watched, "  ✓ Allow once · answered by you")
  })

  it("come one after the other", async () => {
    const watched = await asking()
    await watched.tell(asked("r1", "First?"), asked("r2", "Second?"))
    assert.include(
      watched.screen.lines.join("\n"),
      "? First?  number and Enter · default after 10 min · 1 more waiting"
    )
    const { commands } = await watched.type("3\r2\r")
    assert.deepStrictEqual(commands, [
      {
        type: "permission.resolve",
        data: { requestId: request("r1"), outcome: { outcome: "selected", optionId: "no" } }
      },
      {
        type: "permission.resolve",
        data: { requestId: request("r2"), outcome: { outcome: "selected", optionId: "always" } }
      }
    ])
  })

  it("say who answered first, and throw away what was being typed", async () => {
    const watched = await asking()
    watched.session.command({
      type: "participant.join",
      data: { participantId: "ann" as never, name: "Ann", role: "member" }
    })
    await watched.tell(asked("r", "Publish?"))
    await watched.type("2")
    watched.session.command(
      {
        type: "permission.resolve",
        data: { requestId: request("r"), outcome: { outcome: "selected", optionId: "no" } }
      },
      "ann"
    )
    await watched.update()
    has(watched, "  ✗ No · answered by Ann")
    assert.include(watched.screen.lines.at(-2), "what you typed was not sent")
    assert.deepStrictEqual((await watched.type("\r")).commands, [])
  })

  it("say so when nobody answered in time", async () => {
    const watched = await asking()
    await watched.tell(asked("r", "Publish?"))
    watched.session.wait(watched.session.policy.requestTimeoutMs)
    await watched.update()
    assert.match(watched.screen.lines.join("\n"), /because nobody answered in time/)
    hasNot(watched, "1) Allow once")
  })

  it("offer it again when the answer was refused", async () => {
    const watched = await asking()
    await watched.tell(asked("r", "Publish?"))
    const { commands } = await watched.type("1\r")
    hasNot(watched, "1) Allow once")
    await watched.write(watched.face.refused(commands[0]!, "You only look at this session"))
    has(watched, "✗ You only look at this session", "  1) Allow once")
  })

  const question = { questionId: "q", text: "Which?", options: [{ label: "A" }, { label: "B", description: "better" }] }

  it("ask several questions one after the other", async () => {
    const watched = await asking()
    await watched.tell({
      type: "question.asked",
      data: {
        requestId: request("r"),
        questions: [
          { ...question, multiple: true, freeText: false },
          { ...question, questionId: "name", text: "Called?", options: [], multiple: false, freeText: true },
          { ...question, questionId: "own", text: "Or?", multiple: false, freeText: true }
        ]
      }
    })
    has(watched, "  1) A", "  2) B · better")
    assert.include(watched.screen.lines.join("\n"), "Which? (1 of 3)")
    assert.deepStrictEqual((await watched.type("3\r")).commands, [])
    assert.include(watched.screen.lines.at(-2), "Type numbers from 1 to 2")
    await watched.type("\u007f1, 2\r")
    assert.include(watched.screen.lines.join("\n"), "Called? (2 of 3)")
    await watched.type("Bob the 2nd\r")
    const { commands } = await watched.type("neither\r")
    const answers = { q: ["A", "B"], name: ["Bob the 2nd"], own: ["neither"] }
    assert.deepStrictEqual(commands, [
      { type: "question.answer", data: { requestId: request("r"), outcome: { outcome: "answered", answers } } }
    ])
  })

  it("never show a secret answer, nor remember it", async () => {
    const watched = await asking()
    const secret = { questionId: "q", text: "Token?", options: [], multiple: false, freeText: true, secret: true }
    await watched.tell({ type: "question.asked", data: { requestId: request("r"), questions: [secret] } })
    await watched.type("hunter2")
    assert.include(watched.screen.lines.at(-1), "answer (not shown) ❯")
    const { commands } = await watched.type("\r")
    for (const one of commands) watched.session.command(one)
    await watched.update()
    assert.deepStrictEqual(commands[0]?.data, {
      requestId: request("r"),
      outcome: { outcome: "answered", answers: { q: ["hunter2"] } }
    })
    await watched.type("\u001b[A")
    assert.notInclude(watched.written, "hunter")
  })

  it("never turn the beginning of a secret into a prompt when they vanish", async () => {
    const watched = await asking()
    const secret = { questionId: "q", text: "Token?", options: [], multiple: false, freeText: true, secret: true }
    await watched.tell({ type: "question.asked", data: { requestId: request("r"), questions: [secret] } })
    await watched.type("hunter2")
    await watched.tell({ type: "turn.completed", data: { turnId: turn("t1"), outcome: "interrupted" } })
    const { commands } = await watched.type("\r")
    assert.deepStrictEqual(commands, [])
    assert.notInclude(watched.written, "hunter")
  })

  it("leave a prompt that was being typed what it is", async () => {
    const watched = await asking()
    await watched.type("1 more thing")
    await watched.tell(asked("r", "Publish?"))
    const { commands } = await watched.type("\r")
    assert.deepStrictEqual(
      commands.map((one) => one.type),
      ["prompt.send"]
    )
    assert.deepStrictEqual(
      (await watched.type("1\r")).commands.map((one) => one.type),
      ["permission.resolve"]
    )
  })
})

describe("What agents say to a terminal", () => {
  const evil = "\u001b]0;owned\u0007\u001b[2Jx\u009b31my\u202ez\u0000\u007f\ud800"

  it("cannot move its cursor, set its title or reorder its text", async () => {
    const session = openSession()
    startTurn(session, `prompt ${evil}`)
    session.tell([
      ...message("m", `message ${evil}`),
      whole("m", `message ${evil}`),
      {
        type: "item.completed",
        data: {
          itemId: item("c"),
          kind: "tool_call",
          status: "failed",
          tool: { name: evil, title: `title ${evil}`, kind: "execute", status: "failed" },
          output: "\u001b[31mred\u001b[0m plain\r\nprogress 1\rprogress 2\n\u001b]0;owned\u0007after",
          error: { message: evil, retryable: false }
        }
      },
      { type: "file.changed", data: { path: evil, change: "modified", diff: `@@ -1 +1 @@\n+${evil}` } },
      { type: "backend.noted", data: { level: "warning", message: evil } }
    ])
    const watched = await Watched.join(session, { cols: 100, rows: 40 })
    const controls = watched.written.replaceAll(
      /\u001b\[[0-9;]*m|\u001b\[(?:J|\d*[AC])|\u001b\[\?(?:25|7|2004|2026)[hl]|\r\n|\r/g,
      ""
    )
    assert.notMatch(controls, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\ud800-\udfff]/)
    has(watched, "● message ␛]0;owned␇␛[2Jx�31my�z␀␡�", "  │ red plain", "  │ progress 2", "  │ after")
  })

  it("is shown with carets where there is no Unicode", async () => {
    const session = openSession()
    startTurn(session, "Go")
    session.tell([...message("m"), whole("m", "bell \u0007")])
    const watched = await Watched.join(session, { unicode: false })
    has(watched, "> Go", "* bell ^G")
  })

  it("wraps by the width of its characters", async () => {
    const session = openSession()
    startTurn(session, "Go")
    const text = `${"漢".repeat(12)} e\u0301${"x".repeat(20)}\tend`
    session.tell([...message("m"), whole("m", text)])
    const watched = await Watched.join(session, { cols: 21 })
    has(watched, `● ${"漢".repeat(9)}`, `  ${"漢".repeat(3)}`, `  e\u0301${"x".repeat(17)}`, `  xxx     end`)
  })

  it("gets no empty row from a blank at the end of a full one", async () => {
    const session = openSession()
    startTurn(session, "Go")
    const watched = await Watched.join(session, { cols: 20 })
    await watched.tell(...message("m", "seventeen letters "), delta("m", "\nnext "))
    await watched.tell(whole("m", "seventeen letters \nnext "))
    const from = watched.screen.lines.indexOf("● seventeen letters")
    assert.deepStrictEqual(watched.screen.lines.slice(from, from + 3), ["● seventeen letters", "  next", ""])
  })

  it("does not grow a row without end by characters that have no width", async () => {
    const session = openSession()
    startTurn(session, "Go")
    const watched = await Watched.join(session)
    await watched.tell(...message("m", `a${"\u0301".repeat(200_000)}`))
    assert.isBelow(watched.face.show([]).length + watched.face.resize(60, 20).length, 20_000)
  })
})

describe("A terminal that is resized", () => {
  const story = Array.from({ length: 30 }, (_, index) => `word${index}`).join(" ")

  for (const [cols, rows] of [
    [31, 20],
    [120, 20],
    [60, 8],
    [60, 50],
    [24, 12],
    [200, 60]
  ] as const) {
    it(`loses and repeats nothing in the middle of a message: to ${cols} by ${rows}`, async () => {
      const session = openSession()
      startTurn(session, "Go")
      const watched = await Watched.join(session)
      await watched.tell(...message("m", story))
      await watched.resize(cols, rows)
      await watched.tell(delta("m", " finale"))
      await watched.resize(60, 20)
      await watched.tell(whole("m", `${story} finale`))
      const said = watched.screen.lines.join(" ").match(/word\d+|finale/g)
      assert.deepStrictEqual(said, [...story.split(" "), "finale"])
      assert.lengthOf(
        watched.screen.lines.filter((line) => line.startsWith("❯")),
        2
      )
      assert.lengthOf(
        watched.screen.lines.filter((line) => line.startsWith("working")),
        1
      )
    })
  }

  it("loses nothing where its region does not fit into what is left of it", async () => {
    const session = openSession()
    startTurn(session, "Go")
    const watched = await Watched.join(session)
    await watched.tell(...message("m", story))
    await watched.resize(9, 3)
    await watched.resize(60, 20)
    await watched.tell(whole("m", story))
    for (const word of story.split(" ")) assert.include(watched.screen.lines.join(" "), word)
  })

  it("shows all of a message that grows, also where that takes more rows now", async () => {
    const session = openSession()
    startTurn(session, "Go")
    const watched = await Watched.join(session)
    await watched.tell(...message("m", "one two three four five six seven eight nine ten"))
    await watched.resize(20, 20)
    for (const line of ["● one two three", "  four five six", "  seven eight nine", "  ten"]) has(watched, line)
  })

  it("is taken at its word that it wraps nothing", async () => {
    const session = openSession()
    startTurn(session, "Go")
    const watched = await Watched.join(session, { reflows: false })
    await watched.tell(...message("m", story))
    const { written } = watched
    await watched.write(watched.face.resize(20, 20))
    // Three rows up to the row that grows, however many rows it would take now.
    assert.match(watched.written.slice(written.length), /^[^\r]*\r\u001b\[3A\u001b\[J/)
  })

  it("never gets more below than it has rows, and always the line to type", async () => {
    const session = openSession()
    startTurn(session, "Go")
    for (let index = 0; index < 20; index++) {
      session.tell([
        { type: "item.started", data: { itemId: item(`c${index}`), kind: "tool_call", tool: command("in_progress") } },
        delta(`c${index}`, "1\n2\n3\n4\n5", "output")
      ])
      prompt(session, `waiting ${index}`)
    }
    for (const rows of [1, 2, 3, 5, 10, 24]) {
      const watched = await Watched.join(session, { rows })
      assert.strictEqual(watched.screen.lines.at(-1), "❯")
      const before = watched.screen.lines.length
      await watched.write(watched.face.end())
      assert.isAtMost(before - watched.screen.lines.length, rows)
    }
  })

  it("is drawn anew on Ctrl-L, with what was printed last", async () => {
    const session = openSession()
    startTurn(session, "Go")
    session.tell([...message("m"), whole("m", "Said.")])
    const watched = await Watched.join(session)
    const before = watched.screen.window
    await watched.screen.write("rubbish from elsewhere\r\n\r\nmore rubbish")
    await watched.type("\u000c")
    assert.deepStrictEqual(watched.screen.window, before)
    await watched.type("x")
    assert.deepStrictEqual(watched.screen.window, [...before.slice(0, -1), "❯ x"])
  })
})

describe("A face", () => {
  it("gives nothing before it is caught up, and nothing after its end", async () => {
    const session = openSession()
    const face = makeTerminalFace({ cols: 60, rows: 20 })
    assert.strictEqual(face.show(session.records()), "")
    assert.strictEqual(face.key("x").output, "")
    assert.notStrictEqual(face.follow({ answer: "caught-up", cursor: 3 }), "")
    assert.notStrictEqual(face.end(), "")
    assert.strictEqual(face.show([]) + face.resize(10, 10) + face.note("late") + face.end(), "")
  })

  it("gives the terminal back without its own lines, and with its cursor", async () => {
    const watched = await Watched.join(openSession())
    assert.isTrue(watched.screen.bracketsPastes)
    await watched.write(watched.face.end())
    assert.deepStrictEqual(watched.screen.lines, ["· Session on scripted", "· Opened"])
    assert.isFalse(watched.screen.bracketsPastes)
    assert.isTrue(watched.written.endsWith("\u001b[?25h"))
    assert.deepStrictEqual(watched.screen.cursor, { x: 0, y: 2 })
  })

  it("ignores what it has seen, and says what cannot be had", async () => {
    const watched = await Watched.join(openSession())
    assert.strictEqual(watched.face.show(watched.session.records()), "")
    assert.strictEqual(watched.face.seq, watched.session.state().seq)
    const gap = { reason: "missing", from: 4, to: 9, detail: "restore a backup", cursor: 9, head: 9 } as const
    await watched.write(watched.face.follow({ answer: "gap", ...gap }))
    has(watched, "! Events 4 to 9 cannot be shown: restore a backup")
  })

  it("starts anew when the log turns out to be another one", async () => {
    const session = openSession()
    startTurn(session, "Go")
    const watched = await Watched.join(session)
    const gap = { reason: "ahead", from: 4, to: 9, detail: "start again from 0", cursor: 0, head: 3 } as const
    await watched.write(watched.face.follow({ answer: "gap", ...gap }))
    assert.strictEqual(watched.face.seq, 0)
    await watched.write(watched.face.show(openSession().records()))
    assert.lengthOf(
      watched.screen.lines.filter((line) => line === "· Opened"),
      2
    )
    assert.strictEqual(watched.screen.lines.at(-2), "idle · ? helps")
  })

  it("begins anywhere in a log when it is given the state there", async () => {
    const session = openSession()
    startTurn(session, "Long ago")
    const state = session.state()
    const watched = new Watched(session, { state })
    await watched.write(watched.face.caughtUp())
    assert.deepStrictEqual(watched.screen.lines, ["", "working · Ctrl-C interrupts, ? helps", "❯"])
    await watched.update()
    hasNot(watched, "Long ago")
    await watched.tell(...message("m", "Hello"))
    has(watched, "● Hello")
  })

  it("only looks where it may not do more", async () => {
    const session = openSession()
    startTurn(session, "Go")
    const watched = await Watched.join(session, { readOnly: true })
    assert.strictEqual(watched.screen.lines.at(-1), "working · only looking")
    assert.deepStrictEqual(await watched.type("hello\r"), { output: "", commands: [], leave: false })
    assert.isTrue((await watched.type("\u0003")).leave)
  })

  it("writes no colour where none is wanted", async () => {
    const session = openSession()
    startTurn(session, "Go")
    session.tell([...message("m"), whole("m", "Said.")])
    const watched = await Watched.join(session, { colour: false })
    assert.notMatch(watched.written, /\u001b\[[0-9;]*m/)
  })
})
