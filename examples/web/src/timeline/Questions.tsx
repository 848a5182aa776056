/** Questions that the agent asks together: options as buttons, fields for words, and one answer for all. */
import type { Question, QuestionEntry } from "@holdfast/core"
import { MessageCircleQuestionMark } from "lucide-react"
import { useId, useState } from "react"
import { answersTo, choose, type GivenAnswers, givenTo, type as typeAnswer } from "./QuestionAnswers.ts"
import { dateText } from "./Phrases.ts"
import { Deadline, Ended, endedBy, Owner, Problem } from "./Request.tsx"
import { mayAct, useAction, useKept, useScope } from "./SessionScope.ts"

const Asked = ({
  given,
  isDisabled,
  onGive,
  question
}: {
  readonly question: Question
  readonly given: GivenAnswers
  readonly isDisabled: boolean
  readonly onGive: (given: GivenAnswers) => void
}) => {
  const id = useId()
  const { chosen, typed } = givenTo(given, question)
  const hint = question.options.length > 0 ? "Something else" : "Your answer"
  return (
    <fieldset className="tl-question" disabled={isDisabled}>
      <legend>
        {question.header !== undefined && <span className="badge">{question.header}</span>}
        <span>{question.text}</span>
      </legend>
      {question.options.length > 0 && (
        <div className="tl-options">
          {question.options.map(({ description, label }) => (
            <label key={label} className="tl-option">
              <input
                type={question.multiple ? "checkbox" : "radio"}
                name={id}
                checked={chosen.includes(label)}
                onChange={() => onGive(choose(given, question, label))}
              />
              <span>
                <span className="tl-option-label">{label}</span>
                {description !== undefined && <span className="tl-option-description">{description}</span>}
              </span>
            </label>
          ))}
        </div>
      )}
      {(question.freeText || question.options.length === 0) && (
        <input
          className="input"
          type={question.secret === true ? "password" : "text"}
          autoComplete={question.secret === true ? "off" : undefined}
          aria-label={`${hint}: ${question.text}`}
          placeholder={question.secret === true ? "Not shown and not kept" : hint}
          value={typed}
          onChange={(event) => onGive(typeAnswer(given, question, event.target.value))}
        />
      )}
    </fieldset>
  )
}

const Open = ({ entry }: { readonly entry: QuestionEntry }) => {
  const scope = useScope()
  const { isPending, problem, run } = useAction()
  const hasSecret = entry.questions.some(({ secret }) => secret === true)
  const [kept, keep] = useKept<GivenAnswers>(`questions:${entry.seq}`, {})
  const [unkept, setUnkept] = useState<GivenAnswers>({})
  // A secret stays in its field only.
  const [given, onGive] = hasSecret ? [unkept, setUnkept] : [kept, keep]
  const answers = answersTo(given, entry.questions)
  const may = mayAct(scope)
  const answer = () => {
    if (answers !== null) void run(() => scope.session.answer(entry.requestId, { outcome: "answered", answers }))
  }
  return (
    <form
      className="tl-card tl-request"
      aria-label={`Question: ${entry.questions[0]?.text ?? ""}`}
      onSubmit={(event) => {
        event.preventDefault()
        answer()
      }}
    >
      <div className="tl-card-head">
        <MessageCircleQuestionMark className="tl-icon" aria-hidden="true" />
        <strong>{entry.questions.length === 1 ? "A question" : `${entry.questions.length} questions`}</strong>
        <Owner owner={entry.owner} />
        {!scope.readOnly && (
          <span title={dateText(entry.deadline)}>
            <Deadline at={entry.deadline} />
          </span>
        )}
      </div>
      {entry.questions.map((question) => (
        <Asked
          key={question.questionId}
          question={question}
          given={given}
          isDisabled={!may || isPending}
          onGive={onGive}
        />
      ))}
      {may ? (
        <div className="tl-buttons">
          <button type="submit" className="button primary" disabled={answers === null || isPending}>
            Answer
          </button>
          <button
            type="button"
            className="button"
            disabled={isPending}
            onClick={() => run(() => scope.session.answer(entry.requestId, { outcome: "cancelled" }))}
          >
            Do not answer
          </button>
        </div>
      ) : (
        !scope.readOnly && <p className="tl-faint">You may look on; a member answers.</p>
      )}
      <Problem text={problem} />
    </form>
  )
}

/** Questions: open, or what was answered. */
export const Questions = ({ entry }: { readonly entry: QuestionEntry }) => {
  const scope = useScope()
  if (entry.by === null) return <Open entry={entry} />
  const { outcome, questions } = entry
  const answers = outcome?.outcome === "answered" ? outcome.answers : null
  return (
    <Ended isGood={answers !== null} label="A question that has ended">
      <strong>{answers === null ? "Not answered" : "Answered"}</strong> {endedBy(scope, entry)}
      <span className="tl-answers">
        {questions.map(({ questionId, secret, text }) => (
          <span key={questionId} className="tl-answer">
            <span className="tl-faint">{text}</span>
            {answers !== null && (
              <span>{secret === true ? "•••• (not kept)" : (answers[questionId] ?? []).join(", ") || "nothing"}</span>
            )}
          </span>
        ))}
      </span>
    </Ended>
  )
}
