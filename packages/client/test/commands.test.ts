import {
  encodeHistory,
  encodePage,
  encodeFrame,
  encodeTyped,
  FrameKind,
  emptyState,
  emptySummary,
  type EventRecord,
  type Followed,
  problem,
  type Receipt,
  type SessionId
} from "@holdfast/core"
import { assert, afterEach, beforeEach, describe, it, vi } from "vitest"
import { ClientError } from "@holdfast/client"
import { fakeServer, type FakeServer } from "./FakeServer.ts"

const sessionId = "019a0b1c-2d3e-7f40-8a1b-2c3d4e5f6071" as SessionId
let server: FakeServer

const elapse = (ms: number) => vi.advanceTimersByTimeAsync(ms)
const session = () => server.client.session(sessionId)

const receiptOf = (commandId: string) =>
  ({ type: "receipt", commandId, receipt: { sessionId, commandId, firstSeq: 1, lastSeq: 1 } as Receipt }) as const

const reconnect = async () => {
  server.socket().drop()
  await elapse(1)
  server.socket().welcome()
  await elapse(0)
}

const failure = async (promise: Promise<unknown>): Promise<ClientError> => {
  try {
    await promise
  } catch (error) {
    if (error instanceof ClientError) return error
    throw error
  }
  throw new Error("it did not fail")
}

beforeEach(async () => {
  vi.useFakeTimers({
    now: 1_700_000_000_000,
    toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date", "performance"]
  })
  // No pause before another connection.
  vi.spyOn(Math, "random").mockReturnValue(0)
  server = fakeServer()
  await elapse(0)
})

afterEach(async () => {
  const closing = server.client.close()
  await elapse(2_000)
  await closing
  vi.restoreAllMocks()
  vi.useRealTimers()
})

describe("a command", () => {
  it("is sent again with the same id until it is answered, and its answer is what the app gets", async () => {
    server.socket().welcome()
    const renamed = session().rename("one")
    await elapse(0)
    const [first] = server.socket().heard("command")
    await reconnect()
    assert.deepStrictEqual(server.socket().heard("command"), [first!])
    server.socket().say(receiptOf(first!.commandId))
    assert.strictEqual((await renamed).commandId, first!.commandId)
    await reconnect()
    assert.isEmpty(server.socket().heard("command"))
  })

  it("that was made without a connection goes out with the next, in order", async () => {
    void session()
      .rename("one")
      .catch(() => {})
    void session()
      .rename("two")
      .catch(() => {})
    await elapse(0)
    server.socket().welcome()
    assert.deepStrictEqual(
      server
        .socket()
        .heard("command")
        .map(({ command }) => (command.data as { readonly title: string }).title),
      ["one", "two"]
    )
  })

  it("that the server refuses rejects with its problem and the command's id", async () => {
    server.socket().welcome()
    const renamed = failure(session().rename("one"))
    await elapse(0)
    const { commandId } = server.socket().heard("command")[0]!
    server.socket().say({ type: "rejected", commandId, problem: problem("forbidden", "viewers may not") })
    const error = await renamed
    assert.strictEqual(error.problem.kind, "forbidden")
    assert.strictEqual(error.message, "viewers may not")
    assert.strictEqual(error.commandId, commandId)
  })

  it("that cannot be one is refused here, with the name of the field, and the connection lives", async () => {
    server.socket().welcome()
    const error = await failure(session().rename(7 as never))
    assert.deepStrictEqual([error.problem.kind, error.problem.field], ["invalid", "data.title"])
    const made = await failure(session().command({ type: "session.create", data: {} } as never))
    assert.strictEqual(made.problem.kind, "invalid")
    assert.isEmpty(server.socket().said)
  })

  it("that is larger than the server takes is refused here, once that is known", async () => {
    const renamed = failure(session().prompt("x".repeat(200_000)))
    await elapse(0)
    server.socket().welcome()
    assert.strictEqual((await renamed).problem.kind, "too_large")
    assert.isEmpty(server.socket().heard("command"))
  })

  it("waits among 1,000 at most", async () => {
    const waiting = Array.from({ length: 1_000 }, () => session().archive())
    const ends = waiting.map((one) => failure(one))
    assert.strictEqual((await failure(session().archive())).problem.kind, "busy")
    await server.client.close()
    for (const end of ends) assert.strictEqual((await end).problem.kind, "unavailable")
  })

  it("is held back where the server bounds how many may be under way", async () => {
    server.socket().welcome({ limits: { maxPendingCommands: 4 } })
    for (let index = 0; index < 5; index++)
      void session()
        .archive()
        .catch(() => {})
    await elapse(0)
    const sent = () => server.socket().heard("command")
    assert.strictEqual(sent().length, 2)
    server.socket().say(receiptOf(sent()[0]!.commandId))
    assert.strictEqual(sent().length, 3)
  })

  it("is sent no faster than the server allows", async () => {
    server.socket().welcome({ limits: { maxMessagesPerSecond: 2, maxPendingCommands: 10_000 }, heartbeatMs: 600_000 })
    for (let index = 0; index < 30; index++)
      void session()
        .archive()
        .catch(() => {})
    await elapse(0)
    assert.strictEqual(server.socket().heard("command").length, 10)
    await elapse(10_000)
    assert.strictEqual(server.socket().heard("command").length, 20)
  })

  it("that nobody waits for any more is not sent again", async () => {
    server.socket().welcome()
    const abort = new AbortController()
    const renamed = session().rename("one", { signal: abort.signal })
    await elapse(0)
    abort.abort(new Error("never mind"))
    try {
      await renamed
      assert.fail("it was answered")
    } catch (error) {
      assert.strictEqual((error as Error).message, "never mind")
    }
    await reconnect()
    assert.isEmpty(server.socket().heard("command"))
  })

  it("that is repeated with its id while it is on its way is sent once and answered twice", async () => {
    server.socket().welcome()
    const commandId = "019a0b1c-2d3e-7f40-8a1b-2c3d4e5f6072" as Receipt["commandId"]
    const both = [session().archive({ commandId }), session().archive({ commandId })]
    await elapse(0)
    assert.strictEqual(server.socket().heard("command").length, 1)
    server.socket().say(receiptOf(commandId))
    assert.strictEqual((await Promise.all(both)).length, 2)
  })
})

