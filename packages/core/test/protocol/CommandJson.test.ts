import { commandBodies } from "@holdfast/testkit"
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as fc from "fast-check"
import { checkCommand } from "../../src/Command.ts"
import { ClientMessage } from "../../src/protocol/ClientMessage.ts"
import { CommandJson } from "../../src/protocol/CommandJson.ts"
import { shouldReconnect } from "../../src/protocol/CloseCode.ts"
import { Problem, problem, type ProblemKind, problemStatus } from "../../src/protocol/Problem.ts"

const encode = Schema.encodeUnknownSync(CommandJson)
const decode = Schema.decodeUnknownSync(CommandJson)
const own = ["session.create", "session.fork", "session.move", "request.expire"]

describe("A command in JSON", () => {
  it("comes back as it went, keystrokes too, and is what core takes for a command", () => {
    fc.assert(
      fc.property(commandBodies(), (body) => {
        fc.pre(!own.includes(body.type))
        const back = decode(JSON.parse(JSON.stringify(encode(body))))
        assert.deepStrictEqual(JSON.stringify(back), JSON.stringify(body))
        assert.property(checkCommand(back), "body")
      }),
      { numRuns: 500 }
    )
  })

  it("names the bad field, of the command that was meant", () => {
    const message = { type: "command", sessionId: "x", commandId: "y", command: { type: "session.rename", data: {} } }
    assert.throws(() => decode(message.command), /Missing key\s+at \["data"\]\["title"\]/)
    assert.throws(() => Schema.decodeUnknownSync(ClientMessage)(message), /\["sessionId"\]/)
  })

  it("cannot be one of those that only a host or the runtime gives", () => {
    for (const type of own) assert.throws(() => decode({ type, data: {} }))
  })
})

describe("A problem", () => {
  it("fits its schema and has its kind's status, for every kind", () => {
    for (const kind of Object.keys(problemStatus) as ReadonlyArray<ProblemKind>) {
      const made = problem(kind, "what happened, and what to do", { field: "title" })
      assert.deepStrictEqual(Schema.decodeUnknownSync(Problem)(made), made)
      assert.strictEqual(made.status, problemStatus[kind])
    }
  })
})

describe("A close code", () => {
  it("keeps a client from coming back with what was refused, and lets it come back from everything else", () => {
    for (const code of [1000, 1001, 1006, 1011, 1012, 4408, 4429, 4430]) assert.isTrue(shouldReconnect(code))
    for (const code of [4400, 4401, 4403, 4426]) assert.isFalse(shouldReconnect(code))
  })
})
