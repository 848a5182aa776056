/** What holds for every life of a session, whatever people, backends, crashes and clocks do to it. */
import {
  creation,
  idArbitraries,
  makeSimulatedSession,
  observations,
  playStep,
  rubbish,
  type SessionStep,
  sessionSteps,
  type SimulatedSession,
  type SimulatedSessionOptions
} from "@holdfast/testkit"
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { maxRawText } from "../src/note.ts"
import { accept, acceptOutput } from "../src/accept.ts"
import { advance, deadlines } from "../src/advance.ts"
import type { CommandBody } from "../src/Command.ts"
import { type EventRecord, weigh } from "../src/EventRecord.ts"
import { evolve, fold } from "../src/evolve.ts"
import type { ItemId } from "../src/Ids.ts"
import { type ChartType, chartAccepts, isChartType } from "../src/SessionChart.ts"
import { isKnownType, readEvent } from "../src/SessionEvent.ts"
import { defaultPolicy } from "../src/SessionPolicy.ts"
import { emptyState, sessionStatus, type SessionState } from "../src/SessionState.ts"
import { emptySummary, evolveSummary } from "../src/SessionSummary.ts"

const steps = (maxLength = 40) => fc.array(sessionSteps(), { maxLength, size: "max" })

/** Lives one life, and looks at each moment of it. */
const live = (
  life: ReadonlyArray<SessionStep>,
  options: SimulatedSessionOptions = {},
  look: (session: SimulatedSession) => void = () => {}
): SimulatedSession => {
  const session = makeSimulatedSession(options)
  session.command(creation)
  look(session)
  for (const step of life) {
    playStep(session, step)
    look(session)
  }
  return session
}

const check = (property: fc.IPropertyWithHooks<never> | object, numRuns = 300): void =>
  fc.assert(property as fc.IProperty<unknown>, { numRuns })

const ends = new Set(["backend.lost", "backend.suspended", "backend.failed", "backend.closed"])
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

