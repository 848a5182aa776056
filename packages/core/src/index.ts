/**
 * The domain of Holdfast: events, commands, the session chart, decide and evolve, views, and the contracts of logs and
 * backends. Runs in Node, browsers and workers.
 */
export * from "./Backend.ts"
export * from "./BackendOutbox.ts"
export * from "./Capabilities.ts"
export * from "./Content.ts"
export * from "./EventLog.ts"
export * from "./EventRecord.ts"
export * from "./Ids.ts"
export * from "./SessionEvent.ts"
export * from "./SessionStatus.ts"
export * from "./SessionSummary.ts"
export * from "./Usage.ts"
