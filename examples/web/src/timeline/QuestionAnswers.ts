/** Answers to questions while somebody gives them. */
import type { Question } from "@holdfast/core"

/** What is chosen and typed for one question. */
export interface Given {
  readonly chosen: ReadonlyArray<string>
  readonly typed: string
}

/** What is given so far, by question. */
export type GivenAnswers = { readonly [questionId: string]: Given }

const nothing: Given = { chosen: [], typed: "" }

/** What is given for a question. */
export const givenTo = (given: GivenAnswers, { questionId }: Question): Given =>
  Object.hasOwn(given, questionId) ? given[questionId]! : nothing

/** Chooses an option, or takes it back where several may be chosen. One choice puts typed words aside. */
export const choose = (given: GivenAnswers, question: Question, label: string): GivenAnswers => {
  const { chosen, typed } = givenTo(given, question)
  if (!question.multiple) return { ...given, [question.questionId]: { chosen: [label], typed: "" } }
  const next = chosen.includes(label) ? chosen.filter((one) => one !== label) : [...chosen, label]
  return { ...given, [question.questionId]: { chosen: next, typed } }
}

/** Types an answer. Where there is one answer, it takes the place of what was chosen. */
export const type = (given: GivenAnswers, question: Question, typed: string): GivenAnswers => {
  const { chosen } = givenTo(given, question)
  return { ...given, [question.questionId]: { chosen: question.multiple || typed === "" ? chosen : [], typed } }
}

/** What would be sent for one question. */
export const answerTo = (given: GivenAnswers, question: Question): ReadonlyArray<string> => {
  const { chosen, typed } = givenTo(given, question)
  // Passwords may end with a blank.
  const text = question.secret === true ? typed : typed.trim()
  return text === "" ? chosen : [...chosen, text]
}

/** All answers; null while a question has none. */
export const answersTo = (
  given: GivenAnswers,
  questions: ReadonlyArray<Question>
): { readonly [questionId: string]: ReadonlyArray<string> } | null => {
  const answers = questions.map((question) => [question.questionId, answerTo(given, question)] as const)
  return answers.every(([, answer]) => answer.length > 0) ? Object.fromEntries(answers) : null
}
