import { eventSchemas, initialChart, sessionChart } from "@holdfast/core"
import { assert, describe, it } from "vitest"
import { chartPage } from "../draw-chart.ts"
import { lifecycleChart } from "../../packages/adapter-cloud/src/lifecycle/LifecycleChart.ts"
import { lifecyclePage } from "../draw-lifecycle.ts"
import { formatPage, readPage } from "../generated-page.ts"
import { eventsPage } from "../list-events.ts"

const hint = "run `npm run docs` and commit what it writes"

describe("the generated pages", () => {
  it("show the session chart as it is", async () => {
    const path = "docs/session-chart.md"
    assert.strictEqual(readPage(path), await formatPage(path, chartPage()), hint)
  })

  it("draw every state and name every event of the chart", () => {
    const page = chartPage()
    for (const region of Object.keys(initialChart)) {
      for (const [name, state] of Object.entries(sessionChart.states[region]!.states)) {
        assert.match(page, new RegExp(`\\b${name}\\b`))
        for (const event of Object.keys(state.config.on ?? {})) assert.include(page, event)
      }
    }
  })

  it("show the lifecycle of a sandbox as it is decided", async () => {
    const path = "docs/sandbox-lifecycle.md"
    assert.strictEqual(readPage(path), await formatPage(path, lifecyclePage()), hint)
  })

  it("draw every phase of that lifecycle", () => {
    const page = lifecyclePage()
    for (const phase of Object.keys(lifecycleChart.states)) assert.match(page, new RegExp(`--> ${phase}\\b`))
  })

  it("list the events as their schemas have them", async () => {
    const path = "docs/events.md"
    assert.strictEqual(readPage(path), await formatPage(path, eventsPage()), hint)
  })

  it("list every type, and what the source says of it", () => {
    const page = eventsPage()
    for (const type of Object.keys(eventSchemas)) assert.include(page, `| \`${type}\` |`)
    assert.include(page, "Somebody typed. What they typed is not kept: it may be a password.")
  })
})
