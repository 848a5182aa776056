/**
 * Random terminal output: text, wide and combining characters, controls and escape sequences of every kind with sensible
 * and senseless parameters, broken UTF-8 and plain noise, weighed so that screens fill, scroll, wrap and switch.
 */
import * as fc from "fast-check"

/** What happens to a terminal: output, or a new size. */
export type SoupStep =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "resize"; readonly cols: number; readonly rows: number }

const text = new TextEncoder()
const bytes = (value: string): Uint8Array => text.encode(value)

const printable = fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 12 }).map(bytes)
const wideText = fc
  .array(
    fc.constantFrom("字", "漢", "ｱ", "한", "　", "é", "e\u0301", "a\u0308\u0301", "\u0301", "😀", "–", "ß", "\u00a0"),
    {
      minLength: 1,
      maxLength: 6
    }
  )
  .map((parts) => bytes(parts.join("")))
const control = fc
  .array(
    fc.constantFrom("\r\n", "\n", "\r", "\b", "\t", "\x0b", "\x0c", "\x07", "\x0e", "\x0f", "\0", "\x7f", "\x18"),
    {
      minLength: 1,
      maxLength: 3
    }
  )
  .map((parts) => bytes(parts.join("")))
const parameter = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 12 }).map(String) },
  { weight: 1, arbitrary: fc.constantFrom("", "99", "65535", "4294967296") }
)
const parameters = fc.array(parameter, { maxLength: 4 }).map((values) => values.join(";"))
const csi = fc
  .tuple(parameters, fc.constantFrom(..."@ABCDEFGHIJKLMPSTXZ`abdefgrsu"))
  .map(([values, final]) => bytes(`\x1b[${values}${final}`))
const position = fc
  .tuple(fc.integer({ min: 0, max: 10 }), fc.integer({ min: 0, max: 24 }))
  .map(([row, column]) => bytes(`\x1b[${row};${column}H`))
const strangeCsi = fc
  .tuple(
    fc.constantFrom("", "?", ">", "=", "<"),
    parameters,
    fc.constantFrom("", " ", "!", "'", '"', "$", "  "),
    fc.constantFrom(..."@ADJKpqr}~tcnmhlx")
  )
  .map(([prefix, values, between, final]) => bytes(`\x1b[${prefix}${values}${between}${final}`))
const sgr = fc
  .array(
    fc.constantFrom(
      ..."0 1 2 3 4 5 7 8 9 21 22 23 24 25 27 28 29 31 34 39 42 47 49 53 55 59 91 97 100 105".split(" "),
      "4:3",
      "4:5",
      "4:0",
      "38;5;3",
      "38;5;200",
      "48;5;9",
      "48;5;77",
      "38;2;1;2;3",
      "48;2;250;251;252",
      "58;5;4",
      "58:2::9:8:7",
      "48:5:12"
    ),
    { maxLength: 4 }
  )
  .map((values) => bytes(`\x1b[${values.join(";")}m`))
const mode = fc
  .tuple(
    fc.constantFrom(
      "?1",
      "?2",
      "?3",
      "?5",
      "?6",
      "?6",
      "?7",
      "?9",
      "?12",
      "?25",
      "?45",
      "?66",
      "?1000",
      "?1002",
      "?1003",
      "?1004",
      "?1006",
      "?1016",
      "?2004",
      "?2026",
      "4",
      "20"
    ),
    fc.constantFrom("h", "l")
  )
  .map(([name, set]) => bytes(`\x1b[${name}${set}`))
const screens = fc
  .constantFrom(
    "\x1b[?47h",
    "\x1b[?47l",
    "\x1b[?1047h",
    "\x1b[?1047l",
    "\x1b[?1049h",
    "\x1b[?1049l",
    "\x1b[?1048h",
    "\x1b[?1048l"
  )
  .map(bytes)
const escape = fc
  .constantFrom(..."78DEHM=>noN|}~\\".split(""), "#8", "%G", "c", "[!p", '[1"q', '[0"q')
  .map((rest) => bytes(`\x1b${rest}`))
const saved = fc.constantFrom("\x1b7", "\x1b8", "\x1b[s", "\x1b[u").map(bytes)
const margins = fc
  .tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 9 }))
  .map(([top, bottom]) => bytes(`\x1b[${top};${bottom}r`))
const charset = fc
  .tuple(fc.constantFrom(..."()*+-./"), fc.constantFrom(..."0AB4C=ZX"))
  .map(([slot, name]) => bytes(`\x1b${slot}${name}`))
