import {
  accept,
  advance,
  type BackendEvent,
  emptyTimeline,
  evolveTimeline,
  type Observed,
  type RequestId,
  type TimelineEntry,
  timelineEntries
} from "@holdfast/core"
import {
  anyCharacters,
  itemFaults,
  nothingOpen,
  objections,
  openIn,
  openSimulatedSession,
  type SimulatedSession
} from "@holdfast/testkit"
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { makeOpencodeNormaliser, type OpencodeEvent } from "../src/OpencodeNormaliser.ts"
import { makePlayer, outcomeOf } from "./replay.ts"
import { makeServerFold } from "./ServerFold.ts"
import { readTranscript, type RecordedSession, transcriptNames } from "./transcripts.ts"

/** A session that a person answers as they did in the recording. */
const answerIn = (session: SimulatedSession, step: RecordedSession["steps"][number]) => {
  if (step.do !== "answer" || session.state().requests[step.requestId] === undefined) return
  const outcome = outcomeOf(step)
  const kind = step.path.startsWith("/permission/") ? "permission.resolve" : "question.answer"
  session.command({ type: kind, data: { requestId: step.requestId, outcome } } as never)
}

const recorded = transcriptNames.flatMap((name) =>
  readTranscript(name).map((session, index) => ({ name: `${name} ${index}`, ...session }))
)

describe("A session on an Opencode server that is cut off", () => {
  it("leaves nothing open, wherever the server dies", () => {
    let cuts = 0
    for (const { name, sessionId, steps } of recorded) {
      const session = openSimulatedSession()
      const player = makePlayer(sessionId)
      const all: Array<BackendEvent> = []
      for (const step of steps) {
        if (step.do === "restart") session.tell([{ type: "backend.lost", data: { reason: "killed", retryable: true } }])
        const { events } = player.play(step)
        if (step.do === "restart") {
          assert.deepStrictEqual(events, [], "history is told again")
          while (session.state().chart.lifecycle !== "opening") assert.isTrue(session.waitForNext())
          session.tell([{ type: "backend.resumed", data: { capabilities: session.capabilities } }])
        }
        all.push(...events)
        session.tell(events)
        answerIn(session, step)
        const { policy } = session
        const at = { at: session.now() }
        const lost: Observed = { type: "backend.lost", data: { reason: "killed", retryable: true } }
        const state = session.state()
        const drafts = advance(accept(state, state.generation, [lost], at, policy), at, policy)
        assert.deepStrictEqual(openIn(drafts.state), nothingOpen)
        cuts += 1
      }
      assert.deepStrictEqual(objections(session), [], name)
      if (player.generation() === 1) assert.deepStrictEqual(itemFaults(all), [])
    }
    assert.isAbove(cuts, 1_000)
  })

  it("says in the end of each text all that its pieces said, unless it says that it is partial", () => {
    let texts = 0
    for (const { sessionId, steps } of recorded) {
      const player = makePlayer(sessionId)
      const said = new Map<string, string>()
      for (const event of steps.flatMap((step) => player.play(step).events)) {
        if (event.type === "item.delta" && event.data.field === "text") {
          said.set(event.data.itemId, (said.get(event.data.itemId) ?? "") + event.data.text)
        } else if (event.type === "item.completed" && event.data.partial !== true && said.has(event.data.itemId)) {
          assert.isTrue(event.data.text?.startsWith(said.get(event.data.itemId)!))
          texts += 1
        }
      }
    }
    assert.isAbove(texts, 30)
  })
})

/** Recordings that have all messages of their sessions, and whose server forgot none. */
const complete = new Set(
  `start-health-first-turn turn-text turn-bash turn-edit turn-reasoning permission-once permission-reject question todo
  subagent abort abort-while-permission-pending two-sessions model-500-retry model-500-exhausted model-drop-before-headers
  model-drop-mid-stream model-drop-after-tool-call model-bad-tool-args model-context-overflow model-in-stream-error-abort
  prompt-while-busy instance-dispose shell-and-command compaction patch-tool structured-async unanswered
  runaway-abort`.split(/\s+/)
)

