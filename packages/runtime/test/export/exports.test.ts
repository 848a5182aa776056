import { decodeRecord, type EventLogService, noCapabilities } from "@holdfast/core"
import { Effect, Result, Stream } from "effect"
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { asciicastOf } from "../../src/export/Asciicast.ts"
import { jsonlOf } from "../../src/export/Jsonl.ts"
import { transcriptOf } from "../../src/export/Transcript.ts"
import { screenAt } from "../../src/screen/SessionScreen.ts"
import { TerminalScreen } from "../../src/screen/TerminalScreen.ts"
import { snapshotEvent } from "../../src/screen/TerminalSnapshot.ts"
import { soup } from "../screen/soup.ts"
import { event, makeTerminalLog, type TerminalLog } from "../screen/terminalLog.ts"

const collect = <E>(stream: Stream.Stream<string, E>): Promise<string> => Effect.runPromise(Stream.mkString(stream))

interface Cast {
  readonly header: { readonly [key: string]: unknown }
  readonly events: ReadonlyArray<readonly [time: number, code: string, data: string]>
}

const castOf = async (terminal: TerminalLog, log = terminal.log): Promise<Cast> => {
  const lines = (await collect(asciicastOf(log, terminal.sessionId))).split("\n")
  assert.equal(lines.pop(), "")
  const [header, ...events] = lines.map((line) => JSON.parse(line))
  return { header, events }
}

/** What a player shows at the end. */
const played = async ({ events, header }: Cast): Promise<TerminalScreen> => {
  const screen = new TerminalScreen(Number(header["width"]), Number(header["height"]))
  for (const [, code, data] of events) {
    if (code === "o") await screen.write([new TextEncoder().encode(data)])
    else if (code === "r") screen.resize(...(data.split("x").map(Number) as [number, number]))
  }
  return screen
}

const compactNow = async (terminal: TerminalLog): Promise<void> => {
  const screen = await Effect.runPromise(screenAt(terminal.log, terminal.sessionId))
  const body = snapshotEvent(screen.seq, screen.offset, screen, new TextEncoder().encode(screen.ansi))
  const by = await terminal.append(event(body.type, body.data, body.bytes))
  await Effect.runPromise(terminal.log.compact(terminal.sessionId, { kind: "terminal", through: screen.seq, by }))
}

/** A log in which one event cannot be read. */
const damagedAt = (log: EventLogService, bad: number): EventLogService => ({
  ...log,
  read: (sessionId, after, options) =>
    Effect.map(log.read(sessionId, after, options), (page) => {
      if (page.answer !== "exact" || after >= bad) return page
      const events = page.events.filter((record) => record.seq < bad)
      if (events.length > 0) return { ...page, events, cursor: bad - 1 }
      return { answer: "gap", reason: "corrupt", from: bad, to: bad, detail: "", cursor: bad, head: page.head }
    })
})

describe("a session as an asciicast", () => {
  it("has a header with the terminal's size, and the output with its times", async () => {
    const terminal = await makeTerminalLog(100, 30)
    await terminal.append({
      ...event("terminal.output", { offset: 0 }, Uint8Array.of(0x68, 0x69)),
      at: 1_700_000_001_250
    })
    await terminal.append({ ...event("terminal.resized", { cols: 90, rows: 20 }), at: 1_700_000_002_000 })
    const { events, header } = await castOf(terminal)
    assert.deepEqual(header, {
      version: 2,
      width: 100,
      height: 30,
      timestamp: 1_700_000_000,
      env: { TERM: "xterm-256color" }
    })
    assert.deepEqual(events, [
      [1.25, "o", "hi"],
      [2, "r", "90x20"]
    ])
  })

  it("keeps characters whole that were recorded in parts", async () => {
    const terminal = await makeTerminalLog()
    await terminal.write(Uint8Array.of(0x61, 0xf0, 0x9f), Uint8Array.of(0x98), Uint8Array.of(0x80, 0xff, 0xe2))
    const { events } = await castOf(terminal)
    assert.deepEqual(
      events.map(([, , data]) => data),
      ["a", "😀\ufffd", "\ufffd"]
    )
  })

  it("plays to the same screen as the session's", async () => {
    await fc.assert(
      fc.asyncProperty(soup, async ({ at, cols, rows, steps }) => {
        const terminal = await makeTerminalLog(cols, rows)
        for (const [index, step] of steps.entries()) {
          // A recording is text: what is no UTF-8 is shown as such there.
          if (step.kind === "bytes")
            await terminal.write(
              new TextDecoder("utf-8", { ignoreBOM: true }).decode(step.bytes).replaceAll("\ufffd", "")
            )
          else await terminal.append(event("terminal.resized", { cols: step.cols, rows: step.rows }))
          if (index === Math.floor(at * steps.length)) await compactNow(terminal)
        }
        using screen = await played(await castOf(terminal))
        assert.deepEqual(screen.lines(), (await Effect.runPromise(screenAt(terminal.log, terminal.sessionId))).lines)
      }),
      { numRuns: 40, seed: 3 }
    )
  })

  it("begins a new program on a fresh terminal", async () => {
    const terminal = await makeTerminalLog()
    await terminal.write("\x1b[?1049hold")
    await terminal.append(event("backend.opened", { capabilities: noCapabilities }, undefined, 2))
    await terminal.write("new")
    using screen = await played(await castOf(terminal))
    assert.equal(screen.lines()[0], "new")
  })

  it("marks what cannot be had", async () => {
    const terminal = await makeTerminalLog()
    const bad = (await terminal.write("a")) + 1
    await terminal.write("b", "c")
    const { events } = await castOf(terminal, damagedAt(terminal.log, bad))
    assert.deepEqual(
      events.map(([, code, data]) => [code, data]),
      [
        ["o", "a"],
        ["m", `events ${bad} to ${bad} cannot be had: corrupt`],
        ["o", "c"]
      ]
    )
  })

  it("is a header for a session without output", async () => {
    const { events, header } = await castOf(await makeTerminalLog(70, 7))
    assert.deepEqual([header["width"], header["height"], events.length], [70, 7, 0])
  })
})

