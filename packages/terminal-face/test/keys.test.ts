import { assert, describe, it } from "@effect/vitest"
import { noCapabilities } from "@holdfast/core"
import * as fc from "fast-check"
import { type FaceCommand, makeTerminalFace } from "../src/index.ts"
import { openSession, prompt, startTurn, turn, Watched } from "./session.ts"

const escape = "\u001b"

/** What a face on an idle session sends for some keys. */
const sentBy = (...chunks: ReadonlyArray<string | Uint8Array>) => {
  const session = openSession()
  const face = makeTerminalFace({ cols: 60, rows: 20 })
  face.show(session.records())
  face.caughtUp()
  return chunks.flatMap((chunk) => face.key(chunk).commands)
}

const textsOf = (commands: ReturnType<typeof sentBy>): ReadonlyArray<string> =>
  commands.map((command) => {
    assert.strictEqual(command.type, "prompt.send")
    const [block] = (command.data as { readonly content: ReadonlyArray<{ readonly text: string }> }).content
    return block!.text
  })

describe("What is typed", () => {
  it("is sent as a prompt with Enter", () => {
    assert.deepStrictEqual(sentBy("hello", "\r"), [
      { type: "prompt.send", data: { content: [{ type: "text", text: "hello" }], delivery: "queue" } }
    ])
  })

  it("is not sent when it says nothing", () => {
    assert.deepStrictEqual(sentBy("\r", "   \r"), [])
  })

  it("goes into the running turn with Alt-Enter, or after an exclamation mark", async () => {
    const session = openSession()
    startTurn(session, "Go")
    const watched = await Watched.join(session)
    const steered: FaceCommand = {
      type: "prompt.send",
      data: { content: [{ type: "text", text: "not there" }], delivery: "steer", turnId: turn("t1") }
    }
    assert.deepStrictEqual((await watched.type(`not there${escape}\r`)).commands, [steered])
    assert.deepStrictEqual((await watched.type("! not there\r")).commands, [steered])
    const [queued] = (await watched.type("!important\r")).commands
    assert.deepInclude(queued?.data, { delivery: "queue" })
  })

  it("waits for its turn where nothing runs that could be steered", () => {
    assert.deepInclude(sentBy(`now${escape}\r`)[0]?.data, { delivery: "queue" })
  })

  it("waits for its turn where the backend cannot be steered", async () => {
    const session = openSession({ capabilities: { ...noCapabilities, prompts: true } })
    startTurn(session, "Go")
    const watched = await Watched.join(session)
    assert.deepInclude((await watched.type(`now${escape}\r`)).commands[0]?.data, { delivery: "queue" })
  })

  for (const [keys, text] of [
    ["ac\u001b[Db", "abc"],
    ["bc\u001b[Ha\u001b[Fd", "abcd"],
    ["bc\u0001a\u0005d", "abcd"],
    ["abx\u007f", "ab"],
    ["xab\u001b[H\u001b[3~", "ab"],
    ["nothing\u0015ab", "ab"],
    ["one two  \u0017three", "one three"],
    ["one two\u001b\u007fthree", "one three"],
    ["one two\u001bb\u001bb\u000bthree", "three"],
    ["one two\u001b[1;5D\u001b[1;5Dzero \u001b[1;5C!", "zero one! two"],
    ["one\u0002\u0002\u0004", "oe"],
    ["a\u{1f468}\u200d\u{1f469}\u200d\u{1f467}b\u0002\u007f", "ab"],
    ["e\u0301x\u0002\u007f", "x"],
    ["one\u000atwo\u0001zero ", "one\nzero two"],
    ["\u001bxa\u001b[15~b\u001b[?1;2cc\u001bOPd", "abcd"]
  ] as const) {
    it(`is edited by keys: ${JSON.stringify(keys)} gives ${JSON.stringify(text)}`, () => {
      assert.deepStrictEqual(textsOf(sentBy(`${keys}\r`)), [text])
    })
  }

  it("comes back with the arrows, up to a hundred lines and the one that was being typed", () => {
    const lines = Array.from({ length: 150 }, (_, index) => `line ${index}\r`)
    const up = "\u001b[A"
    assert.deepStrictEqual(textsOf(sentBy(...lines, `${up}${up}\r`)).at(-1), "line 148")
    assert.deepStrictEqual(textsOf(sentBy(...lines, `${up.repeat(200)}\r`)).at(-1), "line 50")
    assert.deepStrictEqual(textsOf(sentBy(...lines, `draft${up}${up}\u001b[B\u001b[B\r`)).at(-1), "draft")
  })

  it("is one prompt when several lines are pasted", () => {
    const paste = `${escape}[200~one\r\ntwo\rthree\u0003${escape}[201~`
    assert.deepStrictEqual(textsOf(sentBy(`${paste}!\r`)), ["one\ntwo\nthree!"])
  })

  it("is the same however its bytes are cut", () => {
    const typed = `grüße 漢字 👩‍💻 ${escape}[200~pa\nste${escape}[201~${escape}[D${escape}OD${escape}[3~${escape}[1;5C.\r`
    const bytes = new TextEncoder().encode(typed)
    const expected = textsOf(sentBy(typed))
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 6 })), (sizes) => {
        const chunks: Array<Uint8Array> = []
        let at = 0
        for (const size of sizes) chunks.push(bytes.subarray(at, (at += size)))
        assert.deepStrictEqual(textsOf(sentBy(...chunks, bytes.subarray(at))), expected)
      })
    )
  })

  it("takes the key Esc for no part of what is typed next", () => {
    assert.deepStrictEqual(textsOf(sentBy(escape, "hello", escape, "\r")), ["hello"])
  })

  it("is refused with a bell where it would be too long, and what was typed stays", async () => {
    const watched = await Watched.join(openSession(), { cols: 80 })
    await watched.type("a".repeat(65_536))
    const { output } = await watched.type("b")
    assert.isTrue(output.endsWith("\u0007"))
    assert.include(watched.screen.lines.at(-6), "A line has at most 65,536 characters")
    const [sent] = (await watched.type("\r")).commands
    assert.deepStrictEqual(sent?.data, { content: [{ type: "text", text: "a".repeat(65_536) }], delivery: "queue" })
    const pasted = await watched.type(`${escape}[200~${"c".repeat(100_000)}${escape}[201~`)
    assert.isTrue(pasted.output.endsWith("\u0007"))
    assert.deepStrictEqual((await watched.type("\r")).commands, [])
  })

  it("never throws and never sends more than was typed, whatever comes", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 }), (chunks) => {
        const texts = sentBy(...chunks).filter((command) => command.type === "prompt.send")
        const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
        assert.isAtMost(textsOf(texts).join("").length, length)
      })
    )
  })
})

