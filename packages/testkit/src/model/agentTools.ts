/** The tools that agents bring themselves, called in the same words: so that one script can drive several agents. */
import type { ModelDialectName, ModelRequest } from "./ModelRequest.ts"
import { customToolCall, type ModelStep, text, toolCall } from "./ModelStep.ts"

/** A question with the answers that it offers. */
export interface ModelQuestion {
  /** A few words. Codex shows twelve characters. */
  readonly header: string
  readonly question: string
  /** Codex wants two or three. */
  readonly options: ReadonlyArray<{ readonly label: string; readonly description: string }>
}

/** One entry of a plan. */
export interface PlanEntry {
  readonly content: string
  readonly status: "pending" | "in_progress" | "completed"
}

/** Calls of an agent's own tools. Each is one step of an answer; several of them run in parallel. */
export interface AgentTools {
  /** Runs a command in a shell, in the session's folder. */
  readonly shell: (command: string) => ModelStep
  /** Writes a whole file, new or not. A relative path counts from the session's folder. */
  readonly writeFile: (path: string, content: string) => ModelStep
  /** Replaces whole lines, which have to be in the file exactly once. */
  readonly editFile: (path: string, before: string, after: string) => ModelStep
  /** Asks the user. */
  readonly question: (question: ModelQuestion) => ModelStep
  /** Writes the plan anew. */
  readonly plan: (entries: ReadonlyArray<PlanEntry>) => ModelStep
  /** Answers with a value where the client wants one of a stated shape. */
  readonly structured: (value: unknown) => ModelStep
}

/** The tools of an agent that can give work to a subagent. */
export interface AgentToolsWithSubtasks extends AgentTools {
  /** Lets a subagent of the agent's general kind work on a prompt. */
  readonly subtask: (prompt: string) => ModelStep
}

/** Lines as a patch has them. The last line's end is not a line of its own. */
const patchLines = (mark: string, content: string) =>
  content === ""
    ? ""
    : content
        .replace(/\n$/, "")
        .split("\n")
        .map((line) => `${mark}${line}\n`)
        .join("")

const applyPatch = (change: string) =>
  customToolCall({ name: "apply_patch", input: `*** Begin Patch\n${change}*** End Patch\n` })

/**
 * Codex 0.169 with plain tools, which is what a model of its catalogue without code mode has. `writeFile` and `editFile` need
 * `apply_patch`, which the catalogue of `writeCodexHome` offers. `question` needs Codex's plan mode or its feature
 * `default_mode_request_user_input`. `update_plan` is not offered to the models that were tried: `plan` may then be
 * answered as an unsupported call.
 */
const codex: AgentTools = {
  shell: (command) => toolCall({ name: "exec_command", arguments: { cmd: command } }),
  writeFile: (path, content) => applyPatch(`*** Add File: ${path}\n${patchLines("+", content)}`),
  editFile: (path, before, after) =>
    applyPatch(`*** Update File: ${path}\n@@\n${patchLines("-", before)}${patchLines("+", after)}`),
  question: ({ header, options, question }) =>
    toolCall({ name: "request_user_input", arguments: { questions: [{ id: "question", header, question, options }] } }),
  plan: (entries) =>
    toolCall({
      name: "update_plan",
      arguments: { plan: entries.map(({ content, status }) => ({ step: content, status })) }
    }),
  structured: (value) => text(JSON.stringify(value))
}

/** Opencode 1.18 with its `build` agent. */
const opencode: AgentToolsWithSubtasks = {
  shell: (command) => toolCall({ name: "bash", arguments: { command, description: command } }),
  writeFile: (path, content) => toolCall({ name: "write", arguments: { filePath: path, content } }),
  editFile: (path, before, after) =>
    toolCall({ name: "edit", arguments: { filePath: path, oldString: before, newString: after } }),
  question: ({ header, options, question }) =>
    toolCall({ name: "question", arguments: { questions: [{ header, question, options, multiple: false }] } }),
  plan: (entries) =>
    toolCall({
      name: "todowrite",
      arguments: { todos: entries.map(({ content, status }) => ({ content, status, priority: "medium" })) }
    }),
  structured: (value) => toolCall({ name: "StructuredOutput", arguments: value as Readonly<Record<string, unknown>> }),
  subtask: (prompt) =>
    toolCall({ name: "task", arguments: { description: "Subtask", prompt, subagent_type: "general" } })
}

/** The agents whose tools are known. */
export const agentTools = { codex, opencode } as const

const byDialect: Readonly<Partial<Record<ModelDialectName, AgentTools>>> = { responses: codex, chat: opencode }

/** The tools of the agent that asks: Codex speaks Responses, Opencode Chat Completions. Throws for any other dialect. */
export const agentToolsOf = ({ dialect }: Pick<ModelRequest, "dialect">): AgentTools => {
  const tools = byDialect[dialect]
  if (tools === undefined)
    throw new Error(`No agent is known that speaks ${dialect}: call its tools with ModelStep.toolCall`)
  return tools
}
