/** What a person can be asked: a permission or a question, with what the server hears for each outcome. */
import type { DataOf, PermissionOption, PermissionOutcome, QuestionOutcome } from "@holdfast/core"

/** An outcome in the server's words. */
export interface Answer {
  readonly result: unknown
  /** What was asked for may happen now. */
  readonly allowed: boolean
}

/** What a request asks, without its ids. */
export type Asked =
  | {
      readonly type: "permission.requested"
      readonly data: Omit<DataOf<"permission.requested">, "requestId" | "deadline">
    }
  | { readonly type: "question.asked"; readonly data: Omit<DataOf<"question.asked">, "requestId" | "deadline"> }

/** A request that a person can answer. */
export interface Askable {
  readonly asked: Asked
  readonly answer: (outcome: PermissionOutcome | QuestionOutcome) => Answer
  /** Turns it down, and ends the turn with it where that can be said: for interrupts and ends. */
  readonly cancel: unknown
}

/** What nobody can be asked: the answer that goes back at once, and why. */
export interface Refused {
  readonly refused: string
  readonly result: unknown
}

/** One answer that is offered, with what the server hears if it is chosen. */
export interface Choice {
  readonly option: PermissionOption
  readonly result: unknown
}

type PermissionBody = Omit<Extract<Asked, { readonly type: "permission.requested" }>["data"], "options" | "default">

/**
 * A permission with its choices. Where nothing is chosen in time, or what is chosen is none of them, the `fallback` is:
 * it turns the request down and lets the turn go on.
 */
export const permission = (
  body: PermissionBody,
  choices: ReadonlyArray<Choice>,
  fallback: Choice,
  cancel: unknown
): Askable => ({
  asked: {
    type: "permission.requested",
    data: {
      ...body,
      options: choices.map(({ option }) => option),
      default: { outcome: "selected", optionId: fallback.option.optionId }
    }
  },
  answer: (outcome) => {
    const chosen =
      outcome.outcome === "selected"
        ? (choices.find(({ option }) => option.optionId === outcome.optionId) ?? fallback)
        : fallback
    return { result: chosen.result, allowed: chosen.option.kind.startsWith("allow") }
  },
  cancel
})
