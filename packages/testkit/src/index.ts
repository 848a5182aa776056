/** Test parts for hosts, backends and logs. The conformance suites are in `@holdfast/testkit/suites`, which needs vitest. */
export * from "./eventArbitraries.ts"
export * from "./newEventArbitraries.ts"
export * from "./sessionArbitraries.ts"
export * from "./simulatedSession.ts"
export * as Script from "./Script.ts"
export * from "./ScriptedAgent.ts"
export * from "./ScriptedBackend.ts"
export * from "./ScriptedSession.ts"