describe("keystrokes", () => {
  const open = async () => {
    server.socket().welcome()
    const terminal = session().terminal()
    await elapse(0)
    return terminal
  }
  const text = (from: number = 0) =>
    server
      .socket()
      .typed.slice(from)
      .map(({ typed }) => new TextDecoder().decode(typed))

  it("of one turn of the event loop go in one frame", async () => {
    const terminal = await open()
    terminal.write("l")
    terminal.write("s")
    terminal.write(new Uint8Array([10]))
    await elapse(0)
    assert.deepStrictEqual(text(), ["ls\n"])
    assert.strictEqual(server.socket().typed[0]!.sessionId, sessionId)
  })

  it("are sent again in order, with their ids, where the server did not say that they arrived", async () => {
    const terminal = await open()
    for (const key of ["a", "b", "c"]) {
      terminal.write(key)
      await elapse(0)
    }
    const before = [...server.socket().typed]
    server.socket().frame(encodeTyped(before[0]!.commandId))
    server.socket().drop()
    terminal.write("d")
    await elapse(1)
    server.socket().welcome()
    assert.deepStrictEqual(text(), ["b", "c", "d"])
    assert.deepStrictEqual(
      server
        .socket()
        .typed.slice(0, 2)
        .map(({ commandId }) => commandId),
      before.slice(1).map(({ commandId }) => commandId)
    )
  })

  it("are bounded: more than 1 MiB that waits is refused, and what waits goes out in pieces", async () => {
    const terminal = session().terminal()
    terminal.write(new Uint8Array(1024 * 1024))
    try {
      terminal.write("x")
      assert.fail("it was taken")
    } catch (error) {
      assert.strictEqual((error as ClientError).problem.kind, "busy")
    }
    server.socket().welcome()
    await elapse(0)
    assert.strictEqual(server.socket().typed.length, 16)
    for (const { commandId, typed } of server.socket().typed) {
      assert.isAtMost(typed.byteLength, 65_536)
      server.socket().frame(encodeTyped(commandId))
    }
    terminal.write("x")
    await elapse(0)
    assert.strictEqual(text().at(-1), "x")
  })

  it("that are refused are reported, and not sent again", async () => {
    const terminal = await open()
    const problems: Array<string> = []
    terminal.onProblem((error) => problems.push(error.problem.kind))
    terminal.write("a")
    await elapse(0)
    const { commandId } = server.socket().typed[0]!
    server.socket().say({ type: "rejected", commandId, problem: problem("illegal_state", "it has ended") })
    assert.deepStrictEqual(problems, ["illegal_state"])
    await reconnect()
    assert.isEmpty(server.socket().typed)
  })

  it("go out still where their terminal is closed at once, and none after", async () => {
    const terminal = await open()
    terminal.write("exit\n")
    terminal.close()
    terminal.close()
    await elapse(0)
    assert.deepStrictEqual(text(), ["exit\n"])
    assert.throws(() => terminal.write("x"), ClientError)
  })

  it("change the size once for many calls close to each other", async () => {
    const terminal = await open()
    for (let cols = 81; cols <= 120; cols++) terminal.resize(cols, 30)
    await elapse(60)
    const sent = server.socket().heard("command")
    assert.deepStrictEqual(
      sent.map(({ command }) => command),
      [{ type: "terminal.resize", data: { cols: 120, rows: 30 } }]
    )
    terminal.resize(120, 30)
    await elapse(60)
    assert.strictEqual(server.socket().heard("command").length, 1)
  })
})

