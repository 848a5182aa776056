/**
 * The runtime of Holdfast: what a host app composes from a log and backends. `createHoldfast` for hosts that do not use
 * Effect, `Holdfast.layer` for those that do.
 */
export * from "./createHoldfast.ts"
export { asciicastOf, type AsciicastOptions } from "./export/Asciicast.ts"
export { jsonlOf } from "./export/Jsonl.ts"
export { transcriptOf } from "./export/Transcript.ts"
export * from "./handoff/HandoffOptions.ts"
export { type HandoffTarget } from "./handoff/handoffSession.ts"
export * from "./Holdfast.ts"
export { letHeapGrow } from "./letHeapGrow.ts"
export { abortable, type Promised } from "./plain.ts"
export { type Swept } from "./Recovery.ts"
export { type CommandError, type Typed } from "./SessionOwner.ts"
export * from "./SessionReader.ts"
export * from "./screen/Attach.ts"
export { ScreenUnavailable, type SessionScreen } from "./screen/SessionScreen.ts"
export { defaultSnapshotPolicy, type SnapshotPolicy } from "./screen/SnapshotPolicy.ts"
export { type ScreenModes, TerminalScreen } from "./screen/TerminalScreen.ts"
export { type TerminalStep } from "./screen/TerminalSteps.ts"
export * as Telemetry from "./Telemetry.ts"
