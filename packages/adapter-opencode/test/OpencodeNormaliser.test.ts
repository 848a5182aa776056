import type { BackendEvent, PromptId, RequestId, TurnId } from "@holdfast/core"
import { assert, describe, it } from "@effect/vitest"
import {
  makeOpencodeNormaliser,
  messageIdOf,
  type OpencodeEvent,
  type OpencodeSnapshot
} from "../src/OpencodeNormaliser.ts"
import { show } from "./replay.ts"

const sessionID = "ses_one"
const prompt = "00000000-0000-7000-8000-000000000001" as PromptId

const event = (type: string, properties: object): OpencodeEvent => ({ type, properties: { sessionID, ...properties } })
const status = (type: string, more: object = {}) => event("session.status", { status: { type, ...more } })
const idle = status("idle")
const busy = status("busy")
const failed = (name: string, message: string) => event("session.error", { error: { name, data: { message } } })

const userInfo = (id: string, more: object = {}) => ({ id, sessionID, role: "user", time: { created: 1 }, ...more })
const user = (id: string, more: object = {}) => event("message.updated", { info: userInfo(id, more) })
const callInfo = (id: string, parentID: string, more: object = {}) => ({
  id,
  sessionID,
  role: "assistant",
  parentID,
  time: { created: 2 },
  ...more
})
const call = (id: string, parentID: string, more: object = {}) =>
  event("message.updated", { info: callInfo(id, parentID, more) })
const done = (finish?: string) => ({ time: { created: 2, completed: 3 }, ...(finish === undefined ? {} : { finish }) })

const partOf = (messageID: string, id: string, more: object) => ({ id, messageID, sessionID, ...more })
const part = (messageID: string, id: string, more: object) =>
  event("message.part.updated", { part: partOf(messageID, id, more) })
const written = (text: string) => ({ type: "text", text })
const begun = { type: "text", text: "", time: { start: 1 } }
const ended = (text: string) => ({ type: "text", text, time: { start: 1, end: 2 } })
const delta = (partID: string, text: string) => event("message.part.delta", { partID, field: "text", delta: text })
const tool = (name: string, state: object) => ({ type: "tool", tool: name, callID: "call_1", state })
const running = (name: string, input: object) => tool(name, { status: "running", input, time: { start: 1 } })
const completed = (name: string, input: object, more: object = {}) =>
  tool(name, { status: "completed", input, output: "", title: "", metadata: {}, time: { start: 1, end: 2 }, ...more })

const nothing: OpencodeSnapshot = { status: {}, permissions: [], questions: [], messages: {} }

const make = (generation = 1) => {
  const normaliser = makeOpencodeNormaliser({ sessionId: sessionID, generation, directory: "/project" })
  return {
    ...normaliser,
    /** Takes events and gives all that they told. */
    hear: (...events: ReadonlyArray<OpencodeEvent>): ReadonlyArray<BackendEvent> => events.flatMap(normaliser.take)
  }
}

const types = (events: ReadonlyArray<BackendEvent>): ReadonlyArray<string> => events.map(({ type }) => type)

const last = <T extends BackendEvent["type"]>(
  events: ReadonlyArray<BackendEvent>,
  type: T
): Extract<BackendEvent, { readonly type: T }> => {
  const found = events.findLast((one) => one.type === type)
  if (found === undefined) throw new Error(`no ${type} in\n${lines(events)}`)
  return found as Extract<BackendEvent, { readonly type: T }>
}

/** Asserts some fields of what was told; its ids are texts here. */
const assertSays = (event: { readonly data: object }, fields: object) => assert.deepInclude(event.data, fields)

const lines = (events: ReadonlyArray<BackendEvent>): string => show([{ step: { do: "abort" }, events, abandoned: [] }])

