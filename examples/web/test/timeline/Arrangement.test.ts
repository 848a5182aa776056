import {
  draft,
  emptyState,
  emptyTimeline,
  type EventBody,
  evolveTimeline,
  groupTimeline,
  makeSessionId,
  makeUuid,
  noCapabilities,
  timelineEntries
} from "@holdfast/core"
import { assert, describe, it } from "vitest"
import { arrange, textOf } from "../../src/timeline/Arrangement.ts"

type Body = readonly [type: string, data: object, actor?: string]

const opening: ReadonlyArray<Body> = [
  ["session.created", { backend: "scripted", spec: {} }],
  ["backend.opening", { attempt: 1, resume: false }],
  ["backend.opened", { capabilities: { ...noCapabilities, prompts: true, steer: true } }]
]

/** Entries of a session that had these events, a second apart. */
const entriesOf = (bodies: ReadonlyArray<Body>) => {
  let state = emptyState(makeSessionId())
  let timeline = emptyTimeline()
  for (const [index, [type, data, actor]] of [...opening, ...bodies].entries()) {
    const stamp = { at: 1_000 * index, ...(actor === undefined ? {} : { actor }) }
    const drafted = draft(state, { type, data } as EventBody, stamp)
    state = drafted.state
    timeline = evolveTimeline(timeline, drafted.record)
  }
  return timelineEntries(timeline)
}

const words = (bodies: ReadonlyArray<Body>): ReadonlyArray<string> =>
  arrange(entriesOf(bodies)).flatMap((entry) => {
    switch (entry.type) {
      case "prompt":
        return [`prompt ${textOf(entry)}${entry.status === "delivered" ? "" : `, ${entry.status}`}`]
      case "message":
        return [`${entry.role} ${textOf(entry)}`]
      case "turn":
        return [`turn ${entry.turnId} ${entry.status}`]
      case "lifecycle":
        return []
      default:
        return [entry.type]
    }
  })

const prompt = (text: string, delivery: "queue" | "steer" = "queue") => {
  const promptId = makeUuid()
  const content = [{ type: "text", text }]
  return {
    queued: ["prompt.queued", { promptId, content, delivery }, "ada"] as Body,
    dispatched: ["prompt.dispatched", { promptId, delivery }] as Body,
    delivered: (turnId: string): Body => ["prompt.delivered", { promptId, turnId }],
    withdrawn: ["prompt.withdrawn", { promptId }] as Body,
    starts: (turnId: string): Body => ["turn.started", { turnId, promptId }]
  }
}

const message = (turnId: string, text: string, role = "agent"): Body => [
  "item.completed",
  { itemId: makeUuid(), turnId, kind: "message", role, status: "completed", text }
]

const ends = (turnId: string): Body => ["turn.completed", { turnId, outcome: "completed" }]

describe("The order of a timeline on the page", () => {
  it("has a prompt, what the agent did, and then the sum of the turn; the repeated prompt is left out", () => {
    const first = prompt("Hi")
    const events = [
      first.queued,
      first.dispatched,
      first.starts("t"),
      first.delivered("t"),
      message("t", "Hi", "user"),
      message("t", "Hello"),
      ends("t")
    ]
    assert.deepStrictEqual(words(events), ["prompt Hi", "agent Hello", "turn t completed"])
  })

  it("has a prompt that was queued during a turn behind that turn, where it went to the agent", () => {
    const first = prompt("First")
    const second = prompt("Second")
    const events = [
      first.queued,
      first.dispatched,
      first.starts("t1"),
      first.delivered("t1"),
      second.queued,
      message("t1", "One"),
      ends("t1"),
      second.dispatched,
      second.starts("t2"),
      second.delivered("t2"),
      message("t2", "Two")
    ]
    assert.deepStrictEqual(words(events.slice(0, 6)), [
      "prompt First",
      "agent One",
      "turn t1 running",
      "prompt Second, queued"
    ])
    assert.deepStrictEqual(words(events), [
      "prompt First",
      "agent One",
      "turn t1 completed",
      "prompt Second",
      "agent Two",
      "turn t2 running"
    ])
  })

  it("leaves a prompt that steered where it was sent, within its turn", () => {
    const first = prompt("First")
    const aside = prompt("Aside", "steer")
    const events = [
      first.queued,
      first.dispatched,
      first.starts("t"),
      first.delivered("t"),
      message("t", "One"),
      aside.queued,
      aside.dispatched,
      aside.delivered("t"),
      message("t", "Aside", "user"),
      message("t", "Two")
    ]
    assert.deepStrictEqual(words(events), ["prompt First", "agent One", "prompt Aside", "agent Two", "turn t running"])
  })

  it("shows a withdrawn prompt where it was, and what somebody said elsewhere as a message", () => {
    const gone = prompt("Never mind")
    const events = [
      gone.queued,
      gone.withdrawn,
      ["turn.started", { turnId: "t" }] as Body,
      message("t", "From afar", "user")
    ]
    assert.deepStrictEqual(words(events), ["prompt Never mind, withdrawn", "user From afar", "turn t running"])
  })

  it("has what happened after a turn behind its sum, and late parts of it before", () => {
    const first = prompt("First")
    const artifact: Body = ["artifact.added", { artifactId: "a", artifact: { kind: "url", title: "A" } }]
    const changed: Body = ["file.changed", { path: "late.ts", change: "created", turnId: "t" }]
    const events = [
      first.queued,
      first.dispatched,
      first.starts("t"),
      first.delivered("t"),
      ends("t"),
      changed,
      artifact
    ]
    assert.deepStrictEqual(words(events), ["prompt First", "file", "turn t completed", "artifact"])
  })

  it("neither loses nor doubles an entry but repetitions, and groups as before", () => {
    const tool = (kind: string): Body => [
      "item.completed",
      {
        itemId: makeUuid(),
        turnId: "t",
        kind: "tool_call",
        status: "completed",
        tool: { name: "x", kind, status: "completed" }
      }
    ]
    const entries = entriesOf([["turn.started", { turnId: "t" }], tool("read"), tool("read"), tool("edit"), ends("t")])
    const arranged = arrange(entries)
    assert.sameMembers([...arranged], [...entries])
    assert.deepStrictEqual(
      groupTimeline(arranged).map((row) => (row.row === "tools" ? `${row.count} ${row.kind}` : row.entry.type)),
      ["lifecycle", "2 read", "tool", "turn"]
    )
  })
})
