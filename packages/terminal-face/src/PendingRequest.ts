/** Permissions and questions: as they are asked, as they are offered to choose from, and how they ended. */
import {
  type Actor,
  type PermissionOption,
  type PermissionOutcome,
  type Question,
  type QuestionOutcome,
  type ResolvedBy,
  type SessionEvent,
  stateBounds
} from "@holdfast/core"
import type { Glyphs } from "./Glyphs.ts"
import type { StyledLine } from "./StyledLine.ts"
import { clip, inputGist } from "./ToolBlock.ts"

/** UTF-16 units of a title, a description or a question that are shown. */
const maxText = 4_000

/** Most choices that are shown and can be chosen by number. */
const maxChoices = 100

/** Most questions of one request that are shown; the rest is left unanswered. */
const maxQuestions = 50

/** Most requests that are known at once: what a session has. */
export const maxRequests = stateBounds.requests

interface RequestBase {
  readonly requestId: string
  /** How long it waits before its default outcome takes its place, in milliseconds. */
  readonly patience: number
}

/** A permission that waits. */
export interface PendingPermission extends RequestBase {
  readonly kind: "permission"
  readonly title: string
  readonly options: ReadonlyArray<PermissionOption>
}

/** Questions that wait. */
export interface PendingQuestion extends RequestBase {
  readonly kind: "question"
  readonly questions: ReadonlyArray<Question>
}

export type PendingRequest = PendingPermission | PendingQuestion

/** Keeps of a request what answering it takes, within bounds. */
export const pendingRequest = (event: SessionEvent<"permission.requested" | "question.asked">): PendingRequest => {
  const base = { requestId: event.data.requestId, patience: event.data.deadline - event.at }
  if (event.type === "permission.requested") {
    const { options, title } = event.data
    const kept = options.slice(0, maxChoices).map((one) => ({ ...one, name: clip(one.name, maxText) }))
    return { ...base, kind: "permission", title: clip(title, maxText), options: kept }
  }
  const questions = event.data.questions.slice(0, maxQuestions).map((question) => ({
    ...question,
    text: clip(question.text, maxText),
    // A label is the answer itself: one that is too long to keep cannot be chosen, and none is cut.
    options: question.options
      .filter((option) => option.label.length <= maxText)
      .slice(0, maxChoices)
      .map(({ description, label }) =>
        description === undefined ? { label } : { label, description: clip(description, maxText) }
      )
  }))
  return { ...base, kind: "question", questions }
}

/** What is asked, as it stays above. */
export const requestLines = (
  event: SessionEvent<"permission.requested" | "question.asked">,
  glyphs: Glyphs
): ReadonlyArray<StyledLine> => {
  const lines: Array<StyledLine> = []
  const detail = (text: string) =>
    lines.push({ lead: { text: "  " }, hang: { text: "  " }, spans: [{ text: clip(text, maxText) }] })
  if (event.type === "permission.requested") {
    const { description, title, tool } = event.data
    lines.push(asking(clip(title, maxText), glyphs))
    if (description !== undefined && description !== title) detail(description)
    const gist = inputGist(tool?.input)
    if (gist !== "" && !title.includes(gist) && !(description ?? "").includes(gist)) detail(gist)
    return lines
  }
  for (const { header, text } of event.data.questions.slice(0, maxQuestions)) {
    lines.push(asking(clip(header === undefined || header === "" ? text : `${header}: ${text}`, maxText), glyphs))
  }
  return lines
}

const asking = (text: string, glyphs: Glyphs): StyledLine => ({
  lead: { text: glyphs.asking, style: "asking" },
  hang: { text: "  " },
  spans: [{ text, style: "strong" }]
})

