/** What a client asked of a scripted model, in terms that are the same for all dialects. */

/** The dialects: OpenAI Responses, OpenAI Chat Completions, Anthropic Messages. */
export type ModelDialectName = "responses" | "chat" | "messages"

/**
 * What a call is for: a step of a turn; a title, a summary that replaces the history, or an answer of a stated shape, where
 * the agent says so in a way that is known (Codex, Opencode, Claude Code); `other` where no user said anything.
 */
export type ModelPurpose = "turn" | "title" | "compaction" | "structured" | "other"

/** What came of a tool call. */
export interface ToolResult {
  readonly callId: string
  /** Where the request repeats the call. */
  readonly name: string | undefined
  readonly output: string
}

/** One call of the model. */
export interface ModelRequest {
  /** 1, 2, 3 … in the order in which the calls arrived. */
  readonly number: number
  readonly dialect: ModelDialectName
  /** Without the query. */
  readonly path: string
  readonly model: string
  /** The agent's own id of its session: Codex's thread, Opencode's or Claude Code's session; undefined for other clients. */
  readonly conversation: string | undefined
  /** The conversation that a subagent works for. */
  readonly parent: string | undefined
  readonly purpose: ModelPurpose
  /** What the user said last. What agents say in the user's name about themselves is left out. */
  readonly prompt: string
  /** What came of all tool calls since then. */
  readonly toolResults: ReadonlyArray<ToolResult>
  /** How many answers since then are in the history: 0 for the first call of a turn. */
  readonly step: number
  /** 0, and 1, 2 … where the same call comes again after one that was not answered in full. */
  readonly attempt: number
  /** Names of the tools that the model may call. */
  readonly tools: ReadonlyArray<string>
  readonly headers: Readonly<Record<string, string>>
  /** As it came, decoded from JSON. Undefined once it is not kept any more. */
  readonly body: unknown
}

/** How far the answer to a request is. */
export type AnswerState =
  | "answering"
  /** In full, whatever the script says. */
  | "answered"
  /** The script broke it off: an error, a dropped connection, an end without a finish. */
  | "broken"
  /** The client went before the end. */
  | "client gone"
  /** There is no answer: the script is wrong, or the turn makes too many calls. The client got a 400. */
  | "refused"

/** A request that a scripted model keeps, with what became of it. */
export interface RecordedRequest extends ModelRequest {
  readonly state: AnswerState
  /** The gate that the answer waits at right now. */
  readonly gate: string | undefined
  /** Why it was refused. */
  readonly problem: string | undefined
}

/** One entry of a history: a user's words, one answer of the model with all its calls, or what came of calls. */
export type HistoryEntry =
  | { readonly role: "user"; readonly text: string }
  | { readonly role: "model" }
  | { readonly role: "results"; readonly results: ReadonlyArray<ToolResult> }

/** What a dialect reads from a body. */
export interface ReadRequest {
  readonly model: string
  /** Whether the client wants a stream. */
  readonly stream: boolean
  readonly history: ReadonlyArray<HistoryEntry>
  readonly tools: ReadonlyArray<string>
  readonly conversation: string | undefined
  readonly parent: string | undefined
  readonly purpose: Exclude<ModelPurpose, "other">
  /** The agent's own id of the turn, where it says one. */
  readonly turn: string | undefined
}

/** The text of a message's content: a string, or the text parts of a list. */
export const textOf = (content: unknown): string => {
  if (typeof content === "string") return content
  if (!Array.isArray(content)) return ""
  return textsOf(content).join("\n")
}

/** The texts of a list of parts, without those that hold none. */
export const textsOf = (content: ReadonlyArray<unknown>): ReadonlyArray<string> =>
  content.flatMap((part) =>
    typeof part === "object" && part !== null && "text" in part && typeof part.text === "string" ? [part.text] : []
  )

/** Where the user spoke last, and what has happened since. */
export const sinceUser = (
  history: ReadonlyArray<HistoryEntry>
): Pick<ModelRequest, "prompt" | "toolResults" | "step"> & { readonly hasUser: boolean } => {
  const at = history.findLastIndex(({ role }) => role === "user")
  const user = history[at]
  const since = history.slice(at + 1)
  return {
    hasUser: user !== undefined,
    prompt: user?.role === "user" ? user.text : "",
    toolResults: since.flatMap((entry) => (entry.role === "results" ? entry.results : [])),
    step: since.filter(({ role }) => role === "model").length
  }
}