describe("A turn on Opencode", () => {
  it("goes on after an idle until its last words have come", () => {
    const session = make()
    session.expectPrompt(prompt, "msg_1")
    session.hear(user("msg_1"), busy, call("msg_2", "msg_1"), part("msg_2", "prt_1", begun), delta("prt_1", "So"))
    assert.deepStrictEqual(session.hear(failed("APIError", "no"), idle, event("session.idle", {})), [])
    assert.isTrue(session.needsReread())
    const end = session.hear(
      call("msg_2", "msg_1", { ...done(), error: { name: "APIError", data: { message: "no" } } })
    )
    assert.deepStrictEqual(types(end), ["item.completed", "turn.completed"])
    assert.deepStrictEqual(last(end, "turn.completed").data.outcome, "failed")
    assert.isFalse(session.needsReread())
    assert.deepStrictEqual(session.hear(idle, event("session.idle", {})), [])
  })

  it("is interrupted, and its tool with it, where the server is idle and will not say more", () => {
    const session = make()
    session.expectPrompt(prompt, "msg_1")
    session.hear(user("msg_1"), busy, call("msg_2", "msg_1"), part("msg_2", "prt_1", running("bash", { command: "x" })))
    assert.deepStrictEqual(session.resync(nothing), [])
    assert.isTrue(session.needsReread())
    const end = session.resync(nothing, { missed: false, final: true })
    assert.deepStrictEqual(types(end), ["item.completed", "turn.completed"])
    assert.include(last(end, "item.completed").data, { status: "interrupted", partial: true })
    assert.strictEqual(last(end, "turn.completed").data.outcome, "interrupted")
  })

  it("fails with the reason for which it was aborted, if there is one", () => {
    const session = make()
    session.expectPrompt(prompt, "msg_1")
    session.hear(user("msg_1"), busy)
    for (let n = 1; n <= 3; n++) session.hear(call(`msg_2${n}`, "msg_1"), call(`msg_2${n}`, "msg_1", done("unknown")))
    assert.strictEqual(session.steps(), 3)
    session.failTurn({ message: "too many steps", code: "too_many_steps", retryable: false })
    const end = session.hear(failed("MessageAbortedError", "Aborted"), idle)
    assertSays(last(end, "turn.completed"), {
      outcome: "failed",
      error: { message: "too many steps", code: "too_many_steps", retryable: false }
    })
    assert.strictEqual(session.steps(), 0)
  })

  it("was stopped by a refusal where the model did not get to see its tools' results", () => {
    const session = make()
    session.expectPrompt(prompt, "msg_1")
    session.hear(user("msg_1"), busy, call("msg_2", "msg_1"))
    session.hear(event("permission.asked", { id: "per_1", permission: "bash", patterns: ["rm x"], always: [] }))
    const reply = session.answer("per_1" as RequestId, { outcome: "selected", optionId: "reject" })
    assert.deepStrictEqual(reply, { method: "POST", path: "/permission/per_1/reply", body: { reply: "reject" } })
    const end = session.hear(call("msg_2", "msg_1", done("tool-calls")), idle)
    assertSays(last(end, "turn.completed"), { outcome: "interrupted", reason: "a request was refused" })
  })

  it("goes on, and the model is told, where nobody answers a request", () => {
    const session = make()
    session.hear(event("permission.asked", { id: "per_1", permission: "bash", patterns: ["rm x"], always: [] }))
    session.hear(event("question.asked", { id: "que_1", questions: [{ question: "Why?" }, { question: "Who?" }] }))
    const permission = session.answer("per_1" as RequestId, { outcome: "cancelled" })
    assert.deepInclude(permission, { method: "POST", path: "/permission/per_1/reply" })
    assert.containsAllKeys(permission?.body, ["reply", "message"])
    const question = session.answer("que_1" as RequestId, { outcome: "cancelled" })
    assert.deepInclude(question, { path: "/question/que_1/reply", body: { answers: [[], []] } })
  })

  it("takes a prompt in that came while it used tools, and is followed by one that came while it spoke", () => {
    const session = make()
    const [second, third] = ["2", "3"].map((n) => `00000000-0000-7000-8000-00000000000${n}` as PromptId)
    session.expectPrompt(prompt, "msg_1")
    session.hear(user("msg_1"), busy, call("msg_2", "msg_1"))
    session.expectPrompt(second!, "msg_3")
    const steered = session.hear(user("msg_3"), call("msg_2", "msg_1", done("tool-calls")), call("msg_4", "msg_3"))
    assert.deepStrictEqual(types(steered), ["prompt.delivered"])
    assertSays(last(steered, "prompt.delivered"), { promptId: second, turnId: "msg_1" })
    session.expectPrompt(third!, "msg_5")
    const queued = session.hear(user("msg_5"), call("msg_4", "msg_3", done("stop")), call("msg_6", "msg_5"))
    assert.deepStrictEqual(types(queued), ["turn.completed", "turn.started"])
    assertSays(last(queued, "turn.started"), { promptId: third, turnId: "msg_5" })
  })

  it("of somebody else begins when the server runs it, with what they wrote", () => {
    const session = make()
    assert.deepStrictEqual(session.hear(user("msg_1"), part("msg_1", "prt_1", written("Look"))), [])
    assert.isUndefined(session.activeTurn())
    const begun = session.hear(busy)
    assert.deepStrictEqual(types(begun), ["turn.started", "item.started", "item.completed"])
    assertSays(last(begun, "item.completed"), { role: "user", text: "Look" })
  })

  it("does not begin with a message that is only stored", () => {
    const session = make()
    assert.deepStrictEqual(session.hear(user("msg_1"), part("msg_1", "prt_1", written("For later")), idle), [])
    session.expectPrompt(prompt, "msg_2")
    const begun = session.hear(user("msg_2"), busy, call("msg_3", "msg_2"))
    assert.deepStrictEqual(types(begun), ["turn.started"])
    assert.strictEqual(session.activeTurn(), "msg_2" as TurnId)
  })
})

