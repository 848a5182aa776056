import { assert, describe, it } from "@effect/vitest"
import type { BackendEvent, PermissionOutcome, QuestionOutcome, RequestId } from "@holdfast/core"
import { asks, command, completed, dataOf, hear, type Heard, started, tells, turnCompleted } from "./wireMessages.ts"

const approval = "item/commandExecution/requestApproval"
const elicitation = "mcpServer/elicitation/request"

const choose = (optionId: string): PermissionOutcome => ({ outcome: "selected", optionId })
const reply = (answers: { readonly [id: string]: ReadonlyArray<string> }): QuestionOutcome => ({
  outcome: "answered",
  answers
})

const permissionOf = (events: ReadonlyArray<BackendEvent>) => dataOf(events, "permission.requested")[0]!
const questionOf = (events: ReadonlyArray<BackendEvent>) => dataOf(events, "question.asked")[0]!

/** What the server hears for an outcome of one request, in a normaliser of its own. */
const heardFor = (method: string, params: object, outcome: PermissionOutcome | QuestionOutcome): unknown => {
  const { normaliser, take } = hear()
  const events = take(asks(0, method, params))
  const { requestId } = permissionOf(events) ?? questionOf(events)
  const answer = normaliser.answer(requestId, outcome)
  return answer !== undefined && "result" in answer ? answer.result : answer
}

/** A command that waits for its approval. */
const waiting = (): Heard & { readonly requestId: RequestId } => {
  const heard = hear()
  const events = heard.take(started(command("call_1", { processId: null, source: "agent" })), asks(0, approval))
  return { ...heard, requestId: permissionOf(events).requestId }
}

describe("The approval of a command", () => {
  const offered = {
    command: "/bin/bash -lc 'make test'",
    reason: "May I?",
    availableDecisions: [
      "accept",
      { acceptWithExecpolicyAmendment: { execpolicy_amendment: ["make", "test"] } },
      { applyNetworkPolicyAmendment: { network_policy_amendment: { host: "example.org", action: "deny" } } },
      { sacrificeAGoat: { color: "black" } },
      "cancel"
    ]
  }

  it("offers what Codex offers, says which prefix or host is meant, and always lets decline", () => {
    const { description, options, title, tool } = permissionOf(hear().take(asks(0, approval, offered)))
    assert.strictEqual(title, "Run /bin/bash -lc 'make test'")
    assert.strictEqual(description, "May I?")
    assert.deepInclude(tool, { name: "shell", kind: "execute", status: "pending" })
    assert.deepStrictEqual(
      options.map(({ kind, name, optionId }) => [optionId, kind, name]),
      [
        ["accept", "allow_once", "Allow once"],
        ["acceptWithExecpolicyAmendment", "allow_always", "Always allow commands that begin with: make test"],
        ["applyNetworkPolicyAmendment", "reject_always", "Always refuse connections to example.org"],
        ["sacrificeAGoat", "allow_always", "sacrificeAGoat"],
        ["decline", "reject_once", "Decline, and go on"],
        ["cancel", "reject_once", "Decline, and stop the turn"]
      ]
    )
  })

  it("sends what was chosen as Codex offered it, also what is not known", () => {
    assert.deepStrictEqual(heardFor(approval, offered, choose("sacrificeAGoat")), {
      decision: { sacrificeAGoat: { color: "black" } }
    })
    assert.deepStrictEqual(heardFor(approval, offered, choose("acceptWithExecpolicyAmendment")), {
      decision: { acceptWithExecpolicyAmendment: { execpolicy_amendment: ["make", "test"] } }
    })
  })

  it("is declined where nothing is chosen, so that the turn goes on, and its default says so", () => {
    const { default: otherwise } = permissionOf(hear().take(asks(0, approval, offered)))
    assert.deepStrictEqual(otherwise, choose("decline"))
    for (const outcome of [{ outcome: "cancelled" }, choose("no such option")] as const) {
      assert.deepStrictEqual(heardFor(approval, offered, outcome), { decision: "decline" })
    }
  })

  it("offers decisions of one name apart", () => {
    const prefix = (...words: ReadonlyArray<string>) => ({
      acceptWithExecpolicyAmendment: { execpolicy_amendment: words }
    })
    const two = { availableDecisions: [prefix("make"), prefix("make", "test")] }
    const ids = permissionOf(hear().take(asks(0, approval, two))).options.map(({ optionId }) => optionId)
    assert.deepStrictEqual(ids, ["acceptWithExecpolicyAmendment", "acceptWithExecpolicyAmendment#2", "decline"])
    assert.deepStrictEqual(heardFor(approval, two, choose("acceptWithExecpolicyAmendment#2")), {
      decision: prefix("make", "test")
    })
  })

  it("holds its command as pending until it is allowed", () => {
    const { normaliser, requestId, take } = waiting()
    assert.deepStrictEqual(normaliser.answer(requestId, choose("accept")), { id: 0, result: { decision: "accept" } })
    const resolved = take(tells("serverRequest/resolved", { requestId: 0 }))
    assert.deepStrictEqual<unknown>(dataOf(resolved, "item.updated"), [{ itemId: "u1/call_1", status: "in_progress" }])
    assert.deepStrictEqual(resolved.length, 1)
  })

  it("says what else it is for: typing into a command, a connection", () => {
    const typing = permissionOf(hear().take(asks(0, approval, { ...offered, kind: "writeStdin" })))
    assert.match(typing.title, /^Type into a running command: /)
    const network = { ...offered, networkApprovalContext: { host: "example.org", protocol: "https" } }
    assert.match(permissionOf(hear().take(asks(0, approval, network))).title, /^Connect to example\.org: /)
  })
})

