import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { makeReportReader, maxReportBytes, type TerminalReport } from "../src/TerminalReports.ts"

const read = (...chunks: ReadonlyArray<string | Uint8Array>): ReadonlyArray<TerminalReport> => {
  const reader = makeReportReader()
  return chunks.flatMap((chunk) => reader.read(typeof chunk === "string" ? Buffer.from(chunk) : Buffer.from(chunk)))
}

const titled = (title: string): TerminalReport => ({ type: "terminal.titled", data: { title } })
const belled = (count: number): TerminalReport => ({ type: "terminal.belled", data: { count } })
const notified = (body: string): TerminalReport => ({ type: "terminal.notified", data: { body } })

/** Bells next to each other are one where the reader saw them in one chunk; they count as many all the same. */
const bellsJoined = (reports: ReadonlyArray<TerminalReport>) => {
  const joined: Array<TerminalReport> = []
  for (const report of reports) {
    const last = joined.at(-1)
    if (report.type === "terminal.belled" && last?.type === "terminal.belled") {
      joined[joined.length - 1] = belled(last.data.count + report.data.count)
    } else joined.push(report)
  }
  return joined
}

describe("the reports of a terminal", () => {
  const known: ReadonlyArray<readonly [bytes: string, reports: ReadonlyArray<TerminalReport>]> = [
    ["\x1b]0;both\x07", [titled("both")]],
    ["\x1b]2;title\x1b\\", [titled("title")]],
    ["\x1b]2;a;b\x07", [titled("a;b")]],
    ["\x1b]2;\x07", [titled("")]],
    ["\x1b]1;icon only\x07", []],
    [
      "\x1b]7;file://host/home/a%20b\x07",
      [{ type: "terminal.directory_changed", data: { path: "/home/a b", host: "host" } }]
    ],
    ["\x1b]7;file:///tmp\x07", [{ type: "terminal.directory_changed", data: { path: "/tmp" } }]],
    ["\x1b]7;file:///%zz\x07\x1b]7;nonsense\x07\x1b]7;http://host/x\x07", []],
    ["\x1b]9;Build done\x07", [notified("Build done")]],
    ["\x1b]9;4;1;50\x07", [{ type: "terminal.progressed", data: { state: "normal", percent: 50 } }]],
    ["\x1b]9;4;3\x07", [{ type: "terminal.progressed", data: { state: "indeterminate" } }]],
    ["\x1b]9;4;0;0\x07", [{ type: "terminal.progressed", data: { state: "none", percent: 0 } }]],
    ["\x1b]9;4;2;999\x07", [{ type: "terminal.progressed", data: { state: "error", percent: 100 } }]],
    ["\x1b]9;4;9;1\x07\x1b]9;4\x07\x1b]9;1;100\x07\x1b]9;\x07", []],
    ['\x1b]9;9;"C:\\a b"\x07', [{ type: "terminal.directory_changed", data: { path: "C:\\a b" } }]],
    [
      "\x1b]777;notify;Title;Body; more\x07",
      [{ type: "terminal.notified", data: { title: "Title", body: "Body; more" } }]
    ],
    ["\x1b]777;precmd\x07", []],
    ["\x1b]133;A;cl=m\x07", [{ type: "terminal.marked", data: { mark: "prompt" } }]],
    ["\x1b]133;B\x07", [{ type: "terminal.marked", data: { mark: "input" } }]],
    ["\x1b]133;C\x07", [{ type: "terminal.marked", data: { mark: "running" } }]],
    ["\x1b]133;D;130\x07", [{ type: "terminal.marked", data: { mark: "finished", exitCode: 130 } }]],
    ["\x1b]133;D\x07", [{ type: "terminal.marked", data: { mark: "finished", exitCode: null } }]],
    ["\x1b]133;D;x\x07", [{ type: "terminal.marked", data: { mark: "finished", exitCode: null } }]],
    ["\x1b]133;Z\x07", []],
    ["\x1b]nonsense\x07\x1b]\x07\x1b];\x07\x1b]12345;x\x07", []],
    ["a\x07b\x07\x07", [belled(3)]]
  ]
  for (const [bytes, reports] of known) {
    it(`are read from ${JSON.stringify(bytes)}`, () => assert.deepStrictEqual(read(bytes), reports))
  }

  it("come in the order in which they were made", () => {
    assert.deepStrictEqual(read("\x07\x1b]0;a\x07\x07x\x07\x1b]0;b\x1b\\\x07"), [
      belled(1),
      titled("a"),
      belled(2),
      titled("b"),
      belled(1)
    ])
  })

  it("do not ring for a BEL that ends an OSC, or is text of another string", () => {
    assert.deepStrictEqual(read("\x1b]52;c;aGk=\x07"), [])
    assert.deepStrictEqual(read("\x1bPq\x07data\x07\x1b\\\x07"), [belled(1)])
    assert.deepStrictEqual(read("\x1b_app\x07", "\x07more", "\x07\x1b", "\\\x07"), [belled(1)])
    assert.deepStrictEqual(read("\x1bPq\x07\x18\x07"), [belled(1)])
    assert.deepStrictEqual(read("\x1bPq\x1a", "\x07"), [belled(1)])
  })

  it("end with any ESC, and are given up by CAN and SUB", () => {
    assert.deepStrictEqual(read("\x1b]0;a\x1b[31mred\x1b]0;b\x1b]0;c\x07"), [titled("a"), titled("b"), titled("c")])
    assert.deepStrictEqual(read("\x1b]0;a\x18b\x07", "\x1b]0;c\x1a\x07"), [belled(1), belled(1)])
  })

  it("are read through other strings as xterm.js does", () => {
    assert.deepStrictEqual(read("\x1bPtmux;\x1b\x1b]0;inner\x07\x1b\\"), [titled("inner")])
  })

  it("hold clean text: invalid UTF-8 is replaced, control characters are gone", () => {
    assert.deepStrictEqual(read(Buffer.from("1b5d303b61ff0162c285c3a907", "hex")), [titled("a\ufffdbé")])
  })

  it("are read up to 4 KiB; what is longer is let pass, and nothing after it is missed", () => {
    const longest = "x".repeat(maxReportBytes - 2)
    assert.deepStrictEqual(read(`\x1b]0;${longest}\x07`), [titled(longest)])
    assert.deepStrictEqual(read(`\x1b]0;${longest}x\x07\x1b]0;next\x07`), [titled("next")])
    assert.deepStrictEqual(read("\x1b]1337;File=:", "A".repeat(1_000_000), "\x07\x07"), [belled(1)])
  })

  const pieces = fc.constantFrom(
    "\x1b]0;title\x07",
    "\x1b]7;file://h/p\x1b\\",
    "\x1b]133;D;1\x07",
    "\x1b]9;4;1;5\x07",
    "\x1bPq\x07\x1b\\",
    "\x1b_\x07",
    "\x1b[31m",
    "\x1b]",
    "\x1b",
    "\x07",
    "\x18",
    "\x1a",
    "\\",
    "]",
    "0;",
    "P",
    "text",
    "é🐎",
    "\u009d",
    `\x1b]2;${"x".repeat(maxReportBytes)}`
  )
  const soup = fc.array(
    fc.oneof(
      { weight: 4, arbitrary: pieces.map((text) => Buffer.from(text)) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)) }
    ),
    { maxLength: 30 }
  )

  it("are the same wherever the chunks are cut", () => {
    fc.assert(
      fc.property(soup, fc.array(fc.nat({ max: 5_000 }), { maxLength: 8 }), (parts, places) => {
        const bytes = Buffer.concat(parts)
        const cuts = [...new Set(places.map((place) => place % (bytes.length + 1)))].toSorted((a, b) => a - b)
        const chunks = [...cuts, bytes.length].map((end, index) => bytes.subarray(cuts[index - 1] ?? 0, end))
        assert.deepStrictEqual(bellsJoined(read(...chunks)), bellsJoined(read(bytes)))
      }),
      { numRuns: 2_000 }
    )
  })

  it("are the same byte by byte", () => {
    fc.assert(
      fc.property(soup, (parts) => {
        const bytes = Buffer.concat(parts)
        const single = Array.from(bytes, (byte) => Uint8Array.of(byte))
        assert.deepStrictEqual(bellsJoined(read(...single)), bellsJoined(read(bytes)))
      }),
      { numRuns: 300 }
    )
  })
})
