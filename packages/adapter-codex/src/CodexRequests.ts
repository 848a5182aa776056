/** Requests of the server as permissions and questions, and outcomes as what it expects to hear. */
import {
  boundRaw,
  own,
  type PermissionOption,
  type PermissionOutcome,
  type QuestionOutcome,
  type ToolCall
} from "@holdfast/core"
import { type Askable, type Choice, permission, type Refused } from "./Askable.ts"
import { readElicitation } from "./CodexElicitation.ts"
import { commandTool, toolOf } from "./CodexTools.ts"
import type { ParamsOf, Request, ThreadItem } from "./CodexWire.ts"
import { readChange } from "./FileDiffs.ts"

/** What there is to know beside the request. */
export interface RequestContext {
  readonly cwd: string
  /** The item that it is about, while it is open. */
  readonly item: ThreadItem | undefined
}

/** What is asked; or what to answer where nobody can be asked, and why. */
export const readAsked = (request: Request, context: RequestContext): Askable | Refused => {
  switch (request.method) {
    case "item/commandExecution/requestApproval":
      return commandApproval(request.params, context)
    case "item/fileChange/requestApproval":
      return fileApproval(request.params, context)
    case "item/permissions/requestApproval":
      return permissionsApproval(request.params)
    case "item/tool/requestUserInput":
      return userInput(request.params)
    case "mcpServer/elicitation/request":
      return readElicitation(request.params)
  }
}

const decision = (
  optionId: string,
  name: string,
  kind: PermissionOption["kind"],
  sent: unknown = optionId
): Choice => ({
  option: { optionId, name, kind },
  result: { decision: sent }
})

const accept = decision("accept", "Allow once", "allow_once")
const acceptForSession = decision("acceptForSession", "Allow for this session", "allow_always")
const decline = decision("decline", "Decline, and go on", "reject_once")
const cancel = decision("cancel", "Decline, and stop the turn", "reject_once")

const known: { readonly [decision: string]: Choice } = { accept, acceptForSession, decline, cancel }

/**
 * The decisions that Codex offers for a command, in its order. `decline` works though it is never among them. One that
 * is not known is offered as it is and counts as the most that can be allowed.
 */
const choicesOf = (available: ReadonlyArray<unknown> | undefined): ReadonlyArray<Choice> => {
  const choices: Array<Choice> = []
  for (const one of available ?? ["accept", "acceptForSession", "cancel"]) {
    const choice = readDecision(one)
    const taken = choices.filter(({ option }) => option.optionId.split("#")[0] === choice.option.optionId).length
    const optionId = taken === 0 ? choice.option.optionId : `${choice.option.optionId}#${taken + 1}`
    choices.push({ ...choice, option: { ...choice.option, optionId } })
  }
  if (choices.some(({ option }) => option.optionId === "decline")) return choices
  const at = choices.findIndex(({ option }) => option.optionId === "cancel")
  return choices.toSpliced(at === -1 ? choices.length : at, 0, decline)
}

const readDecision = (one: unknown): Choice => {
  if (typeof one === "string") return own(known, one) ?? decision(one, one, "allow_always", one)
  if (typeof one !== "object" || one === null)
    return decision("unknown", JSON.stringify(one) ?? "unknown", "allow_always", one)
  const [name = "unknown", details] = Object.entries(one)[0] ?? []
  const { execpolicy_amendment: prefix, network_policy_amendment: network } = (details ?? {}) as {
    readonly execpolicy_amendment?: unknown
    readonly network_policy_amendment?: { readonly action?: unknown; readonly host?: unknown }
  }
  if (name === "acceptWithExecpolicyAmendment" && Array.isArray(prefix)) {
    return decision(name, `Always allow commands that begin with: ${prefix.join(" ")}`, "allow_always", one)
  }
  if (name === "applyNetworkPolicyAmendment" && typeof network?.host === "string") {
    return network.action === "deny"
      ? decision(name, `Always refuse connections to ${network.host}`, "reject_always", one)
      : decision(name, `Always allow connections to ${network.host}`, "allow_always", one)
  }
  return decision(name, name, "allow_always", one)
}

