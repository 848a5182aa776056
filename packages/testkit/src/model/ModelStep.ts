/**
 * What a scripted model does in one call, step by step:
 *
 * ```ts
 * [ModelStep.reasoning("Let me see."), ModelStep.text("Hello", { chunkSize: 2, delayMs: 20 }), ModelStep.gate("said")]
 * ```
 *
 * Content is streamed in the order of the steps. What follows the last step is the regular end of an answer, unless that
 * step is itself an end: `finish`, `fail`, `endWithoutFinish`, `drop`, `hang`, or `httpError`.
 */

/** How a text is cut into the pieces that are streamed. Without it the text is one piece. */
export interface Pacing {
  /** Characters (code points) in a piece; at least 1. */
  readonly chunkSize?: number
  /** Milliseconds between two pieces. Default 0: all of them at once. */
  readonly delayMs?: number
}

/** What a call cost, in tokens. The cached ones are among those of the input, the reasoning ones among those of the output. */
export interface ModelUsage {
  readonly inputTokens: number
  readonly cachedTokens: number
  readonly outputTokens: number
  readonly reasoningTokens: number
}

/** Why an answer ends. The default is `tool-calls` after a tool call, and `stop` otherwise. */
export type FinishReason = "stop" | "length" | "content-filter" | "tool-calls"

/** An error as the providers report it. */
export interface ModelError {
  readonly message: string
  /** Such as `server_error`, `overloaded_error`. Default `server_error`. */
  readonly type?: string
  /** Such as `rate_limit_exceeded`, `insufficient_quota`, `context_length_exceeded`. Default: the type. */
  readonly code?: string
}

/** Content of an answer, cut into its pieces. */
export type ModelContent =
  | { readonly type: "text"; readonly pieces: ReadonlyArray<string>; readonly delayMs: number }
  | {
      readonly type: "reasoning"
      readonly pieces: ReadonlyArray<string>
      readonly delayMs: number
      readonly raw?: string
    }
  | {
      readonly type: "toolCall"
      readonly name: string
      readonly namespace?: string
      readonly callId?: string
      /** The arguments' JSON text, or what the script gives for it. */
      readonly pieces: ReadonlyArray<string>
      readonly delayMs: number
    }
  | { readonly type: "customToolCall"; readonly name: string; readonly callId?: string; readonly input: string }

/** One step of an answer. */
export type ModelStep =
  | ModelContent
  | { readonly type: "usage"; readonly usage: ModelUsage | undefined }
  | { readonly type: "pause"; readonly milliseconds: number }
  | { readonly type: "gate"; readonly name: string }
  | { readonly type: "finish"; readonly reason: FinishReason }
  | { readonly type: "fail"; readonly error: ModelError }
  | { readonly type: "endWithoutFinish" }
  | { readonly type: "hang" }
  | { readonly type: "drop"; readonly when: "before headers" | "mid stream" }
  | {
      readonly type: "httpError"
      readonly status: number
      readonly error: ModelError
      readonly retryAfter?: number | string
    }

/** Text in pieces: those given, or those of the pacing. A character outside the basic plane is never cut in two. */
const cut = (text: string | ReadonlyArray<string>, size: number | undefined): ReadonlyArray<string> => {
  if (typeof text !== "string") return text
  if (size === undefined) return [text]
  if (!(size >= 1)) throw new RangeError(`chunkSize is ${size}; it has to be 1 or more`)
  const pieces: Array<string> = []
  let piece = ""
  let length = 0
  for (const character of text) {
    piece += character
    length += 1
    if (length < size) continue
    pieces.push(piece)
    piece = ""
    length = 0
  }
  if (piece !== "" || pieces.length === 0) pieces.push(piece)
  return pieces
}

const paced = (text: string | ReadonlyArray<string>, pacing: Pacing) => ({
  pieces: cut(text, pacing.chunkSize),
  delayMs: pacing.delayMs ?? 0
})

/** Says something. A list of strings is streamed in exactly these pieces. */
export const text = (text: string | ReadonlyArray<string>, pacing: Pacing = {}): ModelStep => ({
  type: "text",
  ...paced(text, pacing)
})

/**
 * Thinks aloud. In the Responses dialect this is the summary, and `raw` beside it the chain of thought itself; the other
 * dialects have one kind of reasoning and ignore `raw`.
 */