describe("A request", () => {
  it("has an id that no other opening of the session gave, and that tells text from number", () => {
    const { take } = hear()
    const ids = [0, "0", 1].map((id) => permissionOf(take(asks(id, approval))).requestId as string)
    assert.deepStrictEqual(ids, ["request-3-1", "request-3-2", "request-3-3"])
  })

  it("is answered once, with the id in its own type", () => {
    const { normaliser, take } = hear()
    const { requestId } = permissionOf(take(asks("0", approval)))
    assert.deepInclude(normaliser.answer(requestId, choose("accept")), { id: "0" })
    assert.isUndefined(normaliser.answer(requestId, choose("accept")))
    assert.isUndefined(normaliser.answer("request-3-9" as RequestId, choose("accept")))
  })

  it("is not asked twice when Codex repeats it", () => {
    const { take } = waiting()
    assert.deepStrictEqual(take(asks(0, approval)), [])
  })

  it("is over when somebody else answered it", () => {
    const { normaliser, requestId, take } = waiting()
    const events = take(tells("serverRequest/resolved", { requestId: 0 }))
    assert.deepStrictEqual<unknown>(events, [
      { type: "permission.resolved", data: { requestId, outcome: { outcome: "cancelled" }, by: "backend" } }
    ])
    assert.isUndefined(normaliser.answer(requestId, choose("accept")))
  })

  it("is over with its turn, before Codex says so, and its command was never running", () => {
    const { normaliser, replies, requestId, take } = waiting()
    const events = take(turnCompleted("interrupted"))
    assert.deepStrictEqual(
      events.map(({ type }) => type),
      ["permission.resolved", "item.completed", "turn.completed"]
    )
    assert.deepInclude(dataOf(events, "permission.resolved")[0], { requestId, by: "end" })
    assert.deepStrictEqual(take(tells("serverRequest/resolved", { requestId: 0 })), [])
    assert.deepStrictEqual(normaliser.openCommands(), [])
    assert.deepStrictEqual(replies, [])
  })

  it("is cancelled with all others for an interrupt, and its command counts as not running", () => {
    const { normaliser, take } = waiting()
    take(
      asks(1, "item/fileChange/requestApproval"),
      asks(2, "item/tool/requestUserInput", { questions: [{ id: "q", question: "?" }] })
    )
    assert.deepStrictEqual<unknown>(normaliser.cancelAll(), [
      { id: 0, result: { decision: "cancel" } },
      { id: 1, result: { decision: "cancel" } },
      { id: 2, result: { answers: {} } }
    ])
    assert.deepStrictEqual(normaliser.cancelAll(), [])
    take(turnCompleted("interrupted"))
    assert.deepStrictEqual(normaliser.openCommands(), [])
  })

  it("that a dead turn left to a server is turned down with the end of the turn", () => {
    const { replies, take } = hear()
    take(asks(7, elicitation, { turnId: null, mode: "url", url: "https://x", message: "Log in" }))
    assert.deepStrictEqual(dataOf(take(turnCompleted()), "permission.resolved").length, 1)
    assert.deepStrictEqual<unknown>(replies, [{ id: 7, result: { action: "cancel", content: null, _meta: null } }])
  })

  it("is turned down where 64 wait already", () => {
    const { replies, take } = hear()
    for (let id = 0; id < 64; id += 1) assert.isDefined(permissionOf(take(asks(id, approval))))
    assert.deepStrictEqual(take(asks(64, approval)), [])
    assert.deepStrictEqual<unknown>(replies, [{ id: 64, result: { decision: "cancel" } }])
  })

  it("that is not known, malformed or about another thread gets an error, so that the turn is not stuck, and a note", () => {
    const { replies, take } = hear()
    const events = take(
      asks(1, "attestation/generate"),
      asks(2, approval, { itemId: 5 }),
      asks(3, approval, { threadId: "another" }),
      asks(4, "no/such/request", { huge: "x".repeat(100_000) })
    )
    assert.deepStrictEqual(
      replies.map((one) => [one.id, "error" in one && one.error.code]),
      [
        [1, -32601],
        [2, -32601],
        [3, -32601],
        [4, -32601]
      ]
    )
    assert.strictEqual(dataOf(events, "backend.noted").length, 4)
    for (const event of events) assert.isAtMost(JSON.stringify(event).length, 20_000)
  })

  it("for a tool of the client's own is answered: there is none", () => {
    const { replies, take } = hear()
    assert.deepStrictEqual(take(asks(0, "item/tool/call", { callId: "c", tool: "lookup", arguments: {} })), [])
    assert.deepInclude((replies[0] as { readonly result: object }).result, { success: false })
  })
})

