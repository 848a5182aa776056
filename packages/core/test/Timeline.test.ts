import {
  creation,
  eventBodies,
  eventsOfType,
  makeSimulatedSession,
  numberedId,
  playStep,
  sessionLogs
} from "@holdfast/testkit"
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { noCapabilities } from "../src/Capabilities.ts"
import type { CommandBody } from "../src/Command.ts"
import { draft } from "../src/draft.ts"
import type { Page } from "../src/EventLog.ts"
import type { EventRecord } from "../src/EventRecord.ts"
import type { ArtifactId, ItemId, ParticipantId, PromptId, RequestId, SessionId, TurnId } from "../src/Ids.ts"
import { effectsOf } from "../src/SessionEffect.ts"
import type { EventBody } from "../src/SessionEvent.ts"
import { emptyState } from "../src/SessionState.ts"
import { emptyTimeline, evolveTimeline, evolveTimelinePage, type Timeline, timelineEntries } from "../src/Timeline.ts"
import type { TimelineEntry } from "../src/TimelineEntry.ts"

const sessionId = numberedId(5) as SessionId
const turnId = "t1" as TurnId
const itemId = (id: string): ItemId => id as ItemId

/** A log of bodies, a second apart. */
const recordsOf = (bodies: ReadonlyArray<EventBody & { readonly actor?: string }>): ReadonlyArray<EventRecord> => {
  let state = emptyState(sessionId)
  return bodies.map((body, index) => {
    const stamp = { at: 1_000 * (index + 1), ...(body.actor === undefined ? {} : { actor: body.actor }) }
    const drafted = draft(state, body, stamp)
    state = drafted.state
    return drafted.record
  })
}

const fold = (records: ReadonlyArray<EventRecord>, from: Timeline = emptyTimeline()): Timeline =>
  records.reduce(evolveTimeline, from)
const entriesOf = (bodies: Parameters<typeof recordsOf>[0], from?: Timeline) =>
  timelineEntries(fold(recordsOf(bodies), from))
const only = (bodies: Parameters<typeof recordsOf>[0], from?: Timeline): TimelineEntry => {
  const entries = entriesOf(bodies, from)
  assert.lengthOf(entries, 1)
  return entries[0]!
}

const started = (id: string, more: object = {}): EventBody =>
  ({ type: "item.started", data: { itemId: itemId(id), kind: "message", role: "agent", ...more } }) as EventBody
const delta = (id: string, text: string, field: "text" | "input" | "output" = "text"): EventBody => ({
  type: "item.delta",
  data: { itemId: itemId(id), field, text }
})
const completed = (id: string, more: object = {}): EventBody =>
  ({ type: "item.completed", data: { itemId: itemId(id), kind: "message", status: "completed", ...more } }) as EventBody
const tool = { name: "Bash", kind: "execute", status: "in_progress" } as const

describe("The history in a timeline", () => {
  it("says what the agent was told to forget, and keeps showing it", () => {
    const entries = entriesOf([
      { type: "turn.started", data: { turnId } },
      { type: "turn.completed", data: { turnId, outcome: "completed" } },
      { type: "history.reverting", data: { turnId } },
      { type: "history.reverted", data: { turnId } },
      { type: "history.restored", data: {} },
      { type: "context.compacted", data: { summary: "short" } }
    ])
    assert.deepStrictEqual(
      entries.map((entry) => (entry.type === "history" ? [entry.change, entry.turnId, entry.summary] : entry.type)),
      ["turn", ["reverted", "t1", null], ["restored", null, null], ["compacted", null, "short"]]
    )
  })
})