describe("Every life of a session", () => {
  it("consists of events that fit their schema and that the chart allows", () => {
    check(
      fc.property(steps(), (life) => {
        live(life, {
          onRecord: (record, before) => {
            const read = readEvent(record)
            assert.strictEqual(read.kind, "known", read.kind === "corrupt" ? read.message : record.type)
            if (!isKnownType(record.type) || !isChartType(record.type)) return
            const remaining = Object.keys(before.requests).length - 1
            assert.isTrue(
              chartAccepts(before.chart, { type: record.type as ChartType, remaining }),
              `${record.type} at ${JSON.stringify(before.chart)}`
            )
          }
        })
      })
    )
  })

  it("folds from its log to the live state at every step, which is plain JSON", () => {
    check(
      fc.property(steps(), (life) => {
        let folded: SessionState | undefined
        let taken = 0
        live(life, {}, (session) => {
          const state = session.state()
          folded = fold(folded ?? emptyState(state.sessionId), session.records().slice(taken))
          taken = session.records().length
          assert.deepStrictEqual(folded, state)
          assert.deepStrictEqual(plain(state), state)
          // A checkpoint taken here is as good as the events before it.
          folded = plain(folded) as SessionState
        })
      })
    )
  })

  it("takes a terminal's output in the plain way as in the one with all its looks, wherever it takes it at all", () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 20 }), { minLength: 1, maxLength: 3 })
    let taken = 0
    check(
      fc.property(steps(), pieces, (life, bytes) => {
        const output = bytes.map((piece) => ({ type: "terminal.output" as const, bytes: piece }))
        live(life, {}, (session) => {
          const state = session.state()
          const at = state.at + 1
          const plainly = acceptOutput(state, state.generation, output, { at })
          if (plainly === undefined) return
          taken += 1
          const whole = accept(state, state.generation, output, { at }, defaultPolicy)
          assert.deepStrictEqual(plainly, whole)
          // Nothing follows from it that did not follow before.
          const rest = (from: SessionState) => advance({ state: from, records: [] }, { at }, defaultPolicy)
          const types = (from: SessionState) => rest(from).records.map(({ type, data }) => ({ type, data }))
          assert.deepStrictEqual(types(plainly.state), types(state))
          assert.deepStrictEqual(deadlines(plainly.state, defaultPolicy), deadlines(state, defaultPolicy))
        })
      })
    )
    assert.isAbove(taken, 300)
  })

  it("numbers its events without a gap, never turns its clock back, and counts generations up", () => {
    check(
      fc.property(steps(), (life) => {
        const records = live(life).records()
        for (const [index, record] of records.entries()) {
          assert.strictEqual(record.seq, index + 1)
          const last = records[index - 1]
          if (last === undefined) continue
          assert.isAtLeast(record.at, last.at)
          assert.strictEqual(record.generation, last.generation + (record.type === "backend.opening" ? 1 : 0))
        }
      })
    )
  })

  it("has the same status in its list row as in its state", () => {
    check(
      fc.property(steps(), (life) => {
        let summary: ReturnType<typeof emptySummary> | undefined
        live(life, {
          onRecord: (record, _, after) => {
            summary = evolveSummary(summary ?? emptySummary(after.sessionId), record)
            assert.strictEqual(summary.status, sessionStatus(after))
            assert.strictEqual(summary.lifecycle, after.chart.lifecycle)
            assert.strictEqual(summary.linked, after.chart.link === "connected")
            assert.strictEqual(summary.queuedPrompts, after.prompts.length)
            assert.strictEqual(summary.turnId, after.turn?.turnId ?? null)
            assert.sameMembers([...summary.requests], Object.keys(after.requests))
            assert.strictEqual(summary.outputBytes, after.terminal?.offset ?? 0)
            assert.deepStrictEqual(summary.usage, after.usage)
          }
        })
      })
    )
  })

  it("leaves nothing open when a generation ends: no turn, item, request, and no prompt on its way once it is over", () => {
    check(
      fc.property(steps(), (life) => {
        live(life, {
          onRecord: (record, before, after) => {
            if (!ends.has(record.type)) return
            // The log itself says so: the state before the end has nothing open any more.
            assert.isNull(before.turn)
            assert.deepStrictEqual(before.items, {})
            assert.deepStrictEqual(before.requests, {})
            assert.isNull(after.awaitedTurn)
            if (record.type === "backend.closed" || record.type === "backend.failed") {
              assert.isTrue(before.prompts.every((prompt) => prompt.dispatchedAt === null))
            }
            assert.notInclude(["working", "needs_you"], sessionStatus(after))
          }
        })
      })
    )
  })

  it("drops what a dead generation still says", () => {
    check(
      fc.property(steps(), fc.array(observations()), fc.integer({ min: 1, max: 3 }), (life, late, age) => {
        const session = live(life)
        const before = session.state()
        const count = session.records().length
        session.tell(late, before.generation - age)
        assert.strictEqual(session.state(), before)
        assert.strictEqual(session.records().length, count)
      })
    )
  })

  it("rejects an illegal command without an event", () => {
    check(
      fc.property(steps(), (life) => {
        const session = makeSimulatedSession()
        session.command(creation)
        let rejected = 0
        for (const step of life) {
          if (step.step !== "command") {
            playStep(session, step)
            continue
          }
          const before = session.state()
          const decision = session.command(step.body, step.actor)
          if (decision.accepted) continue
          rejected += 1
          assert.strictEqual(session.state(), before)
          assert.isAbove(decision.rejection.detail.length, 0)
        }
        return rejected >= 0
      })
    )
  })
})

describe("Prompts", () => {
  it("are delivered once, withdrawn or still waiting; none is lost and their order is kept", () => {
    check(
      fc.property(steps(60), (life) => {
        // Doubtful ones wait, and may have been delivered before the session ended.
        const fate = new Map<string, "waiting" | "doubtful" | "sent" | "delivered" | "withdrawn">()
        const waits = ["waiting", "doubtful"]
        const order: Array<string> = []
        const session = live(life, {
          onRecord: (record, before) => {
            const promptId = String(record.data["promptId"])
            switch (record.type) {
              case "prompt.queued":
                assert.isFalse(fate.has(promptId))
                fate.set(promptId, "waiting")
                order.push(promptId)
                return
              case "prompt.dispatched":
                assert.include(waits, fate.get(promptId))
                fate.set(promptId, "sent")
                if (record.data["delivery"] === "steer") {
                  assert.strictEqual(record.data["turnId"], before.turn?.turnId)
                } else {
                  // Nothing overtakes: all that were queued before it are gone from the queue or on their way.
                  for (const earlier of order.slice(0, order.indexOf(promptId))) {
                    assert.notInclude(waits, fate.get(earlier))
                  }
                  assert.isNull(before.turn)
                  assert.isNull(before.awaitedTurn)
                  assert.isTrue(before.prompts.every((prompt) => prompt.dispatchedAt === null))
                }
                return
              case "prompt.returned":
                assert.include(["sent", "doubtful"], fate.get(promptId))
                fate.set(promptId, record.data["inDoubt"] === true ? "doubtful" : "waiting")
                return
              case "prompt.edited":
                assert.include(waits, fate.get(promptId))
                fate.set(promptId, "waiting")
                return
              case "prompt.delivered":
                assert.include(["sent", "doubtful"], fate.get(promptId))
                fate.set(promptId, "delivered")
                return
              case "prompt.withdrawn":
                assert.include(waits, fate.get(promptId))
                fate.set(promptId, "withdrawn")
            }
          }
        })
        const held = session.state().prompts
        const waiting = order.filter((promptId) => [...waits, "sent"].includes(fate.get(promptId)!))
        assert.deepStrictEqual(
          held.map((prompt) => prompt.promptId),
          waiting
        )
      })
    )
  })
})

