/** Local terminals as a Holdfast backend. */
export { defaultPassedNames } from "./Environment.ts"
export * from "./LaunchProfile.ts"
export * from "./PtyBackend.ts"
export { maxPendingInput } from "./PtyInput.ts"
export { maxReportBytes } from "./TerminalReports.ts"
export { RecordedSpec, TerminalSpec } from "./TerminalSpec.ts"
