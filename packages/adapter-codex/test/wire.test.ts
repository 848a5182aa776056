import { assert, beforeAll, describe, it } from "@effect/vitest"
import type { RequestId } from "@holdfast/core"
import { Schema } from "effect"
import { connectionCodes, judgedCodes } from "../src/CodexErrors.ts"
import { noticeMethods } from "../src/CodexNotices.ts"
import { type CodexMessage, type CodexReply, makeCodexNormaliser } from "../src/CodexNormaliser.ts"
import { notifications, requests, threadItems, TurnError } from "../src/CodexWire.ts"
import { type Node, problemsOf, variantsOf, withProtocol } from "./protocolSchema.ts"

/** Files of the schema that are read. */
const files = [
  "ServerNotification",
  "ServerRequest",
  "CommandExecutionRequestApprovalResponse",
  "FileChangeRequestApprovalResponse",
  "PermissionsRequestApprovalResponse",
  "ToolRequestUserInputResponse",
  "McpServerElicitationRequestResponse",
  "DynamicToolCallResponse"
] as const

let protocol: { readonly [F in (typeof files)[number]]: Node }
let told: Node
let asked: Node

beforeAll(async () => {
  protocol = await withProtocol(
    (file) => Object.fromEntries(files.map((name) => [name, file(name)])) as typeof protocol
  )
  told = protocol.ServerNotification
  asked = protocol.ServerRequest
})

const methodOf = (node: Node): string => String(node.properties?.["method"]?.enum?.[0])

const methodsOf = (root: Node): ReadonlyArray<string> => root.oneOf!.map(methodOf)

const paramsOf = (root: Node, method: string): Node =>
  root.oneOf!.find((one) => methodOf(one) === method)!.properties!["params"]!

/** The texts that an enum, or the tags of a union, can be. */
const membersOf = (root: Node, name: string, tag?: string): ReadonlyArray<unknown> =>
  variantsOf({ $ref: `#/definitions/${name}` }, root).flatMap((variant) => [
    ...(variant.enum ?? []),
    ...(tag === undefined ? Object.keys(variant.properties ?? {}) : (variant.properties?.[tag]?.enum ?? []))
  ])

interface Shape {
  readonly ast: { readonly _tag: string; readonly literal?: unknown }
  readonly fields?: { readonly [name: string]: Shape }
  readonly schema?: Shape
  readonly members?: ReadonlyArray<Shape>
  readonly value?: Shape
}

/** What a lenient field holds. */
const contentOf = (shape: Shape): Shape => {
  if (shape.members !== undefined) {
    const [first] = shape.members.filter(({ ast }) => ast._tag !== "Undefined")
    return contentOf(first!)
  }
  return shape.schema !== undefined && shape.fields === undefined && shape.ast._tag !== "Arrays"
    ? contentOf(shape.schema)
    : shape
}

const jsonTypes: { readonly [tag: string]: ReadonlyArray<string> } = {
  String: ["string"],
  Number: ["integer", "number"],
  Boolean: ["boolean"],
  Arrays: ["array"],
  Objects: ["object"]
}

/** Differences between what we read and what the protocol says is sent. */
const differences = (given: Shape, node: Node | undefined, root: Node, at: string): ReadonlyArray<string> => {
  const shape = contentOf(given)
  const variants = variantsOf(node, root)
  if (variants.length === 0) return [`${at} is not in the protocol`]
  if (
    shape.ast._tag === "Unknown" ||
    variants.some((variant) => Object.keys(variant).every((key) => key === "description" || key === "default"))
  )
    return []
  const expected = jsonTypes[shape.ast._tag]
  const types = variants.flatMap((variant) => variant.type ?? (variant.properties === undefined ? [] : ["object"]))
  const found: Array<string> = []
  if (expected !== undefined && !types.some((type) => expected.includes(type))) {
    found.push(`${at} is ${types.join(" or ")}, and read as ${expected.join(" or ")}`)
  }
  if (shape.ast._tag === "Literal" && !variants.some((variant) => variant.enum?.includes(shape.ast.literal) === true)) {
    found.push(`${at} is never ${String(shape.ast.literal)}`)
  }
  const objects = variants.filter((variant) => variant.properties !== undefined)
  for (const [name, field] of Object.entries(shape.fields ?? {})) {
    const having = objects.filter((variant) => Object.hasOwn(variant.properties!, name))
    if (having.length === 0) found.push(`${at}.${name} is not in the protocol`)
    const isRequired = field.ast !== undefined && !isOptional(field)
    const always = objects.every(
      (variant) => !Object.hasOwn(variant.properties!, name) || variant.required?.includes(name) === true
    )
    if (isRequired && !always) found.push(`${at}.${name} is required here, and may be absent`)
    const merged: Node = { anyOf: having.map((variant) => variant.properties![name]!) }
    found.push(...differences(field, merged, root, `${at}.${name}`))
  }
  if (shape.ast._tag === "Arrays" && shape.value !== undefined) {
    const items = variants.flatMap((variant) => variant.items ?? [])
    found.push(...differences(shape.value, { anyOf: items }, root, `${at}[]`))
  }
  return found
}

