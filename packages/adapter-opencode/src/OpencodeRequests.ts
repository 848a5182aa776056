/** Permissions and questions: how they are told, and the requests by which their answers reach the server. */
import type {
  BackendEvent,
  ItemId,
  PermissionOption,
  PermissionOutcome,
  QuestionOutcome,
  RequestId,
  TurnId
} from "@holdfast/core"
import { boundRaw } from "@holdfast/core"
import type { OpencodeReply } from "./OpencodeNormaliser.ts"
import { textField } from "./OpencodeTools.ts"
import type { PermissionRequest, QuestionRequest } from "./OpencodeWire.ts"

/** Requests that are over and whose repeats say nothing: as many as a snapshot could still list. */
const maxClosed = 256

interface OpenRequest {
  readonly nativeId: string
  readonly requestId: RequestId
  /** Number of questions; undefined of a permission. */
  readonly questions: number | undefined
}

/** Where a request belongs. */
export interface RequestPlace {
  readonly turnId: TurnId | undefined
  readonly itemId: ItemId | undefined
  /** For ids that must not be those of an earlier generation. */
  readonly suffix: string
}

/** The requests of a session. */
export interface OpencodeRequests {
  readonly permission: (request: PermissionRequest, place: RequestPlace) => void
  readonly question: (request: QuestionRequest, place: RequestPlace) => void
  /** The server says that it was answered, by us or by another client. */
  readonly replied: (nativeId: string, reply: string | undefined) => void
  readonly answered: (nativeId: string, answers: ReadonlyArray<ReadonlyArray<string>> | undefined) => void
  readonly answer: (requestId: RequestId, outcome: PermissionOutcome | QuestionOutcome) => OpencodeReply | undefined
  /** Only these are open on the server. */
  readonly keepOnly: (nativeIds: ReadonlySet<string>) => void
  /** Is over, without a word: it was of another generation. */
  readonly refuse: (nativeId: string, kind: "permission" | "question") => void
  /** Ends all that is open; the server may still keep them. */
  readonly closeAll: () => void
  readonly abandoned: () => ReadonlyArray<OpencodeReply>
}

/**
 * What the model is told where nobody chose: then the turn goes on without the call. A refusal without words ends the turn,
 * as Opencode's own app has it.
 */
const nobodyAnswered = "Nobody answered. Go on without it, or say what you need it for."

/** Makes an empty store. What is told goes to `emit`. */
export const makeOpencodeRequests = (emit: (event: BackendEvent) => void): OpencodeRequests => {
  const open = new Map<string, OpenRequest>()
  const closed = new Set<string>()
  let leftOver: Array<OpencodeReply> = []

  const isNew = (nativeId: string): boolean => !open.has(nativeId) && !closed.has(nativeId)

  const close = (nativeId: string) => {
    open.delete(nativeId)
    closed.add(nativeId)
    if (closed.size > maxClosed) closed.delete(closed.values().next().value!)
  }

  const tellEnd = (
    { questions, requestId }: OpenRequest,
    outcome: PermissionOutcome | QuestionOutcome,
    by: "backend" | "end"
  ) =>
    emit(
      questions === undefined
        ? { type: "permission.resolved", data: { requestId, outcome: outcome as PermissionOutcome, by } }
        : { type: "question.answered", data: { requestId, outcome: outcome as QuestionOutcome, by } }
    )

  /** Ends one by the server's word. */
  const end = (nativeId: string, outcome: PermissionOutcome | QuestionOutcome) => {
    const request = open.get(nativeId)
    close(nativeId)
    if (request !== undefined) tellEnd(request, outcome, "backend")
  }

  return {
    permission: (request, place) => {
      if (!isNew(request.id)) return
      const requestId = `${request.id}${place.suffix}` as RequestId
      open.set(request.id, { nativeId: request.id, requestId, questions: undefined })
      const { always = [], metadata, patterns = [], permission = "permission" } = request
      const title = permissionTitle(permission, metadata, patterns)
      const description = patterns.filter((pattern) => !title.includes(pattern)).join("\n")
      emit({
        type: "permission.requested",
        data: {
          requestId,
          ...inPlace(place),
          title,
          ...(description === "" ? {} : { description }),
          options: optionsOf(always),
          default: { outcome: "cancelled" },
          raw: boundRaw({ permission, patterns, always, ...(metadata === undefined ? {} : { metadata }) })
        }
      })
    },
    question: (request, place) => {
      if (!isNew(request.id)) return
      const requestId = `${request.id}${place.suffix}` as RequestId
      open.set(request.id, { nativeId: request.id, requestId, questions: request.questions.length })
      emit({
        type: "question.asked",
        data: {
          requestId,
          ...inPlace(place),
          questions: request.questions.map(({ custom, header, multiple, options, question }, index) => ({
            questionId: questionId(index),
            ...(header === undefined ? {} : { header }),
            text: question,
            options: (options ?? []).map(({ description, label }) => ({
              label,
              ...(description === undefined ? {} : { description })
            })),
            multiple: multiple === true,
            freeText: custom !== false
          })),
          default: { outcome: "cancelled" }
        }
      })
    },
    replied: (nativeId, reply) =>
      end(
        nativeId,
        reply === "once" || reply === "always" || reply === "reject"
          ? { outcome: "selected", optionId: reply }
          : { outcome: "cancelled" }
      ),
    answered: (nativeId, answers) =>
      end(
        nativeId,
        answers === undefined
          ? { outcome: "cancelled" }
          : {
              outcome: "answered",
              answers: Object.fromEntries(answers.map((each, index) => [questionId(index), each]))
            }
      ),
    answer: (requestId, outcome) => {
      const request = [...open.values()].find((one) => one.requestId === requestId)
      if (request === undefined) return undefined
      close(request.nativeId)
      return replyTo(request, outcome)
    },
    keepOnly: (nativeIds) => {
      for (const nativeId of open.keys()) if (!nativeIds.has(nativeId)) end(nativeId, { outcome: "cancelled" })
    },
    refuse: (nativeId, kind) => {
      close(nativeId)
      leftOver.push(refusal(nativeId, kind))
    },
    closeAll: () => {
      for (const request of open.values()) {
        close(request.nativeId)
        tellEnd(request, { outcome: "cancelled" }, "end")
        leftOver.push(refusal(request.nativeId, request.questions === undefined ? "permission" : "question"))
      }
    },
    abandoned: () => {
      const replies = leftOver
      leftOver = []
      return replies
    }
  }
}