const wholeSessions = recorded.filter(({ name }) => complete.has(name.slice(0, name.lastIndexOf(" "))))

/** A stretch of the stream that nobody heard, and how many events came until the session was read. */
interface Gap {
  readonly from: number
  readonly missed: number
  readonly buffered: number
}

/** Plays a session of which stretches are missed, and reads it again after each. */
const playWith = ({ sessionId, steps }: RecordedSession, gaps: ReadonlyArray<Gap>) => {
  const session = openSimulatedSession()
  const server = makeServerFold(sessionId)
  const normaliser = makeOpencodeNormaliser({ sessionId, generation: 1, directory: "/workspace/project" })
  const all: Array<BackendEvent> = []
  const tell = (events: ReadonlyArray<BackendEvent>) => {
    all.push(...events)
    session.tell(events)
    assert.deepStrictEqual(objections(session), [])
    assert.strictEqual(normaliser.activeTurn() ?? null, session.state().turn?.turnId ?? null)
  }
  let gap: Gap | undefined
  let buffer: Array<OpencodeEvent> | undefined
  const mend = () => {
    tell(normaliser.resync(server.snapshot()))
    for (const event of buffer ?? []) tell(normaliser.take(event))
    buffer = undefined
    gap = undefined
  }
  for (const [index, step] of steps.entries()) {
    gap ??= gaps.find(({ from }) => from === index)
    if (gap !== undefined && index >= gap.from + gap.missed + gap.buffered) mend()
    switch (step.do) {
      case "adopt":
        tell(normaliser.adopt(step.snapshot))
        break
      case "expect":
        normaliser.expectPrompt(step.promptId, step.messageId)
        break
      case "answer":
        answerIn(session, step)
        normaliser.answer(step.requestId as never, outcomeOf(step))
        break
      case "take":
        server.take(step.event)
        if (gap === undefined) tell(normaliser.take(step.event))
        else if (index >= gap.from + gap.missed) (buffer ??= []).push(step.event)
        break
      default:
    }
  }
  if (gap !== undefined) mend()
  tell(normaliser.resync(server.snapshot(), { missed: false, final: true }))
  assert.isFalse(normaliser.needsReread())
  assert.deepStrictEqual(itemFaults(all), [])
  return { session, normaliser }
}

/** What a host shows, without what a stretch that nobody heard takes with it: when things came, and retries. */
const shownIn = (session: SimulatedSession) => {
  const timeline = session.records().reduce(evolveTimeline, emptyTimeline())
  const entries = timelineEntries(timeline)
  const texts = entries.filter((entry) => entry.type === "message" || entry.type === "reasoning")
  const items = [...texts, ...entries.filter((entry) => entry.type === "tool" || entry.type === "plan")]
  return {
    items: Object.fromEntries(items.map((entry) => [entry.itemId, timeless(entry)])),
    cutOff: texts.flatMap((entry) => (entry.progress === "interrupted" ? [entry.itemId] : [])),
    turns: entries.filter((entry) => entry.type === "turn").map(timeless),
    files: timeline.files.changes.toSorted((a, b) => a.path.localeCompare(b.path)),
    usage: timeline.usage,
    compactions: entries.flatMap((entry) =>
      entry.type === "history" && entry.change === "compacted" ? [[entry.turnId, entry.summary]] : []
    ),
    title: session.state().title,
    requests: entries.filter((entry) => entry.type === "permission" || entry.type === "question")
  }
}

const omit = <T>(all: Readonly<Record<string, T>>, keys: ReadonlySet<string>): Readonly<Record<string, T>> =>
  Object.fromEntries(Object.entries(all).filter(([key]) => !keys.has(key)))

const timeless = (entry: TimelineEntry) => {
  const { at: _at, seq: _seq, ...rest } = entry
  if (rest.type !== "turn") return rest
  // A comparison may come after the next turn has begun: it counts for the session, and for no turn any more.
  const { duration: _duration, files: _files, reason: _reason, retry: _retry, ...turn } = rest
  return turn
}

