/** A field of a form: its label, what it is for, and what is wrong with it, as screen readers need them too. */
import { type ReactNode, useEffect, useId } from "react"

/** What is wrong. */
export const Problem = ({ id, words }: { readonly words: string | null; readonly id?: string }) =>
  words === null ? null : (
    <p className="problem" role="alert" id={id}>
      {words}
    </p>
  )

/** What can be chosen instead of typed. */
export const Options = ({ id, values }: { readonly id: string; readonly values: ReadonlyArray<string> }) => (
  <datalist id={id}>
    {values.map((value) => (
      <option key={value} value={value} />
    ))}
  </datalist>
)

/** What ties the field to its words. */
export interface FieldAria {
  readonly id: string
  readonly "aria-describedby": string
  readonly "aria-invalid": boolean
}

/** The field; a problem takes the place of its hint, and gives it the focus. */
export const Field = ({
  children,
  hint,
  label,
  problem
}: {
  readonly label: string
  readonly hint: string
  readonly problem: string | null
  readonly children: (aria: FieldAria) => ReactNode
}) => {
  const id = useId()
  const about = `${id}-about`
  useEffect(() => {
    if (problem !== null) document.getElementById(id)?.focus()
  }, [id, problem])
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children({ id, "aria-describedby": about, "aria-invalid": problem !== null })}
      {problem === null ? (
        <span className="hint" id={about}>
          {hint}
        </span>
      ) : (
        <Problem words={problem} id={about} />
      )}
    </div>
  )
}
