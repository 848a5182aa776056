import { emptyTimeline, type EventRecord, evolveTimeline, type SessionId, timelineEntries } from "@holdfast/core"
import {
  describeSchedule,
  type FaultSchedule,
  faultSchedule,
  type PlainFaultProxy,
  startFaultProxy
} from "@holdfast/testkit"
import { assert, afterAll, beforeAll, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { isDeepStrictEqual } from "node:util"
import { connect, type HoldfastClient } from "../src/index.ts"
import {
  floodBytes,
  floodText,
  greeting,
  openProtocolHouse,
  type ProtocolHouse,
  WatchedTerminal
} from "./ProtocolHouse.ts"

/** `HOLDFAST_PROTOCOL_RUNS=500` looks longer; what fails prints its seed, and `HOLDFAST_PROTOCOL_SEED` repeats it. */
const runs = Number(process.env["HOLDFAST_PROTOCOL_RUNS"] ?? 6)
const seed = process.env["HOLDFAST_PROTOCOL_SEED"]
const parameters = {
  numRuns: runs,
  // Each run has a server to wait for: what fails is told as it is.
  endOnFailure: true,
  ...(seed === undefined ? {} : { seed: Number(seed) })
}

/** How long a network stays half-open before something on it says so: both heartbeats have noticed long before. */
const halfOpenMs = 1_200

/** After that a run has failed. */
const deadlineMs = 25_000

/** What is typed, and said back: text, wide characters, colours, moves, lines that scroll, and now and then a lot. */
const pieces = fc.array(
  fc.oneof(
    fc.string({ minLength: 1, maxLength: 30, unit: fc.constantFrom(..."abc XYZ019é漢🙂~") }),
    fc.constantFrom("\r\n", "\n\n\n", "\t", ...["31m", "0m", "2J", "5;7H", "1A", "K"].map((end) => `\u001b[${end}`)),
    fc.record({ repeat: fc.constantFrom("many and ", "many\r\n"), times: fc.integer({ min: 200, max: 4_000 }) })
  ),
  { minLength: 1, maxLength: 30 }
)
const textOf = (piece: string | { readonly repeat: string; readonly times: number }) =>
  typeof piece === "string" ? piece : piece.repeat.repeat(piece.times)

const words = fc.array(fc.oneof(fc.constant("rename"), fc.constant("prompt")), { minLength: 1, maxLength: 12 })

/** Calls `look` whenever something has changed, until it says that all is well. */
const makeWait = (describe: () => string) => {
  let look = () => {}
  return {
    changed: () => look(),
    until: (what: string, isSo: () => boolean, told = () => "") =>
      new Promise<void>((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`${what}: not within ${deadlineMs} ms\n${describe()}\n${told()}`)),
          deadlineMs
        )
        look = () => {
          if (!isSo()) return
          clearTimeout(timer)
          look = () => {}
          resolve()
        }
        look()
      })
  }
}

/** Collects a session's events as a client gets them. */
const collect = (client: HoldfastClient, sessionId: SessionId, changed: () => void) => {
  const got = { events: new Array<EventRecord>(), cursor: 0, isWhole: true, error: undefined as unknown }
  const stop = new AbortController()
  const done = (async () => {
    try {
      for await (const page of client.session(sessionId).events(0, { signal: stop.signal })) {
        if (page.answer === "gap")
          throw new Error(`a gap: ${page.reason} from ${page.from} to ${page.to}: ${page.detail}`)
        if (page.answer === "snapshot") got.isWhole = false
        if (page.answer !== "caught-up") got.events.push(...page.events)
        got.cursor = page.cursor
        changed()
      }
    } catch (error) {
      if (!stop.signal.aborted) got.error = error
      changed()
    }
  })()
  return { got, stop: () => (stop.abort(), done) }
}