describe("A prompt to Opencode", () => {
  it("for an agent that does not exist fails its turn, though no message and no idle come of it", () => {
    const session = make()
    session.expectPrompt(prompt, "msg_1")
    const end = session.hear(failed("UnknownError", "Agent not found: nope"))
    assert.deepStrictEqual(types(end), ["turn.started", "turn.completed"])
    assertSays(last(end, "turn.started"), { promptId: prompt, turnId: "msg_1" })
    assert.strictEqual(last(end, "turn.completed").data.error?.message, "Agent not found: nope")
    const trace = failed("UnknownError", "UnknownError: UnknownError\n    at <anonymous> (/x.js:1:2)")
    assert.deepStrictEqual(session.hear(trace), [])
  })

  it("that the server dropped without a word fails when it is given up", () => {
    const session = make()
    session.expectPrompt(prompt, "msg_1")
    const end = session.failPrompt("msg_1", { message: "not run", retryable: true })
    assert.deepStrictEqual(types(end), ["turn.started", "turn.completed"])
    assert.strictEqual(last(end, "turn.completed").data.outcome, "failed")
    assert.deepStrictEqual(session.failPrompt("msg_1", { message: "not run", retryable: true }), [])
  })

  it("that was not sent after all is not blamed for what comes", () => {
    const session = make()
    session.expectPrompt(prompt, "msg_1")
    session.forgetPrompt("msg_1")
    assert.deepStrictEqual(types(session.hear(failed("UnknownError", "Command not found"))), ["backend.noted"])
  })
})