describe("a session as lines of JSON", () => {
  it("has every event, as it can be read again", async () => {
    const terminal = await makeTerminalLog()
    await terminal.write("a", Uint8Array.of(0, 0xff))
    await terminal.append(event("some.future_event", { nested: [1, { a: null }] }))
    const lines = (await collect(jsonlOf(terminal.log, terminal.sessionId))).trimEnd().split("\n")
    const page = await Effect.runPromise(terminal.log.read(terminal.sessionId, 0))
    assert(page.answer === "exact")
    assert.deepEqual(
      lines.map((line) => Result.getOrThrow(decodeRecord(JSON.parse(line)))),
      [...page.events]
    )
  })

  it("says which events cannot be had", async () => {
    const terminal = await makeTerminalLog()
    const bad = (await terminal.write("a")) + 1
    await terminal.write("b", "c")
    const lines = (await collect(jsonlOf(damagedAt(terminal.log, bad), terminal.sessionId))).trimEnd().split("\n")
    assert.deepEqual(
      lines.map((line) => JSON.parse(line)).map((line) => line.seq ?? line),
      [1, 2, 3, bad - 1, { gap: "corrupt", from: bad, to: bad }, bad + 1]
    )
  })
})

describe("a session as text", () => {
  it("has all lines, whole where the terminal wrapped them, however many there are", async () => {
    const terminal = await makeTerminalLog(10, 4)
    const lines = Array.from({ length: 6000 }, (_, index) => `${index} ${"word ".repeat(index % 6)}`.trimEnd())
    const text = lines.join("\r\n")
    for (let at = 0; at < text.length; at += 1000) await terminal.write(text.slice(at, at + 1000))
    assert.equal(await collect(transcriptOf(terminal.log, terminal.sessionId)), `${lines.join("\n")}\n`)
  })

  it("has the lines before a full-screen program, and what that shows at the end", async () => {
    const terminal = await makeTerminalLog()
    await terminal.write("$ vim\r\n\x1b[?1049h\x1b[Hfirst\x1b[H\x1b[2Jdrawn", "\x1b[?25l")
    assert.equal(await collect(transcriptOf(terminal.log, terminal.sessionId)), "$ vim\ndrawn\n")
  })

  it("goes on with the screen where older output was removed, and says so", async () => {
    const terminal = await makeTerminalLog()
    const through = await terminal.write("one\r\ntwo\r\n")
    await compactNow(terminal)
    await terminal.write("three")
    assert.equal(
      await collect(transcriptOf(terminal.log, terminal.sessionId)),
      `[older output was removed; event ${through} goes on here]\none\ntwo\nthree\n`
    )
  })

  it("has every program's text", async () => {
    const terminal = await makeTerminalLog()
    await terminal.write("old\r\n")
    await terminal.append(event("backend.opened", { capabilities: noCapabilities }, undefined, 2))
    await terminal.write("new\r\n")
    assert.equal(await collect(transcriptOf(terminal.log, terminal.sessionId)), "old\nnew\n")
  })
})
