import { assert, describe, it } from "@effect/vitest"
import {
  command,
  completed,
  dataOf,
  delta,
  hear,
  message,
  started,
  tells,
  turnCompleted,
  turnStarted
} from "./wireMessages.ts"

const types = (events: ReadonlyArray<{ readonly type: string }>) => events.map(({ type }) => type)

describe("A message of the model", () => {
  it("is told whole where it comes without pieces, and its text once", () => {
    const events = hear().take(started(message("m", "All at once.")), completed(message("m", "All at once.")))
    assert.deepStrictEqual(types(events), ["item.started", "item.delta", "item.completed"])
    assert.strictEqual(dataOf(events, "item.delta")[0]!.text, "All at once.")
    assert.strictEqual(dataOf(events, "item.completed")[0]!.text, "All at once.")
    assert.notProperty(dataOf(events, "item.started")[0], "text")
  })

  it("fails where the connection dropped, with the error, and keeps the pieces that were said", () => {
    const { take } = hear()
    take(started(message("m1")), delta("agentMessage/delta", "m1", "Half"))
    const events = take(
      tells("error", {
        turnId: "u1",
        willRetry: true,
        error: {
          message: "Reconnecting... 1/5",
          codexErrorInfo: { responseStreamDisconnected: { httpStatusCode: null } }
        }
      }),
      started(message("m2"))
    )
    assert.deepStrictEqual(types(events), ["item.completed", "turn.retrying", "item.started"])
    const [end] = dataOf(events, "item.completed")
    assert.deepInclude(end, { itemId: "u1/m1", status: "failed", partial: true })
    assert.strictEqual(end!.error?.code, "responseStreamDisconnected")
    assert.notProperty(end, "text")
    assert.deepInclude(dataOf(events, "turn.retrying")[0], { turnId: "u1", attempt: 1 })
  })

  it("is interrupted at once where new input is steered in, and where the next one begins", () => {
    const { take } = hear()
    const steered = take(started(message("m1")), started({ type: "userMessage", id: "x", clientId: null, content: [] }))
    assert.deepInclude(dataOf(steered, "item.completed")[0], { itemId: "u1/m1", status: "interrupted", partial: true })
    const next = take(started(message("m2")), started(message("m3")))
    assert.deepInclude(dataOf(next, "item.completed")[0], { itemId: "u1/m2", status: "interrupted" })
  })

  it("has an id of its own though the model gives the same one again", () => {
    const { take } = hear()
    const first = take(started(message("m")), completed(message("m", "one")))
    const second = take(started(message("m")), completed(message("m", "two")))
    const repeated = take(completed(message("m", "two")))
    const nextTurn = take(turnCompleted(), turnStarted("u2"), started(message("m"), "u2"))
    const ids = [first, second, nextTurn].map((events) => dataOf(events, "item.started")[0]!.itemId)
    assert.deepStrictEqual(ids, ["u1/m", "u1/m~2", "u2/m"])
    assert.deepStrictEqual(repeated, [])
  })

  it("has an id that a log can hold, however long the model's own is", () => {
    const { take } = hear()
    const [a, b] = ["a", "b"].map(
      (end) => dataOf(take(started(message("x".repeat(10_000) + end))), "item.started")[0]!.itemId
    )
    assert.isAtMost(a!.length, 256)
    assert.notStrictEqual(a, b)
  })

  it("keeps what has no field of ours beside its end", () => {
    const events = hear().take(
      completed({ ...message("m", "Hi"), phase: "final_answer", questions: [{ title: "And?" }] })
    )
    assert.deepStrictEqual(dataOf(events, "item.completed")[0]!.raw, {
      phase: "final_answer",
      questions: [{ title: "And?" }]
    })
  })

  it("is made up for by the end of the turn, where its own was missed", () => {
    const events = hear().take(
      started(message("m")),
      turnCompleted("completed", { items: [message("m", "Last words")] })
    )
    assert.deepInclude(dataOf(events, "item.completed")[0], { status: "completed", text: "Last words" })
  })
})