describe("A sandbox in a timeline", () => {
  const sandbox = (type: string, reason?: string): EventBody =>
    ({ type: `sandbox.${type}`, data: reason === undefined ? {} : { reason } }) as EventBody
  const told = (...bodies: ReadonlyArray<EventBody>) =>
    entriesOf(bodies).map((entry) =>
      entry.type === "sandbox" ? [entry.condition, entry.reason, entry.duration] : entry.type
    )

  it("starts in one entry that says how far it is, and how long it took; work and rest add nothing", () => {
    assert.deepStrictEqual(told(sandbox("pending"), sandbox("warming", "pulls the image")), [
      ["warming", "pulls the image", null]
    ])
    assert.deepStrictEqual(
      told(
        sandbox("pending"),
        sandbox("warming"),
        sandbox("syncing", "clones"),
        sandbox("ready"),
        sandbox("running"),
        sandbox("ready"),
        sandbox("snapshotted")
      ),
      [["ready", null, 3_000]]
    )
  })

  it("that is started from a snapshot is restored, until it has to begin from nothing", () => {
    const restored = (...bodies: ReadonlyArray<EventBody>) =>
      entriesOf(bodies).flatMap((entry) => (entry.type === "sandbox" ? [[entry.condition, entry.restored]] : []))
    const fromSnapshot: EventBody = { type: "sandbox.pending", data: { snapshotId: "snap-1" } }
    assert.deepStrictEqual(restored(fromSnapshot, sandbox("warming"), sandbox("ready"), sandbox("stale")), [
      ["ready", true],
      ["stale", false]
    ])
    assert.deepStrictEqual(
      restored(fromSnapshot, sandbox("warming"), sandbox("failed"), sandbox("pending"), sandbox("warming")),
      [
        ["failed", true],
        ["warming", false]
      ]
    )
  })

  it("that does not answer says so, and for how long", () => {
    assert.deepStrictEqual(
      told(sandbox("warming"), sandbox("ready"), sandbox("stale", "no heartbeat"), sandbox("ready"), sandbox("stale")),
      [
        ["ready", null, 1_000],
        ["stale", "no heartbeat", 1_000],
        ["stale", null, null]
      ]
    )
  })

  it("that cannot be started says why, and another try is another entry", () => {
    assert.deepStrictEqual(
      told(sandbox("warming"), sandbox("failed", "no such image"), sandbox("pending"), {
        type: "backend.lost",
        data: { reason: "the runtime ended", retryable: true }
      }),
      [["failed", "no such image", 1_000], ["stopped", null, 1_000], "lifecycle"]
    )
  })
})

describe("What follows from a log", () => {
  const records = recordsOf([
    { type: "session.created", data: { backend: "b", spec: {} } },
    { type: "backend.opening", data: { attempt: 1, resume: false } },
    { type: "backend.opened", data: { capabilities: { ...noCapabilities, archive: true } } },
    { type: "session.archived", data: {} },
    { type: "context.compacting", data: {} },
    { type: "history.reverting", data: { turnId } },
    { type: "history.restoring", data: {} },
    { type: "item.stopping", data: { itemId: itemId("i") } },
    { type: "backend.closed", data: { reason: "done" } },
    { type: "session.unarchived", data: {} }
  ])

  it("is performed by the backend, archiving only while it is open and keeps an archive", () => {
    const performed = effectsOf(emptyState(sessionId), records).flatMap((effect) =>
      effect.do === "perform" ? [effect.command] : []
    )
    assert.deepStrictEqual(performed, [
      { type: "archive", archived: true },
      { type: "compact" },
      { type: "revert", turnId },
      { type: "restore" },
      { type: "stopItem", itemId: itemId("i") }
    ])
  })
})

