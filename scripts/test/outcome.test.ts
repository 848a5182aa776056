import { assert, describe, it } from "vitest"
import { messageLimit, readOutcome, total } from "../outcome.ts"

interface File {
  readonly name: string
  readonly message?: string
  readonly tests: ReadonlyArray<{ readonly passes: boolean; readonly name: string; readonly said?: string }>
}

/** A report as Vitest writes it; a file without tests failed to load. */
const report = (...files: ReadonlyArray<File>) =>
  JSON.stringify({
    numPassedTests: files.flatMap(({ tests }) => tests.filter(({ passes }) => passes)).length,
    testResults: files.map(({ message, name, tests }) => ({
      name,
      message,
      status: tests.length > 0 && tests.every(({ passes }) => passes) ? "passed" : "failed",
      assertionResults: tests.map(({ name: fullName, passes, said }) => ({
        status: passes ? "passed" : "failed",
        fullName,
        failureMessages: said === undefined ? null : [said]
      }))
    }))
  })

const passing = { name: "a.test.ts", tests: [{ passes: true, name: "adds" }] }

describe("the outcome of a run", () => {
  it("counts the tests that passed, and names those that failed with what they said", () => {
    const failing = {
      name: "b.test.ts",
      tests: [
        { passes: false, name: "divides", said: "expected 1\nto equal 2" },
        { passes: true, name: "subtracts" }
      ]
    }
    assert.deepStrictEqual(readOutcome(report(passing, failing), false), {
      passed: 2,
      failures: ["b.test.ts: divides\n  expected 1\n  to equal 2"]
    })
  })

  it("counts a file that cannot be loaded as a failure", () => {
    const broken = { name: "b.test.ts", message: "Cannot find module", tests: [] }
    assert.deepStrictEqual(readOutcome(report(passing, broken), false), {
      passed: 1,
      failures: ["b.test.ts\n  Cannot find module"]
    })
  })

  it("counts a failure when the run fails though its tests pass, leaves no report or finds no test", () => {
    assert.deepStrictEqual(readOutcome(report(passing), true), { passed: 1, failures: [] })
    assert.strictEqual(readOutcome(report(passing), false).failures.length, 1)
    assert.strictEqual(readOutcome(undefined, true).failures.length, 1)
    assert.strictEqual(readOutcome(report(), true).failures.length, 1)
  })

  it("keeps the start and the end of a long message", () => {
    const said = `expected${"x".repeat(10 * messageLimit)}at line 7`
    const [text] = readOutcome(
      report({ name: "a.test.ts", tests: [{ passes: false, name: "adds", said }] }),
      false
    ).failures
    assert.match(text!, /^a\.test\.ts: adds\n {2}expectedx/)
    assert.match(text!, /xat line 7$/)
    assert.isBelow(text!.length, messageLimit + 100)
  })

  it("sums up", () => {
    const outcomes = [
      { passed: 2, failures: [] },
      { passed: 0, failures: ["lint"] }
    ]
    assert.deepStrictEqual(total(outcomes), { passed: 2, failures: ["lint"] })
  })
})
