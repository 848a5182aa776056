/** The items of a turn in core's words: what is known of one when it begins, and when it is whole. */
import { type ItemKind, PromptId, type ToolCall } from "@holdfast/core"
import { Schema } from "effect"
import { pick, readInput, rest, spokenText } from "./CodexContent.ts"
import { endOfTool, type ItemEnd, toolOf } from "./CodexTools.ts"
import type { ThreadItem } from "./CodexWire.ts"

/** How an item begins. */
export interface ItemBeginning {
  readonly kind: ItemKind
  readonly role?: "user" | "agent"
  readonly tool?: ToolCall
  /** What of a streamed item was said already: all of it, where no deltas follow. */
  readonly text?: string
}

const isPromptId = Schema.is(PromptId)

/** The prompt that a user's message came from, if it is one of ours: then the log has its text already. */
export const promptOf = (item: ThreadItem): PromptId | undefined =>
  item.type === "userMessage" && isPromptId(item.clientId) ? item.clientId : undefined

/** Items that the model streams: a dropped connection or new input takes them back, and they never complete. */
export const isStreamed = (item: ThreadItem): boolean =>
  item.type === "agentMessage" || item.type === "reasoning" || item.type === "plan"

/** Items that are not shown as items: events of other types tell them. */
export const isSilent = (item: ThreadItem): boolean =>
  item.type === "contextCompaction" || item.type === "enteredReviewMode" || promptOf(item) !== undefined

/** How an item that is not silent begins. */
export const beginningOf = (item: ThreadItem, cwd: string): ItemBeginning => {
  switch (item.type) {
    case "agentMessage":
      return { kind: "message", role: "agent", ...textOf(item.text) }
    case "exitedReviewMode":
      return { kind: "message", role: "agent" }
    case "userMessage":
    case "hookPrompt":
      return { kind: "message", role: "user" }
    case "reasoning":
      return { kind: "reasoning", ...textOf(reasoningText(item)) }
    case "plan":
      return { kind: "plan", ...textOf(item.text) }
    default:
      return { kind: "tool_call", tool: toolOf(item, cwd, "in_progress") }
  }
}

const textOf = (text: string | undefined): { readonly text?: string } =>
  text === undefined || text.length === 0 ? {} : { text }

/** How an item that is not silent ends, by the server's last word on it. */
export const endOf = (item: ThreadItem, cwd: string): ItemEnd => {
  switch (item.type) {
    case "agentMessage":
      return {
        status: "completed",
        ...(item.text === undefined ? {} : { text: item.text }),
        ...rest(pick(item, ["phase", "moderation", "memoryCitation", "delivery", "questions"]))
      }
    case "exitedReviewMode":
      return { status: "completed", text: item.review ?? "" }
    case "userMessage": {
      const content = item.content?.flatMap(readInput) ?? []
      const shown = content.filter(({ type }) => type !== "text")
      return { status: "completed", text: spokenText(item.content), ...(shown.length === 0 ? {} : { content: shown }) }
    }
    case "hookPrompt":
      return { status: "completed", text: item.fragments?.map(({ text }) => text).join("\n") ?? "" }
    case "reasoning":
      return { status: "completed", ...textOf(reasoningText(item)) }
    case "plan":
      return { status: "completed", ...(item.text === undefined ? {} : { text: item.text }) }
    default:
      return endOfTool(item, cwd)
  }
}

/** Summaries and then the raw chain of thought where the provider shows it, a blank line between parts. */
const reasoningText = ({ content = [], summary = [] }: Extract<ThreadItem, { readonly type: "reasoning" }>): string =>
  [...summary, ...content].join("\n\n")
