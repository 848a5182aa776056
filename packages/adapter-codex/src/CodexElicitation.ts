/**
 * Requests of MCP servers, which Codex passes on: approvals of tool calls, forms (MCP 2025-11-25, `elicitation/create`)
 * and pages to open.
 */
import { boundRaw, own, type PermissionOption, type Question, type QuestionOutcome } from "@holdfast/core"
import { type Askable, type Choice, permission, type Refused } from "./Askable.ts"
import type { ParamsOf } from "./CodexWire.ts"

type Params = ParamsOf<"mcpServer/elicitation/request">

const choice = (
  optionId: string,
  name: string,
  kind: PermissionOption["kind"],
  action: string,
  meta?: object
): Choice => ({
  option: { optionId, name, kind },
  result: { action, content: action === "accept" ? {} : null, _meta: meta ?? null }
})

const accept = choice("accept", "Allow once", "allow_once", "accept")
const decline = choice("decline", "Decline, and go on", "reject_once", "decline")
const dismissed = { action: "cancel", content: null, _meta: null }

/** How long an approval holds, by what the request offers in `_meta.persist` and wants back there. */
const persistent: { readonly [scope: string]: Choice } = {
  session: choice("session", "Allow for this session", "allow_always", "accept", { persist: "session" }),
  always: choice("always", "Always allow", "allow_always", "accept", { persist: "always" })
}

/** What an MCP server asks. */
export const readElicitation = (params: Params): Askable | Refused => {
  const meta = params._meta ?? {}
  const title = params.message ?? `The ${params.serverName ?? "MCP"} server asks`
  if (params.mode === "url" && params.url !== undefined) {
    const opened = choice("accept", "I have done it", "allow_once", "accept")
    return permission({ title, description: params.url, raw: boundRaw(params) }, [opened, decline], decline, dismissed)
  }
  const form = readForm(params.requestedSchema)
  if (form === undefined) return { refused: `${params.mode} is no form that can be shown`, result: decline.result }
  if (form.length > 0) return askForm(form, params)

  const name = typeof meta["tool_name"] === "string" ? `${params.serverName ?? "mcp"}.${meta["tool_name"]}` : undefined
  const scopes = Array.isArray(meta["persist"]) ? meta["persist"] : [meta["persist"]]
  const offered = scopes.flatMap((scope) => (typeof scope === "string" ? (own(persistent, scope) ?? []) : []))
  return permission(
    {
      title,
      ...(name === undefined
        ? {}
        : {
            tool: { name, title: name, kind: "other", status: "pending", input: boundRaw(meta["tool_params"] ?? null) }
          }),
      raw: boundRaw(meta)
    },
    [accept, ...offered, decline],
    decline,
    dismissed
  )
}

/** One field of a form: how it is asked, and an answer as the value of its type. */
interface Field {
  readonly question: Question
  readonly value: (answers: ReadonlyArray<string>) => unknown
}

type Json = { readonly [key: string]: unknown }

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)

/** The fields of a form, in order; undefined where the schema is none of a flat object. */
const readForm = (schema: unknown): ReadonlyArray<Field> | undefined => {
  if (!isObject(schema) || !isObject(schema["properties"])) return undefined
  const required = Array.isArray(schema["required"]) ? schema["required"] : []
  const fields: Array<Field> = []
  for (const [name, property] of Object.entries(schema["properties"])) {
    if (!isObject(property)) return undefined
    const field = readField(name, property, required.includes(name))
    if (field === undefined) return undefined
    fields.push(field)
  }
  return fields
}

const readField = (name: string, property: Json, isRequired: boolean): Field | undefined => {
  const { description, title, type } = property
  const ask = (options: ReadonlyArray<string>, multiple: boolean): Question => ({
    questionId: name,
    header: typeof title === "string" ? title : name,
    text: `${typeof description === "string" ? description : typeof title === "string" ? title : name}${isRequired ? "" : " (optional)"}`,
    options: options.map((label) => ({ label })),
    multiple,
    freeText: options.length === 0
  })
  switch (type) {
    case "string": {
      const values = readValues(property)
      return { question: ask([...values.keys()], false), value: ([answer = ""]) => values.get(answer) ?? answer }
    }
    case "number":
    case "integer":
      // What is no number goes as it is: the server says what it expects, and asks again.
      return { question: ask([], false), value: ([answer = ""]) => (isNumber(answer) ? Number(answer) : answer) }
    case "boolean":
      return { question: ask(["Yes", "No"], false), value: ([answer]) => answer === "Yes" || answer === "true" }
    case "array": {
      if (!isObject(property["items"])) return undefined
      const values = readValues(property["items"])
      return {
        question: ask([...values.keys()], true),
        value: (answers) => answers.map((answer) => values.get(answer) ?? answer)
      }
    }
    default:
      return undefined
  }
}

const isNumber = (answer: string): boolean => answer.trim() !== "" && Number.isFinite(Number(answer))

/** The values to choose from by what is shown for them: `enum` with `enumNames`, or `oneOf`/`anyOf` with titles. */
const readValues = (property: Json): ReadonlyMap<string, string> => {
  const { anyOf, enum: values, enumNames: names, oneOf } = property
  if (Array.isArray(values)) {
    return new Map(
      values.flatMap((value, at): ReadonlyArray<readonly [string, string]> => {
        if (typeof value !== "string") return []
        const name: unknown = Array.isArray(names) ? names[at] : undefined
        return [[typeof name === "string" ? name : value, value]]
      })
    )
  }
  const titled = Array.isArray(oneOf) ? oneOf : Array.isArray(anyOf) ? anyOf : []
  return new Map(
    titled.flatMap((one): ReadonlyArray<readonly [string, string]> => {
      const value = isObject(one) ? one["const"] : undefined
      if (typeof value !== "string") return []
      const name = (one as Json)["title"]
      return [[typeof name === "string" ? name : value, value]]
    })
  )
}

const askForm = (form: ReadonlyArray<Field>, params: Params): Askable => ({
  asked: {
    type: "question.asked",
    data: {
      questions: form.map(({ question }, at) => ({
        ...question,
        // The message is about the form as a whole.
        ...(at === 0 && params.message !== undefined ? { text: `${params.message}\n${question.text}` } : {})
      })),
      default: { outcome: "cancelled" },
      raw: boundRaw(params)
    }
  },
  answer: (outcome) =>
    outcome.outcome === "answered"
      ? { result: { action: "accept", content: contentOf(form, outcome), _meta: null }, allowed: true }
      : { result: dismissed, allowed: false },
  cancel: dismissed
})

const contentOf = (
  form: ReadonlyArray<Field>,
  { answers }: Extract<QuestionOutcome, { readonly outcome: "answered" }>
) =>
  Object.fromEntries(
    form.flatMap(({ question, value }) => {
      const given = answers[question.questionId]
      return given === undefined || given.length === 0 ? [] : [[question.questionId, value(given)]]
    })
  )