describe("A message in a timeline", () => {
  it("shows its text as it streams, and what it was in the end", () => {
    const streaming = [started("m", { turnId }), delta("m", "Hel"), delta("m", "lo")]
    assert.deepStrictEqual(only(streaming), {
      seq: 1,
      at: 1_000,
      type: "message",
      itemId: "m",
      turnId,
      parentId: null,
      progress: "streaming",
      role: "agent",
      author: null,
      text: "Hello"
    })
    const content = [{ type: "text", text: "Hello." }] as const
    assert.deepInclude(only([...streaming, completed("m", { text: "Hello.", content })]), {
      progress: "completed",
      text: "Hello.",
      content
    } as object)
  })

  it("keeps what it had said when it is cut off", () => {
    const partial = completed("m", { status: "interrupted", partial: true })
    assert.deepInclude(only([started("m"), delta("m", "Hel"), partial]), { progress: "interrupted", text: "Hel" })
  })

  it("shows the beginning of a text past the bound, and how long it is, streamed or whole", () => {
    const small = emptyTimeline({ maxText: 4 })
    const whole = only([started("m"), completed("m", { text: "abc😀de" })], small)
    assert.deepInclude(whole, { text: "abc", cut: { text: 7 } })
    const streamed = only(
      [started("m"), ...["abc", "\ud83d", "\ude00", "d", "e"].map((text) => delta("m", text))],
      small
    )
    assert.deepInclude(streamed, { text: "abc", cut: { text: 7 } })
    const shortened = only([started("m"), delta("m", "abcdef"), completed("m", { text: "ok" })], small)
    assert.strictEqual((shortened as { text: string }).text, "ok")
    assert.notProperty(shortened, "cut")
  })

  it("of which only the end is known appears with its end", () => {
    const records = recordsOf([started("m"), delta("m", "Hel"), completed("m", { text: "Hello" })])
    assert.deepStrictEqual(timelineEntries(fold(records.slice(1, 2))), [])
    assert.deepInclude(timelineEntries(fold(records.slice(1)))[0], { seq: 3, text: "Hello", progress: "completed" })
  })
})

describe("A tool call in a timeline", () => {
  it("shows its input and output as they stream, then what it was, with its files and where it ran", () => {
    const streaming = [
      started("c", { kind: "tool_call", tool, parentId: itemId("p") }),
      delta("c", '{"cmd":', "input"),
      delta("c", "ok\n", "output")
    ]
    assert.deepInclude(only(streaming), { type: "tool", inputText: '{"cmd":', output: "ok\n", parentId: "p" })
    const whole = only([
      ...streaming,
      {
        type: "item.updated",
        data: { itemId: itemId("c"), title: "Run tests", locations: [{ path: "a.ts", line: 2 }] }
      },
      { type: "file.changed", data: { path: "a.ts", change: "modified", diff: "+1", itemId: itemId("c") } },
      completed("c", {
        kind: "tool_call",
        tool: { ...tool, status: "failed", input: { cmd: "test" }, exitCode: 1 },
        output: "ok\nfail\n",
        status: "failed"
      }),
      { type: "file.changed", data: { path: "b.ts", change: "created", itemId: itemId("c") } }
    ])
    assert.deepInclude(whole, {
      title: "Run tests",
      status: "failed",
      progress: "failed",
      input: { cmd: "test" },
      output: "ok\nfail\n",
      exitCode: 1,
      locations: [{ path: "a.ts", line: 2 }],
      files: [
        { path: "a.ts", change: "modified", diff: "+1" },
        { path: "b.ts", change: "created" }
      ]
    } as object)
    assert.notProperty(whole, "inputText")
  })

  it("shows input that is too large as its weight alone, and its diffs within one bound", () => {
    const entry = only(
      [
        started("c", { kind: "tool_call", tool: { ...tool, input: { text: "x".repeat(50) } } }),
        { type: "file.changed", data: { path: "a", change: "modified", diff: "12345678", itemId: itemId("c") } },
        { type: "file.changed", data: { path: "b", change: "modified", diff: "12345", itemId: itemId("c") } }
      ],
      emptyTimeline({ maxText: 10 })
    )
    assert.notProperty(entry, "input")
    assert.deepInclude(entry, {
      files: [
        { path: "a", change: "modified", diff: "12345678" },
        { path: "b", change: "modified", diff: "12" }
      ]
    } as object)
    assert.strictEqual(entry.cut?.["diff of b"], 5)
    assert.isAbove(entry.cut!["input"]!, 50)
  })
})