const end = fc.constantFrom("\x07", "\x1b\\", "\u009c", "\x18", "")
const osc = fc
  .tuple(
    fc.constantFrom(
      "0;",
      "1;",
      "2;",
      "7;file://h/",
      "8;;http://x/",
      "8;id=a;http://y/",
      "8;;",
      "52;c;",
      "133;A",
      "4;1;rgb:1/2/3",
      "x",
      "",
      "12345678901;"
    ),
    fc.string({ maxLength: 8 }),
    end
  )
  .map(([head, body, tail]) => bytes(`\x1b]${head}${body}${tail}`))
const string = fc
  .tuple(
    fc.constantFrom("P", "P$q", "P1;2q", "P+q", "P0<", "P 1", "X", "^", "_G", "P1;2"),
    fc.string({ maxLength: 8 }),
    end
  )
  .map(([head, body, tail]) => bytes(`\x1b${head}${body}${tail}`))
const noise = fc.uint8Array({ minLength: 1, maxLength: 6 })
const broken = fc
  .constantFrom(
    [0xe5, 0xad],
    [0xf0, 0x9f, 0x98],
    [0xc3],
    [0x80],
    [0xff, 0xfe],
    [0xc2, 0x9b],
    [0xe2, 0x80],
    [0xed, 0xa0, 0x80]
  )
  .map((values) => Uint8Array.from(values))
const cutShort = fc
  .constantFrom(
    "\x1b",
    "\x1b[",
    "\x1b[3",
    "\x1b[?2",
    "\x1b[38;2;1",
    "\x1b[4:",
    "\x1b(",
    "\x1b]2;ab",
    "\x1b]8",
    "\x1bP$q",
    "\x1b[1 ",
    "\x1b[1\n2",
    `\x1b[${"1;".repeat(40)}`
  )
  .map(bytes)
const accidents = fc
  .constantFrom(
    "\x1b[3b",
    "\x1b[b",
    "\x1b[?7l",
    "\x1b[20C字",
    "\x1b[3J",
    "\x1b[2J",
    "\x1b[1K",
    "\x1b[K",
    "\x1b[M",
    "\x1b[L",
    "\x1bM"
  )
  .map(bytes)

const step: fc.Arbitrary<SoupStep> = fc.oneof(
  {
    weight: 60,
    arbitrary: fc
      .oneof(
        { weight: 10, arbitrary: printable },
        { weight: 5, arbitrary: wideText },
        { weight: 7, arbitrary: control },
        { weight: 6, arbitrary: csi },
        { weight: 3, arbitrary: position },
        { weight: 2, arbitrary: strangeCsi },
        { weight: 5, arbitrary: sgr },
        { weight: 2, arbitrary: mode },
        { weight: 1, arbitrary: screens },
        { weight: 1, arbitrary: escape },
        { weight: 2, arbitrary: saved },
        { weight: 1, arbitrary: margins },
        { weight: 1, arbitrary: charset },
        { weight: 1, arbitrary: osc },
        { weight: 1, arbitrary: string },
        { weight: 1, arbitrary: noise },
        { weight: 1, arbitrary: broken },
        { weight: 1, arbitrary: cutShort },
        { weight: 3, arbitrary: accidents }
      )
      .map((value): SoupStep => ({ kind: "bytes", bytes: Uint8Array.from(value) }))
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("resize" as const),
      cols: fc.integer({ min: 2, max: 20 }),
      rows: fc.integer({ min: 1, max: 8 })
    })
  }
)

/** A terminal's size, what happens to it, and where somebody attaches: in the middle of a step, at a byte. */
export const soup = fc.record({
  cols: fc.integer({ min: 2, max: 20 }),
  rows: fc.integer({ min: 1, max: 8 }),
  scrollback: fc.constantFrom(0, 1, 5, 12),
  steps: fc.array(step, { minLength: 1, maxLength: 60 }),
  at: fc.double({ min: 0, max: 1, noNaN: true })
})

/** The steps before and after a place, cut at a byte of the step that it is in. */
export const cut = (steps: ReadonlyArray<SoupStep>, at: number): readonly [Array<SoupStep>, Array<SoupStep>] => {
  const index = Math.min(Math.floor(at * steps.length), steps.length - 1)
  const step = steps[index]!
  const before = steps.slice(0, index)
  const after = steps.slice(index + 1)
  if (step.kind === "resize") return [[...before, step], after]
  const byte = Math.round((at * steps.length - index) * step.bytes.length)
  before.push({ kind: "bytes", bytes: step.bytes.subarray(0, byte) })
  after.unshift({ kind: "bytes", bytes: step.bytes.subarray(byte) })
  return [before, after]
}
