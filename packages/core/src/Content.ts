/**
 * Content blocks and tool calls, in the vocabulary of the Agent Client Protocol (agentclientprotocol.com, schema v1):
 * hosts already know it. Only the words are taken over; the shapes are ours.
 */
import * as Schema from "effect/Schema"

/** Plain JSON, as it is kept for what Holdfast does not interpret. */
export const Json = Schema.Unknown
export type Json = unknown

/** One piece of a prompt, a message or a tool's result. Binary content is base64 text, as on ACP's wire. */
export const ContentBlock = Schema.Union([
  Schema.Struct({ type: Schema.Literal("text"), text: Schema.String }),
  Schema.Struct({
    type: Schema.Literal("image"),
    mimeType: Schema.String,
    data: Schema.optionalKey(Schema.String),
    uri: Schema.optionalKey(Schema.String)
  }),
  Schema.Struct({
    type: Schema.Literal("resource"),
    uri: Schema.String,
    mimeType: Schema.optionalKey(Schema.String),
    name: Schema.optionalKey(Schema.String),
    text: Schema.optionalKey(Schema.String),
    blob: Schema.optionalKey(Schema.String)
  })
])
export type ContentBlock = typeof ContentBlock.Type

/** What a tool call does, for icons and grouping. */
export const ToolKind = Schema.Literals([
  "read",
  "edit",
  "delete",
  "move",
  "search",
  "execute",
  "think",
  "fetch",
  "other"
])
export type ToolKind = typeof ToolKind.Type

/** How far a tool call is. */
export const ToolStatus = Schema.Literals(["pending", "in_progress", "completed", "failed"])
export type ToolStatus = typeof ToolStatus.Type

/** A place in a file that a tool call is about. Lines count from 1. */
export const Location = Schema.Struct({ path: Schema.String, line: Schema.optionalKey(Schema.Int) })
export type Location = typeof Location.Type

/** A tool call as the backend told it. `input` and `raw` are the agent's own JSON. */
export const ToolCall = Schema.Struct({
  name: Schema.String,
  title: Schema.optionalKey(Schema.String),
  kind: ToolKind,
  status: ToolStatus,
  input: Schema.optionalKey(Json),
  locations: Schema.optionalKey(Schema.Array(Location)),
  /** The exit code of what it ran, where it ran a command. */
  exitCode: Schema.optionalKey(Schema.NullOr(Schema.Int))
})
export type ToolCall = typeof ToolCall.Type

/** One step of an agent's plan. */
export const PlanEntry = Schema.Struct({
  content: Schema.String,
  status: Schema.Literals(["pending", "in_progress", "completed"]),
  priority: Schema.optionalKey(Schema.Literals(["high", "medium", "low"]))
})
export type PlanEntry = typeof PlanEntry.Type

/** One answer that a permission offers. */
export const PermissionOption = Schema.Struct({
  optionId: Schema.String,
  name: Schema.String,
  kind: Schema.Literals(["allow_once", "allow_always", "reject_once", "reject_always"])
})
export type PermissionOption = typeof PermissionOption.Type

/** What became of a permission: one of its options, or nothing was chosen. */
export const PermissionOutcome = Schema.Union([
  Schema.Struct({ outcome: Schema.Literal("selected"), optionId: Schema.String }),
  Schema.Struct({ outcome: Schema.Literal("cancelled") })
])
export type PermissionOutcome = typeof PermissionOutcome.Type

/** One of the questions that an agent asks together. */
export const Question = Schema.Struct({
  questionId: Schema.String,
  header: Schema.optionalKey(Schema.String),
  text: Schema.String,
  options: Schema.Array(Schema.Struct({ label: Schema.String, description: Schema.optionalKey(Schema.String) })),
  multiple: Schema.Boolean,
  freeText: Schema.Boolean,
  /** The answer must not be shown or logged. */
  secret: Schema.optionalKey(Schema.Boolean)
})
export type Question = typeof Question.Type

/** What became of a question: answers by question id, or nothing was answered. */
export const QuestionOutcome = Schema.Union([
  Schema.Struct({
    outcome: Schema.Literal("answered"),
    answers: Schema.Record(Schema.String, Schema.Array(Schema.String))
  }),
  Schema.Struct({ outcome: Schema.Literal("cancelled") })
])
export type QuestionOutcome = typeof QuestionOutcome.Type

/** Who ended a request: a participant's answer, its deadline, the backend itself, or the end of what it belonged to. */
export const ResolvedBy = Schema.Literals(["answer", "deadline", "backend", "end"])
export type ResolvedBy = typeof ResolvedBy.Type

/** Tokens and money. Every field adds up; absent means unknown. Cost is in US dollars. */
export const Usage = Schema.Struct({
  inputTokens: Schema.optionalKey(Schema.Finite),
  outputTokens: Schema.optionalKey(Schema.Finite),
  reasoningTokens: Schema.optionalKey(Schema.Finite),
  cachedInputTokens: Schema.optionalKey(Schema.Finite),
  costUsd: Schema.optionalKey(Schema.Finite)
})
export type Usage = typeof Usage.Type

/** An error as people and programs need it: what happened, whether trying again can help, and the agent's own words. */
export const ReportedError = Schema.Struct({
  message: Schema.String,
  code: Schema.optionalKey(Schema.String),
  retryable: Schema.Boolean,
  raw: Schema.optionalKey(Json)
})
export type ReportedError = typeof ReportedError.Type

/** A file that belongs to the work, with its state where it has one. */
export const Artifact = Schema.Struct({
  kind: Schema.Literals(["pull_request", "screenshot", "file", "url", "other"]),
  title: Schema.String,
  url: Schema.optionalKey(Schema.String),
  path: Schema.optionalKey(Schema.String),
  mimeType: Schema.optionalKey(Schema.String),
  state: Schema.optionalKey(Schema.Literals(["open", "draft", "merged", "closed"]))
})
export type Artifact = typeof Artifact.Type

/** What a participant may do: a viewer reads, a member also prompts, answers and types, an owner may do everything. */
export const Role = Schema.Literals(["viewer", "member", "owner"])
export type Role = typeof Role.Type

/** Names a request in errors and views. */
export const RequestKind = Schema.Literals(["permission", "question"])
export type RequestKind = typeof RequestKind.Type