describe("A plan in a timeline", () => {
  it("shows its newest steps", () => {
    const entries = [{ content: "Look", status: "completed" }] as const
    const plan = only([
      started("p", { kind: "plan" }),
      { type: "item.updated", data: { itemId: itemId("p"), entries: [{ content: "Look", status: "pending" }] } },
      completed("p", { kind: "plan", entries })
    ])
    assert.deepInclude(plan, { type: "plan", entries, progress: "completed" } as object)
  })
})

describe("A request in a timeline", () => {
  const asked: EventBody = {
    type: "question.asked",
    data: {
      requestId: "q" as RequestId,
      deadline: 9_000,
      questions: [
        { questionId: "name", text: "Name?", options: [], multiple: false, freeText: true },
        { questionId: "key", text: "Key?", options: [], multiple: false, freeText: true, secret: true }
      ],
      default: { outcome: "cancelled" }
    }
  }

  it("shows what was asked, what came of it and who said so, and never an answer that is secret", () => {
    assert.deepInclude(only([asked]), { type: "question", outcome: null, by: null, deadline: 9_000 })
    const answers = { name: ["Ada"], key: ["hunter2"] }
    const answered = only([
      asked,
      {
        type: "question.answered",
        data: { requestId: "q" as RequestId, outcome: { outcome: "answered", answers }, by: "answer" },
        actor: "ada"
      }
    ])
    assert.deepInclude(answered, {
      outcome: { outcome: "answered", answers: { name: ["Ada"] } },
      by: "answer",
      resolvedBy: "ada"
    } as object)
  })

  it("shows a permission with its options, and that its deadline answered it", () => {
    const requestId = "r" as RequestId
    const entry = only([
      {
        type: "permission.requested",
        data: { requestId, turnId, title: "Run it?", options: [], deadline: 5, default: { outcome: "cancelled" } }
      },
      {
        type: "permission.resolved",
        data: { requestId, outcome: { outcome: "cancelled" }, by: "deadline" },
        actor: "runtime"
      }
    ])
    assert.deepInclude(entry, {
      type: "permission",
      title: "Run it?",
      by: "deadline",
      resolvedBy: null,
      turnId
    } as object)
  })

  it("shows what a permission would let happen, unless that is too long to be shown whole", () => {
    const permission = (diff: string) =>
      only(
        [
          {
            type: "permission.requested",
            data: {
              requestId: "r" as RequestId,
              title: "Edit a",
              tool: { ...tool, input: { diff } },
              options: [],
              deadline: 5,
              default: { outcome: "cancelled" }
            }
          }
        ],
        emptyTimeline({ maxText: 1_000 })
      )
    assert.deepInclude(permission("+a"), { tool: { ...tool, input: { diff: "+a" } } } as object)
    const long = permission("+".repeat(2_000))
    assert.deepInclude(long, { tool } as object)
    assert.isAbove(long.cut?.["input"] ?? 0, 2_000)
  })
})