describe("The approval of a patch", () => {
  const method = "item/fileChange/requestApproval"

  it("shows the diff, which is only in its item", () => {
    const { take } = hear()
    const changes = [{ path: "/workspace/a.txt", kind: { type: "add" }, diff: "hello\n" }]
    take(started({ type: "fileChange", id: "call_1", changes, status: "inProgress" }))
    const { itemId, options, title, tool } = permissionOf(take(asks(0, method, { reason: null, grantRoot: null })))
    assert.strictEqual<unknown>(itemId, "u1/call_1")
    assert.strictEqual(title, "Create a.txt")
    assert.include(JSON.stringify(tool!.input), "+hello")
    assert.deepStrictEqual(
      options.map(({ optionId }) => optionId),
      ["accept", "acceptForSession", "decline", "cancel"]
    )
  })

  it("says which folder it opens, and is asked even where its item is not known", () => {
    const { description, title } = permissionOf(hear().take(asks(0, method, { reason: "Needed", grantRoot: "/opt" })))
    assert.strictEqual(title, "Change files")
    assert.strictEqual(description, "Needed\nAllows writing below /opt for this session")
  })
})

describe("The approval of rights", () => {
  const method = "item/permissions/requestApproval"
  const params = {
    cwd: "/workspace",
    reason: "To fetch",
    permissions: { network: { enabled: true }, fileSystem: null }
  }

  it("grants what was asked for, for a turn or the session, or nothing", () => {
    const { options, title } = permissionOf(hear().take(asks(0, method, params)))
    assert.strictEqual(title, "Use the network")
    assert.deepStrictEqual(
      options.map(({ kind }) => kind),
      ["allow_once", "allow_always", "reject_once"]
    )
    const granted = { network: { enabled: true } }
    assert.deepStrictEqual(heardFor(method, params, choose("turn")), { permissions: granted, scope: "turn" })
    assert.deepStrictEqual(heardFor(method, params, choose("session")), { permissions: granted, scope: "session" })
    assert.deepStrictEqual(heardFor(method, params, { outcome: "cancelled" }), { permissions: {}, scope: "turn" })
  })
})