const isOptional = (field: Shape): boolean =>
  (field.ast as unknown as { readonly context?: { readonly isOptional?: boolean } }).context?.isOptional === true

describe("What is read of Codex's protocol", () => {
  it("are notifications that the installed program sends, each with the fields that are read", () => {
    const found = Object.entries(notifications).flatMap(([method, shape]) =>
      differences(shape as unknown as Shape, paramsOf(told, method), told, method)
    )
    assert.deepStrictEqual(found, [])
  })

  it("leaves out no notification that the installed program can send", () => {
    const known = [...Object.keys(notifications), ...noticeMethods].toSorted()
    // Sent only to a client that asks for raw events, and not in the schema.
    const raw = ["rawResponse/completed", "rawResponseItem/completed"]
    assert.deepStrictEqual(known, [...methodsOf(told), ...raw].toSorted())
  })

  it("are requests that the installed program makes; the others are answered with an error", () => {
    const found = Object.entries(requests).flatMap(([method, shape]) =>
      differences(shape as unknown as Shape, paramsOf(asked, method), asked, method)
    )
    assert.deepStrictEqual(found, [])
    const unanswered = methodsOf(asked).filter(
      (method) => !Object.hasOwn(requests, method) && method !== "item/tool/call"
    )
    assert.deepStrictEqual(unanswered.toSorted(), [
      "account/chatgptAuthTokens/refresh",
      "applyPatchApproval",
      "attestation/generate",
      "currentTime/read",
      "execCommandApproval"
    ])
  })

  it("are all types of items, each with the fields that are read", () => {
    const variants = variantsOf({ $ref: "#/definitions/ThreadItem" }, told)
    const typeOf = (variant: Node) => variant.properties?.["type"]?.enum?.[0]
    const found = Object.entries(threadItems).flatMap(([type, shape]) => {
      // Some fields stand beside the variant, in a part of their own.
      const own = [undefined, type].flatMap((of) => variants.filter((variant) => typeOf(variant) === of))
      const properties = Object.assign({}, ...own.map((variant) => variant.properties)) as NonNullable<
        Node["properties"]
      >
      const required = own.flatMap((variant) => variant.required ?? [])
      return differences(shape as unknown as Shape, { properties, required }, told, type)
    })
    assert.deepStrictEqual(found, [])
    assert.deepStrictEqual(
      variants.flatMap((variant) => typeOf(variant) ?? []).toSorted() as Array<string>,
      Object.keys(threadItems).toSorted()
    )
  })

  it("are values that the installed program knows", () => {
    const used: ReadonlyArray<
      readonly [root: Node, name: string, tag: string | undefined, members: ReadonlyArray<string>]
    > = [
      [told, "TurnStatus", undefined, ["completed", "interrupted", "failed"]],
      [told, "CommandExecutionStatus", undefined, ["completed", "failed", "declined"]],
      [told, "CommandExecutionSource", undefined, ["userShell"]],
      [told, "PatchApplyStatus", undefined, ["completed", "failed", "declined"]],
      [told, "McpToolCallStatus", undefined, ["completed", "failed"]],
      [told, "DynamicToolCallStatus", undefined, ["completed", "failed"]],
      [told, "CollabAgentToolCallStatus", undefined, ["completed", "failed", "interrupted"]],
      [told, "TurnPlanStepStatus", undefined, ["pending", "inProgress", "completed"]],
      [told, "McpServerStartupState", undefined, ["starting", "ready"]],
      [told, "HookRunStatus", undefined, ["running", "completed"]],
      [told, "CommandAction", "type", ["read", "search", "listFiles"]],
      [told, "PatchChangeKind", "type", ["add", "delete", "update"]],
      [told, "WebSearchAction", "type", ["openPage", "findInPage"]],
      [told, "UserInput", "type", ["text", "image", "localImage"]],
      [told, "CodexErrorInfo", undefined, ["other", ...judgedCodes, ...connectionCodes]],
      [asked, "CommandExecutionApprovalKind", undefined, ["writeStdin"]],
      [
        asked,
        "CommandExecutionApprovalDecision",
        undefined,
        [
          "accept",
          "acceptForSession",
          "decline",
          "cancel",
          "acceptWithExecpolicyAmendment",
          "applyNetworkPolicyAmendment"
        ]
      ],
      [asked, "NetworkPolicyRuleAction", undefined, ["allow", "deny"]],
      [asked, "McpServerElicitationRequestParams", "mode", ["form", "url"]]
    ]
    for (const [root, name, tag, members] of used)
      assert.includeMembers([...membersOf(root, name, tag)], [...members], name)
  })

  it("judges each code of an error that the installed program knows", () => {
    const codes = membersOf(told, "CodexErrorInfo").filter((code) => code !== "httpStatusCode")
    assert.includeMembers([...judgedCodes, ...connectionCodes, "other"], codes as Array<string>)
  })

  it("reads the errors of turns where they are", () => {
    assert.deepStrictEqual(
      differences(TurnError as unknown as Shape, { $ref: "#/definitions/TurnError" }, told, "TurnError"),
      []
    )
    assert.isTrue(Schema.is(TurnError)({}))
  })
})