describe("A reasoning", () => {
  it("has its summaries and its raw text apart by blank lines, in the pieces as in the whole", () => {
    const { take } = hear()
    const of = { turnId: "u1", itemId: "r" }
    const events = take(
      started({ type: "reasoning", id: "r", summary: [], content: [] }),
      tells("item/reasoning/summaryPartAdded", { ...of, summaryIndex: 0 }),
      tells("item/reasoning/summaryTextDelta", { ...of, delta: "One", summaryIndex: 0 }),
      tells("item/reasoning/summaryPartAdded", { ...of, summaryIndex: 1 }),
      tells("item/reasoning/summaryTextDelta", { ...of, delta: "Two", summaryIndex: 1 }),
      tells("item/reasoning/textDelta", { ...of, delta: "raw", contentIndex: 0 }),
      completed({ type: "reasoning", id: "r", summary: ["One", "Two"], content: ["raw"] })
    )
    const pieces = dataOf(events, "item.delta").map(({ text }) => text)
    assert.strictEqual(pieces.join(""), "One\n\nTwo\n\nraw")
    assert.strictEqual(dataOf(events, "item.completed")[0]!.text, pieces.join(""))
  })

  it("keeps its pieces where its end says nothing", () => {
    const events = hear().take(
      started({ type: "reasoning", id: "r", summary: [], content: [] }),
      tells("item/reasoning/textDelta", { turnId: "u1", itemId: "r", delta: "hm", contentIndex: 0 }),
      completed({ type: "reasoning", id: "r", summary: [], content: [] })
    )
    assert.deepInclude(dataOf(events, "item.completed")[0], { status: "completed", partial: true })
  })
})

describe("A command", () => {
  const done = (more: object) => completed(command("call_1", { status: "completed", exitCode: 0, ...more }))

  it("shows the output that never streamed, and the whole one in the place of the pieces", () => {
    const { take } = hear()
    const events = take(
      started(command()),
      delta("commandExecution/outputDelta", "call_1", "second\n"),
      done({ aggregatedOutput: "first\nsecond\n" })
    )
    const [end] = dataOf(events, "item.completed")
    assert.deepInclude(end, { status: "completed", output: "first\nsecond\n" })
    assert.notProperty(end, "partial")
    assert.deepInclude(end!.tool, {
      name: "shell",
      title: "make test",
      kind: "execute",
      status: "completed",
      exitCode: 0
    })
  })

  it("has no output where Codex says null, unless pieces were said: then they stand", () => {
    const silent = hear().take(started(command()), done({ aggregatedOutput: null }))
    assert.deepInclude(dataOf(silent, "item.completed")[0], { output: "" })
    const { take } = hear()
    take(started(command()), delta("commandExecution/outputDelta", "call_1", "said"))
    const [spoken] = dataOf(take(done({ aggregatedOutput: null })), "item.completed")
    assert.deepInclude(spoken, { partial: true })
    assert.notProperty(spoken, "output")
  })

  it("keeps the mark in an output that was cut at 1 MiB", () => {
    const output = `head\n... 5 bytes omitted ...\ntail`
    assert.strictEqual(dataOf(hear().take(done({ aggregatedOutput: output })), "item.completed")[0]!.output, output)
  })

  it("fails with its exit code, is interrupted where it was killed, and says that it was declined", () => {
    const ends = [
      { status: "failed", exitCode: 3 },
      { status: "failed", exitCode: -1 },
      { status: "declined", exitCode: null }
    ].map((more) => dataOf(hear().take(started(command()), done(more)), "item.completed")[0]!)
    assert.deepStrictEqual(
      ends.map(({ error, status, tool }) => [status, tool!.status, tool!.exitCode, error?.code]),
      [
        ["failed", "failed", 3, undefined],
        ["interrupted", "failed", -1, undefined],
        ["failed", "failed", null, "declined"]
      ]
    )
  })

  it("goes on in the background after a turn that completed, and ends by its own word", () => {
    const { normaliser, take } = hear()
    const over = take(started(command()), turnCompleted())
    assert.deepStrictEqual(types(over), ["item.started", "item.updated", "turn.completed"])
    assert.deepInclude(dataOf(over, "item.updated")[0], { itemId: "u1/call_1", background: true })
    assert.deepStrictEqual(normaliser.openCommands(), [
      { itemId: "u1/call_1" as never, wireItemId: "call_1", processId: "71", state: "background" }
    ])
    const later = take(
      turnStarted("u2"),
      delta("commandExecution/outputDelta", "call_1", "late"),
      turnCompleted("completed", {}, "u2")
    )
    assert.deepStrictEqual(types(later), ["turn.started", "item.delta", "turn.completed"])
    const end = take(done({ aggregatedOutput: "late" }))
    assert.deepInclude(dataOf(end, "item.completed")[0], { itemId: "u1/call_1", turnId: "u1", output: "late" })
    assert.deepStrictEqual(normaliser.openCommands(), [])
  })

  it("is interrupted with its turn, known as abandoned, and how it really ended is kept", () => {
    const { normaliser, take } = hear()
    const over = take(started(command()), turnCompleted("interrupted"))
    assert.deepStrictEqual(types(over), ["item.started", "item.completed", "turn.completed"])
    assert.deepInclude(dataOf(over, "item.completed")[0], { status: "interrupted", partial: true })
    assert.deepStrictEqual(
      normaliser.openCommands().map(({ state }) => state),
      ["abandoned"]
    )
    const after = take(done({ status: "failed", exitCode: 137, aggregatedOutput: "never streamed" }))
    assert.deepStrictEqual<unknown>(after, [
      { type: "item.updated", data: { itemId: "u1/call_1", raw: { exitCode: 137, output: "never streamed" } } }
    ])
    assert.deepStrictEqual(normaliser.openCommands(), [])
  })

  it("is told as reading or searching where that is all that it does", () => {
    const kindOf = (...actions: ReadonlyArray<object>) =>
      dataOf(hear().take(started(command("c", { commandActions: actions }))), "item.started")[0]!.tool
    const read = { type: "read", command: "cat a.txt", name: "a.txt", path: "a.txt" }
    const search = { type: "search", command: "rg x /src", query: "x", path: "/src" }
    assert.deepInclude(kindOf(read), { kind: "read", title: "cat a.txt", locations: [{ path: "/workspace/a.txt" }] })
    assert.deepInclude(kindOf(search, { type: "listFiles", command: "ls", path: null }), {
      kind: "search",
      locations: [{ path: "/src" }]
    })
    assert.deepInclude(kindOf(read, { type: "unknown", command: "rm -rf x" }), { kind: "execute" })
    assert.deepInclude(kindOf({ type: "a newer kind", command: "x" }), { kind: "execute" })
  })

  it("keeps what was typed into it", () => {
    const { take } = hear()
    take(started(command()))
    const events = take(
      tells("item/commandExecution/terminalInteraction", {
        turnId: "u1",
        itemId: "call_1",
        processId: "71",
        stdin: "y\n"
      })
    )
    assert.deepStrictEqual(dataOf(events, "item.updated")[0]!.raw, { stdin: "y\n", processId: "71" })
  })
})

