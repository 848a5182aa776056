/** The words of the conformance suite, as a scripted model has Opencode act on them. */
import { agentTools, type ModelRequest, ModelStep, type ModelScript } from "@holdfast/testkit"
import { type BackendSuiteAgent, suiteTokens } from "@holdfast/testkit/suites"

const { opencode } = agentTools
const { gate: _, ...steps } = ModelStep

/** A request that is tried again at once: Opencode waits 2 s, 4 s, 8 s … where the answer does not say how long. */
const overloaded = steps.httpError(500, { message: "scripted overload", retryAfter: "0" })

type Act = (tokens: ReadonlyArray<string>, request: ModelRequest) => ReadonlyArray<ModelStep.ModelStep> | undefined

/** What the first word of a prompt lets the model do. What it leaves open is answered by default: the prompt, or "Done." */
const acts: Readonly<Record<string, Act>> = {
  long: ([token]) => [steps.text([`${token} `]), steps.hang],
  // The command ends by itself; the call after it has the words that came meanwhile.
  steered: ([token], { step }) => (step === 0 ? [opencode.shell(`echo ${token}; sleep 1`)] : undefined),
  tool: ([token], { step }) => (step === 0 ? [opencode.shell(`echo ${token}`)] : undefined),
  fails: ([token], { step }) => (step === 0 ? [opencode.shell(`echo ${token}; exit 3`)] : undefined),
  parallel: (tokens, { step }) => (step === 0 ? tokens.map((token) => opencode.shell(`echo ${token}`)) : undefined),
  waits: ([token], { step }) => (step === 0 ? [opencode.shell(`sh -c "sleep 60; echo ${token}"`)] : undefined),
  asks: ([token], { step }) => (step === 0 ? [opencode.shell(`printf ${token}`)] : undefined),
  wonders: ([token], { step, toolResults }) =>
    step === 0
      ? [
          opencode.question({
            header: "Colour",
            question: `Which colour for ${token}?`,
            options: [
              { label: "Red", description: "warm" },
              { label: "Blue", description: "cold" }
            ]
          })
        ]
      : [steps.text(`So ${toolResults.at(-1)?.output}`)],
  refused: () => [steps.httpError(400, { message: "scripted refusal" })],
  overloaded: () => [overloaded],
  retried: ([token], { attempt }) => (attempt === 0 ? [overloaded] : [steps.text(`again ${token}`)]),
  recall: (_tokens, { body }) => [steps.text(suiteTokens(JSON.stringify(body)).join(" "))]
}

/** The script. */
export const suiteScript: ModelScript = (request) =>
  request.purpose === "turn"
    ? acts[request.prompt.split(" ", 1)[0] ?? ""]?.(suiteTokens(request.prompt), request)
    : undefined

/** Permissions under which the suite's words ask where they should. */
export const suitePermission = { bash: { "*": "allow", "printf *": "ask" } } as const

/** The words. */
export const suiteAgent: BackendSuiteAgent = {
  say: (token) => `say ${token}`,
  long: (token) => `long ${token}`,
  steer: { running: (token) => `steered ${token}`, into: (token) => `into ${token}` },
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
  choice: { mode: "plan" },
  usage: { inputTokens: 100, outputTokens: 10 },
  restores: true
}
