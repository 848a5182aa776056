import { creation, makeSimulatedSession, playStep, type SimulatedSessionOptions } from "@holdfast/testkit"
import { assert, describe, it } from "@effect/vitest"
import type { Observed } from "../src/accept.ts"
import { maxDeltaLength, maxOutputBytes } from "../src/BackendOutbox.ts"
import type { ItemId, PromptId, RequestId, TurnId } from "../src/Ids.ts"
import { boundRaw, maxRawText, note } from "../src/note.ts"
import { stateBounds } from "../src/SessionState.ts"

const turn = (id: string): TurnId => id as TurnId
const item = (id: string): ItemId => id as ItemId
const request = (id: string): RequestId => id as RequestId

const started = (turnId: string): Observed => ({ type: "turn.started", data: { turnId: turn(turnId) } })
const asked = (requestId: string, turnId?: string): Observed => ({
  type: "permission.requested",
  data: {
    requestId: request(requestId),
    title: "Run it?",
    options: [{ optionId: "yes", name: "Yes", kind: "allow_once" }],
    ...(turnId === undefined ? {} : { turnId: turn(turnId) })
  }
})
const itemStarted = (itemId: string, turnId?: string): Observed => ({
  type: "item.started",
  data: { itemId: item(itemId), kind: "message", ...(turnId === undefined ? {} : { turnId: turn(turnId) }) }
})

/** An open session, and what it logs from then on. */
const open = (options: SimulatedSessionOptions = {}) => {
  const session = makeSimulatedSession(options)
  session.command(creation)
  playStep(session, { step: "behave", id: 1 })
  const from = session.records().length
  return {
    ...session,
    logged: () => session.records().slice(from),
    types: () =>
      session
        .records()
        .slice(from)
        .map((record) => record.type),
    notes: () =>
      session
        .records()
        .slice(from)
        .filter((record) => record.type === "backend.noted")
        .map((record) => record.data as { readonly message: string; readonly raw?: unknown })
  }
}

const send = { type: "prompt.send", data: { content: [{ type: "text", text: "Hi" }] } } as const

