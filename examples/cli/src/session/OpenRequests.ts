/** Permissions and questions that wait, and what a person means by their answer. */
import type {
  CommandBody,
  DataOf,
  EventLogService,
  LogUnavailable,
  PermissionOutcome,
  Question,
  QuestionOutcome,
  SessionId,
  SessionNotFound
} from "@holdfast/core"
import { readEvent } from "@holdfast/core"
import { makeSessionReader } from "@holdfast/runtime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { exitCodes, Refused, usage } from "../ExitCode.ts"

/** A request that waits. */
export type OpenRequest =
  | { readonly kind: "permission"; readonly data: DataOf<"permission.requested"> }
  | { readonly kind: "question"; readonly data: DataOf<"question.asked"> }

/** What waits in a session, oldest first. */
export const openRequests = Effect.fnUntraced(function* (
  log: EventLogService,
  sessionId: SessionId
): Effect.fn.Return<ReadonlyArray<OpenRequest>, LogUnavailable | SessionNotFound> {
  const { requests, seq } = yield* makeSessionReader(log).state(sessionId)
  const found: Array<OpenRequest & { readonly seq: number }> = []
  for (const type of ["permission.requested", "question.asked"] as const) {
    const kind = type === "permission.requested" ? "permission" : "question"
    let left = Object.values(requests).filter((request) => request.kind === kind).length
    for (let from = seq; left > 0 && from > 0;) {
      const record = yield* log.find(sessionId, { type, from, direction: "backward" })
      if (Option.isNone(record)) break
      from = record.value.seq - 1
      const read = readEvent(record.value)
      if (read.kind !== "known" || !("requestId" in read.event.data)) continue
      if (requests[read.event.data.requestId] === undefined) continue
      left--
      found.push({ kind, data: read.event.data as never, seq: record.value.seq })
    }
  }
  return found.toSorted((one, other) => one.seq - other.seq)
})

/** The one that is meant: the only one of its kind, or the one that is named. */
export const chooseRequest = <K extends OpenRequest["kind"]>(
  requests: ReadonlyArray<OpenRequest>,
  kind: K,
  named: string | undefined,
  id: string
): Effect.Effect<Extract<OpenRequest, { readonly kind: K }>, Refused> => {
  const fitting = requests.filter((one): one is Extract<OpenRequest, { readonly kind: K }> => one.kind === kind)
  const chosen = named === undefined ? fitting : fitting.filter(({ data }) => data.requestId.startsWith(named))
  if (chosen.length === 1) return Effect.succeed(chosen[0]!)
  const list = fitting.map((one) => `  ${one.data.requestId}  ${titleOf(one)}`).join("\n")
  if (fitting.length === 0) {
    const other = requests.length === 0 ? "" : `; what waits is a ${requests[0]!.kind}`
    return Effect.fail(new Refused({ code: exitCodes.notFound, detail: `no ${kind} waits in session ${id}${other}` }))
  }
  return named === undefined
    ? Effect.fail(usage(`several ${kind}s wait; name one with --request:\n${list}`))
    : Effect.fail(
        new Refused({ code: exitCodes.notFound, detail: `${named} names none of the ${kind}s that wait:\n${list}` })
      )
}

/** What it is about, in a line. */
export const titleOf = (request: OpenRequest): string =>
  request.kind === "permission" ? request.data.title : request.data.questions.map(({ text }) => text).join(" / ")

/** How a person wants a permission answered. */
export interface Approval {
  readonly option: string | undefined
  readonly always: boolean
  readonly reject: boolean
}

/** The command that answers a permission. */
export const approval = (
  { options, requestId }: DataOf<"permission.requested">,
  { always, option, reject }: Approval
): Effect.Effect<CommandBody<"permission.resolve">, Refused> => {
  const kinds = reject ? ["reject_once", "reject_always"] : always ? ["allow_always"] : ["allow_once"]
  const found =
    option === undefined
      ? kinds.flatMap((kind) => options.filter((one) => one.kind === kind))[0]
      : (options.find((one) => one.optionId === option) ?? options[Number(option) - 1])
  const outcome: PermissionOutcome | undefined =
    found === undefined
      ? reject && option === undefined
        ? { outcome: "cancelled" }
        : undefined
      : { outcome: "selected", optionId: found.optionId }
  if (outcome !== undefined) return Effect.succeed({ type: "permission.resolve", data: { requestId, outcome } })
  const offered = options.map((one, index) => `  ${index + 1}  ${one.optionId}  ${one.name}`).join("\n")
  return Effect.fail(usage(`there is no such option; choose one with --option:\n${offered}`))
}

/** The command that answers a question with one text for each of its parts, in order. */
export const answering = (
  { questions, requestId }: DataOf<"question.asked">,
  given: ReadonlyArray<string>
): Effect.Effect<CommandBody<"question.answer">, Refused> => {
  if (given.length !== questions.length) {
    const list = questions.map((question, index) => describe(question, index)).join("\n")
    return Effect.fail(usage(`${questions.length} answers are needed, and ${given.length} were given:\n${list}`))
  }
  const answers: Record<string, ReadonlyArray<string>> = {}
  for (const [index, question] of questions.entries()) {
    const texts = question.multiple ? given[index]!.split(",").map((text) => text.trim()) : [given[index]!]
    const chosen = texts.map((text) => labelOf(question, text))
    const wrong = chosen.indexOf(undefined)
    if (wrong !== -1) return Effect.fail(usage(`${texts[wrong]} is none of the answers:\n${describe(question, index)}`))
    answers[question.questionId] = chosen as ReadonlyArray<string>
  }
  const outcome: QuestionOutcome = { outcome: "answered", answers }
  return Effect.succeed({ type: "question.answer", data: { requestId, outcome } })
}

/** An option by its label or number, or free text where that is allowed. */
const labelOf = ({ freeText, options }: Question, text: string): string | undefined => {
  const byLabel = options.find(({ label }) => label.toLowerCase() === text.toLowerCase())
  const option = byLabel ?? (/^\d+$/.test(text) ? options[Number(text) - 1] : undefined)
  return option?.label ?? (freeText || options.length === 0 ? text : undefined)
}

const describe = ({ multiple, options, text }: Question, index: number): string =>
  [
    `  ${index + 1}. ${text}${multiple ? " (several, with commas between)" : ""}`,
    ...options.map(({ label }, at) => `     ${at + 1}  ${label}`)
  ].join("\n")
