/** Tool calls in the words of the Agent Client Protocol: commands, patches, MCP, sub-agents, the web, images. */
import {
  boundRaw,
  type DataOf,
  type Location,
  own,
  type ToolCall,
  type ToolKind,
  type ToolStatus
} from "@holdfast/core"
import { imageAt, named, pick, readBlock, rest } from "./CodexContent.ts"
import type { CommandAction, ThreadItem } from "./CodexWire.ts"
import { type FileDiff, readChange } from "./FileDiffs.ts"

type ItemOf<T extends ThreadItem["type"]> = Extract<ThreadItem, { readonly type: T }>

/** How an item ends. Without `text` and `output` where the server did not say them. */
export type ItemEnd = Pick<
  DataOf<"item.completed">,
  "status" | "tool" | "text" | "output" | "content" | "error" | "raw"
> & {
  /** The files that it changed. */
  readonly files?: ReadonlyArray<FileDiff>
}

/** Items that are shown as tool calls. */
export type ToolItem = Exclude<
  ThreadItem,
  ItemOf<"agentMessage" | "userMessage" | "hookPrompt" | "reasoning" | "plan" | "exitedReviewMode">
>

/** A tool call as it stands. */
export const toolOf = (item: ToolItem, cwd: string, status: ToolStatus): ToolCall => {
  switch (item.type) {
    case "commandExecution":
      return commandTool(item, cwd, status)
    case "fileChange": {
      const files = (item.changes ?? []).map(readChange)
      return {
        name: "apply_patch",
        title: titleOfFiles(files, cwd),
        kind: kindOfFiles(files),
        status,
        input: {
          changes: files.map(({ change, from, path }) => ({ path, change, ...(from === undefined ? {} : { from }) }))
        },
        locations: files.map(({ path }) => ({ path }))
      }
    }
    case "mcpToolCall": {
      const name = `${item.server ?? "mcp"}.${item.tool ?? "tool"}`
      return { name, title: name, kind: "other", status, input: item.arguments ?? null }
    }
    case "dynamicToolCall":
    case "functionCallOutput": {
      const tool = item.type === "dynamicToolCall" ? item.tool : item.name
      const name = [item.namespace, tool ?? "tool"].filter((part) => part !== undefined).join(".")
      return {
        name,
        title: name,
        kind: "other",
        status,
        ...(item.type === "dynamicToolCall" ? { input: item.arguments ?? null } : {})
      }
    }
    case "collabAgentToolCall":
      return {
        name: item.tool ?? "agent",
        title: `${item.tool ?? "Sub-agent"}${item.prompt === undefined ? "" : `: ${item.prompt.slice(0, 200)}`}`,
        kind: "other",
        status,
        input: pick(item, ["prompt", "model", "receiverThreadIds"])
      }
    case "subAgentActivity":
      return {
        name: "subAgentActivity",
        title: `Sub-agent ${item.agentPath ?? ""} ${item.kind ?? "did something"}`.replace("  ", " "),
        kind: "other",
        status,
        input: pick(item, ["kind", "agentThreadId", "agentPath", "model"])
      }
    case "webSearch":
      return webTool(item, status)
    case "imageView":
      return {
        name: "view_image",
        title: `View ${item.path === undefined ? "an image" : below(item.path, cwd)}`,
        kind: "read",
        status,
        ...(item.path === undefined ? {} : { locations: [{ path: item.path }] })
      }
    case "imageGeneration":
      return {
        name: "image_generation",
        title: "Generate an image",
        kind: "other",
        status,
        ...inputOf(pick(item, ["revisedPrompt"]))
      }
    case "sleep": {
      const seconds = Math.round((item.durationMs ?? 0) / 100) / 10
      return { name: "sleep", title: `Wait ${seconds} s`, kind: "other", status, input: pick(item, ["durationMs"]) }
    }
    case "unknown":
      return { name: item.wireType, title: item.wireType, kind: "other", status }
    default:
      return { name: item.type, kind: "other", status }
  }
}

const inputOf = (input: object): { readonly input?: unknown } => (Object.keys(input).length === 0 ? {} : { input })

/** A command, as an item or as what a request is about. */
export const commandTool = (
  item: Pick<ItemOf<"commandExecution">, "command" | "commandActions" | "cwd" | "source">,
  cwd: string,
  status: ToolStatus
): ToolCall => {
  const actions = item.commandActions ?? []
  const locations = actions.flatMap(({ path }): ReadonlyArray<Location> =>
    path === undefined ? [] : [{ path: isAbsolute(path) ? path : `${item.cwd ?? cwd}/${path}` }]
  )
  return {
    name: "shell",
    title: (actions.length === 1 ? actions[0]!.command : undefined) ?? item.command ?? "A command",
    kind: kindOfActions(actions),
    status,
    input: { ...pick(item, ["command", "cwd"]), ...(item.source === "userShell" ? { source: item.source } : {}) },
    ...(locations.length === 0 ? {} : { locations })
  }
}

const isAbsolute = (path: string): boolean => path.startsWith("/") || /^[A-Za-z]:[\\/]/.test(path)

