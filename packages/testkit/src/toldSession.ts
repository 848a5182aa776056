/** What tests of an adapter's normaliser look at: its events alone, and the session that is told them. */
import type { BackendEvent, SessionState } from "@holdfast/core"
import { creation, playStep } from "./sessionArbitraries.ts"
import { makeSimulatedSession, type SimulatedSession } from "./simulatedSession.ts"

/** A simulated session whose backend is open and has said nothing. */
export const openSimulatedSession = (): SimulatedSession => {
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

/** What is open or running in a session; nothing where it equals {@link nothingOpen}. */
export const openIn = ({ chart, items, requests, turn }: SessionState) => ({
  items: Object.keys(items),
  requests: Object.keys(requests),
  turn,
  chart: chart.turn as string
})

/** {@link openIn} of a session in which nothing is open. */
export const nothingOpen: ReturnType<typeof openIn> = { items: [], requests: [], turn: null, chart: "idle" }

/**
 * What is wrong with the items: each begins once, ends once, and is spoken of only in between. Empty where all is well.
 * `lateUpdates` allows `item.updated` at any time, for agents that tell more of an item after its end.
 */
export const itemFaults = (
  events: ReadonlyArray<BackendEvent>,
  options: { readonly lateUpdates?: boolean } = {}
): ReadonlyArray<string> => {
  const faults: Array<string> = []
  const begun = new Set<string>()
  const ended = new Set<string>()
  for (const event of events) {
    switch (event.type) {
      case "item.started":
        if (begun.has(event.data.itemId)) faults.push(`${event.data.itemId} begins twice`)
        begun.add(event.data.itemId)
        break
      case "item.delta":
      case "item.updated":
        if (event.type === "item.updated" && options.lateUpdates === true) break
        if (!begun.has(event.data.itemId)) faults.push(`${event.type} of ${event.data.itemId} before its beginning`)
        if (ended.has(event.data.itemId)) faults.push(`${event.type} of ${event.data.itemId} after its end`)
        break
      case "item.completed":
        if (!begun.has(event.data.itemId)) faults.push(`${event.data.itemId} ends without a beginning`)
        if (ended.has(event.data.itemId)) faults.push(`${event.data.itemId} ends twice`)
        ended.add(event.data.itemId)
        break
      default:
    }
  }
  return faults
}
