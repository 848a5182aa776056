import { assert, describe, it } from "@effect/vitest"
import type { PromptId, TurnId } from "@holdfast/core"
import { reportError } from "../src/CodexErrors.ts"
import {
  asks,
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

const promptId = "01a1fa3c-0000-7000-8000-000000000001" as PromptId

const userMessage = (clientId: string | null, ...content: ReadonlyArray<object>) => ({
  type: "userMessage",
  id: "user-1",
  clientId,
  content: content.length === 0 ? [{ type: "text", text: "Hi" }] : content
})

describe("A turn", () => {
  it("names its prompt where the answer to `turn/start` came first", () => {
    const { normaliser, take } = hear({ idle: true })
    normaliser.expectTurn("u1" as TurnId, promptId)
    assert.isUndefined(normaliser.activeTurn())
    assert.deepStrictEqual<unknown>(take(turnStarted()), [{ type: "turn.started", data: { turnId: "u1", promptId } }])
    assert.strictEqual<unknown>(normaliser.activeTurn(), "u1")
  })

  it("begins without its prompt where it came before that answer, and the prompt's message says that it arrived", () => {
    const { normaliser, take } = hear()
    normaliser.expectTurn("u1" as TurnId, promptId)
    const events = take(started(userMessage(promptId)), completed(userMessage(promptId)))
    assert.deepStrictEqual<unknown>(events, [{ type: "prompt.delivered", data: { promptId, turnId: "u1" } }])
  })

  it("shows what somebody else said in it as a user's message, with images and mentions", () => {
    const input = [
      { type: "text", text: "Look" },
      { type: "image", url: "data:image/png;base64,aGk=" },
      { type: "localImage", path: "/workspace/a.png" },
      { type: "mention", name: "b", path: "/workspace/b.txt" }
    ]
    const said = userMessage("typed in another app", ...input)
    const [end] = dataOf(hear().take(started(said), completed(said)), "item.completed")
    assert.deepInclude(end, { kind: "message", role: "user", text: "Look" })
    assert.deepStrictEqual<unknown>(end!.content, [
      { type: "image", mimeType: "image/png", data: "aGk=" },
      { type: "image", mimeType: "image/*", uri: "file:///workspace/a.png" },
      { type: "resource", uri: "file:///workspace/b.txt", name: "b" }
    ])
  })

  it("begins and ends once, however often that is said", () => {
    const { take } = hear()
    assert.deepStrictEqual(take(turnStarted()), [])
    assert.deepStrictEqual(types(take(turnCompleted(), turnCompleted(), turnStarted())), ["turn.completed"])
  })

  it("ends the one before, if Codex did not", () => {
    const { normaliser, take } = hear()
    take(started(message("m")))
    const events = take(turnStarted("u2"))
    assert.deepStrictEqual(types(events), ["item.completed", "turn.completed", "turn.started"])
    assert.deepInclude(dataOf(events, "turn.completed")[0], { turnId: "u1", outcome: "interrupted" })
    assert.strictEqual<unknown>(normaliser.activeTurn(), "u2")
  })

  it("is there as soon as anything of it is heard, and at the latest with its end", () => {
    const { take } = hear({ idle: true })
    assert.deepStrictEqual(types(take(started(message("m")))), ["turn.started", "item.started"])
    const failed = hear({ idle: true }).take(
      turnCompleted("failed", { error: { message: "No such model", codexErrorInfo: "modelNotFound" } })
    )
    assert.deepStrictEqual(types(failed), ["turn.started", "turn.completed"])
    assert.deepInclude(dataOf(failed, "turn.completed")[0]!.error, { code: "modelNotFound", retryable: false })
    assert.deepStrictEqual(types(hear({ idle: true }).take(asks(0, "item/fileChange/requestApproval"))), [
      "turn.started",
      "permission.requested"
    ])
  })

  it("fails with the error that was told before, where its end has none", () => {
    const { take } = hear()
    const error = { message: "over", codexErrorInfo: "usageLimitExceeded" }
    assert.deepStrictEqual(take(tells("error", { turnId: "u1", willRetry: false, error })), [])
    assert.deepInclude(dataOf(take(turnCompleted("failed")), "turn.completed")[0]!.error, { message: "over" })
  })

  it("ends in a way that is not known as completed, or as failed if it has an error", () => {
    assert.deepInclude(dataOf(hear().take(turnCompleted("paused")), "turn.completed")[0], { outcome: "completed" })
    assert.deepInclude(dataOf(hear().take(turnCompleted("constructor")), "turn.completed")[0], { outcome: "completed" })
    const failed = hear().take(turnCompleted("paused", { error: { message: "x" } }))
    assert.deepInclude(dataOf(failed, "turn.completed")[0], { outcome: "failed" })
  })

  it("counts its retries", () => {
    const { take } = hear()
    const retry = tells("error", { turnId: "u1", willRetry: true, error: { message: "Reconnecting..." } })
    const events = take(retry, retry, turnCompleted(), turnStarted("u2"))
    assert.deepStrictEqual(
      dataOf(events, "turn.retrying").map(({ attempt }) => attempt),
      [1, 2]
    )
  })

  it("lets nothing begin after its end but commands; what ends then is told whole", () => {
    const { take } = hear()
    take(turnCompleted())
    assert.deepStrictEqual(take(started(message("late")), delta("agentMessage/delta", "late", "x")), [])
    assert.deepInclude(dataOf(take(completed(message("late", "x"))), "item.completed")[0], { turnId: "u1", text: "x" })
    assert.deepStrictEqual(types(take(started(command("late")))), ["item.started", "item.updated"])
  })
})

describe("Token counts", () => {
  const usage = (total: number, last: number, turnId = "u1") =>
    tells("thread/tokenUsage/updated", {
      turnId,
      tokenUsage: {
        total: {
          totalTokens: total,
          inputTokens: total,
          cachedInputTokens: 0,
          outputTokens: 0,
          reasoningOutputTokens: 0
        },
        last: { totalTokens: last, inputTokens: last, cachedInputTokens: 0, outputTokens: 0, reasoningOutputTokens: 0 },
        modelContextWindow: 1_000
      }
    })
  const reported = (...messages: ReadonlyArray<ReturnType<typeof usage>>) =>
    dataOf(hear().take(...messages), "usage.reported").map((one) => one.usage.inputTokens)

  it("add up to what was used, also where a report is repeated, missed or only an estimate", () => {
    assert.deepStrictEqual(reported(usage(100, 100), usage(100, 100), usage(300, 90), usage(300, 851)), [100, 200])
  })

  it("do not count a resumed thread's past again", () => {
    const { take } = hear({ idle: true })
    assert.deepStrictEqual(take(usage(500, 50, "of the past")), [])
    const events = take(turnStarted(), usage(560, 60))
    assert.deepStrictEqual(
      dataOf(events, "usage.reported").map((one) => one.usage.inputTokens),
      [60]
    )
  })

  it("do not count the parent's in a fork, and go on where turns were taken back", () => {
    assert.deepStrictEqual(reported(usage(500, 40), usage(120, 20), usage(150, 30)), [40, 20, 30])
  })

  it("come with the size of the context", () => {
    const [one] = dataOf(hear().take(usage(100, 100)), "usage.reported")
    assert.deepStrictEqual(one!.raw, { totalTokens: 100, lastTokens: 100, modelContextWindow: 1_000 })
  })
})

describe("What a thread tells beside its turns", () => {
  it("is a compaction, and whether it was asked for", () => {
    const { normaliser, take } = hear()
    const compaction = { type: "contextCompaction", id: "c" }
    const first = take(started(compaction), completed(compaction), tells("thread/compacted", { turnId: "u1" }))
    assert.deepStrictEqual<unknown>(first, [{ type: "context.compacted", data: { turnId: "u1", automatic: true } }])
    normaliser.expectCompaction()
    const second = take(started({ ...compaction, id: "d" }), completed({ ...compaction, id: "d" }))
    assert.deepInclude(dataOf(second, "context.compacted")[0], { automatic: false })
  })

  it("is its name, unless that was taken away", () => {
    const { take } = hear()
    const events = take(tells("thread/name/updated", { threadName: " Fix it " }), tells("thread/name/updated"))
    assert.deepStrictEqual<unknown>(events, [{ type: "agent.titled", data: { title: "Fix it" } }])
  })

  it("is noted where it has no event: warnings, other models, failures of servers and hooks", () => {
    const { take } = hear()
    const events = take(
      tells("warning", { message: "Careful" }),
      { method: "configWarning", params: { summary: "Unknown key", details: "line 3" } },
      tells("model/rerouted", { turnId: "u1", fromModel: "a", toModel: "b", reason: "highRiskCyberActivity" }),
      tells("mcpServer/startupStatus/updated", { name: "demo", status: "ready" }),
      tells("mcpServer/startupStatus/updated", { name: "demo", status: "failed", error: "no such file" }),
      tells("hook/completed", { run: { id: "1", status: "blocked" } }),
      tells("error", { turnId: "u9", willRetry: false, error: { message: "of no turn" } })
    )
    assert.deepStrictEqual(
      dataOf(events, "backend.noted").map(({ code, level, message: text }) => [level, code, text]),
      [
        ["warning", "warning", "Careful"],
        ["warning", "configWarning", "Unknown key\nline 3"],
        ["warning", "model/rerouted", "model/rerouted a b highRiskCyberActivity"],
        ["warning", "mcpServer/startupStatus/updated", "mcpServer/startupStatus/updated demo failed no such file"],
        ["warning", "hook/completed", "hook/completed blocked"],
        ["error", "error", "of no turn"]
      ]
    )
  })

  it("is a goal for which Codex goes on by itself, noted when it is new and when it is reached", () => {
    const goal = (status: string, tokensUsed: number) =>
      tells("thread/goal/updated", { turnId: "u1", goal: { objective: "Ship it", status, tokensUsed } })
    const events = hear().take(goal("active", 0), goal("active", 100), goal("complete", 200))
    assert.deepStrictEqual(
      dataOf(events, "backend.noted").map(({ message: text }) => text),
      ["Goal, active: Ship it", "Goal, complete: Ship it"]
    )
  })

  it("is left out where it says nothing new, and where it is about another thread", () => {
    const { take } = hear()
    const events = take(
      tells("thread/status/changed", { status: { type: "idle" } }),
      { method: "account/rateLimits/updated", params: { rateLimits: {} } },
      tells("turn/started", { threadId: "another", turn: { id: "x" } })
    )
    assert.deepStrictEqual(events, [])
  })

  it("is kept where it is not known, but no stream of it fills the log", () => {
    const { take } = hear()
    const events = Array.from({ length: 1_000 }, () => take(tells("item/hologram/delta", { delta: "x" }))).flat()
    assert.strictEqual(events.length, 20)
    assert.deepInclude(dataOf(events, "backend.noted")[0], { level: "info", code: "unknown" })
    assert.match(dataOf(events, "backend.noted").at(-1)!.message, /left out/)
  })
})

describe("A sub-agent", () => {
  const spawn = {
    type: "collabAgentToolCall",
    id: "s",
    tool: "spawnAgent",
    status: "inProgress",
    prompt: "Look",
    receiverThreadIds: ["child"]
  }
  const child = <M extends { readonly params?: unknown }>(of: M): M => ({
    ...of,
    params: { ...(of.params as object), threadId: "child" }
  })

  it("has its items below the call that started it, and no turn of the session's", () => {
    const { normaliser, take } = hear()
    assert.deepStrictEqual(take(child(turnStarted("c1"))), [])
    take(started(spawn))
    assert.deepStrictEqual(normaliser.threads(), ["thread-1", "child"])
    const events = take(
      child(turnStarted("c1")),
      child(started(message("m"), "c1")),
      child(completed(message("m", "Found"), "c1")),
      child(turnCompleted("completed", {}, "c1"))
    )
    assert.deepStrictEqual(types(events), ["item.started", "item.completed"])
    assert.deepInclude(dataOf(events, "item.completed")[0], { itemId: "c1/m", parentId: "u1/s", text: "Found" })
    assert.notProperty(dataOf(events, "item.completed")[0], "turnId")
    assert.strictEqual<unknown>(normaliser.activeTurn(), "u1")
  })

  it("is also learnt of by its thread's start, and by its activity", () => {
    const first = hear()
    first.take(started({ ...spawn, receiverThreadIds: [] }))
    first.take({ method: "thread/started", params: { thread: { id: "child", parentThreadId: "thread-1" } } })
    assert.deepStrictEqual(first.normaliser.threads(), ["thread-1", "child"])
    const second = hear()
    second.take(
      completed({ type: "subAgentActivity", id: "a", kind: "started", agentThreadId: "child", agentPath: "/x" })
    )
    assert.deepStrictEqual(second.normaliser.threads(), ["thread-1", "child"])
  })

  it("works on past the turn that started it, but what it asks is turned down with that turn", () => {
    const { replies, take } = hear()
    take(started(spawn), child(turnStarted("c1")), child(started(command("c", { processId: null }), "c1")))
    const asked = take(child(asks(5, "item/commandExecution/requestApproval", { turnId: "c1", itemId: "c" })))
    assert.notProperty(dataOf(asked, "permission.requested")[0], "turnId")
    const over = take(turnCompleted())
    assert.deepStrictEqual(types(over), ["permission.resolved", "item.completed", "turn.completed"])
    assert.deepStrictEqual<unknown>(replies, [{ id: 5, result: { decision: "cancel" } }])
    const end = take(child(completed(command("c", { status: "declined" }), "c1")))
    assert.deepInclude(dataOf(end, "item.completed")[0], { itemId: "c1/c", parentId: "u1/s", status: "failed" })
  })

  it("that fails is noted, since the session's turn goes on", () => {
    const { normaliser, take } = hear()
    take(started(spawn), child(turnStarted("c1")))
    const error = { message: "over", codexErrorInfo: "usageLimitExceeded" }
    const events = take(child(turnCompleted("failed", { error }, "c1")))
    assert.deepInclude(dataOf(events, "backend.noted")[0], {
      message: "A sub-agent failed: over",
      code: "usageLimitExceeded"
    })
    assert.strictEqual<unknown>(normaliser.activeTurn(), "u1")
  })

  it("is one of at most 64 that are listened to", () => {
    const { normaliser, take } = hear()
    take(started({ ...spawn, receiverThreadIds: Array.from({ length: 200 }, (_, n) => `child-${n}`) }))
    assert.strictEqual(normaliser.threads().length, 65)
  })
})

describe("An error", () => {
  const retryable = (codexErrorInfo: unknown, text = "x") => reportError({ message: text, codexErrorInfo }).retryable

  it("is retryable by its code, and by the status where it has one", () => {
    const failed = (status: number | null) => ({ httpConnectionFailed: { httpStatusCode: status } })
    for (const info of [
      "serverOverloaded",
      "internalServerError",
      "rateLimitExceeded",
      failed(null),
      failed(429),
      failed(503)
    ]) {
      assert.isTrue(retryable(info), JSON.stringify(info))
    }
    for (const info of [
      "contextWindowExceeded",
      "usageLimitExceeded",
      "unauthorized",
      "a newer code",
      failed(400),
      failed(401),
      null,
      5,
      {}
    ]) {
      assert.isFalse(retryable(info), JSON.stringify(info))
    }
    assert.isTrue(retryable("other", "stream disconnected before completion: EOF"))
    assert.isFalse(retryable("other", '{"error":"bad request"}'))
  })

  it("has a message within bounds, with the cause behind it, and Codex's own words", () => {
    const error = reportError({ message: "Reconnecting... 1/5", additionalDetails: "reset", codexErrorInfo: "other" })
    assert.deepInclude(error, { message: "Reconnecting... 1/5: reset", code: "other" })
    assert.deepInclude(error.raw as object, { additionalDetails: "reset" })
    const page = reportError({ message: "<html>".repeat(100_000) })
    assert.isAtMost(page.message.length, 4_096)
    assert.isAtMost(JSON.stringify(page.raw).length, 20_000)
    assert.strictEqual(reportError({}).message, "Codex gave no reason")
  })
})