describe("A session that is taken up again", () => {
  const stored = [
    { info: userInfo("msg_1"), parts: [partOf("msg_1", "prt_1", written("Old"))] },
    { info: callInfo("msg_2", "msg_1", done("stop")), parts: [partOf("msg_2", "prt_2", ended("Said"))] },
    { info: userInfo("msg_3"), parts: [partOf("msg_3", "prt_3", written("Now"))] },
    {
      info: callInfo("msg_4", "msg_3"),
      parts: [
        partOf("msg_4", "prt_4", ended("First")),
        partOf("msg_4", "prt_5", running("bash", { command: "sleep 9" })),
        partOf("msg_4", "prt_6", begun)
      ]
    }
  ]
  const asked = { id: "per_1", sessionID, permission: "bash", patterns: ["sleep 9"], always: [] }

  it("tells nothing of its history, and refuses what a dead turn left open", () => {
    const session = make(2)
    assert.deepStrictEqual(session.adopt({ ...nothing, messages: { [sessionID]: stored }, permissions: [asked] }), [])
    assert.deepStrictEqual(session.abandoned(), [
      { method: "POST", path: "/permission/per_1/reply", body: { reply: "reject" } }
    ])
    assert.deepStrictEqual(session.abandoned(), [])
    assert.deepStrictEqual(session.hear(...stored.map(({ info }) => event("message.updated", { info })), idle), [])
  })

  it("tells a turn that still runs from its beginning, under ids of its own", () => {
    const session = make(2)
    const taken = session.adopt({
      ...nothing,
      status: { [sessionID]: { type: "busy" } },
      messages: { [sessionID]: stored },
      permissions: [asked]
    })
    assert.strictEqual(
      lines(taken),
      [
        "> abort",
        'turn.started          turnId="msg_3:2"',
        'item.started          itemId="prt_4:2" turnId="msg_3:2" kind="message" role="agent"',
        'item.completed        itemId="prt_4:2" turnId="msg_3:2" kind="message" role="agent" status="completed" text="First"',
        'item.started          itemId="prt_5:2" turnId="msg_3:2" kind="tool_call" tool={"name":"bash","kind":"execute","status":"in_progress","title":"sleep 9","input":{"command":"sleep 9"}}',
        'permission.requested  requestId="per_1:2" turnId="msg_3:2" title="bash: sleep 9" options=[{"optionId":"once","name":"Allow once","kind":"allow_once"},{"optionId":"reject","name":"Reject","kind":"reject_once"}] default={"outcome":"cancelled"} raw={"permission":"bash","patterns":["sleep 9"],"always":[]}'
      ].join("\n")
    )
    assert.strictEqual(messageIdOf(session.activeTurn()!), "msg_3")
    const reply = session.answer("per_1:2" as RequestId, { outcome: "selected", optionId: "once" })
    assert.deepStrictEqual(reply, { method: "POST", path: "/permission/per_1/reply", body: { reply: "once" } })
    const end = session.hear(
      delta("prt_6", "lost beginning"),
      part("msg_4", "prt_6", ended("Whole")),
      part("msg_4", "prt_5", completed("bash", { command: "sleep 9" }, { metadata: { exit: 0 } })),
      call("msg_4", "msg_3", done("stop")),
      idle
    )
    assert.deepStrictEqual(types(end), ["item.started", "item.completed", "item.completed", "turn.completed"])
    assert.deepInclude(end[1]!, { type: "item.completed" })
    assertSays(last(end, "turn.completed"), { turnId: "msg_3:2", outcome: "completed" })
  })
})

describe("Files that a turn changed", () => {
  const turn = () => {
    const session = make()
    session.expectPrompt(prompt, "msg_1")
    session.hear(user("msg_1"), busy, call("msg_2", "msg_1"))
    return session
  }
  const overwrite = completed(
    "write",
    { filePath: "a.txt", content: "new" },
    { metadata: { filepath: "/project/a.txt", exists: true } }
  )
  const over = [call("msg_2", "msg_1", done("stop")), idle]

  it("are told without a difference where the directory is no repository", () => {
    const end = turn().hear(part("msg_2", "prt_1", overwrite), ...over)
    assert.deepStrictEqual(types(end).slice(-2), ["file.changed", "turn.completed"])
    assert.deepStrictEqual(last(end, "file.changed").data as unknown, {
      path: "/project/a.txt",
      change: "modified",
      turnId: "msg_1",
      itemId: "prt_1"
    })
  })

  it("are told once, with the difference of the whole turn, where a comparison comes", () => {
    const session = turn()
    const patch = part("msg_2", "prt_2", { type: "patch", hash: "1", files: ["/project/a.txt", "/project/b.txt"] })
    const diff = (file: string) => ({ file, patch: "@@ -1 +1 @@\n-old\n+new\n", status: "modified" })
    const end = session.hear(part("msg_2", "prt_1", overwrite), patch, ...over)
    assert.notInclude(types(end), "file.changed")
    assert.deepStrictEqual(session.hear(user("msg_1", { summary: { diffs: [diff("a.txt")] } })), [], "not the last one")
    const compared = user("msg_1", { summary: { diffs: [diff("a.txt"), diff("b.txt")] } })
    const changes = session.hear(compared, compared)
    assert.deepStrictEqual(types(changes), ["file.changed", "file.changed"])
    assert.deepInclude(changes[0], {
      type: "file.changed",
      data: {
        path: "/project/a.txt",
        change: "modified",
        diff: "@@ -1 +1 @@\n-old\n+new\n",
        additions: 1,
        deletions: 1,
        turnId: "msg_1",
        itemId: "prt_1"
      }
    } as never)
  })

  it("are named in a note beyond the first 500, and without their difference where that is huge", () => {
    const session = turn()
    session.hear(...over)
    const diffs = Array.from({ length: 502 }, (_, n) => ({ file: `f${n}`, patch: "x".repeat(n === 0 ? 300_000 : 1) }))
    const changes = session.hear(user("msg_1", { summary: { diffs } }))
    assert.strictEqual(changes.length, 501)
    assert.notProperty((changes[0] as { readonly data: object }).data, "diff")
    assert.deepStrictEqual(last(changes, "backend.noted").data.raw, ["f500", "f501"])
  })
})