describe("The line in a terminal", () => {
  it("wraps around its cursor, and shows where that is", async () => {
    const watched = await Watched.join(openSession(), { cols: 21, rows: 12 })
    await watched.type("abcdefghijklmnopqrstuvwxyz")
    assert.deepStrictEqual(watched.screen.lines.slice(-2), ["❯ abcdefghijklmnopqr", "stuvwxyz"])
    const { x, y } = watched.screen.cursor
    assert.deepStrictEqual([x, y], [8, watched.screen.lines.length - 1])
    await watched.type("\u001b[H")
    assert.deepStrictEqual(watched.screen.cursor, { x: 2, y: y - 1 })
    await watched.type("漢")
    assert.strictEqual(watched.screen.cursor.x, 4)
  })

  it("shows five rows of a long text, those around the cursor", async () => {
    const watched = await Watched.join(openSession(), { cols: 40, rows: 20 })
    await watched.type(Array.from({ length: 20 }, (_, index) => `row ${index}`).join("\n"))
    assert.deepStrictEqual(watched.screen.lines.slice(-5), ["row 15", "row 16", "row 17", "row 18", "row 19"])
    await watched.type("\u001b[H\u0002\u0001\u0002\u0001\u0002\u0001\u0002\u0001")
    assert.include(watched.screen.lines.slice(-5), "row 15")
    assert.lengthOf(
      watched.screen.lines.filter((line) => line.startsWith("row")),
      5
    )
  })

  it("explains itself on a question mark", async () => {
    const watched = await Watched.join(openSession(), { cols: 120, rows: 30 })
    await watched.type("?\r")
    assert.include(watched.screen.lines.join("\n"), "Alt-Enter")
    assert.strictEqual(watched.screen.lines.at(-1), "❯")
  })

  it("interrupts the turn with Ctrl-C, clears with it where nothing runs, and leaves where there is nothing", async () => {
    const session = openSession()
    startTurn(session, "Go")
    const watched = await Watched.join(session)
    assert.deepStrictEqual((await watched.type("text\u0003")).commands, [
      { type: "turn.interrupt", data: { turnId: turn("t1") } }
    ])
    await watched.tell({ type: "turn.completed", data: { turnId: turn("t1"), outcome: "interrupted" } })
    assert.strictEqual(watched.screen.lines.at(-1), "❯ text")
    assert.isFalse((await watched.type("\u0003")).leave)
    assert.strictEqual(watched.screen.lines.at(-1), "❯")
    assert.isTrue((await watched.type("\u0003")).leave)
    assert.isTrue((await watched.type("\u0004")).leave)
  })

  it("has a prompt again that was refused, and says why", async () => {
    const session = openSession()
    for (let index = 0; index < 101; index++) if (session.state().prompts.length < 100) prompt(session, "again")
    const watched = await Watched.join(session, { cols: 120 })
    await watched.enter("one too many\r")
    assert.include(watched.screen.lines.join(" "), "100 prompts are waiting already")
    assert.strictEqual(watched.screen.lines.at(-1), "❯ one too many")
  })
})
