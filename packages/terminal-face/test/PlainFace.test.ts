import { assert, describe, it } from "@effect/vitest"
import { makePlainFace } from "../src/index.ts"
import { delta, item, message, openSession, request, startTurn, turn, whole } from "./session.ts"

/** A session, and what a plain face adds for what is new in it. */
const watch = (options: Parameters<typeof makePlainFace>[0] = {}) => {
  const session = openSession()
  startTurn(session, "Go")
  const face = makePlainFace(options)
  let shown = 0
  const added = () => {
    const records = session.records()
    const text = face.show(records.slice(shown))
    shown = records.length
    return text
  }
  const tell = (...events: Parameters<typeof session.tell>[0]) => {
    session.tell(events)
    return added()
  }
  return { face, tell, begun: added() }
}

describe("A session as plain text", () => {
  it("is what the agent says, as it says it", () => {
    const { begun, face, tell } = watch()
    assert.strictEqual(begun, "")
    assert.strictEqual(tell(...message("m", "\nThe ans")), "The ans")
    assert.strictEqual(tell(delta("m", "wer is\n\n")), "wer is")
    assert.strictEqual(tell(delta("m", "42")), "\n\n42")
    assert.strictEqual(tell(whole("m", "\nThe answer is\n\n42.\n")), ".\n")
    assert.strictEqual(face.end(), "")
  })

  it("has a line for each tool call with its status, and no colour", () => {
    const { tell } = watch()
    const tool = {
      name: "bash",
      kind: "execute",
      status: "completed",
      input: { command: "npm test" },
      exitCode: 1
    } as const
    const started = { type: "item.started", data: { itemId: item("c"), kind: "tool_call", tool } } as const
    assert.strictEqual(tell(...message("m", "Testing"), whole("m", "Testing"), started), "Testing\n")
    const end = { itemId: item("c"), kind: "tool_call", status: "failed", tool, output: "many\nlines" } as const
    assert.strictEqual(tell({ type: "item.completed", data: end }), "\n✗ Run npm test (exit 1)\n")
    const file = { path: "a.ts", change: "created", additions: 2, diff: "@@ -0,0 +1,2 @@\n+a\n+b" } as const
    assert.strictEqual(tell({ type: "file.changed", data: file }), "  Created a.ts +2\n")
  })

  it("leaves out what only a person at a terminal needs, unless they want it", () => {
    const { begun } = watch({ prompts: true })
    assert.strictEqual(begun, "❯ the host: Go\n")
    const { tell } = watch()
    const reasoning = { itemId: item("r"), kind: "reasoning", status: "completed", text: "Hmm" } as const
    assert.strictEqual(
      tell(
        { type: "item.completed", data: reasoning },
        { type: "backend.noted", data: { level: "info", message: "by the way" } },
        { type: "turn.completed", data: { turnId: turn("t1"), outcome: "completed" } }
      ),
      ""
    )
  })

  it("says what went wrong, and what waits for somebody", () => {
    const { tell } = watch()
    const options = [{ optionId: "y", name: "Yes", kind: "allow_once" }] as const
    assert.strictEqual(
      tell({ type: "permission.requested", data: { requestId: request("r"), title: "Publish?", options } }),
      "? Publish?\n"
    )
    const error = { message: "Overloaded", retryable: true }
    assert.strictEqual(
      tell({ type: "turn.completed", data: { turnId: turn("t1"), outcome: "failed", error } }),
      "  ✗ Dismissed with what it belonged to\n\n✗ Overloaded (trying again may help)\n· Failed · 0.0s\n"
    )
  })

  it("keeps texts that stream at once apart, in the order in which they began", () => {
    const { tell } = watch()
    assert.strictEqual(tell(...message("a", "one "), ...message("b", "two "), delta("a", "more")), "one more")
    assert.strictEqual(tell(whole("b", "two and all")), "\n\ntwo and all\n")
    assert.strictEqual(tell(whole("a", "one more end")), "\n end\n")
  })

  it("takes colours where they are wanted, and ASCII where there is nothing else", () => {
    const { begun } = watch({ prompts: true, colour: true, unicode: false })
    assert.include(begun, "\u001b[1;36m> \u001b[0m")
  })

  it("ends its last line, also of a text that never ended", () => {
    const { face, tell } = watch()
    assert.strictEqual(tell(...message("m", "and th")), "and th")
    assert.strictEqual(face.end(), "\n")
  })

  it("can begin in the middle of a log", () => {
    const session = openSession()
    startTurn(session, "Go")
    const face = makePlainFace()
    const { seq } = session.state()
    session.tell([...message("m", "Hel"), whole("m", "Hello")])
    assert.strictEqual(face.show(session.records().filter((record) => record.seq > seq)), "Hello\n")
    assert.strictEqual(face.seq, session.state().seq)
  })
})
