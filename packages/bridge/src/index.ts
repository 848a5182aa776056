/** The program that runs a Holdfast session inside a sandbox. Only its file is used from outside: nothing in here is imported. */
export { bridgeProgram } from "./bridgeProgram.ts"
export { ExitStatus as BridgeExitStatus } from "./ExitStatus.ts"
