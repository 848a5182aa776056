/** The conformance suites: each registers vitest tests for a backend or a log of yours. */
export * from "./backendSuite.ts"
export { type EventLogStore, type MakeEventLogStore } from "./eventLogHarness.ts"
export * from "./eventLogSuite.ts"
