import { creation, eventBodies, makeSimulatedSession, numberedId, playStep } from "@holdfast/testkit"
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as fc from "fast-check"
import type { CommandBody } from "../src/Command.ts"
import { draft } from "../src/draft.ts"
import type { EventRecord } from "../src/EventRecord.ts"
import type { ArtifactId, RequestId, SessionId } from "../src/Ids.ts"
import type { EventBody } from "../src/SessionEvent.ts"
import { emptyState, sessionStatus } from "../src/SessionState.ts"
import { emptySummary, evolveSummary, SessionSummary } from "../src/SessionSummary.ts"

const sessionId = numberedId(5) as SessionId
const summarise = (records: ReadonlyArray<EventRecord>): SessionSummary =>
  records.reduce(evolveSummary, emptySummary(sessionId))

const recordsOf = (bodies: ReadonlyArray<EventBody>): ReadonlyArray<EventRecord> => {
  let state = emptyState(sessionId)
  return bodies.map((body, index) => {
    const drafted = draft(state, body, { at: 1_000 + index })
    state = drafted.state
    return drafted.record
  })
}

const send = (text: string): CommandBody => ({ type: "prompt.send", data: { content: [{ type: "text", text }] } })

describe("The row of a session", () => {
  it("tells what a list shows: title, place, status, counts and when it last changed", () => {
    const session = makeSimulatedSession({ sessionId, at: 5_000 })
    session.command({
      type: "session.create",
      data: { backend: "scripted", spec: {}, workspace: "/work", labels: { team: "a" } }
    })
    session.wait(10)
    playStep(session, { step: "behave", id: 1 })
    session.command(send("\n  Fix the build\nIt fails"))
    session.command(send("Then test"))
    session.wait(10)
    session.tell([
      { type: "usage.reported", data: { usage: { inputTokens: 3 } } },
      { type: "usage.reported", data: { usage: { inputTokens: 4, costUsd: 1 } } },
      { type: "file.changed", data: { path: "a", change: "modified" } },
      { type: "terminal.output", bytes: new Uint8Array(9) },
      { type: "backend.configured", data: { model: "m1" } },
      { type: "sandbox.warming", data: {} }
    ])
    assert.deepInclude(summarise(session.records()), {
      sessionId,
      seq: session.records().length,
      createdAt: 5_000,
      updatedAt: 5_020,
      backend: "scripted",
      title: "Fix the build",
      workspace: "/work",
      labels: { team: "a" },
      status: "idle",
      queuedPrompts: 2,
      usage: { inputTokens: 7, costUsd: 1 },
      filesChanged: 1,
      outputBytes: 9,
      hasTerminal: true,
      model: "m1",
      sandbox: "warming"
    })
  })

  it("shows the beginning of the first prompt until the agent has a title, and what somebody calls it for good", () => {
    const session = makeSimulatedSession({ sessionId })
    session.command({ type: "session.create", data: { backend: "scripted", spec: {} } })
    playStep(session, { step: "behave", id: 1 })
    const title = () => summarise(session.records()).title
    session.command(send("Fix it"))
    assert.strictEqual(title(), "Fix it")
    session.tell([{ type: "agent.titled", data: { title: "Fixing the build" } }])
    assert.strictEqual(title(), "Fixing the build")
    session.command({ type: "session.rename", data: { title: "Mine" } })
    session.tell([{ type: "agent.titled", data: { title: "Another" } }])
    assert.strictEqual(title(), "Mine")
  })

  it("keeps the title that it was given, and a long first prompt is cut to one line", () => {
    const session = makeSimulatedSession({ sessionId })
    session.command(creation)
    session.command(send("x".repeat(200)))
    assert.strictEqual(summarise(session.records()).title, `${"x".repeat(79)}…`)
    session.command({ type: "session.rename", data: { title: "Mine" } })
    session.command(send("other"))
    assert.strictEqual(summarise(session.records()).title, "Mine")
  })

  it("says how the session ended, and forgets it when it is opened again", () => {
    const session = makeSimulatedSession({ sessionId })
    session.command(creation)
    session.tell([{ type: "backend.closed", data: { reason: "exited", exitCode: 2, signal: null } }])
    assert.deepInclude(summarise(session.records()), {
      status: "failed",
      reason: "exited",
      exitCode: 2,
      lifecycle: "closed"
    })
    session.command({ type: "session.open", data: {} })
    assert.deepInclude(summarise(session.records()), { status: "working", reason: null, exitCode: null, generation: 2 })
  })

  it("keeps the newest artifacts, each once", () => {
    const added = (n: number): EventBody => ({
      type: "artifact.added",
      data: { artifactId: `a${n}` as ArtifactId, artifact: { kind: "url", title: `${n}` } }
    })
    const { artifacts } = summarise(recordsOf([...Array.from({ length: 20 }, (_, n) => added(n)), added(7)]))
    assert.lengthOf(artifacts, 16)
    assert.strictEqual(artifacts.at(-1)!.artifactId, "a7")
    assert.strictEqual(artifacts.filter((one) => one.artifactId === "a7").length, 1)
  })

  it("is bounded in the requests that it names", () => {
    const asked = (n: number): EventBody => ({
      type: "permission.requested",
      data: {
        requestId: `r${n}` as RequestId,
        title: "?",
        options: [],
        deadline: 1,
        default: { outcome: "cancelled" }
      }
    })
    assert.lengthOf(summarise(recordsOf(Array.from({ length: 100 }, (_, n) => asked(n)))).requests, 64)
  })

  it("has the same status as the folded state for any log at all, and fits its schema", () => {
    const is = Schema.is(SessionSummary)
    fc.assert(
      fc.property(fc.array(eventBodies(), { maxLength: 40, size: "max" }), (bodies) => {
        let state = emptyState(sessionId)
        let summary = emptySummary(sessionId)
        for (const body of bodies) {
          const drafted = draft(state, body, { at: state.at + 1 })
          state = drafted.state
          summary = evolveSummary(summary, drafted.record)
          assert.strictEqual(summary.status, sessionStatus(state), body.type)
          assert.strictEqual(summary.lifecycle, state.chart.lifecycle, body.type)
        }
        assert.isTrue(is(summary))
      }),
      { numRuns: 500 }
    )
  })
})
