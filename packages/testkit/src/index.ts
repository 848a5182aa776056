/** Conformance suites and test parts for hosts, backends and logs. */
export * from "./eventArbitraries.ts"
export * from "./sessionArbitraries.ts"
export * from "./simulatedSession.ts"
export * as Script from "./Script.ts"
export * from "./ScriptedAgent.ts"
export * from "./ScriptedBackend.ts"
export * from "./ScriptedSession.ts"
