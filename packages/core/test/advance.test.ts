import {
  creation,
  makeSimulatedSession,
  playStep,
  type SimulatedSession,
  type SimulatedSessionOptions
} from "@holdfast/testkit"
import { assert, describe, it } from "@effect/vitest"
import { deadlines } from "../src/advance.ts"
import type { CommandBody } from "../src/Command.ts"
import type { PromptId, RequestId, TurnId } from "../src/Ids.ts"
import { maxRetryDelayMs, retryDelay, defaultPolicy } from "../src/SessionPolicy.ts"

const turnId = (id: string): TurnId => id as TurnId
const send = (text: string, more: { delivery?: "steer"; turnId?: TurnId } = {}): CommandBody => ({
  type: "prompt.send",
  data: { content: [{ type: "text", text }], ...more }
})

const open = (options: SimulatedSessionOptions = {}) => {
  const session = makeSimulatedSession(options)
  session.command(creation)
  playStep(session, { step: "behave", id: 1 })
  return session
}

/** Sends a prompt and gives its id. */
const sent = (session: SimulatedSession, body: CommandBody): PromptId => {
  const promptId = session.nextCommandId() as string as PromptId
  assert.isTrue(session.command(body).accepted)
  return promptId
}

const since = (session: SimulatedSession, type: string) =>
  session
    .records()
    .filter((record) => record.type === type)
    .map((record) => record.data)

const lose = (session: SimulatedSession, retryable = true): void =>
  session.tell([{ type: "backend.lost", data: { reason: "gone", retryable } }])

describe("A queued prompt", () => {
  it("goes out when the session is open and nothing runs, one at a time and in order", () => {
    const session = makeSimulatedSession()
    session.command(creation)
    const [first, second] = [sent(session, send("one")), sent(session, send("two"))]
    assert.deepStrictEqual(since(session, "prompt.dispatched"), [])
    playStep(session, { step: "behave", id: 1 })
    assert.deepStrictEqual(since(session, "prompt.dispatched"), [{ promptId: first, delivery: "queue" }])
    session.tell([{ type: "prompt.delivered", data: { promptId: first } }])
    assert.lengthOf(since(session, "prompt.dispatched"), 1)
    session.tell([{ type: "turn.started", data: { turnId: turnId("t1") } }])
    assert.lengthOf(since(session, "prompt.dispatched"), 1)
    session.tell([{ type: "turn.completed", data: { turnId: turnId("t1"), outcome: "completed" } }])
    assert.deepStrictEqual(since(session, "prompt.dispatched")[1], { promptId: second, delivery: "queue" })
  })

  it("waits while the link is down", () => {
    const session = open()
    session.tell([{ type: "link.disconnected", data: { reason: "no network" } }])
    sent(session, send("one"))
    assert.deepStrictEqual(since(session, "prompt.dispatched"), [])
    session.tell([{ type: "link.connected", data: {} }])
    assert.lengthOf(since(session, "prompt.dispatched"), 1)
  })

  it("does not wait for ever for the turn of the prompt before", () => {
    const session = open()
    const first = sent(session, send("one"))
    const second = sent(session, send("two"))
    session.tell([{ type: "prompt.delivered", data: { promptId: first } }])
    assert.deepInclude(deadlines(session.state(), session.policy)[0], { due: "turn_start" })
    session.waitForNext()
    assert.deepStrictEqual(since(session, "prompt.dispatched")[1], { promptId: second, delivery: "queue" })
  })

  it("goes out again when the backend returns it, and is withdrawn with the reason after too many tries", () => {
    const session = open({ policy: { maxPromptReturns: 2 } })
    const promptId = sent(session, send("one"))
    const returned = {
      type: "prompt.returned",
      data: { promptId, error: { message: "busy", retryable: true } }
    } as const
    session.tell([returned])
    assert.lengthOf(since(session, "prompt.dispatched"), 2)
    session.tell([returned])
    assert.deepStrictEqual(since(session, "prompt.withdrawn"), [
      { promptId, reason: "the backend returned it 2 times" }
    ])
    assert.deepStrictEqual(session.state().prompts, [])
  })
})

describe("A steering prompt", () => {
  const running = () => {
    const session = open()
    session.tell([{ type: "turn.started", data: { turnId: turnId("t1") } }])
    return session
  }

  it("goes into its turn at once, before what is queued", () => {
    const session = running()
    sent(session, send("later"))
    const steering = sent(session, send("now", { delivery: "steer", turnId: turnId("t1") }))
    assert.deepStrictEqual(since(session, "prompt.dispatched"), [
      { promptId: steering, delivery: "steer", turnId: "t1" }
    ])
  })

  it("becomes a prompt like any other when its turn ends first, and its own turn is waited for", () => {
    const session = running()
    session.tell([{ type: "link.disconnected", data: { reason: "no network" } }])
    const steering = sent(session, send("now", { delivery: "steer", turnId: turnId("t1") }))
    const queued = sent(session, send("later"))
    session.tell([
      { type: "turn.completed", data: { turnId: turnId("t1"), outcome: "completed" } },
      { type: "link.connected", data: {} }
    ])
    assert.deepStrictEqual(since(session, "prompt.dispatched"), [{ promptId: steering, delivery: "queue" }])
    session.tell([{ type: "prompt.delivered", data: { promptId: steering } }])
    // The queue waits for the turn that the prompt leads to.
    assert.lengthOf(since(session, "prompt.dispatched"), 1)
    session.tell([
      { type: "turn.started", data: { turnId: turnId("t2") } },
      { type: "turn.completed", data: { turnId: turnId("t2"), outcome: "completed" } }
    ])
    assert.deepStrictEqual(since(session, "prompt.dispatched")[1], { promptId: queued, delivery: "queue" })
  })

  it("is not sent into a turn that is being interrupted", () => {
    const session = running()
    session.command({ type: "turn.interrupt", data: {} })
    sent(session, send("now", { delivery: "steer", turnId: turnId("t1") }))
    assert.deepStrictEqual(since(session, "prompt.dispatched"), [])
    session.tell([{ type: "turn.completed", data: { turnId: turnId("t1"), outcome: "interrupted" } }])
    assert.lengthOf(since(session, "prompt.dispatched"), 1)
  })
})

