/** The conformance suites: each registers vitest tests for a backend, a log or a provider of sandboxes of yours. */
export * from "./backendSuite.ts"
export { type EventLogStore, type MakeEventLogStore } from "./eventLogHarness.ts"
export * from "./eventLogSuite.ts"
export * from "./sandboxProviderSuite.ts"