describe("Prompts and turns in a timeline", () => {
  it("show a prompt on its way from the queue into its turn, and what the turn came to", () => {
    const session = makeSimulatedSession({ at: 1_000 })
    const send: CommandBody = { type: "prompt.send", data: { content: [{ type: "text", text: "Hi" }] } }
    session.command({
      ...creation,
      data: { ...creation.data, owner: { participantId: "ada" as ParticipantId, name: "Ada" } }
    })
    const promptId = session.nextCommandId() as string as PromptId
    session.command(send, "ada")
    playStep(session, { step: "behave", id: 1 })
    playStep(session, { step: "behave", id: 7 })
    const running = "turn 7" as TurnId
    session.tell([
      { type: "turn.retrying", data: { turnId: running, attempt: 1, error: { message: "busy", retryable: true } } },
      { type: "file.changed", data: { path: "a", change: "created", additions: 2, turnId: running } },
      { type: "file.changed", data: { path: "a", change: "modified", additions: 3 } },
      { type: "usage.reported", data: { usage: { inputTokens: 2 } } }
    ])
    session.wait(2_000)
    session.tell([
      {
        type: "turn.completed",
        data: { turnId: running, outcome: "failed", error: { message: "broke", retryable: false } }
      },
      { type: "usage.reported", data: { turnId: running, usage: { inputTokens: 3 } } }
    ])
    const timeline = fold(session.records())
    const entries = timelineEntries(timeline)
    assert.deepInclude(entries[0], {
      type: "prompt",
      promptId,
      author: "ada",
      status: "delivered",
      turnId: running
    } as object)
    const turn = entries.find((entry) => entry.type === "turn")
    assert.deepInclude(turn, {
      turnId: running,
      promptId,
      status: "failed",
      duration: 2_000,
      retry: null,
      error: { message: "broke", retryable: false },
      usage: { inputTokens: 5 },
      files: { changes: [{ path: "a", change: "modified", additions: 5 }], beyond: 0 }
    } as object)
    assert.deepStrictEqual(timeline.usage, { inputTokens: 5 })
    assert.strictEqual(timeline.files.changes.length, 1)
  })

  it("show a prompt that was edited, returned and withdrawn, and why", () => {
    const promptId = numberedId(3) as PromptId
    const entry = only([
      { type: "prompt.queued", data: { promptId, content: [{ type: "text", text: "a" }], delivery: "steer", turnId } },
      { type: "prompt.edited", data: { promptId, content: [{ type: "text", text: "b" }] } },
      { type: "prompt.dispatched", data: { promptId, delivery: "steer", turnId } },
      { type: "prompt.returned", data: { promptId, error: { message: "late", retryable: true } } },
      { type: "prompt.withdrawn", data: { promptId, reason: "no need" } }
    ])
    assert.deepInclude(entry, {
      status: "withdrawn",
      reason: "no need",
      returned: 1,
      content: [{ type: "text", text: "b" }],
      error: { message: "late", retryable: true }
    } as object)
  })
})

describe("A shell's commands in a timeline", () => {
  it("have their exit codes, and end with the shell", () => {
    const mark = (mark: "running" | "finished" | "prompt", exitCode?: number): EventBody => ({
      type: "terminal.marked",
      data: { mark, ...(exitCode === undefined ? {} : { exitCode }) }
    })
    const entries = entriesOf([
      mark("prompt"),
      mark("running"),
      mark("finished", 2),
      mark("running"),
      mark("prompt"),
      mark("running"),
      { type: "backend.closed", data: { reason: "exited", exitCode: 0 } }
    ])
    assert.deepStrictEqual(
      entries.map((entry) =>
        entry.type === "command" ? [entry.status, entry.exitCode, entry.seq, entry.endSeq] : entry.type
      ),
      [["finished", 2, 2, 3], ["finished", null, 4, 5], ["interrupted", null, 6, 7], "lifecycle"]
    )
  })
})

describe("Everything else in a timeline", () => {
  it("shows how the backend came and went, what was noted, made and pushed", () => {
    const artifactId = "a" as ArtifactId
    const entries = entriesOf([
      { type: "backend.lost", data: { reason: "gone", retryable: true } },
      { type: "backend.closed", data: { reason: "exited", exitCode: 3, signal: null } },
      { type: "backend.noted", data: { level: "warning", message: "slow", code: "c" } },
      { type: "artifact.added", data: { artifactId, artifact: { kind: "pull_request", title: "PR", state: "open" } } },
      { type: "workspace.pushed", data: { branch: "main", sha: "abc" } },
      {
        type: "artifact.updated",
        data: { artifactId, artifact: { kind: "pull_request", title: "PR", state: "merged" } }
      },
      { type: "file.changed", data: { path: "x", change: "deleted" } }
    ])
    assert.deepStrictEqual(
      entries.map((entry) => entry.type),
      ["lifecycle", "lifecycle", "note", "artifact", "workspace", "file"]
    )
    assert.deepInclude(entries[0], { change: "lost", reason: "gone" } as object)
    assert.deepInclude(entries[1], { change: "closed", exitCode: 3 } as object)
    assert.deepInclude(entries[3], { artifact: { kind: "pull_request", title: "PR", state: "merged" } } as object)
  })
})

