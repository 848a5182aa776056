/** A session of core's pure functions alone, to which a normaliser's events are told. */
import { creation, makeSimulatedSession, playStep, type SimulatedSession } from "@holdfast/testkit"

/** A session whose backend is open and has said nothing. */
export const foldedSession = (): SimulatedSession => {
  const session = makeSimulatedSession()
  session.command(creation)
  playStep(session, { step: "behave", id: 1 })
  return session
}

/** Notes that say that what was told was illegal, no event at all, or could not be read. */
export const objections = (session: SimulatedSession): ReadonlyArray<string> =>
  session
    .records()
    .filter(({ type }) => type === "backend.noted")
    .map(({ data }) => (data as { readonly message: string }).message)
    .filter((message) => message.includes("was left out") || message.startsWith("the backend told"))