/** The client's log is the server's: each event once, in order; only what was compacted since may be there besides. */
const isSameLog = async (
  house: ProtocolHouse,
  sessionId: SessionId,
  got: ReturnType<typeof collect>["got"],
  wait: ReturnType<typeof makeWait>
) => {
  const { events, isWhole } = await house.log(sessionId)
  const head = events.at(-1)!.seq
  await wait.until("the log", () => got.cursor >= head || got.error !== undefined)
  assert.isUndefined(got.error)
  const seqs = got.events.map(({ seq }) => seq)
  assert.deepStrictEqual(
    seqs,
    [...new Set(seqs)].toSorted((one, other) => one - other),
    "each once and in order"
  )
  if (got.isWhole) {
    assert.deepStrictEqual(
      seqs,
      seqs.map((_, index) => index + 1),
      "without a gap"
    )
  }
  const bySeq = new Map(got.events.map((event) => [event.seq, event]))
  for (const event of events) assert.deepStrictEqual(bySeq.get(event.seq), event)
  // A screen may have been stored since.
  if (isWhole) assert.strictEqual(seqs.filter((seq) => seq <= head).length, events.length)
  return events
}

const causes = (events: ReadonlyArray<EventRecord>, type: string) =>
  events.flatMap((event) => (event.type === type ? [event.cause] : [])).toSorted()

/** Nothing stays half-open for ever. */
const endHalfOpen = (proxy: PlainFaultProxy) => {
  const since = new Map<number, number>()
  const timer = setInterval(() => {
    for (const { connection, what } of proxy.injected) {
      if (what !== "swallow" && what !== "stall") continue
      const begun = since.get(connection) ?? performance.now()
      since.set(connection, begun)
      if (performance.now() - begun >= halfOpenMs) proxy.cut("rst", connection)
    }
  }, 50)
  return () => clearInterval(timer)
}

