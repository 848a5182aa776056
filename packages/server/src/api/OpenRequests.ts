/** The permissions and questions that wait, with what the agent said of them. */
import {
  type EventLogService,
  type EventRecord,
  type LogUnavailable,
  readEvent,
  type SessionId,
  type SessionNotFound,
  type SessionState,
  type WaitingRequest
} from "@holdfast/core"
import { Effect, Option } from "effect"
import type { RequestAnswer } from "./RequestsApi.ts"

/**
 * Events of each kind that are looked through for those that asked, newest first: more than may be open at once, so that only
 * requests behind many answered ones are told without what the agent said.
 */
const maxLookedAt = 256

const find = Effect.fnUntraced(function* (
  log: EventLogService,
  sessionId: SessionId,
  type: "permission.requested" | "question.asked",
  head: number,
  wanted: Set<string>
) {
  const found = new Map<string, EventRecord>()
  let from = head
  for (let looked = 0; looked < maxLookedAt && wanted.size > 0 && from > 0; looked++) {
    const event = yield* log.find(sessionId, { type, from, direction: "backward" })
    if (Option.isNone(event)) break
    const requestId = String(event.value.data["requestId"])
    if (wanted.delete(requestId)) found.set(requestId, event.value)
    from = event.value.seq - 1
  }
  return found
})

const answerOf = (request: WaitingRequest, record: EventRecord | undefined): typeof RequestAnswer.Type => {
  const read = record === undefined ? undefined : readEvent(record)
  const event = read?.kind === "known" ? read.event : undefined
  const { deadline, kind, options, owner, requestId, turnId } = request
  return {
    requestId,
    kind,
    seq: record?.seq ?? null,
    at: record?.at ?? null,
    deadline,
    owner,
    turnId,
    title: event?.type === "permission.requested" ? event.data.title : null,
    description: event?.type === "permission.requested" ? (event.data.description ?? null) : null,
    options,
    questions: event?.type === "question.asked" ? event.data.questions : []
  }
}

/** What waits, the oldest first. */
export const openRequests = Effect.fnUntraced(function* (
  log: EventLogService,
  { requests, seq, sessionId }: SessionState
): Effect.fn.Return<ReadonlyArray<typeof RequestAnswer.Type>, SessionNotFound | LogUnavailable> {
  const all = Object.values(requests)
  const wanted = (kind: WaitingRequest["kind"]) =>
    new Set(all.filter((one) => one.kind === kind).map(({ requestId }) => requestId))
  const asked = yield* find(log, sessionId, "permission.requested", seq, wanted("permission"))
  const questions = yield* find(log, sessionId, "question.asked", seq, wanted("question"))
  return all.map((request) =>
    answerOf(request, (request.kind === "permission" ? asked : questions).get(request.requestId))
  )
})
