import { commandBodies } from "@holdfast/testkit"
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { checkCommand, commandSchemas, maxPromptText, maxWriteBytes } from "../src/Command.ts"

const data = (type: string, data: unknown): unknown => ({ type, data })
const text = (text: string) => [{ type: "text", text }]

/** What a person reads about a command that is not one: the field, and what it should be. */
const complaints: ReadonlyArray<readonly [command: unknown, field: string, expected: string]> = [
  [3, "type", "a command with a type"],
  [{ type: 3 }, "type", "a command with a type"],
  [data("session.rename", undefined), "data", "an object"],
  [data("session.rename", null), "data", "an object"],
  [data("session.rename", {}), "data.title", "a value: it is missing"],
  [data("session.rename", { title: 5 }), "data.title", "text"],
  [data("session.rename", { title: "" }), "data.title", "a value with a length of at least 1"],
  [data("session.create", { backend: "pty" }), "data.spec", "a value: it is missing"],
  [data("session.create", { backend: "pty", spec: {}, labels: { 'a "] b': 1 } }), 'data.labels.a "] b', "text"],
  [data("prompt.send", { content: "hi" }), "data.content", "a list"],
  [data("prompt.send", { content: [] }), "data.content", "a value with a length of at least 1"],
  [data("prompt.send", { content: [{ type: "text" }] }), "data.content[0].text", "a value: it is missing"],
  [
    data("prompt.send", { content: [...text("a"), { type: "video" }] }),
    "data.content[1]",
    'an object whose type is "text", "image" or "resource"'
  ],
  [
    data("prompt.send", { content: text("x".repeat(maxPromptText + 1)) }),
    "data.content",
    "at most 1048576 characters of text"
  ],
  [data("prompt.send", { content: text("a"), delivery: "later" }), "data.delivery", '"queue" or "steer"'],
  [data("prompt.withdraw", { promptId: "x" }), "data.promptId", "a UUID version 7 in lower case"],
  [data("terminal.resize", { cols: 0, rows: 1 }), "data.cols", "a value between 1 and 10000"],
  [data("terminal.resize", { cols: 80, rows: 1e9 }), "data.rows", "a value between 1 and 10000"],
  [data("terminal.write", { bytes: "abc" }), "data.bytes", "bytes (a Uint8Array)"],
  [data("terminal.write", { bytes: new Uint8Array(maxWriteBytes + 1) }), "data.bytes", "at most 1048576 bytes"],
  [data("session.close", { graceMs: Number.NaN }), "data.graceMs", "a value between 0 and 600000"],
  [data("session.close", { force: "yes" }), "data.force", "true or false"],
  [data("process.signal", { signal: "kill" }), "data.signal", "a signal name such as SIGINT"],
  [
    data("permission.resolve", { requestId: "r", outcome: "yes" }),
    "data.outcome",
    'an object whose outcome is "selected" or "cancelled"'
  ],
  [
    data("question.answer", { requestId: "r", outcome: { outcome: "answered", answers: { a: "b" } } }),
    "data.outcome.answers.a",
    "a list"
  ],
  [
    data("participant.join", { participantId: "host", name: "x", role: "viewer" }),
    "data.participantId",
    'an id other than "host" and "runtime", which are reserved'
  ]
]

describe("A command from outside", () => {
  for (const [command, field, expected] of complaints) {
    it(`that is wrong in ${field} is told to expect ${expected}`, () => {
      assert.deepStrictEqual(checkCommand(command) as unknown, { field, expected })
    })
  }

  it("of no known type is told which there are", () => {
    for (const type of ["session.destroy", "__proto__", "constructor"]) {
      const checked = checkCommand({ type, data: {} })
      if (!("field" in checked)) return assert.fail("it was taken")
      assert.strictEqual(checked.field, "type")
      for (const known of Object.keys(commandSchemas)) assert.include(checked.expected, known)
    }
  })

  it("is taken without what no command has", () => {
    assert.deepStrictEqual(
      checkCommand({ type: "session.rename", data: { title: "a", extra: 1 }, more: 2 }) as unknown,
      {
        body: { type: "session.rename", data: { title: "a" } }
      }
    )
  })

  it("is taken whenever it is well-formed", () => {
    fc.assert(
      fc.property(commandBodies(), (body) => {
        assert.deepStrictEqual(checkCommand(body) as unknown, { body })
      }),
      { numRuns: 500 }
    )
  })

  it("never makes the check throw", () => {
    const anything = fc.anything({ withBigInt: true, withMap: true, withNullPrototype: true, withTypedArray: true })
    const known = fc.constantFrom(...Object.keys(commandSchemas))
    fc.assert(
      fc.property(fc.oneof(anything, fc.record({ type: known, data: anything })), (body) => {
        const checked = checkCommand(body)
        if ("field" in checked) assert.isAbove(checked.expected.length, 0)
      }),
      { numRuns: 500 }
    )
  })
})