describe("events", () => {
  const record = (seq: number): EventRecord => ({
    sessionId,
    seq,
    at: seq,
    generation: 0,
    type: "session.renamed",
    version: 1,
    data: { title: `title ${seq} ${"x".repeat(300)}` }
  })
  const exact = (from: number, to: number, head = to): Followed => ({
    answer: "exact",
    events: Array.from({ length: to - from + 1 }, (_, index) => record(from + index)),
    cursor: to,
    head
  })
  const sendPage = (page: Followed) => {
    const { subscription } = server.socket().heard("subscribe").at(-1)!
    server.socket().frame(encodeFrame(FrameKind.page, subscription, encodePage(page)))
  }

  it("go on after the last that arrived when the connection was cut, without gap or duplicate", async () => {
    server.socket().welcome({ limits: { windowBytes: 100_000 } })
    const events = session().events(0)[Symbol.asyncIterator]()
    const seqs: Array<number> = []
    const take = async () => {
      const value = (await events.next()).value as Followed | undefined
      if (value !== undefined && "events" in value) seqs.push(...value.events.map((event) => event.seq))
      return value
    }
    await elapse(0)
    sendPage(exact(1, 2, 5))
    // Arrived, and not taken yet.
    sendPage(exact(3, 3, 5))
    await take()
    await reconnect()
    assert.deepStrictEqual(server.socket().heard("subscribe").at(-1)!.from, { after: 3 })
    sendPage(exact(4, 5))
    await take()
    await take()
    assert.deepStrictEqual(await take(), { answer: "caught-up", cursor: 5 })
    assert.deepStrictEqual(seqs, [1, 2, 3, 4, 5])
    await events.return?.()
    assert.strictEqual(server.socket().heard("unsubscribe").length, 1)
  })

  it("are not asked for more of than is taken: who does not read holds back only itself", async () => {
    server.socket().welcome({ limits: { windowBytes: 4_000 } })
    const events = session().events(0)[Symbol.asyncIterator]()
    void events.next()
    await elapse(0)
    for (let seq = 1; seq <= 8; seq++) sendPage(exact(seq, seq, 100))
    await elapse(0)
    assert.isEmpty(server.socket().heard("credit"))
    for (let taken = 0; taken < 6; taken++) await events.next()
    const credit = server.socket().heard("credit")
    assert.isNotEmpty(credit)
    assert.isAtLeast(
      credit.reduce((sum, { bytes }) => sum + bytes, 0),
      2_000
    )
    await events.return?.()
  })

  it("of a server that sends more than it may, or leaves some out, are not believed", async () => {
    server.socket().welcome({ limits: { windowBytes: 1_000 } })
    const events = session().events(0)[Symbol.asyncIterator]()
    await elapse(0)
    sendPage(exact(2, 2))
    assert.strictEqual(server.sockets[0]!.closedWith, 4400)
    await elapse(1)
    server.socket().welcome({ limits: { windowBytes: 1_000 } })
    for (let seq = 1; seq <= 20; seq++) if (server.socket().readyState === 1) sendPage(exact(seq, seq, 100))
    assert.strictEqual(server.sockets[1]!.closedWith, 4400)
    await events.return?.()
  })

  it("end with the signal, and where the server says that there is no such session", async () => {
    server.socket().welcome()
    const abort = new AbortController()
    const events = session().events(0, { signal: abort.signal })[Symbol.asyncIterator]()
    const next = events.next()
    await elapse(0)
    abort.abort()
    assert.isTrue((await next).done)
    const others = session().events(0)[Symbol.asyncIterator]()
    const refused = failure(Promise.resolve(others.next()))
    await elapse(0)
    const { subscription } = server.socket().heard("subscribe").at(-1)!
    server.socket().say({ type: "unsubscribed", subscription, problem: problem("not_found", "no such session") })
    assert.strictEqual((await refused).problem.kind, "not_found")
    await others.return?.()
  })

  it("that are missing have a view begin anew, and say why", async () => {
    server.socket().welcome({ limits: { windowBytes: 100_000 } })
    const view = session().view({ history: 10 })
    const begin = () => {
      const { subscription } = server.socket().heard("subscribe").at(-1)!
      server.socket().say({
        type: "subscribed",
        subscription,
        cursor: 7,
        state: { ...emptyState(sessionId), seq: 7, title: "seven" },
        summary: emptySummary(sessionId)
      } as never)
      const history = encodeHistory({ after: 6, events: [record(7)] })
      server.socket().frame(encodeFrame(FrameKind.history, subscription, history))
      sendPage({ answer: "caught-up", cursor: 7 })
    }
    await elapse(0)
    begin()
    await elapse(0)
    assert.strictEqual(view.current.phase, "live")
    assert.strictEqual(view.current.state?.title, "seven")
    assert.isTrue(view.current.hasOlder)
    sendPage({ answer: "gap", reason: "corrupt", from: 8, to: 8, detail: "event 8 is damaged", cursor: 8, head: 9 })
    await elapse(0)
    assert.strictEqual(view.current.phase, "opening")
    await elapse(1_000)
    assert.strictEqual(server.socket().heard("subscribe").length, 2)
    begin()
    await elapse(0)
    assert.strictEqual(view.current.phase, "live")
    assert.strictEqual(view.current.problem, "event 8 is damaged")
    view.close()
    sendPage(exact(8, 8))
    assert.strictEqual(view.current.state?.seq, 7)
  })
})