const ids = { threadId: "t", turnId: "u", itemId: "i" }

/** All that a normaliser can say to one request: each option, an answer to each question, nothing, and an interrupt. */
const repliesTo = (message: CodexMessage): ReadonlyArray<CodexReply> => {
  const fresh = () => {
    const normaliser = makeCodexNormaliser({ threadId: "t", generation: 1, cwd: "/" })
    const { events, replies } = normaliser.take(message)
    const request = events.find(({ type }) => type === "permission.requested" || type === "question.asked")
    return {
      normaliser,
      replies,
      request: request as never as { readonly type: string; readonly data: never } | undefined
    }
  }
  const { replies, request } = fresh()
  if (request === undefined) return replies
  const data = request.data as {
    readonly requestId: RequestId
    readonly options?: ReadonlyArray<{ readonly optionId: string }>
    readonly questions?: ReadonlyArray<{ readonly questionId: string }>
  }
  const answered = {
    outcome: "answered",
    answers: Object.fromEntries((data.questions ?? []).map((one) => [one.questionId, ["1"]]))
  } as const
  return [
    ...(data.options ?? []).map(({ optionId }) =>
      fresh().normaliser.answer(data.requestId, { outcome: "selected", optionId })!
    ),
    ...(data.questions === undefined ? [] : [fresh().normaliser.answer(data.requestId, answered)!]),
    fresh().normaliser.answer(data.requestId, { outcome: "cancelled" })!,
    ...fresh().normaliser.cancelAll()
  ]
}

describe("What is answered to Codex", () => {
  const cases: ReadonlyArray<readonly [file: (typeof files)[number], method: string, params: object, atLeast: number]> =
    [
      [
        "CommandExecutionRequestApprovalResponse",
        "item/commandExecution/requestApproval",
        {
          availableDecisions: [
            "accept",
            "acceptForSession",
            { acceptWithExecpolicyAmendment: { execpolicy_amendment: ["echo", "hi"] } },
            { applyNetworkPolicyAmendment: { network_policy_amendment: { host: "example.org", action: "deny" } } },
            "cancel"
          ]
        },
        8
      ],
      ["FileChangeRequestApprovalResponse", "item/fileChange/requestApproval", {}, 6],
      [
        "PermissionsRequestApprovalResponse",
        "item/permissions/requestApproval",
        { permissions: { network: { enabled: true }, fileSystem: { read: null, write: ["/tmp/x"] } } },
        5
      ],
      [
        "ToolRequestUserInputResponse",
        "item/tool/requestUserInput",
        {
          questions: [
            { id: "color", header: "Color", question: "Which?", isOther: false, isSecret: false, options: null }
          ]
        },
        3
      ],
      [
        "McpServerElicitationRequestResponse",
        "mcpServer/elicitation/request",
        {
          mode: "form",
          message: "Allow?",
          _meta: { codex_approval_kind: "mcp_tool_call", persist: ["session", "always"] },
          requestedSchema: { type: "object", properties: {} }
        },
        6
      ],
      [
        "McpServerElicitationRequestResponse",
        "mcpServer/elicitation/request",
        {
          mode: "form",
          message: "How many?",
          requestedSchema: { type: "object", properties: { n: { type: "integer" } } }
        },
        3
      ],
      [
        "McpServerElicitationRequestResponse",
        "mcpServer/elicitation/request",
        { mode: "url", message: "Log in", url: "https://x" },
        4
      ],
      ["McpServerElicitationRequestResponse", "mcpServer/elicitation/request", { mode: "openai/userVerification" }, 1],
      ["DynamicToolCallResponse", "item/tool/call", { callId: "c", tool: "x", arguments: {} }, 1]
    ]
  for (const [file, method, params, atLeast] of cases) {
    it(`conforms to ${file}, whatever is chosen for ${JSON.stringify(params).slice(0, 50)}`, () => {
      const replies = repliesTo({ id: 0, method, params: { ...ids, ...params } })
      assert.isAtLeast(replies.length, atLeast)
      for (const reply of replies) {
        assert.strictEqual(reply.id, 0)
        assert.isTrue("result" in reply)
        assert.deepStrictEqual(
          problemsOf((reply as { readonly result: unknown }).result, protocol[file], protocol[file]),
          []
        )
      }
    })
  }
})