describe("What a backend tells", () => {
  it("keeps a command that goes on in the background open past its turn, and closes it with its backend", () => {
    const session = open()
    session.tell([
      started("t1"),
      itemStarted("i1", "t1"),
      itemStarted("i2", "t1"),
      { type: "item.updated", data: { itemId: item("i1"), background: true } },
      { type: "turn.completed", data: { turnId: turn("t1"), outcome: "completed" } }
    ])
    assert.deepStrictEqual(Object.keys(session.state().items), ["i1"])
    session.tell([{ type: "item.delta", data: { itemId: item("i1"), field: "output", text: "late" } }])
    session.tell([{ type: "backend.lost", data: { reason: "gone", retryable: true } }])
    assert.deepStrictEqual(session.state().items, {})
    assert.deepStrictEqual(session.types().slice(-3), ["item.delta", "item.completed", "backend.lost"])
  })

  it("ends what only this session started at its own word, and forgets a shared server with its generation", () => {
    const session = open()
    const process = { startTime: "1", host: "here", command: "serve" }
    session.tell([
      { type: "process.spawned", data: { ...process, pid: 7, shared: true, marker: "agents:1" } },
      { type: "process.spawned", data: { ...process, pid: 8 } }
    ])
    assert.deepStrictEqual(
      session.state().processes.map(({ pid, marker, shared }) => ({ pid, marker, shared })),
      [
        { pid: 7, marker: "agents:1", shared: true },
        { pid: 8, marker: null, shared: false }
      ]
    )
    session.tell([{ type: "backend.lost", data: { reason: "gone", retryable: true } }])
    assert.deepStrictEqual(
      session.state().processes.map(({ pid }) => pid),
      [8]
    )
  })

  it("gives the session the agent's title, until somebody gives it another", () => {
    const titled = (title: string): Observed => ({ type: "agent.titled", data: { title } })
    const session = open()
    session.tell([titled("A"), titled("B")])
    assert.strictEqual(session.state().title, "B")
    session.command({ type: "session.rename", data: { title: "Mine" } })
    session.tell([titled("C")])
    assert.strictEqual(session.state().title, "Mine")
  })

  it("is left out where only a command may ask for it", () => {
    const session = open()
    session.tell([
      { type: "history.reverting", data: { turnId: turn("t1") } } as never,
      { type: "context.compacting", data: {} } as never,
      { type: "item.stopping", data: { itemId: item("i") } } as never
    ])
    assert.deepStrictEqual(session.types(), ["backend.noted", "backend.noted", "backend.noted"])
  })

  it("ends the turn before when the provider begins another one", () => {
    const session = open()
    session.tell([started("t1"), asked("r1", "t1"), itemStarted("i1", "t1"), started("t2")])
    assert.deepStrictEqual(session.types(), [
      "turn.started",
      "permission.requested",
      "item.started",
      "permission.resolved",
      "item.completed",
      "turn.completed",
      "turn.started"
    ])
    const [resolved, completed, ended] = session.logged().slice(3)
    assert.deepInclude(resolved!.data, { by: "end", outcome: { outcome: "cancelled" } })
    assert.deepInclude(completed!.data, { itemId: "i1", status: "interrupted", partial: true })
    assert.deepInclude(ended!.data, { turnId: "t1", outcome: "interrupted", reason: "turn t2 began" })
    assert.deepInclude(session.state(), { turn: { turnId: "t2", promptId: null }, items: {}, requests: {} })
  })

  it("closes the requests and items that a turn leaves open when it completes", () => {
    const session = open()
    session.tell([started("t1"), asked("r1"), asked("r2", "t1"), itemStarted("i1", "t1"), itemStarted("i2")])
    session.tell([{ type: "turn.completed", data: { turnId: turn("t1"), outcome: "failed" } }])
    assert.deepStrictEqual(session.state().requests, {})
    assert.deepStrictEqual(Object.keys(session.state().items), ["i2"])
    assert.deepInclude(session.logged().at(-2)!.data, { itemId: "i1", status: "failed", partial: true })
    assert.strictEqual(session.logged().at(-1)!.type, "turn.completed")
  })

  it("is completed with the policy's deadline and a harmless default where a request has none of its own", () => {
    const session = open({ policy: { requestTimeoutMs: 5_000 } })
    session.tell([asked("r1")])
    assert.deepInclude(session.logged()[0]!.data, {
      deadline: session.now() + 5_000,
      default: { outcome: "cancelled" }
    })
    session.tell([
      {
        type: "question.asked",
        data: {
          requestId: request("r2"),
          questions: [],
          deadline: session.now() + 9,
          default: { outcome: "cancelled" }
        }
      }
    ])
    assert.strictEqual(session.logged()[1]!.data["deadline"], session.now() + 9)
  })

  it("is left out silently where it only repeats what the log has", () => {
    const session = open()
    session.tell([started("t1"), started("t1")])
    const completed: Observed = { type: "turn.completed", data: { turnId: turn("t1"), outcome: "completed" } }
    session.tell([completed, completed])
    session.tell([
      {
        type: "permission.resolved",
        data: { requestId: request("r9"), outcome: { outcome: "cancelled" }, by: "backend" }
      },
      { type: "prompt.delivered", data: { promptId: session.nextCommandId() as string as PromptId } }
    ])
    assert.deepStrictEqual(session.types(), ["turn.started", "turn.completed"])
  })

  it("is kept as a note that says why where it is illegal", () => {
    const session = open()
    session.tell([
      { type: "turn.completed", data: { turnId: turn("t9"), outcome: "completed" } },
      started("t1"),
      { type: "turn.completed", data: { turnId: turn("t9"), outcome: "completed" } },
      itemStarted("i1"),
      itemStarted("i1"),
      asked("r1"),
      asked("r1"),
      { type: "link.connected", data: {} },
      { type: "sandbox.running", data: {} }
    ])
    assert.deepStrictEqual(
      session.notes().map((one) => one.message),
      [
        "turn.completed was left out: no turn is running",
        "turn.completed was left out: the running turn is t1",
        "item.started was left out: an item of this id is open already",
        "permission.requested was left out: a request of this id waits already",
        "link.connected was left out: the link is connected",
        "sandbox.running was left out: the sandbox is none"
      ]
    )
    assert.deepInclude(session.notes()[0], {
      raw: { type: "turn.completed", data: { turnId: "t9", outcome: "completed" } }
    })
  })

  it("cannot answer a question with a permission's outcome", () => {
    const session = open()
    session.tell([
      { type: "question.asked", data: { requestId: request("q"), questions: [] } },
      {
        type: "permission.resolved",
        data: { requestId: request("q"), outcome: { outcome: "cancelled" }, by: "backend" }
      }
    ])
    assert.deepStrictEqual(Object.keys(session.state().requests), ["q"])
    assert.deepStrictEqual(
      session.notes().map((one) => one.message),
      ["permission.resolved was left out: q is a question"]
    )
  })

  it("does not get to write what only people and the runtime write", () => {
    const session = open()
    const before = session.state()
    session.tell([
      { type: "participant.joined", data: { participantId: "mallory", name: "Mallory", role: "owner" } },
      { type: "session.created", data: { backend: "other", spec: {} } },
      { type: "prompt.queued", data: { promptId: "p", content: [], delivery: "queue" } },
      { type: "backend.opening", data: { attempt: 1, resume: false } },
      { type: "turn.interrupting", data: { turnId: "t1" } }
    ] as never)
    assert.deepStrictEqual(new Set(session.types()), new Set(["backend.noted"]))
    assert.include(session.notes()[0]!.message, "is not a backend's to tell")
    assert.deepStrictEqual(session.state().participants, before.participants)
    assert.strictEqual(session.state().generation, before.generation)
  })

  it("counts as the end that was asked for when it is lost while closing", () => {
    const session = open()
    session.command({ type: "session.close", data: {} })
    session.tell([{ type: "backend.lost", data: { reason: "connection reset", retryable: true } }])
    assert.strictEqual(session.state().chart.lifecycle, "closed")
    assert.deepInclude(session.logged().at(-1)!.data, { reason: "connection reset" })
  })

  it("says nothing more once the backend has ended", () => {
    const session = open()
    session.tell([{ type: "backend.closed", data: { reason: "exited", exitCode: 0 } }])
    session.tell([{ type: "backend.lost", data: { reason: "the stream ended", retryable: true } }])
    assert.deepStrictEqual(session.types(), ["backend.closed"])
    session.tell([itemStarted("i1"), { type: "terminal.output", bytes: new Uint8Array(3) }])
    assert.deepStrictEqual(
      session.notes().map((one) => one.message),
      ["item.started was left out: the session is closed", "output of a terminal that is not open was left out"]
    )
  })

  it("delivers a prompt whose turn starts before the provider says that it took it", () => {
    const session = open()
    const promptId = session.nextCommandId() as string as PromptId
    session.command(send)
    session.command(send)
    session.tell([
      { type: "turn.started", data: { turnId: turn("t1"), promptId } },
      { type: "turn.completed", data: { turnId: turn("t1"), outcome: "completed" } },
      { type: "prompt.delivered", data: { promptId } }
    ])
    assert.deepStrictEqual(session.types().slice(3), [
      "prompt.delivered",
      "turn.started",
      "turn.completed",
      // The queue goes on at once: nothing is left to wait for.
      "prompt.dispatched"
    ])
  })

  it("returns a prompt that was on its way when the backend closes", () => {
    const session = open()
    session.command(send)
    session.tell([{ type: "backend.closed", data: { reason: "exited", exitCode: 1 } }])
    assert.deepStrictEqual(session.types().slice(-2), ["prompt.returned", "backend.closed"])
    assert.deepInclude(session.state().prompts[0], { dispatchedAt: null, returned: 1 })
  })

  it("knows that a prompt may have arrived before the end of a session which can be resumed", () => {
    const session = open()
    session.tell([{ type: "backend.identified", data: { nativeId: "n" } }])
    session.command(send)
    session.tell([{ type: "backend.closed", data: { reason: "exited", exitCode: 1 } }])
    const [prompt] = session.state().prompts
    assert.deepInclude(prompt, { dispatchedAt: null, inDoubt: true })
    session.command({
      type: "prompt.edit",
      data: { promptId: prompt!.promptId as PromptId, content: send.data.content }
    })
    assert.isFalse(session.state().prompts[0]!.inDoubt)
  })

  it("keeps a prompt in doubt over a loss, because the provider can be asked whether it arrived", () => {
    const session = open()
    session.command(send)
    session.tell([{ type: "backend.lost", data: { reason: "gone", retryable: true } }])
    assert.isNotNull(session.state().prompts[0]!.dispatchedAt)
  })
})

