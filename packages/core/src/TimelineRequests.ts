/** Permissions and questions in a timeline: what was asked, what came of it, and who said so. */
import type { Question, QuestionOutcome, ToolCall } from "./Content.ts"
import type { SessionEvent } from "./SessionEvent.ts"
import type { PermissionEntry, QuestionEntry, RequestEntryBase } from "./TimelineEntry.ts"
import { addEntry, closeEntry, entryAt, openPosition, replaceEntry, type Timeline } from "./TimelineList.ts"
import { Bounds } from "./TimelineText.ts"

/** Something is asked. */
export const addRequest = (
  timeline: Timeline,
  event: SessionEvent<"permission.requested" | "question.asked">
): Timeline => {
  const { deadline, itemId, owner, requestId, turnId } = event.data
  const base: RequestEntryBase = {
    seq: event.seq,
    at: event.at,
    requestId,
    turnId: turnId ?? null,
    itemId: itemId ?? null,
    owner: owner ?? null,
    deadline,
    by: null,
    resolvedBy: null
  }
  const bounds = new Bounds(timeline.maxText)
  const entry: PermissionEntry | QuestionEntry =
    event.type === "permission.requested"
      ? {
          ...base,
          type: "permission",
          title: event.data.title,
          description: event.data.description ?? null,
          ...(event.data.tool === undefined ? {} : { tool: withBoundedInput(event.data.tool, bounds) }),
          options: event.data.options,
          outcome: null,
          ...bounds.cut
        }
      : { ...base, type: "question", questions: event.data.questions, outcome: null }
  return addEntry(timeline, entry, `request:${requestId}`)
}

const withBoundedInput = ({ input, ...tool }: ToolCall, bounds: Bounds): ToolCall => {
  const shown = input === undefined ? undefined : bounds.json("input", input)
  return shown === undefined ? tool : { ...tool, input: shown }
}

/** A request is answered, expires, or goes with what it belonged to. */
export const resolveRequest = (
  timeline: Timeline,
  event: SessionEvent<"permission.resolved" | "question.answered">
): Timeline => {
  const key = `request:${event.data.requestId}`
  const position = openPosition(timeline, key)
  if (position === undefined) return timeline
  const entry = entryAt(timeline, position)
  const { by } = event.data
  const resolvedBy = by === "answer" ? (event.actor ?? null) : null
  if (entry.type === "permission" && event.type === "permission.resolved") {
    return closeEntry(replaceEntry(timeline, position, { ...entry, by, resolvedBy, outcome: event.data.outcome }), key)
  }
  if (entry.type === "question" && event.type === "question.answered") {
    const outcome = withoutSecrets(event.data.outcome, entry.questions)
    return closeEntry(replaceEntry(timeline, position, { ...entry, by, resolvedBy, outcome }), key)
  }
  return timeline
}

const withoutSecrets = (outcome: QuestionOutcome, questions: ReadonlyArray<Question>): QuestionOutcome => {
  const secret = new Set(questions.filter((one) => one.secret === true).map((one) => one.questionId))
  if (outcome.outcome === "cancelled" || secret.size === 0) return outcome
  const answers = Object.fromEntries(Object.entries(outcome.answers).filter(([id]) => !secret.has(id)))
  return { outcome: "answered", answers }
}
