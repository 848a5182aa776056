import { eventBodies, numberedId } from "@holdfast/testkit"
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { ToolKind, ToolStatus } from "../src/Content.ts"
import { draft } from "../src/draft.ts"
import type { SessionId } from "../src/Ids.ts"
import { emptyState } from "../src/SessionState.ts"
import { emptyTimeline, evolveTimeline, timelineEntries } from "../src/Timeline.ts"
import type { TimelineEntry } from "../src/TimelineEntry.ts"
import { groupTimeline, type TimelineRow } from "../src/TimelineGroups.ts"

let seq = 0
const tool = (
  itemId: string,
  kind: ToolKind,
  more: Partial<{ status: ToolStatus; parentId: string; turnId: string }> = {}
) =>
  ({
    type: "tool",
    seq: ++seq,
    itemId,
    kind,
    status: "completed",
    parentId: null,
    turnId: null,
    progress: "completed",
    ...more
  }) as TimelineEntry
const message = (itemId: string, parentId: string | null = null) =>
  ({ type: "message", seq: ++seq, itemId, parentId, turnId: null, progress: "completed" }) as TimelineEntry

/** Rows in short: `read×2`, or an item's id with what is under it. */
const short = (rows: ReadonlyArray<TimelineRow>): ReadonlyArray<unknown> =>
  rows.map((row) => {
    if (row.row === "tools") return `${row.kind}×${row.count}`
    const id = "itemId" in row.entry ? row.entry.itemId : row.entry.type
    return row.children.length === 0 ? id : [id, short(row.children)]
  })

const flat = (rows: ReadonlyArray<TimelineRow>): ReadonlyArray<TimelineEntry> =>
  rows.flatMap((row) => (row.row === "tools" ? [...row.entries] : [row.entry, ...flat(row.children)]))

describe("Grouped tool calls", () => {
  it("are those of one kind and turn that follow each other, at least two", () => {
    const rows = groupTimeline([
      tool("a", "read"),
      tool("b", "read"),
      tool("c", "edit"),
      tool("d", "read"),
      message("m"),
      tool("e", "read", { turnId: "t1" }),
      tool("f", "read", { turnId: "t1" }),
      tool("g", "read", { turnId: "t2" })
    ])
    assert.deepStrictEqual(short(rows), ["read×2", "c", "d", "m", "read×2", "g"])
  })

  it("are as far as the least advanced of them, and failed when one failed", () => {
    const statusOf = (...statuses: ReadonlyArray<ToolStatus>) => {
      const row = groupTimeline(statuses.map((status, n) => tool(`${n}`, "read", { status })))[0]!
      return row.row === "tools" ? row.status : undefined
    }
    assert.strictEqual(statusOf("completed", "completed"), "completed")
    assert.strictEqual(statusOf("completed", "failed"), "failed")
    assert.strictEqual(statusOf("failed", "pending"), "pending")
    assert.strictEqual(statusOf("pending", "in_progress", "completed"), "in_progress")
  })

  it("keep their key while the group grows", () => {
    const entries = [tool("a", "read"), tool("b", "read"), tool("c", "read")]
    const keys = [2, 3].map((count) => {
      const row = groupTimeline(entries.slice(0, count))[0]!
      return row.row === "tools" ? row.seq : undefined
    })
    assert.deepStrictEqual(keys, [entries[0]!.seq, entries[0]!.seq])
  })
})

describe("What happened under an entry", () => {
  it("is nested beneath it, grouped by itself, and keeps its parent out of a group", () => {
    const rows = groupTimeline([
      tool("task", "other"),
      tool("x", "read", { parentId: "task" }),
      tool("y", "read", { parentId: "task" }),
      message("n", "task"),
      tool("z", "other")
    ])
    assert.deepStrictEqual(short(rows), [["task", ["read×2", "n"]], "z"])
  })

  it("stays where it is when its parent is not shown, comes later or is itself", () => {
    const rows = groupTimeline([message("a", "gone"), message("b", "c"), message("c", "b"), message("d", "d")])
    assert.deepStrictEqual(short(rows), ["a", ["b", ["c"]], "d"])
  })
})

describe("Rows of any timeline", () => {
  it("show each entry once", () => {
    fc.assert(
      fc.property(fc.array(eventBodies(), { maxLength: 80, size: "max" }), (bodies) => {
        let state = emptyState(numberedId(5) as SessionId)
        let timeline = emptyTimeline()
        for (const body of bodies) {
          const drafted = draft(state, body, { at: 1 })
          state = drafted.state
          timeline = evolveTimeline(timeline, drafted.record)
        }
        const entries = timelineEntries(timeline)
        assert.sameOrderedMembers(
          flat(groupTimeline(entries))
            .map((entry) => entry.seq)
            .toSorted((a, b) => a - b),
          entries.map((entry) => entry.seq)
        )
      }),
      { numRuns: 200 }
    )
  })
})