/** A command that only reads or searches is told as that; anything else executes. */
const kindOfActions = (actions: ReadonlyArray<CommandAction>): ToolKind => {
  const kinds = new Set(actions.map(({ type }) => type))
  if (kinds.size === 0 || [...kinds].some((kind) => kind !== "read" && kind !== "search" && kind !== "listFiles")) {
    return "execute"
  }
  return kinds.has("read") && kinds.size === 1 ? "read" : "search"
}

const kindOfFiles = (files: ReadonlyArray<FileDiff>): ToolKind => {
  if (files.length > 0 && files.every(({ change }) => change === "deleted")) return "delete"
  return files.length > 0 && files.every(({ change }) => change === "moved") ? "move" : "edit"
}

const verbs = { created: "Create", modified: "Edit", deleted: "Delete", moved: "Move" } as const

const titleOfFiles = (files: ReadonlyArray<FileDiff>, cwd: string): string => {
  const [file] = files
  if (file === undefined || files.length > 1) return `Change ${files.length} files`
  const from = file.from === undefined ? "" : `${below(file.from, cwd)} → `
  return `${verbs[file.change]} ${from}${below(file.path, cwd)}`
}

/** A path as it is shown to people: below the session's directory, or in full. */
const below = (path: string, cwd: string): string => (path.startsWith(`${cwd}/`) ? path.slice(cwd.length + 1) : path)

const webTool = (item: ItemOf<"webSearch">, status: ToolStatus): ToolCall => {
  const action = item.action
  const fetched = action?.type === "openPage" || action?.type === "findInPage"
  const sought = item.query || action?.query || action?.queries?.join(", ") || action?.url
  return {
    name: "web_search",
    title:
      sought === undefined || sought === "" ? "Search the web" : `${fetched ? "Open" : "Search the web for"} ${sought}`,
    kind: fetched ? "fetch" : "search",
    status,
    ...inputOf(pick(item, ["query", "action"]))
  }
}

const statuses: { readonly [status: string]: ItemEnd["status"] } = {
  completed: "completed",
  failed: "failed",
  declined: "failed",
  interrupted: "interrupted"
}

/** How a tool call ends. */
export const endOfTool = (item: ToolItem, cwd: string): ItemEnd => {
  const told = "status" in item ? item.status : undefined
  let status = (told === undefined ? undefined : own(statuses, told)) ?? "completed"
  if (item.type === "dynamicToolCall" && item.success === false) status = "failed"
  // How a command that was killed ends: with a stopped background terminal, nothing went wrong in itself.
  if (item.type === "commandExecution" && item.exitCode === -1) status = "interrupted"
  const call = toolOf(item, cwd, status === "completed" ? "completed" : "failed")
  const tool = item.type === "commandExecution" ? { ...call, exitCode: item.exitCode ?? null } : call
  return {
    status,
    tool,
    ...(told === "declined" ? { error: { message: "It was declined", code: "declined", retryable: false } } : {}),
    ...resultOf(item, status)
  }
}

/** What a tool call brought. */
const resultOf = (item: ToolItem, status: ItemEnd["status"]): Partial<ItemEnd> => {
  switch (item.type) {
    case "commandExecution":
      return item.aggregatedOutput === undefined ? {} : { output: item.aggregatedOutput }
    case "fileChange": {
      const files = (item.changes ?? []).map(readChange)
      // What was not applied is kept with the call, since no `file.changed` has it.
      return status === "completed" ? { files } : rest({ changes: files })
    }
    case "mcpToolCall": {
      const blocks = (item.result?.content ?? []).map(readBlock)
      const content = blocks.flatMap(({ block }) => block ?? [])
      return {
        output: blocks.flatMap(({ text }) => text ?? []).join("\n"),
        ...(content.length === 0 ? {} : { content }),
        ...(item.error === undefined ? {} : { error: { message: item.error.message, retryable: false } }),
        ...rest({
          ...pick(item.result ?? {}, ["structuredContent"]),
          ...named(
            "content",
            blocks.flatMap(({ raw }) => raw ?? [])
          )
        })
      }
    }
    case "dynamicToolCall": {
      const items = item.contentItems ?? []
      const content = items.flatMap(({ imageUrl }) => (imageUrl === undefined ? [] : [imageAt(imageUrl)]))
      return {
        output: items.flatMap(({ text }) => text ?? []).join("\n"),
        ...(content.length === 0 ? {} : { content }),
        ...rest(
          named(
            "contentItems",
            items.filter(({ imageUrl, text }) => text === undefined && imageUrl === undefined)
          )
        )
      }
    }
    case "functionCallOutput":
      return typeof item.output === "string" ? { output: item.output } : rest(pick(item, ["output"]))
    case "collabAgentToolCall": {
      const states = Object.entries(item.agentsStates ?? {})
      return { output: states.map(([id, { message, status: state }]) => `${id}: ${message ?? state ?? ""}`).join("\n") }
    }
    case "webSearch":
      return rest(named("results", item.results ?? []))
    case "imageGeneration": {
      if (item.savedPath !== undefined) {
        return { content: [{ type: "image", mimeType: "image/*", uri: `file://${item.savedPath}` }] }
      }
      return item.result === undefined || item.result === ""
        ? {}
        : { content: [{ type: "image", mimeType: "image/png", data: item.result }] }
    }
    case "unknown":
      return { raw: boundRaw(item.raw) }
    default:
      return {}
  }
}
