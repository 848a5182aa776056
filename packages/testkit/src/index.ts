/** Conformance suites and test parts for hosts, backends and logs. */
export * from "./eventArbitraries.ts"
export * from "./sessionArbitraries.ts"
export * from "./simulatedSession.ts"