describe("What a tool call of Opencode is", () => {
  const told = (name: string, state: object) => {
    const session = make()
    session.expectPrompt(prompt, "msg_1")
    return last(
      session.hear(user("msg_1"), busy, call("msg_2", "msg_1"), part("msg_2", "prt_1", tool(name, state))),
      "item.completed"
    ).data
  }

  it("shows in its kind", () => {
    const kinds = { bash: "execute", read: "read", edit: "edit", write: "edit", grep: "search", webfetch: "fetch" }
    const others = { todowrite: "think", task: "other", browser_click: "other" }
    for (const [name, kind] of Object.entries({ ...kinds, ...others })) {
      assert.strictEqual(told(name, { status: "completed", input: {}, output: "" }).tool?.kind, kind)
    }
  })

  it("shows in its end: failed, cut off, or killed", () => {
    const end = (state: object) => {
      const { status, tool: shown } = told("bash", state)
      return [status, shown?.status, shown?.exitCode]
    }
    const input = { command: "x" }
    assert.deepStrictEqual(end({ status: "completed", input, metadata: { exit: 3 } }), ["failed", "failed", 3])
    assert.deepStrictEqual(end({ status: "completed", input, metadata: { exit: null } }), [
      "interrupted",
      "failed",
      null
    ])
    assert.deepStrictEqual(end({ status: "error", input, error: "no" }), ["failed", "failed", undefined])
    const aborted = { status: "error", input, error: "aborted", metadata: { interrupted: true } }
    assert.deepStrictEqual(end(aborted), ["interrupted", "failed", undefined])
  })

  it("keeps what it brought, and what has no field of its own beside it", () => {
    const image = { type: "file", mime: "image/png", url: "data:image/png;base64,AAAA" }
    const page = { type: "file", mime: "text/html", url: "https://example.com/a", filename: "a" }
    const { content, raw } = told("shot", {
      status: "completed",
      input: {},
      output: "",
      attachments: [image, page],
      metadata: { truncated: false, server: "browser" }
    })
    assert.deepStrictEqual(content, [
      { type: "image", mimeType: "image/png", data: "AAAA" },
      { type: "resource", uri: "https://example.com/a", mimeType: "text/html", name: "a" }
    ])
    assert.deepStrictEqual(raw, { metadata: { server: "browser" } })
  })
})

describe("A subagent of Opencode", () => {
  const childOf = (one: OpencodeEvent): OpencodeEvent =>
    JSON.parse(JSON.stringify(one).replaceAll(sessionID, "ses_child")) as OpencodeEvent

  it("is listened to from its creation on: what it does and asks is told below its tool call", () => {
    const session = make()
    session.expectPrompt(prompt, "msg_1")
    session.hear(user("msg_1"), busy, call("msg_2", "msg_1"))
    const unrelated = event("session.created", { sessionID: "ses_x", info: { id: "ses_x", parentID: "ses_y" } })
    const created = event("session.created", { sessionID: "ses_child", info: { id: "ses_child", parentID: sessionID } })
    assert.isFalse(session.concerns(unrelated))
    assert.isTrue(session.concerns(created))
    const task = running("task", { description: "Look" })
    const started = { ...task, state: { ...task.state, metadata: { sessionId: "ses_child" } } }
    session.hear(created, part("msg_2", "prt_1", started), childOf(user("msg_3")), childOf(call("msg_4", "msg_3")))
    assert.deepStrictEqual(session.children(), ["ses_child"])
    assert.deepStrictEqual(session.openChildren(), ["ses_child"])
    const asked = session.hear(
      childOf(part("msg_4", "prt_2", running("bash", { command: "ls" }))),
      childOf(
        event("permission.asked", {
          id: "per_1",
          permission: "bash",
          patterns: ["ls"],
          always: ["ls *"],
          tool: { messageID: "msg_4", callID: "call_1" }
        })
      ),
      childOf(status("retry", { attempt: 1, message: "busy", next: 7 }))
    )
    assert.deepStrictEqual(types(asked), ["item.started", "permission.requested", "turn.retrying"])
    assertSays(last(asked, "item.started"), { parentId: "prt_1", turnId: "msg_1" })
    assertSays(last(asked, "permission.requested"), { turnId: "msg_1", itemId: "prt_2" })
    assert.deepStrictEqual(session.hear(childOf(idle)), [], "the session is not idle with it")
    session.hear(childOf(call("msg_4", "msg_3", done("stop"))))
    assert.deepStrictEqual(session.openChildren(), [])
  })
})

