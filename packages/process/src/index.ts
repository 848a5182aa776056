/**
 * Programs and processes: finding a program, what it is given, running it or keeping it as a server; who is alive, what came from
 * whom, and ending all of it. Linux and macOS; Windows as far as it goes, untested. The functions are Effects; `promises` has those
 * that look at processes for everyone else.
 */
import { identify, isAlive, tree } from "./ProcessTree.ts"
import { signalProcess } from "./ProcessSignal.ts"
import { terminateTree } from "./TerminateTree.ts"

export * from "./AgentProgram.ts"
export * from "./Environment.ts"
export * from "./KeptOutput.ts"
export {
  type OwnedProgram,
  type ProgramExit,
  type ProgramLaunch,
  ProgramNotStarted,
  startProgram
} from "./OwnedProgram.ts"
export * from "./Program.ts"
export * from "./ServerProcess.ts"
export * from "./SharedServer.ts"
export { type ProcessIdentity, ProcessesRemain, ProcessTableUnavailable } from "./ProcessIdentity.ts"
export * from "./Processes.ts"
export * from "./ProcessMarker.ts"
export type { SignalResult } from "./ProcessSignal.ts"
export type { ProcessTarget } from "./ProcessTree.ts"
export type { Terminated, TerminateOptions } from "./TerminateTree.ts"

/** The same functions as promises; they reject with the same errors. */
export const promises = { identify, isAlive, signalProcess, tree, terminateTree }
