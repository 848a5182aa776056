/** What came of checks: how many passed, and a text for each that failed. */
export interface Outcome {
  readonly passed: number
  readonly failures: ReadonlyArray<string>
}

/** Several outcomes as one. */
export const total = (outcomes: ReadonlyArray<Outcome>): Outcome => ({
  passed: outcomes.reduce((sum, { passed }) => sum + passed, 0),
  failures: outcomes.flatMap(({ failures }) => failures)
})

/** The part of Vitest's JSON report that is read. */
interface Report {
  readonly numPassedTests: number
  readonly testResults: ReadonlyArray<{
    readonly name: string
    readonly status: string
    readonly message?: string
    readonly assertionResults: ReadonlyArray<{
      readonly status: string
      readonly fullName: string
      readonly failureMessages?: ReadonlyArray<string> | null
    }>
  }>
}

/** Characters of a failure's message that are told: a property's counterexample fits, a dump of a log does not. */
export const messageLimit = 3_000

/** A name, and what was said, cut in its middle: what was expected stands at the start, and where it failed at the end. */
const failure = (name: string, said: string): string => {
  const half = messageLimit / 2
  const message = said.length > messageLimit ? `${said.slice(0, half)}\n…\n${said.slice(-half)}` : said
  return message.trim() === "" ? name : `${name}\n${message.trim().replaceAll(/^/gm, "  ")}`
}

/**
 * The outcome of a Vitest run from its JSON report and whether it succeeded. A file that failed outside its tests
 * counts as one failure, and so does a run that failed without a failed test, or found none.
 */
export const readOutcome = (json: string | undefined, succeeded: boolean): Outcome => {
  if (json === undefined) return { passed: 0, failures: ["The tests left no report."] }
  const report: Report = JSON.parse(json)
  const failures = report.testResults.flatMap(({ assertionResults, message, name, status }) => {
    const failed = assertionResults.filter((test) => test.status === "failed")
    if (failed.length === 0) return status === "failed" ? [failure(name, message ?? "")] : []
    return failed.map((test) => failure(`${name}: ${test.fullName}`, (test.failureMessages ?? []).join("\n")))
  })
  if (report.numPassedTests === 0 && failures.length === 0) return { passed: 0, failures: ["No test was found."] }
  return {
    passed: report.numPassedTests,
    failures:
      failures.length > 0 || succeeded
        ? failures
        : ["The tests passed, and their run failed: an error outside of them, or processes that they left. See above."]
  }
}
