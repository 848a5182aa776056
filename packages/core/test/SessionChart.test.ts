import { eventBodies } from "@holdfast/testkit"
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { transition } from "xstate"
import { getShortestPaths } from "xstate/graph"
import {
  type ChartEvent,
  type ChartType,
  type ChartValue,
  chartAccepts,
  initialChart,
  isChartType,
  moveChart,
  sessionChart
} from "../src/SessionChart.ts"
import { eventSchemas, type KnownType } from "../src/SessionEvent.ts"

const chartTypes = (Object.keys(eventSchemas) as Array<KnownType>).filter(isChartType) as Array<ChartType>
const events: ReadonlyArray<ChartEvent> = chartTypes.flatMap((type) => [
  { type, remaining: 0 },
  { type, remaining: 1 }
])

/** Regions do not know of each other, so each is walked by itself: 1,080 states together need no walk of their own. */
const regions = Object.keys(initialChart) as ReadonlyArray<keyof ChartValue>
const statesOf = (region: keyof ChartValue) => sessionChart.states[region]!.states
const eventsOf = (region: keyof ChartValue) => {
  const named = new Set(Object.values(statesOf(region)).flatMap((state) => Object.keys(state.config.on ?? {})))
  return events.filter((event) => named.has(event.type))
}

describe("The session chart", () => {
  for (const region of regions) {
    it(`reaches every state of its ${region} region, and every path holds in the fold`, () => {
      const reached = new Set<string>()
      const paths = getShortestPaths(sessionChart, {
        events: eventsOf(region),
        serializeState: (state) => (state.value as unknown as ChartValue)[region]
      })
      for (const path of paths) {
        let value = initialChart
        for (const step of path.steps) {
          if ((step.event.type as string) === "xstate.init") continue
          assert.isTrue(chartAccepts(value, step.event))
          value = moveChart(value, step.event)
        }
        assert.strictEqual(value[region], (path.state.value as unknown as ChartValue)[region])
        reached.add(value[region])
      }
      assert.sameMembers([...reached], Object.keys(statesOf(region)))
    })

    it(`has no dead end in its ${region} region`, () => {
      for (const state of Object.keys(statesOf(region))) {
        const value = { ...initialChart, [region]: state } as ChartValue
        assert.isTrue(
          events.some((event) => moveChart(value, event)[region] !== state),
          state
        )
      }
    })
  }

  it("knows every type that it is said to be moved by, and no other", () => {
    const named = new Set(regions.flatMap((region) => eventsOf(region).map((event) => event.type)))
    assert.sameMembers([...named], chartTypes)
  })

  it("allows nothing that XState does not, and moves as XState does", () => {
    fc.assert(
      fc.property(fc.array(eventBodies(), { maxLength: 60, size: "max" }), (bodies) => {
        let value = initialChart
        let snapshot = sessionChart.resolveState({ value: initialChart as never, context: {} as never })
        for (const { type } of bodies) {
          if (!isChartType(type)) continue
          const event: ChartEvent = { type: type as ChartType, remaining: 1 }
          if (chartAccepts(value, event)) assert.isTrue(snapshot.can(event))
          else continue
          snapshot = transition(sessionChart, snapshot, event)[0]
          value = moveChart(value, event)
          assert.deepStrictEqual(value, snapshot.value as unknown as ChartValue)
        }
      }),
      { numRuns: 50 }
    )
  })

  it("asks an event's own region whether it is legal, and not one that only follows", () => {
    const relinking: ChartValue = { ...initialChart, lifecycle: "open", link: "reconnecting" }
    assert.isFalse(chartAccepts(relinking, { type: "backend.opened" }))
    const early: ChartValue = { ...initialChart, lifecycle: "opening", turn: "running" }
    assert.isFalse(chartAccepts(early, { type: "backend.suspended" }))
    assert.strictEqual(moveChart(early, { type: "backend.suspended" }), early)
  })

  it("stays where it is when an event is not legal", () => {
    assert.strictEqual(moveChart(initialChart, { type: "backend.opened" }), initialChart)
    assert.strictEqual(moveChart(initialChart, { type: "turn.completed" }), initialChart)
  })

  it("unblocks a turn only with the last request", () => {
    const blocked: ChartValue = { ...initialChart, turn: "blocked" }
    assert.strictEqual(moveChart(blocked, { type: "permission.resolved", remaining: 1 }).turn, "blocked")
    assert.strictEqual(moveChart(blocked, { type: "question.answered", remaining: 0 }).turn, "running")
  })

  it("ends a turn whenever its backend ends, and never otherwise but by its completion", () => {
    for (const turn of ["running", "blocked", "interrupting"] as const) {
      const value: ChartValue = { ...initialChart, lifecycle: "open", turn }
      const ending = chartTypes.filter((type) => moveChart(value, { type, remaining: 1 }).turn === "idle")
      assert.sameMembers(ending, [
        "session.moved",
        "backend.lost",
        "backend.suspended",
        "backend.closed",
        "backend.failed",
        "turn.completed"
      ])
    }
  })
})
