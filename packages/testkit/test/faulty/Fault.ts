/** A backend or a log that keeps all of its promises but one. */
export interface Fault {
  /** What it does wrong. */
  readonly name: string
  /** Part of the name of the suite's test that demands otherwise. */
  readonly breaks: string
  /** What that test has to say of it: another failure would prove nothing. */
  readonly says: RegExp
  /** Registers the suite for the implementation with its fault, or without it. */
  readonly register: (name: string, isFaulty: boolean) => void
}

/** What the suite of a fault is called, with and without it. */
export const titleOf = ({ name }: Fault, isFaulty: boolean): string =>
  `${isFaulty ? "one that" : "not one that"} ${name}`