describe("A patch", () => {
  const change = (path: string, kind: object, diff: string) => ({ path: `/workspace/${path}`, kind, diff })
  const patch = (status: string, ...changes: ReadonlyArray<object>) => ({
    type: "fileChange",
    id: "call_1",
    changes,
    status
  })
  const edit = change("a.txt", { type: "update", move_path: null }, "@@ -1,2 +1,2 @@\n one\n-two\n+TWO\n")

  it("tells each file as a unified diff with counted lines, before its end", () => {
    const files = [
      edit,
      change("new.txt", { type: "add" }, "one\n--two"),
      change("old.txt", { type: "delete" }, "bye\n"),
      change("empty.txt", { type: "add" }, ""),
      change(
        "b.txt",
        { type: "update", move_path: "/workspace/c.txt" },
        "@@ -1 +1 @@\n-x\n+y\n\n\nMoved to: /workspace/c.txt"
      )
    ]
    const events = hear().take(started(patch("inProgress", ...files)), completed(patch("completed", ...files)))
    assert.deepStrictEqual(types(events), ["item.started", ...files.map(() => "file.changed"), "item.completed"])
    const told = dataOf(events, "file.changed")
    assert.deepStrictEqual(
      told.map(({ additions, change: how, deletions, path }) => [path, how, additions, deletions]),
      [
        ["/workspace/a.txt", "modified", 1, 1],
        ["/workspace/new.txt", "created", 2, 0],
        ["/workspace/old.txt", "deleted", 0, 1],
        ["/workspace/empty.txt", "created", 0, 0],
        ["/workspace/c.txt", "moved", 1, 1]
      ]
    )
    assert.strictEqual(
      told[1]!.diff,
      "--- /dev/null\n+++ /workspace/new.txt\n@@ -0,0 +1,2 @@\n+one\n+--two\n\\ No newline at end of file\n"
    )
    assert.strictEqual(told[2]!.diff, "--- /workspace/old.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-bye\n")
    assert.deepInclude(told[4], {
      from: "/workspace/b.txt",
      diff: "--- /workspace/b.txt\n+++ /workspace/c.txt\n@@ -1 +1 @@\n-x\n+y\n"
    })
    assert.deepInclude(dataOf(events, "item.started")[0]!.tool, { kind: "edit", title: "Change 5 files" })
  })

  it("has a diff that ends with its last line, where Codex leaves the end of the line out", () => {
    const bare = change("a.txt", { type: "update", move_path: null }, "@@ -1 +1 @@\n-x\n+y")
    const moved = change("b.txt", { type: "update", move_path: "/workspace/c.txt" }, "\n\nMoved to: /workspace/c.txt")
    assert.deepStrictEqual(
      dataOf(hear().take(completed(patch("completed", bare, moved))), "file.changed").map(({ diff }) => diff),
      [
        "--- /workspace/a.txt\n+++ /workspace/a.txt\n@@ -1 +1 @@\n-x\n+y\n",
        "--- /workspace/b.txt\n+++ /workspace/c.txt\n"
      ]
    )
  })

  it("that was not applied changes no file, and is kept with its call", () => {
    const events = hear().take(started(patch("inProgress", edit)), completed(patch("declined", edit)))
    assert.deepStrictEqual(types(events), ["item.started", "item.completed"])
    const [end] = dataOf(events, "item.completed")
    assert.strictEqual(end!.status, "failed")
    assert.include(JSON.stringify(end!.raw), "+TWO")
  })

  it("that is cancelled ends as interrupted with its turn, since Codex never ends it", () => {
    const events = hear().take(started(patch("inProgress", edit)), turnCompleted("interrupted"))
    assert.deepInclude(dataOf(events, "item.completed")[0], { itemId: "u1/call_1", status: "interrupted" })
  })

  it("is of one kind where all its changes are", () => {
    const kindOf = (...changes: ReadonlyArray<object>) =>
      dataOf(hear().take(started(patch("inProgress", ...changes))), "item.started")[0]!.tool
    const gone = change("a.txt", { type: "delete" }, "x\n")
    const moved = change("a.txt", { type: "update", move_path: "/workspace/b.txt" }, "\n\nMoved to: /workspace/b.txt")
    assert.deepInclude(kindOf(gone), { kind: "delete", title: "Delete a.txt" })
    assert.deepInclude(kindOf(moved), { kind: "move", title: "Move a.txt → b.txt" })
    assert.deepInclude(kindOf(gone, moved), { kind: "edit" })
  })

  it("takes the changes of a diff of the turn that no patch told, and only those", () => {
    const part = (path: string, header: string, hunk: string) => `diff --git a/${path} b/${path}\n${header}${hunk}`
    const diff =
      part("a.txt", "index 1..2 100644\n--- a/a.txt\n+++ b/a.txt\n", "@@ -1,2 +1,2 @@\n one\n-two\n+TWO\n") +
      part(
        "gen/b.txt",
        "new file mode 100644\nindex 0..1\n--- /dev/null\n+++ b/gen/b.txt\n",
        "@@ -0,0 +1 @@\n+made\n"
      ) +
      part("bin", "deleted file mode 100644\nindex 1..0\nBinary files a/bin and /dev/null differ\n", "")
    const { take } = hear()
    take(started(patch("inProgress", edit)), completed(patch("completed", edit)))
    const repeated = take(
      tells("turn/diff/updated", { turnId: "u1", diff }),
      tells("turn/diff/updated", { turnId: "u1", diff })
    )
    assert.deepStrictEqual(repeated, [])
    assert.deepStrictEqual(
      dataOf(take(turnCompleted()), "file.changed").map(({ additions, change: how, path }) => [path, how, additions]),
      [
        ["gen/b.txt", "created", 1],
        ["bin", "deleted", 0]
      ]
    )
  })
})

