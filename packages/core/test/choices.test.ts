import { assert, describe, it } from "vitest"
import { draft, emptyState, type EventBody, makeSessionId, noCapabilities } from "../src/index.ts"

const opening: ReadonlyArray<EventBody> = [
  { type: "session.created", data: { backend: "codex", spec: {} } },
  { type: "backend.opening", data: { attempt: 1, resume: false } },
  { type: "backend.opened", data: { capabilities: noCapabilities } }
]

const stateAfter = (...bodies: ReadonlyArray<EventBody>) =>
  [...opening, ...bodies].reduce((state, body) => draft(state, body, { at: 1 }).state, emptyState(makeSessionId()))

describe("What can be chosen of an agent", () => {
  it("is in the state with what is chosen, for pages that come later than the events that told it", () => {
    const models = [{ id: "large", name: "Large", efforts: ["low", "high"] }]
    const modes = [{ id: "plan" }]
    const { effort, mode, model, offer } = stateAfter(
      { type: "agent.offered", data: { models, modes: [{ id: "build" }] } },
      { type: "agent.offered", data: { modes } },
      { type: "backend.configured", data: { model: "large", effort: "high" } },
      { type: "backend.configured", data: { mode: "plan" } }
    )
    assert.deepStrictEqual(offer, { models, modes })
    assert.deepStrictEqual({ effort, mode, model }, { effort: "high", mode: "plan", model: "large" })
  })

  it("has no effort any more when another model is taken that says none", () => {
    const other = stateAfter(
      { type: "backend.configured", data: { model: "large", effort: "high" } },
      { type: "backend.configured", data: { model: "small" } }
    )
    assert.deepStrictEqual([other.model, other.effort], ["small", null])
  })
})