describe("A lost backend", () => {
  it("is opened again after a delay that doubles up to its bound, and given up after the policy's tries", () => {
    const session = open({ policy: { maxAttempts: 3 } })
    const waits: Array<number> = []
    for (let tries = 0; session.state().chart.lifecycle !== "failed"; tries++) {
      assert.isBelow(tries, 10)
      lose(session)
      const due = deadlines(session.state(), session.policy)[0]
      if (due === undefined) break
      waits.push(due.at - session.now())
      session.waitForNext()
    }
    assert.deepStrictEqual(waits, [500, 1_000])
    assert.deepInclude(since(session, "backend.failed")[0], { message: "gone (given up after 3 tries)" })
    assert.strictEqual(retryDelay(defaultPolicy, 100), maxRetryDelayMs)
  })

  it("counts its tries anew once an opening has lived for a minute, but not for the time that opening took", () => {
    const session = open({ policy: { maxAttempts: 2, openTimeoutMs: 90_000 } })
    for (let life = 0; life < 5; life++) {
      session.wait(60_000)
      lose(session)
      assert.strictEqual(session.state().attempts, 0)
      session.waitForNext()
      playStep(session, { step: "behave", id: 1 })
    }
    lose(session)
    session.waitForNext()
    session.wait(61_000)
    assert.strictEqual(session.state().chart.lifecycle, "opening")
    lose(session)
    assert.strictEqual(session.state().chart.lifecycle, "failed")
  })

  it("is not tried again when it says that trying cannot help", () => {
    const session = open()
    lose(session, false)
    assert.strictEqual(session.state().chart.lifecycle, "failed")
    assert.deepInclude(since(session, "backend.failed")[0], { message: "gone", retryable: false })
  })

  it("is closed with its reason when what it was cannot be taken up again", () => {
    const session = makeSimulatedSession({ capabilities: undefined as never })
    session.command(creation)
    session.tell([
      {
        type: "backend.opened",
        data: { capabilities: { ...session.capabilities, resume: false, terminal: true } as never }
      },
      { type: "terminal.output", bytes: Uint8Array.of(65) }
    ])
    lose(session)
    assert.deepStrictEqual(session.records().at(-1)!.data, { reason: "gone" })
    assert.strictEqual(session.state().chart.lifecycle, "closed")
  })

  it("gives back the prompts that were on their way when it is given up", () => {
    const session = open({ policy: { maxAttempts: 1 } })
    sent(session, send("one"))
    lose(session)
    assert.deepStrictEqual(
      session
        .records()
        .slice(-3)
        .map((record) => record.type),
      ["backend.lost", "prompt.returned", "backend.failed"]
    )
    assert.isNull(session.state().prompts[0]!.dispatchedAt)
  })
})

describe("A deadline", () => {
  it("gives each thing that waits a time, the earliest first", () => {
    const session = open({ policy: { requestTimeoutMs: 700, interruptTimeoutMs: 300 } })
    const at = session.now()
    session.tell([
      { type: "turn.started", data: { turnId: turnId("t1") } },
      { type: "permission.requested", data: { requestId: "r1" as RequestId, title: "?", options: [] } }
    ])
    session.command({ type: "turn.interrupt", data: {} })
    assert.deepStrictEqual(deadlines(session.state(), session.policy), [
      { at: at + 300, due: "interrupt" },
      { at: at + 700, due: "request", requestId: "r1" }
    ])
  })

  it("of an interrupt that is not obeyed while the session closes ends the session once", () => {
    const session = open({ policy: { interruptTimeoutMs: 100 } })
    session.tell([{ type: "turn.started", data: { turnId: turnId("t1") } }])
    session.command({ type: "turn.interrupt", data: {} })
    session.command({ type: "session.close", data: { graceMs: 60_000 } })
    assert.isTrue(session.waitForNext())
    assert.strictEqual(session.state().chart.lifecycle, "closed")
    assert.isFalse(session.waitForNext())
  })

  it("counts a close from when it began, its grace included, and less once it is forced", () => {
    const session = open({ policy: { closeTimeoutMs: 10 } })
    const at = session.now()
    session.command({ type: "session.close", data: { graceMs: 1_000 } })
    assert.deepStrictEqual(deadlines(session.state(), session.policy), [{ at: at + 1_010, due: "closing" }])
    session.command({ type: "session.close", data: { force: true } })
    assert.deepStrictEqual(deadlines(session.state(), session.policy), [{ at: at + 10, due: "closing" }])
  })
})