describe("What Opencode says that has no event of its own", () => {
  it("is kept as a note, the first 20 times", () => {
    const session = make()
    const unknown = Array.from({ length: 30 }, (_, n) => event("session.sang", { verse: n }))
    const notes = session.hear(...unknown)
    assert.strictEqual(notes.length, 20)
    assertSays(last(notes, "backend.noted"), { code: "unknown_event", level: "info" })
    const malformed = session.hear(event("message.updated", { info: { role: "user" } }))
    assertSays(last(malformed, "backend.noted"), { code: "malformed_event", level: "warning" })
    session.expectPrompt(prompt, "msg_1")
    session.hear(user("msg_1"), busy, call("msg_2", "msg_1"))
    const parts = session.hear(part("msg_2", "prt_1", { type: "hologram", data: "x".repeat(100_000) }))
    const { code, raw } = last(parts, "backend.noted").data
    assert.strictEqual(code, "unknown_part")
    assert.isBelow(JSON.stringify(raw).length, 20_000)
  })

  it("is left out where it is noise, or of another session", () => {
    const session = make()
    const noise = [event("session.diff", { diff: [] }), { type: "server.heartbeat", properties: {} }]
    assert.deepStrictEqual(
      session.hear(...noise, { type: "lsp.updated" }, event("session.error", { sessionID: "x" })),
      []
    )
  })

  it("is told where it is a title that somebody found", () => {
    const session = make()
    const titled = (title: string) => event("session.updated", { info: { id: sessionID, title } })
    const told = session.hear(titled("New session - 2026-01-01"), titled("Found"), titled("Found"))
    assert.deepStrictEqual(told, [{ type: "agent.titled", data: { title: "Found" } }])
  })

  it("is told where it is usage, once for each call, with what came from and went to the cache", () => {
    const session = make()
    session.expectPrompt(prompt, "msg_1")
    session.hear(user("msg_1"), busy, call("msg_2", "msg_1"))
    const tokens = { input: 10, output: 5, reasoning: 2, cache: { read: 100, write: 50 } }
    const spent = part("msg_2", "prt_1", { type: "step-finish", reason: "stop", cost: 0.25, tokens })
    const told = session.hear(spent, spent)
    assert.strictEqual(told.length, 1)
    assert.deepStrictEqual(last(told, "usage.reported").data as unknown, {
      turnId: "msg_1",
      usage: { inputTokens: 160, outputTokens: 7, reasoningTokens: 2, cachedInputTokens: 100, costUsd: 0.25 },
      raw: { tokens }
    })
  })

  it("makes questions without own words closed, and answers them in their order", () => {
    const session = make()
    const questions = [
      { question: "Which?", header: "One", options: [{ label: "A", description: "first" }], custom: false },
      { question: "Who?", multiple: true }
    ]
    const told = session.hear(event("question.asked", { id: "que_1", questions }))
    assert.deepStrictEqual(last(told, "question.asked").data.questions, [
      {
        questionId: "0",
        header: "One",
        text: "Which?",
        options: [{ label: "A", description: "first" }],
        multiple: false,
        freeText: false
      },
      { questionId: "1", text: "Who?", options: [], multiple: true, freeText: true }
    ])
    const reply = session.answer("que_1" as RequestId, { outcome: "answered", answers: { "1": ["me", "you"] } })
    assert.deepStrictEqual(reply, {
      method: "POST",
      path: "/question/que_1/reply",
      body: { answers: [[], ["me", "you"]] }
    })
    assert.isUndefined(session.answer("que_1" as RequestId, { outcome: "cancelled" }))
  })
})