const commandApproval = (
  params: ParamsOf<"item/commandExecution/requestApproval">,
  { cwd, item }: RequestContext
): Askable => {
  const of = { ...(item?.type === "commandExecution" ? item : {}), ...params }
  const tool = commandTool(of, cwd, "pending")
  const host = params.networkApprovalContext?.host
  const title =
    host !== undefined
      ? `Connect to ${host}: ${tool.title}`
      : params.kind === "writeStdin"
        ? `Type into a running command: ${tool.title}`
        : `Run ${tool.title}`
  return permission(
    { title, ...described(params.reason), tool, raw: boundRaw(params) },
    choicesOf(params.availableDecisions),
    decline,
    cancel.result
  )
}

const described = (description: string | undefined) => (description === undefined ? {} : { description })

/** The request has no diff: it is in the item, and repeated here so that the permission can be judged by itself. */
const fileApproval = (
  { grantRoot, reason }: ParamsOf<"item/fileChange/requestApproval">,
  { cwd, item }: RequestContext
): Askable => {
  const known = item?.type === "fileChange" ? item : undefined
  const tool: ToolCall =
    known === undefined
      ? { name: "apply_patch", title: "Change files", kind: "edit", status: "pending" }
      : { ...toolOf(known, cwd, "pending"), input: boundRaw({ changes: (known.changes ?? []).map(readChange) }) }
  const root = grantRoot === undefined ? undefined : `Allows writing below ${grantRoot} for this session`
  const description = [reason, root].filter((part) => part !== undefined).join("\n")
  return permission(
    { title: tool.title ?? "Change files", ...(description === "" ? {} : { description }), tool },
    [accept, acceptForSession, decline, cancel],
    decline,
    cancel.result
  )
}

/** More rights than the sandbox gives: what is granted is what was asked for, for a turn or for the thread. */
const permissionsApproval = ({ permissions, reason }: ParamsOf<"item/permissions/requestApproval">): Askable => {
  const asked = Object.fromEntries(
    Object.entries({ network: permissions.network, fileSystem: permissions.fileSystem }).filter(
      ([, value]) => value !== undefined
    )
  )
  const grant = (
    optionId: string,
    name: string,
    kind: PermissionOption["kind"],
    scope: "turn" | "session"
  ): Choice => ({
    option: { optionId, name, kind },
    result: { permissions: kind === "reject_once" ? {} : asked, scope }
  })
  const reject = grant("decline", "Decline, and go on", "reject_once", "turn")
  const wanted = Object.keys(asked).map((key) => (key === "network" ? "the network" : "files"))
  return permission(
    {
      title: `Use ${wanted.length === 0 ? "more rights" : wanted.join(" and ")}`,
      description: [reason, ...pathsOf(permissions.fileSystem)].filter((part) => part !== undefined).join("\n"),
      raw: boundRaw(asked)
    },
    [
      grant("turn", "Allow for this turn", "allow_once", "turn"),
      grant("session", "Allow for this session", "allow_always", "session"),
      reject
    ],
    reject,
    reject.result
  )
}

/** The folders that are named; rules beyond them are in `raw`. */
const pathsOf = (files: { readonly [key: string]: unknown } = {}): ReadonlyArray<string> =>
  ["read", "write"].flatMap((access) => {
    const paths = files[access]
    return Array.isArray(paths) && paths.length > 0 ? [`${access}: ${paths.slice(0, 20).join(", ")}`] : []
  })

const userInput = ({ questions }: ParamsOf<"item/tool/requestUserInput">): Askable => ({
  asked: {
    type: "question.asked",
    data: {
      questions: questions.map(({ header, id, isOther, isSecret, options = [], question }) => ({
        questionId: id,
        ...(header === undefined ? {} : { header }),
        text: question,
        options: options.map(({ description, label }) => ({ label, ...described(description) })),
        multiple: false,
        freeText: isOther === true || options.length === 0,
        ...(isSecret === true ? { secret: true } : {})
      })),
      default: { outcome: "cancelled" }
    }
  },
  answer: (outcome) => ({ result: { answers: answersOf(outcome) }, allowed: outcome.outcome === "answered" }),
  cancel: { answers: {} }
})

const answersOf = (outcome: PermissionOutcome | QuestionOutcome) =>
  outcome.outcome === "answered"
    ? Object.fromEntries(Object.entries(outcome.answers).map(([id, answers]) => [id, { answers }]))
    : {}