export const reasoning = (
  text: string | ReadonlyArray<string>,
  options: Pacing & { readonly raw?: string } = {}
): ModelStep => ({
  type: "reasoning",
  ...paced(text, options),
  ...(options.raw === undefined ? {} : { raw: options.raw })
})

/**
 * Calls a tool. Several calls in one answer run in parallel. `arguments` is an object, or a string that is sent as it is:
 * so broken JSON can be sent too. A `callId` has to be new in its conversation; by default the model makes one.
 */
export const toolCall = (
  call: {
    readonly name: string
    readonly arguments?: Readonly<Record<string, unknown>> | string
    /** Of the tool, where it has one: `mcp__server`. Responses dialect only. */
    readonly namespace?: string
    readonly callId?: string
  },
  pacing: Pacing = {}
): ModelStep => {
  const { arguments: given = {}, ...rest } = call
  return {
    type: "toolCall",
    ...rest,
    ...paced(typeof given === "string" ? given : JSON.stringify(given), pacing)
  }
}

/** Calls a tool that takes free text, as Codex's `apply_patch` does. Responses dialect only. */
export const customToolCall = (call: {
  readonly name: string
  readonly input: string
  readonly callId?: string
}): ModelStep => ({ type: "customToolCall", ...call })

/** Says what the call cost; `"none"` leaves it out. Without this step it is 100 tokens of input and 10 of output. */
export const usage = (usage: Partial<ModelUsage> | "none"): ModelStep => ({
  type: "usage",
  usage: usage === "none" ? undefined : { ...defaultUsage, ...usage }
})

/** What a call costs that says nothing about it. */
export const defaultUsage: ModelUsage = { inputTokens: 100, cachedTokens: 0, outputTokens: 10, reasoningTokens: 0 }

/** Waits before the next step. */
export const pause = (milliseconds: number): ModelStep => ({ type: "pause", milliseconds })

/** Waits until the test opens the gate of this name, for all answers at once. An opened gate stays open. */
export const gate = (name: string): ModelStep => ({ type: "gate", name })

/** Ends the answer for a stated reason. */
export const finish = (reason: FinishReason): ModelStep => ({ type: "finish", reason })

/** Reports an error inside the stream and ends it: `response.failed`, an error chunk, an `error` event. */
export const fail = (error: ModelError): ModelStep => ({ type: "fail", error })

/** Ends the stream cleanly, but without saying that the answer is complete. */
export const endWithoutFinish: ModelStep = { type: "endWithoutFinish" }

/** Says nothing any more, until the client goes or the model is closed. */
export const hang: ModelStep = { type: "hang" }

/** Breaks the connection: before it answered anything, or after what was said so far. */
export const drop = (when: "before headers" | "mid stream"): ModelStep => ({ type: "drop", when })

/** The usual type of an error with a status. Agents look at it too: Opencode retries any error whose text has "server error". */
const typeOf = (status: number) =>
  status >= 500
    ? status === 529
      ? "overloaded_error"
      : "server_error"
    : ({ 401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error" }[
        status
      ] ?? "invalid_request_error")

/**
 * Answers with a status and an error instead of a stream. The type is by default the usual one of the status. `retryAfter` is
 * sent as it is: seconds, or a date.
 */
export const httpError = (
  status: number,
  error: Partial<ModelError> & { readonly retryAfter?: number | string } = {}
): ModelStep => {
  const { message = `scripted error ${status}`, retryAfter, type = typeOf(status), ...rest } = error
  return {
    type: "httpError",
    status,
    error: { message, type, ...rest },
    ...(retryAfter === undefined ? {} : { retryAfter })
  }
}

const endings: ReadonlyArray<ModelStep["type"]> = ["finish", "fail", "endWithoutFinish", "hang", "drop", "httpError"]
const silent: ReadonlyArray<ModelStep["type"]> = ["pause", "gate", "usage"]

/** Why these steps cannot be one answer, or undefined when they can. */
export const objection = (steps: ReadonlyArray<ModelStep>): string | undefined => {
  for (const [at, step] of steps.entries()) {
    const next = steps[at + 1]
    if (next !== undefined && endings.includes(step.type))
      return `${next.type} comes after ${step.type}, which is an end`
    const before = step.type === "httpError" || (step.type === "drop" && step.when === "before headers")
    const content = steps.slice(0, at).find(({ type }) => !silent.includes(type))
    if (before && content !== undefined)
      return `${step.type} needs headers that are not sent, but comes after ${content.type}`
  }
  return undefined
}