describe("A session whose events were not heard for a while", () => {
  it("shows the same in the end as if all had been heard, and nothing twice", () => {
    assert.isAbove(wholeSessions.length, 20)
    const whole = new Map(wholeSessions.map((one) => [one.name, shownIn(playWith(one, []).session)]))
    const gap = fc.record({ from: fc.nat(400), missed: fc.nat(60), buffered: fc.nat(12) })
    fc.assert(
      fc.property(fc.constantFrom(...whole.keys()), fc.array(gap, { minLength: 1, maxLength: 3 }), (name, gaps) => {
        const one = wholeSessions.find((each) => each.name === name)!
        const within = gaps.map(({ from, ...rest }) => ({ ...rest, from: from % one.steps.length }))
        const { cutOff, items, requests, ...shown } = shownIn(playWith(one, within).session)
        const { cutOff: cutOffThen, items: itemsThen, requests: asked, ...expected } = whole.get(name)!
        assert.deepStrictEqual(shown, expected)
        // Of texts that never ended the server keeps nothing.
        const without = new Set([...cutOff, ...cutOffThen])
        assert.deepStrictEqual(omit(items, without), omit(itemsThen, without))
        const known = new Set(asked.map(({ requestId }) => requestId))
        for (const { by, requestId } of requests) assert.isTrue(known.has(requestId) && by !== null)
      }),
      { numRuns: 600 }
    )
  })
})

/** An event with one value in it exchanged for something else. */
const corrupt = (event: OpencodeEvent, at: number, value: unknown): OpencodeEvent => {
  const copy = structuredClone(event)
  const places: Array<readonly [holder: Record<string, unknown>, key: string]> = []
  const visit = (node: unknown) => {
    if (typeof node !== "object" || node === null) return
    for (const [key, child] of Object.entries(node)) {
      places.push([node as Record<string, unknown>, key])
      visit(child)
    }
  }
  visit(copy.properties)
  const place = places[at % Math.max(1, places.length)]
  if (place === undefined) return copy
  if (value === undefined) delete place[0][place[1]]
  else place[0][place[1]] = value
  return copy
}

type Change =
  | { readonly change: "drop" | "twice" | "swap" | "resync" | "final"; readonly at: number }
  | { readonly change: "corrupt"; readonly at: number; readonly where: number; readonly value: unknown }
  | { readonly change: "answer"; readonly at: number }

const junk = fc.oneof(
  fc.constantFrom<unknown>(
    undefined,
    null,
    0,
    -1,
    "",
    "completed",
    "error",
    "msg_1",
    [],
    {},
    true,
    1e300,
    "x".repeat(999)
  ),
  anyCharacters(300),
  fc.jsonValue({ maxDepth: 2 })
)

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ change: fc.constantFrom("drop", "twice", "swap", "resync", "final"), at: fc.nat(500) }),
  fc.record({ change: fc.constant("corrupt" as const), at: fc.nat(500), where: fc.nat(60), value: junk }),
  fc.record({ change: fc.constant("answer" as const), at: fc.nat(500) })
)

const sessionId = "ses_0000000000000000"

/** The events of a recorded session, as if they were all of one: so that they can be mixed. */
const eventsOf = recorded.map((one) =>
  one.steps.flatMap((step): ReadonlyArray<OpencodeEvent> => {
    if (step.do !== "take") return []
    return [JSON.parse(JSON.stringify(step.event).replaceAll(one.sessionId, sessionId)) as OpencodeEvent]
  })
)

/** Events of some recordings, shuffled into one stream, in the order of each. */
const interleave = (
  rows: ReadonlyArray<ReadonlyArray<OpencodeEvent>>,
  order: ReadonlyArray<number>
): Array<OpencodeEvent> => {
  const at = rows.map(() => 0)
  const mixed: Array<OpencodeEvent> = []
  const total = rows.reduce((sum, row) => sum + row.length, 0)
  for (let n = 0; mixed.length < total; n += 1) {
    const row = (order[n % order.length] ?? 0) % rows.length
    const from = [row, ...rows.keys()].find((one) => at[one]! < rows[one]!.length)!
    mixed.push(rows[from]![at[from]!]!)
    at[from]! += 1
  }
  return mixed
}

