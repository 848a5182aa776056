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
 * | the life of a session | always | order, one end, nothing left of closing, scopes, interruptions and `release`, no command hangs |
 * | the terminal | with `script` | bytes exact both ways, sizes, signals, graces, whole trees end |
 * | nothing is lost | with `script` | some 500 quick exits, absent readers, bounded memory |
 * | reattaching | with `script`, for the capability `reattach` | what is detached goes on, and is told on from any number |
 * | the agent's turns | with `agent` | streaming, tools, usage, errors, retries, sessions side by side, configuring, compacting |
 * | the agent's requests | with `agent` | permissions and questions: every answer, late and twice |
 * | interrupting the agent | with `agent` | at any moment, steering, closing in any state |
 * | the agent's history | with `agent` | resuming, prompts in doubt, branches, reverting, suspending |
 *
 * What an agent is told, and what it has to do then, is {@link BackendSuiteAgent}: each word that is given brings its tests.
 * Which further tests of an agent apply is read from its capabilities.
 *
 * Processes are looked for by the marker `HOLDFAST_PROCESS=<session>:<generation>` that a backend gives to what it starts for
 * a session, and by what it tells: a process of `process.spawned` must be gone when its session has ended, unless it is
 * `shared`; then it, and all that carries its marker, must be gone after the backend's `release`. Sessions that run elsewhere,
 * in containers or on other machines, are looked at as {@link SuiteMachine} says.
 */
import { describe } from "vitest"
import { type BackendSuiteOptions, defaultDeadline, keepBackend, type MakeBackend } from "./backendHarness.ts"
import { historyTests } from "./backendHistoryTests.ts"
import { interruptTests } from "./backendInterruptTests.ts"
import { lifeTests } from "./backendLifeTests.ts"
import { lossTests } from "./backendLossTests.ts"
import { reattachTests } from "./backendReattachTests.ts"
import { requestTests } from "./backendRequestTests.ts"
import { terminalTests } from "./backendTerminalTests.ts"
import { turnTests } from "./backendTurnTests.ts"

export type { BackendSuiteOptions, MakeBackend } from "./backendHarness.ts"
export type { SuiteMachine, SuiteProcess } from "./SuiteMachine.ts"
export { type BackendSuiteAgent, type SuitePrompt, suiteTokens } from "./BackendSuiteAgent.ts"

/** For how many full deadlines a test may wait, where they are longer than usual. */
const deadlinesInTest = 4

/** Registers the suite for a backend, which is made anew for each test unless the options say otherwise. */
export const backendSuite = (name: string, make: MakeBackend, options: BackendSuiteOptions): void => {
  const { deadline = defaultDeadline } = options
  // What is waited for fails by its own deadline, and is named then, before its test as a whole does.
  describe(name, deadline <= defaultDeadline ? {} : { timeout: deadline * deadlinesInTest }, () => {
    const one = options.once === true ? keepBackend(make, options) : make
    lifeTests(one, options)
    if (options.script !== undefined) {
      terminalTests(one, options, options.script)
      lossTests(one, options, options.script)
      reattachTests(one, options, options.script)
    }
    if (options.agent !== undefined) {
      turnTests(one, options, options.agent)
      requestTests(one, options, options.agent)
      interruptTests(one, options, options.agent)
      historyTests(one, options, options.agent)
    }
  })
}
