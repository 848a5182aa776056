/**
 * The conformance suite of backends: says through the public interface alone whether one keeps the promises of `Backend`.
 *
 * ```ts
 * // test/PtyBackend.test.ts
 * backendSuite("the pty backend", Effect.sync(() => ptyBackend()), {
 *   spec: { profile: "command", command: "cat" },
 *   badSpecs: [{ spec: { profile: "command", command: "cat", cols: 0 }, field: "cols" }],
 *   script: (source) => ({ profile: "command", command: "sh", args: ["-c", source] })
 * })
 * ```
 *
 * | section | runs | it says |
 * | --- | --- | --- |
 * | check | always | bad specs are refused by field; secrets stay out of the log |
 * | the life of a session | always | order, one end, nothing left of closing, scopes and interruptions, no command hangs |
 * | the terminal | with `script` | bytes exact both ways, sizes, signals, graces, whole trees end |
 * | nothing is lost | with `script` | some 500 quick exits, absent readers, bounded memory |
 * | the agent | with `agent` | turns, items, requests, steering, interrupts, resuming, forking, resting |
 *
 * Processes are looked for by the marker `HOLDFAST_PROCESS=<session>:<generation>` that a backend gives to what it starts.
 */
import { describe } from "vitest"
import { agentTests } from "./backendAgentTests.ts"
import type { BackendSuiteOptions, MakeBackend } from "./backendHarness.ts"
import { lifeTests } from "./backendLifeTests.ts"
import { lossTests } from "./backendLossTests.ts"
import { terminalTests } from "./backendTerminalTests.ts"

export type { BackendSuiteAgent, BackendSuiteOptions, MakeBackend } from "./backendHarness.ts"

/** Registers the suite for a backend, which is made anew for each test. */
export const backendSuite = (name: string, make: MakeBackend, options: BackendSuiteOptions): void => {
  describe(name, () => {
    lifeTests(make, options)
    if (options.script !== undefined) {
      terminalTests(make, options, options.script)
      lossTests(make, options, options.script)
    }
    if (options.agent !== undefined) agentTests(make, options, options.agent)
  })
}