/** The numbered choices of the step that is next, with how to answer. */
export const choiceLines = (
  request: PendingRequest,
  step: number,
  waiting: number,
  glyphs: Glyphs
): ReadonlyArray<StyledLine> => {
  const more = waiting > 1 ? `${glyphs.dot}${waiting - 1} more waiting` : ""
  const minutes = Math.round(request.patience / 60_000)
  const until = minutes > 0 ? `${glyphs.dot}default after ${minutes} min` : ""
  const choice = (number: number, text: string): StyledLine => {
    const lead = `  ${number}) `
    return { lead: { text: lead, style: "asking" }, hang: { text: " ".repeat(lead.length) }, spans: [{ text }] }
  }
  const head = (text: string, hint: string): StyledLine => ({
    ...asking(text, glyphs),
    spans: [
      { text, style: "strong" },
      { text: `  ${hint}${until}${more}`, style: "dim" }
    ]
  })
  if (request.kind === "permission") {
    return [
      head(request.title, "number and Enter"),
      ...request.options.map((option, index) => choice(index + 1, option.name)),
      choice(0, "Dismiss")
    ]
  }
  const question = request.questions[step]
  if (question === undefined) return [head("The agent asks nothing", "Enter answers"), choice(0, "Dismiss")]
  const place = request.questions.length > 1 ? ` (${step + 1} of ${request.questions.length})` : ""
  const lines = [head(`${question.text}${place}`, answerHint(question))]
  for (const [index, { description, label }] of question.options.entries()) {
    lines.push(choice(index + 1, description === undefined ? label : `${label}${glyphs.dot}${description}`))
  }
  if (question.options.length > 0) lines.push(choice(0, "Dismiss"))
  return lines
}

/** That a request waits, for somebody who cannot answer it. */
export const waitingLine = (request: PendingRequest, glyphs: Glyphs): StyledLine => {
  const text = request.kind === "permission" ? request.title : (request.questions[0]?.text ?? "")
  const line = asking(text, glyphs)
  return { ...line, spans: [...line.spans, { text: "  waits for an answer", style: "dim" }] }
}

/** How a question is answered. */
const answerHint = (question: Question): string => {
  if (question.secret === true) return "not shown as you type"
  if (question.options.length === 0) return "type and Enter"
  const numbers = question.multiple ? "numbers, such as 1,3" : "number"
  return question.freeText ? `${numbers}, or your own words` : `${numbers} and Enter`
}

/** What came of a request, and who said so. */
export const resolutionLine = (
  known: PendingRequest | undefined,
  resolution: {
    readonly outcome: PermissionOutcome | QuestionOutcome
    readonly by: ResolvedBy
    /** Who answered, as people know them. */
    readonly who: Actor
  },
  glyphs: Glyphs
): StyledLine => {
  const { by, outcome, who } = resolution
  const source = {
    answer: `by ${who}`,
    deadline: "because nobody answered in time",
    backend: "by the agent",
    end: "with what it belonged to"
  }[by]
  const chosen = chosenText(known, outcome)
  const hang = { text: "    " }
  if (chosen === undefined) {
    return { lead: { text: `  ${glyphs.failed}`, style: "warning" }, hang, spans: [{ text: `Dismissed ${source}` }] }
  }
  const rejected = optionOf(known, outcome)?.kind.startsWith("reject") === true
  return {
    lead: { text: `  ${rejected ? glyphs.failed : glyphs.done}`, style: rejected ? "warning" : "good" },
    hang,
    spans: [
      { text: chosen },
      { text: `${glyphs.dot}${by === "answer" ? "answered" : "decided"} ${source}`, style: "dim" }
    ]
  }
}

const optionOf = (
  known: PendingRequest | undefined,
  outcome: PermissionOutcome | QuestionOutcome
): PermissionOption | undefined =>
  known?.kind === "permission" && outcome.outcome === "selected"
    ? known.options.find((one) => one.optionId === outcome.optionId)
    : undefined

/** What was chosen, in words; undefined where nothing was. Secret answers are never in a log; nor are they shown. */
const chosenText = (
  known: PendingRequest | undefined,
  outcome: PermissionOutcome | QuestionOutcome
): string | undefined => {
  switch (outcome.outcome) {
    case "cancelled":
      return undefined
    case "selected":
      return optionOf(known, outcome)?.name ?? clip(outcome.optionId, maxText)
    case "answered": {
      const questions = known?.kind === "question" ? known.questions : []
      const secret = new Set(questions.filter((one) => one.secret === true).map((one) => one.questionId))
      const answers = Object.entries(outcome.answers)
        .filter(([id]) => !secret.has(id))
        .flatMap(([, values]) => values)
      return answers.length === 0 ? "Answered" : clip(answers.join(", "), maxText)
    }
  }
}