describe("A question of the agent", () => {
  const method = "item/tool/requestUserInput"
  const params = {
    questions: [
      {
        id: "color",
        header: "Color",
        question: "Which?",
        isOther: false,
        isSecret: false,
        options: [{ label: "Red", description: "warm" }]
      },
      { id: "key", header: "Key", question: "Your key?", isOther: false, isSecret: true, options: null },
      {
        id: "size",
        header: "Size",
        question: "How large?",
        isOther: true,
        isSecret: false,
        options: [{ label: "M", description: "" }]
      }
    ]
  }

  it("has its options, says where other answers are welcome, and which are secret", () => {
    const { default: otherwise, questions } = questionOf(hear().take(asks(0, method, params)))
    assert.deepStrictEqual(otherwise, { outcome: "cancelled" })
    assert.deepStrictEqual(
      questions.map(({ freeText, options, questionId, secret }) => [questionId, options.length, freeText, secret]),
      [
        ["color", 1, false, undefined],
        ["key", 0, true, true],
        ["size", 1, true, undefined]
      ]
    )
  })

  it("is answered by its ids, and with no answers where it is cancelled", () => {
    assert.deepStrictEqual(heardFor(method, params, reply({ color: ["Red"], key: ["k"] })), {
      answers: { color: { answers: ["Red"] }, key: { answers: ["k"] } }
    })
    assert.deepStrictEqual(heardFor(method, params, { outcome: "cancelled" }), { answers: {} })
  })
})

