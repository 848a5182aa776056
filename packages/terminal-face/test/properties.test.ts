import type { EventRecord, Observed } from "@holdfast/core"
import { sessionLogs } from "@holdfast/testkit"
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { makePlainFace, makeTerminalFace, type TerminalFace } from "../src/index.ts"
import { delta, item, message, openSession, startTurn, Watched, whole } from "./session.ts"

/** What the face itself writes to steer a terminal. All else that a terminal acts on came out of the content. */
const own = /\u001b\[[0-9;]*m|\u001b\[(?:J|H|2J|\d+[AC])|\u001b\[\?(?:25|7|2004|2026)[hl]|\r\n|\r|\u0007$/g
const control = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ud800-\udfff]/

const assertTame = (output: string, rows: number) => {
  const rest = output.replaceAll(own, "")
  assert.notMatch(rest.replaceAll(/[\ud800-\udbff][\udc00-\udfff]/g, ""), control, JSON.stringify(output))
  for (const [, region] of output.matchAll(/\u001b\[\?7l([^]*?)\u001b\[\?7h/g)) {
    assert.isAtMost(region!.split("\r\n").length, rows)
  }
}

/** Where a list is cut into pieces. */
const cuts = fc.array(fc.integer({ min: 1, max: 8 }), { maxLength: 60 })

const pieces = <T>(all: ReadonlyArray<T>, sizes: ReadonlyArray<number>): ReadonlyArray<ReadonlyArray<T>> => {
  const parts: Array<ReadonlyArray<T>> = []
  let at = 0
  for (const size of sizes) parts.push(all.slice(at, (at += size)))
  return [...parts, all.slice(at)].filter((part) => part.length > 0)
}

const size = fc.record({ cols: fc.integer({ min: 1, max: 120 }), rows: fc.integer({ min: 1, max: 40 }) })

/** Keys with which people answer, send, edit and leave. */
const keys = fc.constantFrom(
  "1",
  "0",
  "x",
  "\r",
  "\u001b\r",
  "\u0003",
  "\u007f",
  "\u001b[A",
  "?\r",
  "\u000c",
  "漢",
  "\u0015"
)

describe("Any session in a terminal", () => {
  it("never breaks the face, never steers the terminal, and never needs more rows than there are", () => {
    fc.assert(
      fc.property(
        sessionLogs(),
        cuts,
        fc.array(fc.tuple(size, keys)),
        size,
        fc.boolean(),
        (log, sizes, moves, first, unicode) => {
          const face = makeTerminalFace({ ...first, unicode, participant: "alice" })
          let { rows } = first
          const step = (use: (face: TerminalFace) => string) => assertTame(use(face), rows)
          step((face) => face.caughtUp())
          for (const [index, part] of pieces(log, sizes).entries()) {
            step((face) => face.show(part))
            const move = moves[index]
            if (move === undefined) continue
            rows = move[0].rows
            step((face) => face.resize(move[0].cols, move[0].rows))
            step((face) => face.key(move[1]).output)
          }
          step((face) => face.screen())
          step((face) => face.end())
        }
      ),
      { numRuns: 150 }
    )
  })

  it("looks the same in the end however its events arrive", async () => {
    await fc.assert(
      fc.asyncProperty(sessionLogs({ maxSteps: 20 }), cuts, async (log, sizes) => {
        const show = async (parts: ReadonlyArray<ReadonlyArray<EventRecord>>) => {
          const watched = new Watched(openSession(), { cols: 50, rows: 24 })
          await watched.write(watched.face.caughtUp())
          for (const part of parts) await watched.write(watched.face.show(part))
          return watched.screen.lines
        }
        assert.deepStrictEqual(await show(pieces(log, sizes)), await show([...log].map((record) => [record])))
      }),
      { numRuns: 60 }
    )
  })

  it("never breaks the plain face, which only ever adds text", () => {
    fc.assert(
      fc.property(sessionLogs(), cuts, fc.boolean(), (log, sizes, prompts) => {
        const face = makePlainFace({ prompts })
        const output =
          pieces(log, sizes)
            .map((part) => face.show(part))
            .join("") + face.end()
        assert.notMatch(output.replaceAll(/[\n\t]|[\ud800-\udbff][\udc00-\udfff]/g, ""), control)
        assert.isTrue(output === "" || output.endsWith("\n"))
      })
    )
  })
})

/** Words that tell themselves apart, in scripts of both widths, with what stands between words. */
const prose = fc
  .array(
    fc.tuple(
      fc.oneof(
        fc.constantFrom(
          "a",
          "of",
          "parser",
          "supercalifragilistic",
          "漢字",
          "日本語のテキスト",
          "naïve",
          "x".repeat(90)
        ),
        fc.nat(9999).map(String)
      ),
      fc.constantFrom(" ", " ", " ", "  ", "\n", "\n\n", "\n    ", "\t", ", ", "\r\n")
    ),
    { minLength: 1, maxLength: 60 }
  )
  .map((words) => words.map(([word, gap], index) => `${word}${index % 7 === 0 ? index : ""}${gap}`).join(""))

const letters = (text: string) => text.replaceAll(/\s/g, "")

describe("Any message in a terminal", () => {
  it("is printed once and whole, in the same rows, however it streams and however wide the terminal is", async () => {
    await fc.assert(
      fc.asyncProperty(prose, cuts, fc.integer({ min: 3, max: 90 }), async (text, sizes, cols) => {
        const show = async (...events: ReadonlyArray<Observed>) => {
          const session = openSession()
          startTurn(session, "Go")
          const watched = new Watched(session, { cols, rows: 10, state: session.state() })
          await watched.write(watched.face.caughtUp())
          for (const event of events) await watched.tell(event)
          await watched.write(watched.face.end())
          return watched.screen.lines
        }
        const streamed = await show(
          ...message("m", ...pieces([...text], sizes).map((part) => part.join(""))),
          whole("m", text)
        )
        assert.strictEqual(letters(streamed.join("")).replace(/^●/, ""), letters(text))
        assert.deepStrictEqual(streamed, await show(whole("m", text)))
      }),
      { numRuns: 60 }
    )
  })

  it("is printed once, whatever else streams, runs and resizes meanwhile", async () => {
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          do: fc.constant("say" as const),
          who: fc.nat(3),
          count: fc.integer({ min: 1, max: 40 })
        })
      },
      { weight: 2, arbitrary: fc.record({ do: fc.constant("end" as const), who: fc.nat(3) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant("tool" as const), who: fc.nat(3) }) },
      {
        weight: 1,
        arbitrary: fc.record({ do: fc.constant("resize" as const), cols: fc.integer({ min: 30, max: 100 }) })
      }
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const session = openSession()
        startTurn(session, "Go")
        const watched = await Watched.join(session, { cols: 60, rows: 24 })
        const open = new Map<string, string>()
        let word = 0
        let items = 0
        const end = async (id: string) => {
          await watched.tell(whole(id, open.get(id)!))
          open.delete(id)
        }
        for (const one of steps) {
          if (one.do === "resize") await watched.resize(one.cols, 24)
          else if (one.do === "tool") {
            const tool = { name: "t", kind: "other", status: "completed" } as const
            const itemId = item(`tool${items++}`)
            await watched.tell({
              type: "item.completed",
              data: { itemId, kind: "tool_call", status: "completed", tool, output: "done" }
            })
          } else {
            const id = [...open.keys()][one.who] ?? `m${items++}`
            if (one.do === "end") {
              if (open.has(id)) await end(id)
              continue
            }
            const text = Array.from({ length: one.count }, () => `w${word++}w${word % 9 === 0 ? "\n" : " "}`).join("")
            await watched.tell(...(open.has(id) ? [delta(id, text)] : message(id, text)))
            open.set(id, (open.get(id) ?? "") + text)
          }
        }
        for (const id of open.keys()) await end(id)
        await watched.write(watched.face.end())
        const shown = watched.screen.lines.join("\n").match(/w\d+w/g) ?? []
        assert.strictEqual(new Set(shown).size, word)
        // A window that becomes narrower may scroll a row that still grows out of reach, once.
        if (!steps.some((one) => one.do === "resize")) assert.lengthOf(shown, word)
      }),
      { numRuns: 60 }
    )
  })
})

