/** The words of the conformance suite, as a scripted model has Codex act on them. */
import { agentTools, type ModelRequest, type ModelScript, ModelStep } from "@holdfast/testkit"
import { type BackendSuiteAgent, suiteTokens } from "@holdfast/testkit/suites"

const { codex } = agentTools

type Act = (tokens: ReadonlyArray<string>, request: ModelRequest) => ReadonlyArray<ModelStep.ModelStep> | undefined

/** A command that {@link suiteRules} allow. Any other is asked for first. */
const allowed = (script: string) => codex.shell(`nice sh -c '${script}'`)

/** What the first word of a prompt lets the model do. What it leaves open is answered by default: the prompt, or "Done." */
const acts: Readonly<Record<string, Act>> = {
  long: ([token]) => [ModelStep.text([`${token} `]), ModelStep.hang],
  tool: ([token], { step }) => (step === 0 ? [allowed(`echo ${token}`)] : undefined),
  fails: ([token], { step }) => (step === 0 ? [allowed(`echo ${token}; exit 3`)] : undefined),
  parallel: (tokens, { step }) => (step === 0 ? tokens.map((token) => allowed(`echo ${token}`)) : undefined),
  waits: ([token], { step }) => (step === 0 ? [allowed(`sleep 60; echo ${token}`)] : undefined),
  asks: ([token], { step }) => (step === 0 ? [codex.shell(`echo ${token}`)] : undefined),
  wonders: ([token], { step, toolResults }) =>
    step === 0
      ? [
          codex.question({
            header: "Colour",
            question: `Which colour for ${token}?`,
            options: [
              { label: "Red", description: "warm" },
              { label: "Blue", description: "cold" }
            ]
          })
        ]
      : [ModelStep.text(`So ${toolResults.at(-1)?.output}`)],
  refused: () => [ModelStep.httpError(400, { message: "scripted refusal" })],
  overloaded: () => [ModelStep.httpError(500, { message: "scripted overload" })],
  retried: ([token], { attempt }) =>
    attempt === 0 ? [ModelStep.drop("mid stream")] : [ModelStep.text(`again ${token}`)],
  recall: (_tokens, { body }) => [ModelStep.text(suiteTokens(JSON.stringify(body)).join(" "))]
}

/** The script. */
export const suiteScript: ModelScript = (request) =>
  request.purpose === "turn"
    ? acts[request.prompt.split(" ", 1)[0] ?? ""]?.(suiteTokens(request.prompt), request)
    : undefined

/** Rules of the home, in `rules/default.rules`. */
export const suiteRules = 'prefix_rule(pattern=["nice"], decision="allow")\n'

/** Settings of the home under which the words do what they should. */
export const suiteHome = {
  retries: { request: 0, stream: 1 },
  settings: { "features.default_mode_request_user_input": true }
} as const

/** The words. */
export const suiteAgent: BackendSuiteAgent = {
  say: (token) => `say ${token}`,
  long: (token) => `long ${token}`,
  steer: { running: (token) => `long ${token}`, into: (token) => `into ${token}` },
  tool: (token) => `tool ${token}`,
  failingTool: (token) => `fails ${token}`,
  parallelTools: (one, other) => `parallel ${one} ${other}`,
  longTool: (token) => `waits ${token}`,
  permission: (token) => `asks ${token}`,
  question: (token) => `wonders ${token}`,
  refused: (token) => `refused ${token}`,
  overloaded: (token) => `overloaded ${token}`,
  retried: (token) => `retried ${token}`,
  recall: "recall",
  choice: { model: "another", effort: "high", mode: "untrusted/danger-full-access" },
  usage: { inputTokens: 100, outputTokens: 10 },
  restores: false
}