describe("A request of an MCP server", () => {
  const toolApproval = {
    serverName: "demo",
    mode: "form",
    message: 'Allow the demo MCP server to run tool "draw"?',
    _meta: {
      codex_approval_kind: "mcp_tool_call",
      persist: ["session", "always"],
      tool_name: "draw",
      tool_params: { x: 1 }
    },
    requestedSchema: { type: "object", properties: {} }
  }

  it("is a permission where a tool call is to be approved, for its item, and for as long as is chosen", () => {
    const { take } = hear()
    take(
      started({
        type: "mcpToolCall",
        id: "call_9",
        server: "demo",
        tool: "draw",
        status: "inProgress",
        arguments: { x: 1 }
      })
    )
    const { itemId, options, tool } = permissionOf(take(asks(0, elicitation, toolApproval)))
    assert.strictEqual<unknown>(itemId, "u1/call_9")
    assert.deepInclude(tool, { name: "demo.draw", input: { x: 1 } })
    assert.deepStrictEqual(
      options.map(({ optionId }) => optionId),
      ["accept", "session", "always", "decline"]
    )
    const accepted = { action: "accept", content: {} }
    assert.deepStrictEqual(heardFor(elicitation, toolApproval, choose("accept")), { ...accepted, _meta: null })
    assert.deepStrictEqual(heardFor(elicitation, toolApproval, choose("always")), {
      ...accepted,
      _meta: { persist: "always" }
    })
    assert.deepStrictEqual(heardFor(elicitation, toolApproval, { outcome: "cancelled" }), {
      action: "decline",
      content: null,
      _meta: null
    })
  })

  const form = {
    serverName: "demo",
    mode: "form",
    message: "A ticket, please",
    _meta: null,
    requestedSchema: {
      type: "object",
      required: ["title"],
      properties: {
        title: { type: "string", title: "Title", description: "What is wrong" },
        urgent: { type: "boolean", title: "Urgent" },
        count: { type: "integer" },
        size: { type: "string", enum: ["s", "l"], enumNames: ["Small", "Large"] },
        kind: { type: "string", oneOf: [{ const: "b", title: "Bug" }] },
        tags: {
          type: "array",
          items: {
            anyOf: [
              { const: "x", title: "Ex" },
              { const: "y", title: "Why" }
            ]
          }
        }
      }
    }
  }

  it("is questions where it is a form: one a field, with the choices by their titles", () => {
    const { questions } = questionOf(hear().take(asks(0, elicitation, form)))
    assert.deepStrictEqual(
      questions.map(({ freeText, header, multiple, options }) => [
        header,
        freeText,
        multiple,
        options.map(({ label }) => label)
      ]),
      [
        ["Title", true, false, []],
        ["Urgent", false, false, ["Yes", "No"]],
        ["count", true, false, []],
        ["size", false, false, ["Small", "Large"]],
        ["kind", false, false, ["Bug"]],
        ["tags", false, true, ["Ex", "Why"]]
      ]
    )
    assert.strictEqual(questions[0]!.text, "A ticket, please\nWhat is wrong")
    assert.match(questions[2]!.text, /optional/)
  })

  it("is answered with values of the types that the form has, without what was left out", () => {
    const answers = reply({ title: ["It broke"], urgent: ["Yes"], count: ["3"], size: ["Large"], tags: ["Ex", "Why"] })
    assert.deepStrictEqual(heardFor(elicitation, form, answers), {
      action: "accept",
      content: { title: "It broke", urgent: true, count: 3, size: "l", tags: ["x", "y"] },
      _meta: null
    })
    assert.deepInclude(heardFor(elicitation, form, reply({ count: ["many"] })) as object, {
      content: { count: "many" }
    })
    assert.deepStrictEqual(heardFor(elicitation, form, { outcome: "cancelled" }), {
      action: "cancel",
      content: null,
      _meta: null
    })
  })

  it("is a permission with the address where a page is to be opened", () => {
    const page = { serverName: "demo", mode: "url", message: "Log in", url: "https://example.org", elicitationId: "1" }
    assert.deepInclude(permissionOf(hear().take(asks(0, elicitation, page))), {
      title: "Log in",
      description: "https://example.org"
    })
    assert.deepInclude(heardFor(elicitation, page, choose("accept")) as object, { action: "accept" })
  })

  it("is declined at once where nobody can be asked, and noted", () => {
    for (const mode of ["openai/userVerification", "form", "a newer mode"]) {
      const { replies, take } = hear()
      const nested = { type: "object", properties: { deep: { type: "object", properties: {} } } }
      const events = take(
        asks(0, elicitation, { mode, message: "?", requestedSchema: mode === "form" ? nested : null })
      )
      assert.deepStrictEqual(
        events.map(({ type }) => type),
        ["backend.noted"]
      )
      assert.deepStrictEqual<unknown>(replies, [{ id: 0, result: { action: "decline", content: null, _meta: null } }])
    }
  })

  it("ends its call whatever was answered, since the call's own end follows", () => {
    const { take } = hear()
    take(
      started({ type: "mcpToolCall", id: "c", server: "demo", tool: "draw", status: "inProgress" }),
      asks(0, elicitation, toolApproval)
    )
    const end = {
      type: "mcpToolCall",
      id: "c",
      server: "demo",
      tool: "draw",
      status: "failed",
      error: { message: "user rejected" }
    }
    assert.strictEqual(dataOf(take(completed(end)), "item.completed")[0]!.error?.message, "user rejected")
  })
})
