/** What a scripted model answers to which request. */
import type { ModelRequest } from "./ModelRequest.ts"
import * as ModelStep from "./ModelStep.ts"

/** The steps of one answer, or what decides them when the request is there. */
export type ModelAnswer =
  ReadonlyArray<ModelStep.ModelStep> | ((request: ModelRequest) => ReadonlyArray<ModelStep.ModelStep>)

/** Answers for the requests that it fits. */
export interface ModelRule {
  /**
   * A text that the user's last words contain, or a predicate. A text does not fit titles and summaries, in which agents
   * repeat the user's words; a predicate is asked about every request.
   */
  readonly when: string | ((request: ModelRequest) => boolean)
  /**
   * The first call of a turn, the call after its tools have run, and so on. After the last one the model says "Done.",
   * which ends the turn.
   */
  readonly answers: ReadonlyArray<ModelAnswer>
}

/**
 * Rules, of which the first that fits counts; or a function, which leaves a request to the default by answering undefined.
 * By default a title is "Scripted title", a summary says that it is one, the first call of a turn repeats the prompt, and
 * a later one says "Done.".
 */
export type ModelScript =
  ReadonlyArray<ModelRule> | ((request: ModelRequest) => ReadonlyArray<ModelStep.ModelStep> | undefined)

const done = [ModelStep.text("Done.")]

const defaultAnswer = (request: ModelRequest): ReadonlyArray<ModelStep.ModelStep> => {
  const { dialect, prompt, purpose, step } = request
  if (purpose === "title") {
    return [ModelStep.text(dialect === "messages" ? JSON.stringify({ title: "Scripted title" }) : "Scripted title")]
  }
  if (purpose === "compaction") return [ModelStep.text("Summary: this is a scripted conversation.")]
  return step === 0 && prompt !== "" ? [ModelStep.text(prompt)] : done
}

const fits = ({ when }: ModelRule, request: ModelRequest) =>
  typeof when === "function"
    ? when(request)
    : request.purpose !== "title" && request.purpose !== "compaction" && request.prompt.includes(when)

/** The steps that a script has for a request. */
export const stepsOf = (script: ModelScript, request: ModelRequest): ReadonlyArray<ModelStep.ModelStep> => {
  if (typeof script === "function") return script(request) ?? defaultAnswer(request)
  const rule = script.find((rule) => fits(rule, request))
  if (rule === undefined) return defaultAnswer(request)
  const answer = rule.answers[request.step] ?? done
  return typeof answer === "function" ? answer(request) : answer
}