/** The n-th question of a request: they have no ids of their own. */
const questionId = (index: number): string => String(index)

const inPlace = ({ itemId, turnId }: RequestPlace) => ({
  ...(turnId === undefined ? {} : { turnId }),
  ...(itemId === undefined ? {} : { itemId })
})

/** "Always" holds for these patterns, in every session of the directory, until the server lets go of it. */
const optionsOf = (always: ReadonlyArray<string>): ReadonlyArray<PermissionOption> => [
  { optionId: "once", name: "Allow once", kind: "allow_once" },
  ...(always.length === 0
    ? []
    : [{ optionId: "always", name: `Always allow ${always.join(", ")}`, kind: "allow_always" } as const]),
  { optionId: "reject", name: "Reject", kind: "reject_once" }
]

const permissionTitle = (
  permission: string,
  metadata: PermissionRequest["metadata"],
  patterns: ReadonlyArray<string>
): string => {
  const about = textField(metadata, "command") ?? textField(metadata, "filepath") ?? patterns[0]
  return about === undefined ? permission : `${permission}: ${about}`
}

const refusal = (nativeId: string, kind: "permission" | "question"): OpencodeReply =>
  kind === "permission"
    ? { method: "POST", path: `/permission/${encodeURIComponent(nativeId)}/reply`, body: { reply: "reject" } }
    : { method: "POST", path: `/question/${encodeURIComponent(nativeId)}/reject` }

/** The ids of the options are the server's own words. An empty answer is "Unanswered" to the model, and the turn goes on. */
const replyTo = ({ nativeId, questions }: OpenRequest, outcome: PermissionOutcome | QuestionOutcome): OpencodeReply => {
  if (questions === undefined) {
    const body =
      outcome.outcome === "selected" && isReply(outcome.optionId)
        ? { reply: outcome.optionId }
        : { reply: "reject", message: nobodyAnswered }
    return { method: "POST", path: `/permission/${encodeURIComponent(nativeId)}/reply`, body }
  }
  const given = outcome.outcome === "answered" ? outcome.answers : {}
  const answers = Array.from({ length: questions }, (_, index) => [...(given[questionId(index)] ?? [])])
  return { method: "POST", path: `/question/${encodeURIComponent(nativeId)}/reply`, body: { answers } }
}

const isReply = (optionId: string): boolean => optionId === "once" || optionId === "always" || optionId === "reject"