describe("The bound of a timeline", () => {
  const noted = (n: number): EventBody => ({ type: "backend.noted", data: { level: "info", message: `${n}` } })

  it("keeps the newest entries", () => {
    const timeline = fold(
      recordsOf(Array.from({ length: 500 }, (_, n) => noted(n))),
      emptyTimeline({ maxEntries: 100 })
    )
    const entries = timelineEntries(timeline)
    assert.deepStrictEqual([entries.length, entries[0]!.seq, timeline.total], [100, 401, 500])
    assert.isAtMost(timeline.chunks.flat().length, 164)
  })

  it("shows what ends after its beginning was given up where it ends", () => {
    const bodies = [
      started("m"),
      ...Array.from({ length: 200 }, (_, n) => noted(n)),
      delta("m", "x"),
      completed("m", { text: "x" })
    ]
    const entries = entriesOf(bodies, emptyTimeline({ maxEntries: 10 }))
    assert.deepInclude(entries.at(-1), { type: "message", text: "x", seq: bodies.length } as object)
    assert.strictEqual(entries.filter((entry) => entry.type === "message").length, 1)
  })
})

describe("A page of a log", () => {
  const records = recordsOf([started("m"), delta("m", "a"), completed("m", { text: "a" })])

  it("goes in whole, whatever it answers", () => {
    const head = 9
    const exact: Page = { answer: "exact", events: records.slice(0, 2), cursor: 2, head }
    const snapshot: Page = {
      answer: "snapshot",
      wholeAt: 3,
      covering: [],
      events: records.slice(2),
      cursor: 5,
      head
    }
    let timeline = evolveTimelinePage(evolveTimelinePage(emptyTimeline(), exact), snapshot)
    assert.strictEqual(timeline.seq, 5)
    assert.deepInclude(timelineEntries(timeline)[0], { progress: "completed" } as object)
    timeline = evolveTimelinePage(timeline, {
      answer: "gap",
      reason: "missing",
      from: 6,
      to: 7,
      detail: "gone",
      cursor: 7,
      head
    })
    assert.deepStrictEqual([timeline.seq, timelineEntries(timeline).length], [7, 1])
    const ahead = { answer: "gap", reason: "ahead", from: 1, to: 7, detail: "", cursor: 0, head } as const
    assert.deepStrictEqual(evolveTimelinePage(timeline, ahead), emptyTimeline())
  })

  it("may begin with a snapshot that is newer than its events", () => {
    const snapshot: EventRecord = {
      ...records[0]!,
      seq: 90,
      type: "terminal.snapshot",
      data: { through: 80, offset: 1, cols: 80, rows: 24, format: "ansi" },
      bytes: new Uint8Array(1)
    }
    assert.deepStrictEqual(fold([snapshot, ...records]), fold(records))
  })
})

/** The log after all the compactions that the events ask for. */
const compact = (records: ReadonlyArray<EventRecord>): ReadonlyArray<EventRecord> => {
  const gone = new Set<number>()
  for (const effect of effectsOf(emptyState(records[0]!.sessionId), records)) {
    if (effect.do !== "compact" || effect.compaction.kind !== "item") continue
    const { by, from, itemId } = effect.compaction
    for (const record of records) {
      if (record.type === "item.delta" && record.data["itemId"] === itemId && record.seq > from && record.seq < by) {
        gone.add(record.seq)
      }
    }
  }
  return records.filter((record) => !gone.has(record.seq) && record.type !== "terminal.output")
}