describe("Whatever an Opencode server sends", () => {
  it("becomes events that are legal for a session, each item with one beginning and one end", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.nat(eventsOf.length - 1), { minLength: 1, maxLength: 3 }),
        fc.array(fc.nat(2), { minLength: 1, maxLength: 20 }),
        fc.array(change, { maxLength: 25 }),
        (chosen, order, changes) => {
          const rows = chosen.map((one) => eventsOf[one]!)
          const events = interleave(rows, order)
          const extras = new Map<number, Change["change"]>()
          for (const one of changes) {
            const at = one.at % Math.max(1, events.length)
            const event = events[at]
            if (event === undefined) continue
            if (one.change === "drop") events.splice(at, 1)
            else if (one.change === "twice") events.splice(at, 0, event)
            else if (one.change === "swap") events.splice(at, 2, ...events.slice(at, at + 2).toReversed())
            else if (one.change === "corrupt") events[at] = corrupt(event, one.where, one.value)
            else extras.set(at, one.change)
          }
          const session = openSimulatedSession()
          const server = makeServerFold(sessionId)
          const normaliser = makeOpencodeNormaliser({ sessionId, generation: 1, directory: "/workspace/project" })
          const all: Array<BackendEvent> = []
          const tell = (told: ReadonlyArray<BackendEvent>) => {
            all.push(...told)
            session.tell(told)
          }
          for (const [at, event] of events.entries()) {
            server.take(event)
            tell(normaliser.take(event))
            const extra = extras.get(at)
            if (extra === "resync") tell(normaliser.resync(server.snapshot()))
            if (extra === "final") tell(normaliser.resync(server.snapshot(), { missed: false, final: true }))
            if (extra === "answer") {
              for (const requestId of Object.keys(session.state().requests)) {
                normaliser.answer(requestId as RequestId, { outcome: "cancelled" })
                const kind = session.state().requests[requestId]?.kind
                const type = kind === "permission" ? "permission.resolve" : "question.answer"
                session.command({ type, data: { requestId, outcome: { outcome: "cancelled" } } } as never)
              }
            }
          }
          assert.deepStrictEqual(objections(session), [])
          assert.deepStrictEqual(itemFaults(all), [])
          assert.strictEqual(normaliser.activeTurn() ?? null, session.state().turn?.turnId ?? null)
          session.tell([{ type: "backend.lost", data: { reason: "killed", retryable: false } }])
          assert.deepStrictEqual(openIn(session.state()), nothingOpen)
        }
      ),
      { numRuns: 300 }
    )
  })

  it("is no reason to throw, for events and answers that are none of Opencode's", () => {
    const types = [...new Set(eventsOf.flat().map(({ type }) => type)), "toString", "__proto__"]
    const event = fc.record({ type: fc.oneof(fc.constantFrom(...types), fc.string()), properties: fc.jsonValue() })
    const answer = fc.oneof(
      fc.array(fc.jsonValue()),
      fc.constantFrom(...eventsOf.flat().map(({ properties }) => [properties]))
    )
    fc.assert(
      fc.property(fc.array(event), answer, fc.jsonValue(), (events, list, session) => {
        const normaliser = makeOpencodeNormaliser({ sessionId, generation: 1, directory: "/" })
        const folded = openSimulatedSession()
        const snapshot = {
          status: { [sessionId]: session },
          permissions: list,
          questions: list,
          messages: { [sessionId]: list },
          session,
          children: list
        }
        folded.tell(normaliser.adopt(snapshot))
        for (const one of events) folded.tell(normaliser.take(one))
        folded.tell(normaliser.resync(snapshot, { final: true }))
        assert.deepStrictEqual(objections(folded), [])
      }),
      { numRuns: 300 }
    )
  })
})
