import { assert, describe, it } from "vitest"
import { countTests, total } from "../counts.ts"

const report = (
  passed: number,
  failed: number,
  files: ReadonlyArray<{ status: string; tests: ReadonlyArray<string> }>
) =>
  JSON.stringify({
    numPassedTests: passed,
    numFailedTests: failed,
    testResults: files.map(({ status, tests }) => ({
      status,
      assertionResults: tests.map((test) => ({ status: test }))
    }))
  })

describe("the result of a run", () => {
  it("counts tests that passed and failed", () => {
    const files = [
      { status: "passed", tests: ["passed", "passed"] },
      { status: "failed", tests: ["failed", "passed"] }
    ]
    assert.deepStrictEqual(countTests(report(3, 1, files), false), { passed: 3, failed: 1 })
  })

  it("counts a file that cannot be loaded as a failure", () => {
    const files = [
      { status: "passed", tests: ["passed"] },
      { status: "failed", tests: [] }
    ]
    assert.deepStrictEqual(countTests(report(1, 0, files), false), { passed: 1, failed: 1 })
  })

  it("counts a failure when the run fails though its tests pass, leaves no report or finds no test", () => {
    const passing = report(1, 0, [{ status: "passed", tests: ["passed"] }])
    assert.deepStrictEqual(countTests(passing, true), { passed: 1, failed: 0 })
    assert.deepStrictEqual(countTests(passing, false), { passed: 1, failed: 1 })
    assert.deepStrictEqual(countTests(undefined, true), { passed: 0, failed: 1 })
    assert.deepStrictEqual(countTests(report(0, 0, []), true), { passed: 0, failed: 1 })
  })

  it("sums up", () => {
    const counts = [
      { passed: 2, failed: 0 },
      { passed: 0, failed: 1 }
    ]
    assert.deepStrictEqual(total(counts), { passed: 2, failed: 1 })
  })
})