describe("Folding a timeline", () => {
  const anyLog = fc.array(eventBodies(), { maxLength: 60, size: "max" }).map(recordsOf)
  /** Streaming tool calls and little else: what compaction is about. */
  const streams = fc
    .array(
      fc
        .oneof(
          eventsOfType("item.started"),
          { weight: 3, arbitrary: eventsOfType("item.delta") },
          eventsOfType("item.completed"),
          eventsOfType("file.changed")
        )
        .map(
          (body) => ("kind" in body.data ? { ...body, data: { ...body.data, kind: "tool_call" } } : body) as EventBody
        ),
      { maxLength: 40, size: "max" }
    )
    .map(recordsOf)
  const logs = fc.oneof(anyLog, streams, sessionLogs({ maxSteps: 40 }))
  const bounds = fc.record({ maxEntries: fc.integer({ min: 1, max: 70 }), maxText: fc.integer({ min: 1, max: 12 }) })
  const check = (property: fc.IProperty<never> | unknown, numRuns = 300): void =>
    fc.assert(property as fc.IProperty<unknown>, { numRuns })

  it("gives the same after its deltas and its output were compacted away", () => {
    check(
      fc.property(logs, bounds, (records, options) => {
        fc.pre(records.length > 0)
        const whole = fold(records, emptyTimeline(options))
        const compacted = fold(compact(records), emptyTimeline(options))
        assert.deepStrictEqual({ ...compacted, seq: 0 }, { ...whole, seq: 0 })
      }),
      500
    )
  })

  it("is plain JSON at each step, goes on from there, and takes an event once however often it comes", () => {
    check(
      fc.property(logs, fc.nat(), bounds, (records, at, options) => {
        const middle = at % (records.length + 1)
        const half = fold(records.slice(0, middle), emptyTimeline(options))
        const kept = JSON.parse(JSON.stringify(half)) as Timeline
        assert.deepStrictEqual(kept, half)
        const again = fold(records, fold(records.slice(middle), kept))
        assert.deepStrictEqual(again, fold(records, emptyTimeline(options)))
      })
    )
  })

  it("starts anywhere, and keeps to its bounds", () => {
    check(
      fc.property(logs, fc.nat(), bounds, (records, at, options) => {
        const timeline = fold(records.slice(at % (records.length + 1)), emptyTimeline(options))
        const entries = timelineEntries(timeline)
        assert.isAtMost(entries.length, options.maxEntries)
        for (const entry of entries) {
          for (const part of ["text", "output", "inputText"] as const) {
            if (part in entry)
              assert.isAtMost((entry as { readonly text: string })[part as "text"].length, options.maxText)
          }
        }
        assert.strictEqual(new Set(entries.map((entry) => entry.seq)).size, entries.length)
      })
    )
  })

  it("leaves what an event does not touch as the same object", () => {
    check(
      fc.property(logs, (records) => {
        let timeline = emptyTimeline()
        for (const record of records) {
          const before = timelineEntries(timeline)
          timeline = evolveTimeline(timeline, record)
          const after = timelineEntries(timeline)
          const changed = before.filter((entry, index) => after[index] !== entry).length
          assert.isAtMost(changed, 2, record.type)
        }
      }),
      100
    )
  })

  it("keeps its cost an event the same however long it gets", () => {
    const noted: EventBody = { type: "backend.noted", data: { level: "info", message: "" } }
    const bodies = [started("m"), ...Array.from({ length: 1_500 }, () => noted), delta("m", "x")]
    const records = recordsOf(bodies)
    const before = fold(records.slice(0, -1))
    const after = evolveTimeline(before, records.at(-1)!)
    const copied = after.chunks.filter((chunk, index) => chunk !== before.chunks[index])
    assert.strictEqual(copied.length, 1)
    assert.isAtMost(copied[0]!.length, 64)
  })
})
