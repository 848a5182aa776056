/** Local terminals as a Holdfast backend. */
export * from "./LaunchProfile.ts"
export * from "./PtyBackend.ts"
export { defaultPassedNames } from "@holdfast/process"
export { maxPendingInput } from "./PtyInput.ts"
export { maxReportBytes } from "./TerminalReports.ts"
export { RecordedSpec, TerminalSpec } from "./TerminalSpec.ts"