describe("What waits", () => {
  it("has a deadline, and a session that is left alone comes to rest", () => {
    check(
      fc.property(steps(), (life) => {
        const session = live(life)
        let fired = 0
        while (session.waitForNext()) {
          fired += 1
          assert.isBelow(fired, 200, `still due: ${JSON.stringify(deadlines(session.state(), session.policy))}`)
        }
        const state = session.state()
        assert.include(["created", "open", "suspended", "closed", "failed"], state.chart.lifecycle)
        assert.notStrictEqual(state.chart.turn, "interrupting")
        assert.deepStrictEqual(state.requests, {})
        assert.isNull(state.awaitedTurn)
      })
    )
  })

  it("moves on with every deadline that fires", () => {
    check(
      fc.property(steps(), (life) => {
        const session = live(life)
        for (let fired = 0; fired < 50; fired++) {
          const due = deadlines(session.state(), session.policy)
          if (due.length === 0) return
          session.waitForNext()
          assert.notDeepInclude(deadlines(session.state(), session.policy), due[0]!)
        }
      })
    )
  })

  it("is not opened more often than the policy says, however often it is lost", () => {
    check(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.record({ opens: fc.boolean(), livesMs: fc.integer({ min: 0, max: 59_999 }) }), { minLength: 12 }),
        (maxAttempts, losses) => {
          const session = makeSimulatedSession({ policy: { maxAttempts } })
          session.command(creation)
          for (const loss of losses) {
            if (session.state().chart.lifecycle !== "opening") session.waitForNext()
            if (loss.opens) playStep(session, { step: "behave", id: 1 })
            session.wait(loss.livesMs)
            session.tell([{ type: "backend.lost", data: { reason: "gone", retryable: true } }])
          }
          assert.strictEqual(session.state().generation, maxAttempts)
          assert.strictEqual(session.state().chart.lifecycle, "failed")
        }
      )
    )
  })
})

describe("Rubbish", () => {
  it("from a backend never throws, moves nothing that is not a backend's to move, and is noted in bounded pieces", () => {
    check(
      fc.property(steps(15), fc.array(rubbish(), { minLength: 1, maxLength: 8 }), (life, values) => {
        const session = live(life)
        const before = session.state()
        const count = session.records().length
        session.tell(values as never)
        for (const record of session.records().slice(count)) {
          assert.strictEqual(readEvent(record).kind, "known")
          assert.isBelow(weigh(record), maxRawText * 2)
        }
        const after = session.state()
        assert.deepStrictEqual(plain(after), after)
        assert.deepStrictEqual(after.participants, before.participants)
        assert.strictEqual(after.title, before.title)
        assert.deepStrictEqual(after.spec, before.spec)
        assert.strictEqual(after.backend, before.backend)
      })
    )
  })

  it("in a log moves the fold's seq and nothing else", () => {
    const types = fc.oneof(
      fc.constantFrom("later.happened", "__proto__", "constructor", "toString", ""),
      fc.constantFrom("turn.started", "item.delta", "backend.opened", "terminal.marked", "permission.resolved")
    )
    check(
      fc.property(
        steps(15),
        types,
        fc.integer({ min: 1, max: 3 }),
        fc.anything({ withNullPrototype: true }),
        (life, type, version, data) => {
          const state = live(life).state()
          const record = { ...next(state), type, version, data } as EventRecord
          fc.pre(readEvent(record).kind !== "known")
          const after = evolve(state, record)
          assert.deepStrictEqual(after, { ...state, seq: state.seq + 1 })
          evolveSummary(emptySummary(state.sessionId), record)
        }
      )
    )
  })

  it("is not mistaken for what objects have by themselves", () => {
    check(
      fc.property(idArbitraries.item, (itemId) => {
        const session = live([{ step: "behave", id: 1 }])
        session.tell([{ type: "item.started", data: { itemId: itemId as ItemId, kind: "message" } }])
        assert.deepStrictEqual(Object.keys(session.state().items), [itemId])
        session.tell([{ type: "item.completed", data: { itemId, kind: "message", status: "completed" } }])
        assert.deepStrictEqual(Object.keys(session.state().items), [])
      }),
      20
    )
  })
})

const next = (state: SessionState) => ({
  sessionId: state.sessionId,
  seq: state.seq + 1,
  at: state.at,
  generation: state.generation
})

export type { CommandBody }
