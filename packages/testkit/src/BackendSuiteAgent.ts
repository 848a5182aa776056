/**
 * What the conformance suite says to an agent, and what the agent has to do then. A test of yours scripts the agent (or the
 * model behind it) to know these words; the suite chooses the tokens.
 *
 * A token is a short text such as `tok0a1b2c3d4e5f`, new for every use, so that what was said in one turn or session cannot
 * be taken for what was said in another. {@link suiteTokens} finds them in any text: in a prompt, or in all that a model was
 * sent.
 */
import type { Usage } from "@holdfast/core"

/** A prompt made of a token. Its text must have the token in it. */
export type SuitePrompt = (token: string) => string

/** A token of the suite. */
const tokenPattern = /tok[0-9a-f]{12}/g

/** The tokens in a text, each once, in the order of their first place. */
export const suiteTokens = (text: string): ReadonlyArray<string> => [...new Set(text.match(tokenPattern))]

/** Prompts with a known effect, and what else the suite has to know of the agent. What is left out leaves its tests out. */
export interface BackendSuiteAgent {
  /** The turn completes, with one message of the agent that has the token in it, and without a tool call. */
  readonly say: SuitePrompt
  /**
   * A message begins with a piece that has the token in it, which is told while the turn runs; then nothing more comes until
   * the turn is interrupted. (Let the model say it in two
   * pieces, the second after minutes: what it said and ended is a whole message.)
   */
  readonly long?: SuitePrompt
  /**
   * A turn that prompts can be steered into. `running` begins one that says its token, in a message or in what it calls a tool
   * with, and goes on for a while (or for ever); `into` is sent as soon as that is seen, and makes the same turn complete with
   * a message that has the token of `into`.
   */
  readonly steer?: { readonly running: SuitePrompt; readonly into: SuitePrompt }
  /** One tool call runs a command that prints the token and exits with 0; then the turn completes. No permission is asked. */
  readonly tool?: SuitePrompt
  /** The command prints the token and exits with 3; then the turn completes all the same. */
  readonly failingTool?: SuitePrompt
  /** One answer of the model has two tool calls, each of which prints one of the tokens; then the turn completes. */
  readonly parallelTools?: (one: string, other: string) => string
  /**
   * One tool call runs a command that goes on for at least a minute, and of which a process has the token among its arguments
   * (`sh -c "sleep 60; echo tok…"`). When the command is stopped the turn goes on to its end.
   */
  readonly longTool?: SuitePrompt
  /**
   * A tool call asks for a permission first. Allowed, it prints the token, and the turn completes; rejected or cancelled, it
   * does not run, and the turn ends. The offered options have to have one of the kind `allow_once` and one that rejects.
   */
  readonly permission?: SuitePrompt
  /**
   * The agent asks one question that has the token in its text or an option. Answered, the turn completes with a message that
   * repeats the answer; cancelled, the turn ends. Where it has options the first is chosen, otherwise the answer is a token.
   */
  readonly question?: SuitePrompt
  /** The model fails in a way that trying again cannot help (such as status 400): the turn ends as failed. */
  readonly refused?: SuitePrompt
  /** The model fails in a way that trying again can help (such as status 429 or 500), and goes on failing: the turn ends as failed. */
  readonly overloaded?: SuitePrompt
  /** The model fails once, is called again by the agent, and then says the token: the turn completes. */
  readonly retried?: SuitePrompt
  /**
   * The turn completes with a message that has all the tokens which the agent still knows from earlier in its session: let the
   * model repeat the {@link suiteTokens} of all that it is sent. Resuming, forking and reverting are judged by it.
   */
  readonly recall?: string
  /** For the capability `configure`: a choice that the agent takes. */
  readonly choice?: { readonly model?: string; readonly effort?: string; readonly mode?: string }
  /** What a turn of {@link say} costs, as `usage.reported` has to tell in sum. Fields that are left out are not compared. */
  readonly usage?: Usage
  /** For the capability `revert`: whether what was taken back last can be restored. Otherwise `restore` must be refused. */
  readonly restores?: boolean
}