describe("through any network,", () => {
  let house: ProtocolHouse
  beforeAll(async () => {
    house = await openProtocolHouse()
  })
  afterAll(() => house.close())

  const withClient = async (
    schedule: FaultSchedule,
    use: (client: HoldfastClient, wait: ReturnType<typeof makeWait>, proxy: PlainFaultProxy) => Promise<void>
  ) => {
    await using proxy = await startFaultProxy({ target: { port: house.server.port }, schedule })
    const end = endHalfOpen(proxy)
    const client = connect({ url: `http://127.0.0.1:${proxy.port}`, reconnect: { minMs: 5, maxMs: 50 } })
    const wait = makeWait(() =>
      JSON.stringify({ connections: proxy.connections(), injected: proxy.injected, client: client.connection.current })
    )
    try {
      await use(client, wait, proxy)
    } catch (error) {
      throw new Error(`${String(error)}\n${describeSchedule(schedule)}`, { cause: error })
    } finally {
      end()
      proxy.heal()
      await client.close()
    }
  }

  /** Waits until the server has so many bytes of output. */
  const saidBy = async (sessionId: SessionId, bytes: number) => {
    let said = 0
    for await (const page of house.server.holdfast.follow(sessionId, 0)) {
      if (!("events" in page)) continue
      for (const event of page.events) if (event.type === "terminal.output") said += event.bytes!.byteLength
      if (said >= bytes) return
    }
  }

  it("a terminal that is too far behind shows the server's screen, without the output in between", async () => {
    const sessionId = await house.echo(true)
    const slow = { connections: [{ down: { bytesPerSecond: 150_000 } }] }
    await withClient(slow, async (client, wait, proxy) => {
      const terminal = client.session(sessionId).terminal()
      const watched = new WatchedTerminal(terminal, wait.changed)
      await wait.until("the first screen", () => watched.shown()?.lines[0] === greeting)
      terminal.write("!")
      await saidBy(sessionId, greeting.length + 1 + floodBytes)
      const { lines, modes } = await house.server.holdfast.screen(sessionId)
      await wait.until("the screen", () => isDeepStrictEqual(watched.shown(), { lines, modes }))
      assert.deepStrictEqual([...new Set(watched.resets)], ["opened", "resync"])
      assert.isBelow(proxy.connections()[0]!.down.passed, floodBytes / 2)
    })
    await house.remove(sessionId)
  })

  it("a terminal's log and screen are the server's, and each keystroke arrives once", async () => {
    const property = fc.asyncProperty(
      fc.record({
        schedule: faultSchedule,
        typed: pieces,
        flood: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, fc.constant(true))
      }),
      async ({ flood, schedule, typed }) => {
        const texts = typed.map(textOf)
        const sessionId = await house.echo(flood)
        await withClient(schedule, async (client, wait) => {
          const log = collect(client, sessionId, wait.changed)
          const terminal = client.session(sessionId).terminal()
          const watched = new WatchedTerminal(terminal, wait.changed)
          const problems: Array<string> = []
          terminal.onProblem(({ message }) => problems.push(message))
          if (flood) terminal.write("!")
          for (const text of texts) {
            terminal.write(text)
            await new Promise((resolve) => setImmediate(resolve))
          }

          const flooded = flood ? `!${floodText()}` : ""
          const expected = Buffer.from(`${greeting}${flooded}${texts.join("")}`)
          await saidBy(sessionId, expected.byteLength)
          const { lines, modes } = await house.server.holdfast.screen(sessionId)
          const differs = () =>
            `server: ${JSON.stringify({ lines, modes })}\nclient: ${JSON.stringify(watched.shown())}`
          await wait.until("the screen", () => isDeepStrictEqual(watched.shown(), { lines, modes }), differs)
          await isSameLog(house, sessionId, log.got, wait)
          assert.deepStrictEqual(problems, [])
          const output = (all: ReadonlyArray<EventRecord>) =>
            Buffer.concat(all.flatMap(({ bytes, type }) => (type === "terminal.output" ? [bytes!] : [])))
          assert.isTrue(output(log.got.events).equals(expected), "what was typed came back once, and in order")
          terminal.close()
          await log.stop()
        })
        await house.remove(sessionId)
      }
    )
    await fc.assert(property, parameters)
  })

  it("each command has its effect once, and the list of sessions is the server's", async () => {
    const property = fc.asyncProperty(
      fc.record({ schedule: faultSchedule, words }),
      async ({ schedule, words: said }) => {
        const sessionId = await house.agent()
        await withClient(schedule, async (client, wait) => {
          const log = collect(client, sessionId, wait.changed)
          const list = client.sessions()
          const unlisten = list.subscribe(wait.changed)
          const session = client.session(sessionId)
          const view = session.view()
          const unview = view.subscribe(wait.changed)
          const receipts = await Promise.all(
            said.map((word, index) =>
              word === "rename" ? session.rename(`title ${index}`) : session.prompt(`say ${index}`)
            )
          )
          await house.server.holdfast.until(
            sessionId,
            ({ chart, prompts }) => chart.turn === "idle" && prompts.length === 0
          )
          const events = await isSameLog(house, sessionId, log.got, wait)
          const idsOf = (wanted: string) =>
            receipts.flatMap(({ commandId }, index) => (said[index] === wanted ? [commandId] : [])).toSorted()
          assert.deepStrictEqual(causes(log.got.events, "session.renamed"), idsOf("rename"))
          assert.deepStrictEqual(causes(log.got.events, "prompt.queued"), idsOf("prompt"))

          const state = await house.server.holdfast.state(sessionId)
          await wait.until(
            "the view",
            () => isDeepStrictEqual(view.current.state, state) && view.current.phase === "live"
          )
          assert.deepStrictEqual(
            timelineEntries(view.current.timeline),
            timelineEntries(events.reduce(evolveTimeline, emptyTimeline()))
          )
          unview()
          view.close()

          const { sessions } = await house.server.holdfast.list()
          await wait.until(
            "the list",
            () => isDeepStrictEqual(list.current.sessions, sessions) && list.current.caughtUp
          )
          unlisten()
          list.close()
          await log.stop()
        })
        await house.remove(sessionId)
      }
    )
    await fc.assert(property, parameters)
  })
})