describe("Bounds on what a backend tells", () => {
  it("cut output into pieces that count their bytes on", () => {
    const session = open()
    const bytes = Uint8Array.from({ length: maxOutputBytes * 2 + 5 }, (_, index) => index % 251)
    session.tell([
      { type: "terminal.output", bytes },
      { type: "terminal.output", bytes: Uint8Array.of(1) }
    ])
    const pieces = session.logged()
    assert.deepStrictEqual(
      pieces.map((record) => [record.data["offset"], record.bytes!.byteLength]),
      [
        [0, maxOutputBytes],
        [maxOutputBytes, maxOutputBytes],
        [maxOutputBytes * 2, 5],
        [maxOutputBytes * 2 + 5, 1]
      ]
    )
    assert.deepStrictEqual(new Uint8Array(pieces.slice(0, 3).flatMap((record) => [...record.bytes!])), bytes)
    assert.strictEqual(session.state().terminal?.offset, bytes.byteLength + 1)
  })

  it("cut deltas, and never between the halves of a surrogate pair", () => {
    const session = open()
    const text = `${"a".repeat(maxDeltaLength - 1)}😀${"b".repeat(maxDeltaLength)}😀`
    session.tell([itemStarted("i1"), { type: "item.delta", data: { itemId: item("i1"), field: "text", text } }])
    const pieces = session
      .logged()
      .slice(1)
      .map((record) => record.data["text"] as string)
    assert.strictEqual(pieces.join(""), text)
    assert.isAtLeast(pieces.length, 3)
    for (const piece of pieces) {
      assert.isAtMost(piece.length, maxDeltaLength)
      assert.isTrue(piece.isWellFormed())
    }
  })

  it("hold for requests and items that are open at once", () => {
    const session = open()
    for (let n = 0; n <= stateBounds.requests; n++) session.tell([asked(`r${n}`)])
    assert.lengthOf(Object.keys(session.state().requests), stateBounds.requests)
    assert.strictEqual(session.notes()[0]!.message, "permission.requested was left out: 64 requests wait already")
  })

  it("hold for what is noted of something malformed, which says what was wrong with it", () => {
    const session = open()
    session.tell([
      { type: "turn.completed", data: { turnId: 5 } },
      { type: "no.such_thing", data: {} },
      null,
      "text",
      { type: "terminal.output", bytes: "text" },
      { type: "terminal.titled", data: { title: 7, bytes: new Uint8Array(5_000_000) } },
      { type: "item.started", data: { itemId: "i1", kind: "message", raw: 12n } },
      { type: "terminal.titled", data: { title: ["x".repeat(1_000_000)] } }
    ] as never)
    const messages = session.notes().map((one) => one.message.split("\n")[0]!)
    assert.deepStrictEqual(messages, [
      "the backend told something malformed: turn.completed: Expected string",
      "the backend told something malformed: no.such_thing is no type of event",
      "the backend told something malformed: null is no event",
      "the backend told something malformed: text is no event",
      "the backend told something malformed: terminal.output without bytes",
      "the backend told something malformed: terminal.titled: its data is not JSON",
      "the backend told something malformed: item.started: its data is not JSON",
      "the backend told something malformed: terminal.titled: Expected string"
    ])
    for (const one of session.notes()) assert.isAtMost(JSON.stringify(one).length, maxRawText * 2)
    assert.deepInclude(session.notes().at(-1)!.raw as object, { cutAt: maxRawText })
  })

  it("keep what the log keeps: data that is not JSON is made JSON before it counts", () => {
    const session = open()
    session.tell([
      { type: "terminal.titled", data: { title: "a", later: undefined, when: new Date(0) } } as never,
      { type: "item.started", data: { itemId: item("i1"), kind: "message", raw: { map: new Map([[1, 2]]) } } }
    ])
    assert.deepStrictEqual(session.logged()[0]!.data, { title: "a", when: "1970-01-01T00:00:00.000Z" })
    assert.deepStrictEqual(session.logged()[1]!.data["raw"], { map: {} })
  })
})

describe("A note", () => {
  it("bounds its message and its payload, and takes anything", () => {
    const cyclic: Record<string, unknown> = {}
    cyclic["self"] = cyclic
    const hostile = {
      toJSON: () => {
        throw Object.create(null)
      }
    }
    assert.strictEqual(String(note("info", "x".repeat(10_000)).data["message" as never]).length, 4_096)
    for (const raw of [cyclic, 12n, () => 1, Symbol("s"), hostile, new Uint8Array(1_000_000), Number.NaN]) {
      assert.isAtMost(JSON.stringify(note("info", "m", raw).data).length, 200)
    }
    assert.deepStrictEqual(note("error", "m", { a: [1] }, "code").data, {
      level: "error",
      message: "m",
      code: "code",
      raw: { a: [1] }
    } as never)
  })

  it("lets an adapter keep a payload within bounds of its own", () => {
    assert.deepStrictEqual(boundRaw({ a: ["b"] }), { a: ["b"] })
    assert.deepStrictEqual(boundRaw("x".repeat(100), 10), { cutAt: 10, characters: 102, start: `"${"x".repeat(9)}` })
    assert.isAtMost(JSON.stringify(boundRaw("x".repeat(1_000_000))).length, 17_000)
  })
})