describe("The memory of a face", () => {
  it("stays where it is, however much streams", () => {
    setFlagsFromString("--expose-gc")
    const gc = runInNewContext("gc") as () => void
    const session = openSession()
    startTurn(session, "Go")
    const face = makeTerminalFace({ cols: 80, rows: 24 })
    const plain = makePlainFace()
    face.show(session.records())
    plain.show(session.records())
    face.caughtUp()
    let seq = session.state().seq
    const stamp = { sessionId: session.state().sessionId, at: session.now(), generation: 1, version: 1 }
    const tell = (events: ReadonlyArray<Observed>) => {
      const records = events.map((event) => ({ ...stamp, ...event, seq: ++seq }) as EventRecord)
      face.show(records)
      plain.show(records)
    }
    tell([...message("m"), ...message("behind")])
    for (let index = 0; index < 100; index++) {
      tell([{ type: "item.started", data: { itemId: item(`c${index}`), kind: "tool_call" } }])
    }
    const flood = (rounds: number) => {
      for (let round = 0; round < rounds; round++) {
        const text = `${`round ${round} `.repeat(200)}\n`
        tell([delta("m", text), delta("behind", text), delta("m", "x".repeat(3_000))])
        tell(Array.from({ length: 100 }, (_, index) => delta(`c${index}`, text, "output")))
      }
    }
    flood(40)
    gc()
    const before = process.memoryUsage().heapUsed
    flood(160)
    gc()
    const grown = process.memoryUsage().heapUsed - before
    assert.isBelow(grown, 4 * 1024 * 1024, `${grown} bytes more after 32 MB`)
  })
})
