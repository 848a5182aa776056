/** How many checks passed and failed. */
export interface Counts {
  readonly passed: number
  readonly failed: number
}

/** The sum of several counts. */
export const total = (counts: ReadonlyArray<Counts>): Counts =>
  counts.reduce((sum, { failed, passed }) => ({ passed: sum.passed + passed, failed: sum.failed + failed }), {
    passed: 0,
    failed: 0
  })

/** The part of Vitest's JSON report that is counted. */
interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly testResults: ReadonlyArray<{
    readonly status: string
    readonly assertionResults: ReadonlyArray<{ readonly status: string }>
  }>
}

/**
 * Counts the tests of a Vitest run from its JSON report and whether it succeeded. A file that failed outside its tests
 * counts as one failure, and so does a run that failed without a failed test, or found none.
 */
export const countTests = (json: string | undefined, succeeded: boolean): Counts => {
  if (json === undefined) return { passed: 0, failed: 1 }
  const report: Report = JSON.parse(json)
  const brokenFiles = report.testResults.filter(
    ({ assertionResults, status }) =>
      status === "failed" && !assertionResults.some((assertion) => assertion.status === "failed")
  ).length
  const failed = report.numFailedTests + brokenFiles
  return {
    passed: report.numPassedTests,
    failed: failed === 0 && (!succeeded || report.numPassedTests === 0) ? 1 : failed
  }
}