describe("Other items", () => {
  const ended = (item: object) => dataOf(hear().take(started(item), completed(item)), "item.completed")[0]!

  it("are tool calls of an MCP server, with their result as output and content, and progress as their title", () => {
    const call = {
      type: "mcpToolCall",
      id: "call_1",
      server: "demo",
      tool: "draw",
      status: "completed",
      arguments: { x: 1 },
      result: {
        content: [
          { type: "text", text: "done" },
          { type: "image", data: "aGk=", mimeType: "image/png" },
          { type: "resource", resource: { uri: "file:///a", text: "A" } },
          { type: "a newer block" }
        ],
        structuredContent: { n: 1 }
      },
      error: null
    }
    const { take } = hear()
    const begun = take(started({ ...call, status: "inProgress", result: null }))
    assert.deepInclude(dataOf(begun, "item.started")[0]!.tool, { name: "demo.draw", kind: "other", input: { x: 1 } })
    const progress = take(tells("item/mcpToolCall/progress", { turnId: "u1", itemId: "call_1", message: "half way" }))
    assert.deepStrictEqual<unknown>(dataOf(progress, "item.updated"), [{ itemId: "u1/call_1", title: "half way" }])
    const [end] = dataOf(take(completed(call)), "item.completed")
    assert.deepInclude(end, { output: "done", status: "completed" })
    assert.deepStrictEqual<unknown>(end!.content, [
      { type: "image", mimeType: "image/png", data: "aGk=" },
      { type: "resource", uri: "file:///a", text: "A" }
    ])
    assert.deepStrictEqual(end!.raw, { structuredContent: { n: 1 }, content: [{ type: "a newer block" }] })
    assert.notProperty(end!.tool, "input")
  })

  it("are searches and pages of the web, images, waits and hooks", () => {
    const search = {
      type: "webSearch",
      id: "w",
      query: "effect",
      action: { type: "search", query: "effect" },
      results: [{ url: "https://x" }]
    }
    assert.deepInclude(ended(search).tool, { name: "web_search", kind: "search", title: "Search the web for effect" })
    assert.deepStrictEqual(ended(search).raw, { results: [{ url: "https://x" }] })
    const page = { ...search, query: "", action: { type: "openPage", url: "https://x" }, results: null }
    assert.deepInclude(ended(page).tool, { kind: "fetch", title: "Open https://x" })
    assert.deepInclude(ended({ type: "imageView", id: "v", path: "/workspace/a.png" }).tool, {
      kind: "read",
      title: "View a.png"
    })
    const image = { type: "imageGeneration", id: "g", status: "completed", revisedPrompt: "A cat", result: "aGk=" }
    assert.deepStrictEqual<unknown>(ended(image).content, [{ type: "image", mimeType: "image/png", data: "aGk=" }])
    assert.deepInclude(ended({ type: "sleep", id: "s", durationMs: 1_500 }).tool, { title: "Wait 1.5 s" })
    const hook = { type: "hookPrompt", id: "h", fragments: [{ text: "Mind the gap", hookRunId: "1" }] }
    assert.deepInclude(ended(hook), { kind: "message", role: "user", text: "Mind the gap" })
    assert.deepInclude(ended({ type: "exitedReviewMode", id: "e", review: "Fine." }), {
      kind: "message",
      role: "agent",
      text: "Fine."
    })
  })

  it("are shown as tool calls with all that was said of them, where their type is not known", () => {
    const end = ended({ type: "timeTravel", id: "t", status: "failed", to: 1985 })
    assert.deepInclude(end, { kind: "tool_call", status: "failed" })
    assert.deepInclude(end.tool, { name: "timeTravel", kind: "other" })
    assert.deepInclude(end.raw as object, { to: 1985 })
    const huge = ended({ type: "timeTravel", id: "t", past: "x".repeat(100_000) })
    assert.isAtMost(JSON.stringify(huge.raw).length, 20_000)
    assert.deepInclude(huge.raw as object, { cutAt: 16 * 1024 })
  })

  it("are read as far as they can be, where fields are missing or of another type", () => {
    const { take } = hear()
    const bare = take(
      completed({ type: "commandExecution", id: "c", exitCode: "zero", commandActions: 5, aggregatedOutput: 7 })
    )
    assert.deepInclude(dataOf(bare, "item.completed")[0]!.tool, { title: "A command", exitCode: null })
    const none = take(completed({ type: "commandExecution" }))
    assert.deepStrictEqual(
      dataOf(none, "backend.noted").map(({ code, level }) => [level, code]),
      [["warning", "malformed"]]
    )
  })

  it("are a plan: one for a turn, with its latest entries, over when the turn is", () => {
    const { take } = hear()
    const plan = (...statuses: ReadonlyArray<string>) =>
      tells("turn/plan/updated", {
        turnId: "u1",
        explanation: "First this",
        plan: statuses.map((status, n) => ({ step: `step ${n}`, status }))
      })
    const events = take(plan("inProgress", "pending"), plan("completed", "inProgress"), turnCompleted())
    assert.deepStrictEqual(types(events), [
      "item.started",
      "item.updated",
      "item.updated",
      "item.completed",
      "turn.completed"
    ])
    const [end] = dataOf(events, "item.completed")
    assert.deepInclude(end, { kind: "plan", status: "completed", text: "First this" })
    assert.deepStrictEqual(
      end!.entries?.map(({ status }) => status),
      ["completed", "in_progress"]
    )
    assert.deepStrictEqual(types(take(plan("completed"))), [])
  })

  it("are a proposed plan, whose end takes the place of its pieces", () => {
    const events = hear().take(
      started({ type: "plan", id: "p", text: "" }),
      delta("plan/delta", "p", "- a"),
      completed({ type: "plan", id: "p", text: "* a" })
    )
    assert.deepInclude(dataOf(events, "item.completed")[0], { kind: "plan", text: "* a" })
  })
})
